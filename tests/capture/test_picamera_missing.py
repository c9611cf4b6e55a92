"""What the picamera source says where picamera2 cannot be imported; the rest is in picamera/, run by .ci/picamera."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgetrack.capture import open_source
from edgetrack.config import PicameraCapture
from edgetrack.errors import CaptureError


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A picamera2.py that is found before any real one."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "picamera2"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "picamera2.py"


def test_a_missing_picamera2_is_named_with_its_package_and_the_virtual_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    source = open_source(PicameraCapture())
    with (
        pytest.raises(
            CaptureError, match=r"picamera 0: cannot import picamera2; sudo apt .*python3-picamera2.*--system-s"
        ),
        source,
    ):
        pass


def test_picamera2_from_pip_lacks_libcamera_and_says_where_to_get_both(broken: Path) -> None:
    broken.write_text("raise ModuleNotFoundError('no libcamera', name='libcamera')")
    with pytest.raises(CaptureError, match="cannot import libcamera; sudo apt"), open_source(PicameraCapture()):
        pass


@pytest.mark.parametrize(
    "clash",
    [
        "ValueError('numpy.dtype size changed, may indicate binary incompatibility')",
        "ImportError('numpy.core.multiarray failed to import')",
    ],
)
def test_a_picamera2_built_for_another_numpy_tells_which_numpy_to_take(broken: Path, clash: str) -> None:
    broken.write_text(f"raise {clash}")
    with (
        pytest.raises(CaptureError, match=r'does not fit .*NumPy.*pip install "numpy<2"'),
        open_source(PicameraCapture()),
    ):
        pass


def test_a_broken_installation_is_to_be_installed_again(broken: Path) -> None:
    broken.write_text("raise ImportError('libcamera.so.0.5: cannot open shared object file')")
    with (
        pytest.raises(CaptureError, match=r"libcamera.so.0.5.*apt install --reinstall"),
        open_source(PicameraCapture()),
    ):
        pass
