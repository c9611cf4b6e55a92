"""All that a scene's next events depend on: to be kept, and taken up by another scene."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from edgetrack.scene.lines import LineState
from edgetrack.scene.lives import Life, Moment
from edgetrack.scene.steps import Sighting
from edgetrack.scene.zones import ZoneState
from edgetrack.types import LineCount

MOST = 2.0**53  # of any number: whole ones beyond it are none as a float
MOST_PX = 100_000


class SceneState(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """A copy, of no use to whoever would change it; configuration is not in it."""

    newest: Moment | None  # frame; None: there was none
    period: float
    lives: list[Life]  # in the order in which they are told of
    preludes: dict[int, list[Sighting]]
    lines: list[LineState]  # in the order of the configuration, as are zones
    zones: list[ZoneState]

    @property
    def counts(self) -> list[LineCount]:
        """Of the lines, for a scene that knows nothing else of this one."""
        return [LineCount(line.name, line.counts, line.since_utc or 0.0, 0.0, 0.0) for line in self.lines]

    def check(self, lines: list[str], zones: list[str]) -> None:
        """Raises ValueError where this cannot be the state of a scene with these lines and zones."""
        if [line.name for line in self.lines] != lines or [zone.name for zone in self.zones] != zones:
            raise ValueError("state of the scene: is of other lines or zones than its settings")
        if not all(abs(number) <= MOST for number in numbers(msgspec.to_builtins(self))):  # also where it is NaN
            raise ValueError("state of the scene: holds NaN or a number beyond all measure")
        if any(visit.dwells < 0 for zone in self.zones for visit in zone.visits.values()):
            raise ValueError("state of the scene: a visit was told of less than never")
        if self.newest and not all(0 < side <= MOST_PX for side in self.newest.size):
            raise ValueError(f"state of the scene: a picture of {self.newest.size[0]} x {self.newest.size[1]}")


def numbers(value: Any) -> Iterator[float]:
    """All that stand anywhere in lists and dicts."""
    if isinstance(value, (int, float)):
        yield value
    elif isinstance(value, dict):
        yield from numbers(list(value))
        yield from numbers(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from numbers(item)
