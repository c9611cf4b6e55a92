"""Models by name: those that can be fetched, and the folders where those that are here lie."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import msgspec

PACKAGE = Path(__file__).parent
SHIPPED = (PACKAGE / "models", PACKAGE.parent / "models")  # in an installed package, in a checkout
FOLDER_VARIABLE = "EDGETRACK_MODELS"
EVERYBODY = Path("/usr/local/share/edgetrack/models")  # what root fetches; the service may read it and no home folder


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of some project that can be downloaded."""

    url: str
    bytes: int
    sha256: str
    licence: str
    head: str  # as in detect.head
    input: tuple[int, int]  # width and height, px
    about: str = ""


@cache
def entries() -> dict[str, Entry]:
    """Every model that `edgetrack model fetch` knows, by name."""
    file = next(file for file in (folder / "catalog.yaml" for folder in SHIPPED) if file.is_file())
    return msgspec.yaml.decode(file.read_bytes(), type=dict[str, Entry])


def own_folder() -> Path:
    """Where `model fetch` and `model add` put files."""
    given = os.environ.get(FOLDER_VARIABLE)
    if given:
        return Path(given)
    return EVERYBODY if os.geteuid() == 0 else _home()


def own_folders() -> tuple[Path, ...]:
    """Where they may have put files before, for this user or for everybody."""
    given = os.environ.get(FOLDER_VARIABLE)
    return tuple(dict.fromkeys(([Path(given)] if given else []) + [_home(), EVERYBODY]))


def _home() -> Path:
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return Path(data) / "edgetrack" / "models"


def models_in(folder: Path) -> list[Path]:
    """The ONNX files of a folder; none where it is missing or closed to this user."""
    try:
        return sorted(folder / name for name in os.listdir(folder) if name.endswith(".onnx") and name[0] != ".")
    except OSError:
        return []
