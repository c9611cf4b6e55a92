"""The systemd unit, judged by systemd's own tools."""

import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[1] / "systemd" / "edgetrack@.service"


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that exists here, since `verify` wants to see it."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: sudo apt install systemd")
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/edgetrack/bin/edgetrack", "/bin/true"))
    return copy


def test_verify_prints_nothing(unit: Path) -> None:
    run = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_its_exposure_is_at_most_two_and_a_half(unit: Path) -> None:
    run = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", unit], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize(
    "line", ["Type=notify", "Restart=always", "StartLimitIntervalSec=0", "WatchdogSec=30", "DynamicUser=yes"]
)
def test_it_says(line: str) -> None:
    assert line in UNIT.read_text().splitlines()
