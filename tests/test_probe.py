"""What `check --probe` answers for each part."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edgetrack import probe
from edgetrack.config import Config, DetectConfig, FileCapture, GoturnRefine, RtspCapture, RuntimeConfig
from edgetrack.errors import CaptureError, ModelError
from tests.capture.rtsp_server import free_port
from tests.parts import blob_detector, walking_square, write_clip
from tests.refine.white_follower import white_follower


def test_a_camera_without_pictures_is_told_with_the_reason_and_does_not_hide_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "FIRST_PICTURE_S", 1.0)
    config = Config(
        capture=RtspCapture(url=f"rtsp://127.0.0.1:{free_port()}/stream"),
        detect=DetectConfig(model=str(blob_detector(tmp_path / "blobs.onnx"))),
        runtime=RuntimeConfig(threads=1),
    )
    model, camera = probe.probe(config)
    assert str(model).startswith("detect: blobs.onnx: ")
    assert isinstance(camera, CaptureError)
    assert str(camera) == (
        "capture: no picture within 1 s: Connection refused; check the port in capture.url; "
        "see that the camera is on and in reach"
    )


def test_the_follower_is_opened_too(tmp_path: Path) -> None:
    """A detector in its place is told; a follower is told with its form."""
    blobs, white = str(blob_detector(tmp_path / "blobs.onnx")), str(white_follower(tmp_path / "white.onnx"))
    config = Config(
        capture=FileCapture(path=str(write_clip(tmp_path / "clip.mp4", walking_square(2)))),
        detect=DetectConfig(model=blobs),
        refine=GoturnRefine(model=white),
        runtime=RuntimeConfig(threads=1),
    )
    _, good, _ = probe.probe(config)
    _, bad, _ = probe.probe(msgspec.structs.replace(config, refine=GoturnRefine(model=blobs)))
    assert good == "refine: white.onnx: correlate, mode: follow, 8 targets at most"
    assert isinstance(bad, ModelError)
