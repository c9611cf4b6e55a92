"""A folder to write configurations into."""

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the files lie that the configurations name."""
    (tmp_path / "clip.mp4").touch()
    (tmp_path / "model.onnx").touch()
    return tmp_path
