"""Where the files that travel with edgetrack are: in the installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

from edgetrack.errors import ModelError

PACKAGE = Path(__file__).parents[1]


def shipped_model(name: str) -> Path:
    """A model made by this project.

    Raises:
        ModelError: it is not there.
    """
    places = (PACKAGE / "models" / name, PACKAGE.parent / "models" / name)
    for place in places:
        if place.is_file():
            return place
    raise ModelError(f"{places[0]}: no such file, it comes with edgetrack; reinstall edgetrack")
