"""USB cameras by path and by name, on a device tree that the test lays out; the pictures themselves need a camera."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgetrack.capture import open_source
from edgetrack.capture.latest import Latest
from edgetrack.capture.v4l2 import V4l2Camera, cameras, find
from edgetrack.config import V4l2Capture
from edgetrack.errors import CaptureError
from tests.capture.contract import wait_for


def node(sysfs: Path, number: int, name: str, index: int = 0) -> None:
    folder = sysfs / f"video{number}"
    folder.mkdir()
    (folder / "name").write_text(f"{name}\n")
    (folder / "index").write_text(f"{index}\n")


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """A webcam with a node for metadata, a codec, two cameras of one make."""
    node(tmp_path, 0, "HD Pro Webcam C920")
    node(tmp_path, 1, "HD Pro Webcam C920", index=1)
    node(tmp_path, 2, "USB Camera: Gate")
    node(tmp_path, 10, "USB Camera: Yard")
    return tmp_path


def test_cameras_are_listed_by_number_without_their_other_nodes(sysfs: Path) -> None:
    assert list(cameras(sysfs)) == ["/dev/video0", "/dev/video2", "/dev/video10"]


@pytest.mark.parametrize(
    ("device", "path"),
    [
        ("HD Pro Webcam C920", "/dev/video0"),
        ("c920", "/dev/video0"),
        ("gate", "/dev/video2"),
        ("/dev/null", "/dev/null"),
    ],
)
def test_a_camera_is_found_by_name_part_of_it_or_path(sysfs: Path, device: str, path: str) -> None:
    assert find(device, sysfs) == path


def test_a_name_that_is_wrong_lists_what_is_there(sysfs: Path) -> None:
    with pytest.raises(OSError, match="no camera is named 'HD Pro Webcam C930', found /dev/video0 is") as error:
        find("HD Pro Webcam C930", sysfs)
    assert "did you mean 'HD Pro Webcam C920'?" in str(error.value)


def test_a_name_that_fits_two_cameras_asks_for_a_path(sysfs: Path) -> None:
    with pytest.raises(OSError, match="'usb camera' is the name of /dev/video2, /dev/video10; give one of the paths"):
        find("usb camera", sysfs)


def test_a_camera_that_vanishes_while_it_is_looked_for_is_none(sysfs: Path) -> None:
    (sysfs / "video0" / "name").unlink()
    assert "/dev/video0" not in cameras(sysfs)


@pytest.mark.parametrize("device", ["/dev/video99", "No Such Camera"])
def test_a_missing_camera_is_one_message(device: str) -> None:
    with pytest.raises(CaptureError, match=r"capture\.device: no .*found.*; plug it in, or correct"):
        open_source(V4l2Capture(device=device)).__enter__()


def test_a_camera_that_is_unplugged_is_waited_for(tmp_path: Path, sysfs: Path) -> None:
    """It was there at the start; later its node is gone."""

    class Unplugged(V4l2Camera):
        def check(self) -> None:
            super().check()
            (tmp_path / "camera").unlink()

    (tmp_path / "camera").touch()
    config = V4l2Capture(device=str(tmp_path / "camera"), retry_min_s=0.1)
    with Latest(Unplugged(config, sysfs), config) as source:
        wait_for(source, "degraded")
        assert "no " + config.device in source.state.reason


def test_what_is_no_camera_is_told_and_retried() -> None:
    with open_source(V4l2Capture(device="/dev/null", retry_min_s=0.1)) as source:
        wait_for(source, "degraded")
        assert source.state.reason == "Inappropriate ioctl for device"
