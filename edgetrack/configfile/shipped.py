"""The examples of configurations and the systemd unit, which travel in the installed package."""

from __future__ import annotations

from pathlib import Path

from edgetrack.errors import ConfigError

PACKAGE = Path(__file__).parents[1]
PLACES = (PACKAGE, PACKAGE.parent)  # installed; in a checkout
UNIT = "systemd/edgetrack@.service"


def cameras() -> list[str]:
    """Kinds of cameras that there is an example for."""
    files = next((found for place in PLACES if (found := sorted((place / "configs").glob("*.yaml")))), [])
    return [file.stem for file in files if file.stem != "edgetrack"]


def example_for(camera: str) -> str:
    """
    Raises:
        ConfigError: there is none.
    """
    if camera not in cameras():
        raise ConfigError(f"schema example: there is none for {camera!r}; choose of {', '.join(cameras())}")
    return _text(f"configs/{camera}.yaml")


def unit() -> str:
    """The systemd unit, `edgetrack@.service`."""
    return _text(UNIT)


def _text(name: str) -> str:
    file = next((place / name for place in PLACES if (place / name).is_file()), None)
    if file is None:
        raise ConfigError(f"{PACKAGE / name}: no such file, it comes with edgetrack; reinstall edgetrack")
    return file.read_text()
