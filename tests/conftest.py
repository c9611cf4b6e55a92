"""Fixtures that every room may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real videos, models and ground truth beside the checkout; EDGETRACK_SHARED names another place."""
    folder = Path(os.environ.get("EDGETRACK_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"{folder}: no shared data here; set EDGETRACK_SHARED to the folder that holds data/ and models/")
    return folder
