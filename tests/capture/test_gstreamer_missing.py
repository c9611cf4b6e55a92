"""What is said where OpenCV or its GStreamer is missing, or the pipeline cannot give pictures."""

import importlib.util
import sys
import types

import pytest

from edgetrack.capture import open_source
from edgetrack.config import GstreamerCapture
from edgetrack.errors import CaptureError

PIPELINE = "videotestsrc ! videoconvert ! video/x-raw,format=BGR ! appsink"


def enter(pipeline: str = PIPELINE) -> None:
    with open_source(GstreamerCapture(pipeline=pipeline)):
        pass


@pytest.mark.skipif(importlib.util.find_spec("cv2") is not None, reason="this Python has OpenCV: .ci/gstreamer")
def test_without_opencv_the_package_is_named() -> None:
    with pytest.raises(CaptureError, match=r"cannot import cv2: .*; sudo apt install python3-opencv, and make the"):
        enter()


def test_an_opencv_from_pip_has_no_gstreamer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its build information, as opencv-python-headless 4.11 prints it."""
    pip = types.ModuleType("cv2")
    pip.__file__ = "/venv/cv2/__init__.py"
    vars(pip).update(__version__="4.11.0", getBuildInformation=lambda: "  Video I/O:\n    GStreamer:     NO\n")
    monkeypatch.setitem(sys.modules, "cv2", pip)
    with pytest.raises(CaptureError, match=r"OpenCV 4\.11\.0 has no GStreamer; pip uninstall it; sudo apt install"):
        enter()


@pytest.mark.parametrize("pipeline", ["videotestsrc ! autovideosink", "videotestsrc ! appsink ! fakesink", "appsink2"])
def test_a_pipeline_must_end_in_an_appsink(pipeline: str) -> None:
    with pytest.raises(CaptureError, match=r"capture\.pipeline: does not end in appsink; add"):
        enter(pipeline)
