"""The one place where a part is imported by name, so that a device loads only the libraries it needs."""

from importlib import import_module
from typing import Any

from edgetrack.errors import EdgetrackError


def load(place: str, needs: str, error: type[EdgetrackError]) -> Any:
    """Import `"module:Name"` and return the object.

    Args:
        place: module path and attribute, `"edgetrack.capture.picamera:Picamera"`.
        needs: what to do where a library is missing, `"sudo apt install python3-picamera2"`.
        error: raised when the import fails; its message names the missing module and `needs`.
    """
    module, _, name = place.partition(":")
    try:
        return getattr(import_module(module), name)
    except ImportError as missing:
        raise error(f"{module}: cannot import {missing.name or missing}; {needs}") from missing
