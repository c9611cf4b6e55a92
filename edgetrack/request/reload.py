"""`reload`: read the configuration again, as on SIGHUP."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from edgetrack.request.verb import Ask, Daemon


class Reload(Ask, kw_only=True):
    """Read the configuration file again and take over what can change in a running daemon."""


class Reloaded(Struct, frozen=True):
    """What became of it; where the file is broken, nothing is changed and the answer is an error."""

    changed: Annotated[list[str], Meta(description="settings that were taken over")] = []
    restart: Annotated[list[str], Meta(description="settings that changed in the file, but need a restart")] = []


def reload(daemon: Daemon, ask: Reload) -> Reloaded:
    return daemon.reload()
