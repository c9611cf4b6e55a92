"""The GStreamer source on Debian's own OpenCV and real pipelines: run by .ci/gstreamer, under the system's Python."""

from __future__ import annotations

import numpy as np
import pytest

from edgetrack.capture import Source, open_source
from edgetrack.config import GstreamerCapture
from edgetrack.errors import CaptureError
from tests.capture import contract

cv2 = pytest.importorskip("cv2", reason="OpenCV with GStreamer is the system's: run .ci/gstreamer")

TO_BGR = "videoconvert ! video/x-raw,format=BGR ! appsink"


def source(pipeline: str, **options: float) -> Source:
    return open_source(GstreamerCapture(pipeline=pipeline, retry_min_s=0.1, retry_max_s=0.2, **options))  # type: ignore[arg-type]


def test_a_source_keeps_its_promises() -> None:
    size = "video/x-raw,width=320,height=240,framerate=30/1"
    contract.check(source(f"videotestsrc is-live=true ! {size} ! {TO_BGR}"), live=True, size=(320, 240))


def test_pictures_are_blue_green_red() -> None:
    with source(f"videotestsrc is-live=true pattern=red ! {TO_BGR}") as running:
        image = contract.take(running, 1)[0].image
    assert np.allclose(image.mean(axis=(0, 1)), (0, 0, 255), atol=3)


def test_a_pipeline_that_ends_is_started_again() -> None:
    with source(f"videotestsrc is-live=true num-buffers=5 ! {TO_BGR}") as running:
        frames = contract.take(running, 8)
        assert running.state.outages >= 1
    assert all(later.time >= earlier.time for earlier, later in zip(frames, frames[1:]))  # noqa: B905, RUF007


def test_a_camera_that_is_not_there_is_waited_for() -> None:
    with source(f"v4l2src device=/dev/video99 ! {TO_BGR}") as running:
        contract.wait_for(running, "degraded")
        assert running.state.reason == "the pipeline does not start; try it with gst-launch-1.0"


def test_pictures_that_are_not_bgr_are_one_message() -> None:
    gray = "videotestsrc is-live=true ! video/x-raw,format=GRAY8 ! appsink"
    with source(gray) as running, pytest.raises(CaptureError, match="expected BGR; put videoconvert"):
        contract.take(running, 1)
