"""`reset_counts`: lines count from zero, peaks of zones begin anew."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from edgetrack.configfile.words import did_you_mean
from edgetrack.errors import ConfigError
from edgetrack.request.verb import Ask, Daemon

Names = Annotated[list[str], Meta(max_length=100)]


class ResetCounts(Ask, kw_only=True):
    """Count from zero: the lines and zones that are named, or all of them if none is."""

    lines: Annotated[Names | None, Meta(description="names of lines")] = None
    zones: Annotated[Names | None, Meta(description="names of zones, whose peaks begin anew")] = None


class Reset(Struct):
    """What was reset; the counts themselves have been published before this answer."""

    lines: list[str]
    zones: list[str]


def reset_counts(daemon: Daemon, ask: ResetCounts) -> Reset:
    config, everything = daemon.parts.config, ask.lines is None and ask.zones is None
    lines = chosen("lines", ask.lines, [line.name for line in config.lines], everything)
    zones = chosen("zones", ask.zones, [zone.name for zone in config.zones], everything)
    counts = daemon.parts.scene.reset(lines, zones, time.time(), time.monotonic())
    daemon.parts.recorder.reset(counts)
    daemon.parts.publisher.publish(counts)
    return Reset(lines, zones)


def chosen(key: str, asked: Sequence[str] | None, known: Sequence[str], everything: bool) -> list[str]:
    """The names that are meant; raises ConfigError where one is not known."""
    names = known if everything else asked or []
    for name in names:
        if name not in known:
            hint = did_you_mean(name[:100], known) or f"; there are {', '.join(known) or 'none'}"
            raise ConfigError(f"{key}: {name[:100]!a} is not configured{hint}")
    return list(dict.fromkeys(names))
