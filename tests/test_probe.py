"""What `check --probe` answers for each part."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgetrack import probe
from edgetrack.config import Config, DetectConfig, RtspCapture, RuntimeConfig
from edgetrack.errors import CaptureError
from tests.capture.rtsp_server import free_port
from tests.parts import blob_detector


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
    assert str(camera) == ("capture: no picture within 1 s: Connection refused; see that the camera is on and in reach")
