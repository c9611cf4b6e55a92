"""What an installed package prints, for those who have no checkout."""

from pathlib import Path

import pytest

from edgetrack.cli import main
from edgetrack.configfile import shipped
from edgetrack.errors import ConfigError

TOP = Path(__file__).parents[2]


def test_there_is_an_example_for_every_kind_of_camera() -> None:
    assert {"file", "jetson", "picamera", "rtsp", "usb"} <= set(shipped.cameras())


@pytest.mark.parametrize("camera", shipped.cameras())
def test_the_example_is_the_file_of_the_checkout(camera: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "example", camera]) == 0
    assert capsys.readouterr().out == (TOP / "configs" / f"{camera}.yaml").read_text()


def test_a_camera_without_an_example_is_told_which_there_are() -> None:
    with pytest.raises(ConfigError, match=r"none for 'rstp'; choose of file, .*rtsp"):
        shipped.example_for("rstp")


def test_the_unit_is_the_file_of_the_checkout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "unit"]) == 0
    assert capsys.readouterr().out == (TOP / "systemd" / "edgetrack@.service").read_text()
