"""Events in a form that is the same on every machine: what happened, without when and by whom it was published."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgetrack.record.entries import Tallies
from edgetrack.types import Event, LineCount, TrackEvent, ZoneOccupancy


class Told:
    """Counts and hashes events; two of the same hash have seen the same.

    Numbers are rounded as on the wire (boxes to 1/100,000 of the picture): processors differ in the last bit of a
    product, and that is no other event.

    Args:
        names: class names by class_id.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._hash = hashlib.sha256()
        self.events = 0
        self.tallies: Tallies = {}

    @property
    def sha256(self) -> bytes:
        return self._hash.digest()

    def add(self, events: Iterable[Event]) -> list[bytes]:
        """The lines of those that count: tracks, crossings, visits, counts, occupancies."""
        lines = [self._line(event) for event in events if isinstance(event, (TrackEvent, LineCount, ZoneOccupancy))]
        for line in lines:
            self._hash.update(line)
        self.events += len(lines)
        return lines

    def _line(self, event: TrackEvent | LineCount | ZoneOccupancy) -> bytes:
        if isinstance(event, TrackEvent):
            self._tally(event)
            told = self._track(event)
        elif isinstance(event, LineCount):
            told = {"type": "count", "line": event.line, "counts": self._by_class(event.counts)}
        else:
            now, peak = self._by_class(event.now), self._by_class(event.peak)
            told = {"type": "occupancy", "zone": event.zone, "now": now, "peak": peak}
        return json.dumps(told, separators=(",", ":")).encode() + b"\n"

    def _track(self, event: TrackEvent) -> dict[str, Any]:
        width, height = event.size
        box = (value / side for value, side in zip(event.xyxy, (width, height) * 2, strict=True))
        told = {
            "type": event.kind,
            "track": event.track_id,
            "class": self._class(event.class_id),
            "score": _round(event.score, 4),
            "box": [_round(value, 5) for value in box],
            "size": [width, height],
            "frame": event.frame,
            "utc": _round(event.utc, 4),
            "age_s": _round(event.age_s, 3),
            "seen": event.seen,
            "zones": list(event.zones),
        }
        said = {"name": event.name, "direction": event.direction, "reason": event.reason}
        told |= {key: value for key, value in said.items() if value}
        if event.duration_s is not None:
            told["duration_s"] = _round(event.duration_s, 3)
        return told

    def _tally(self, event: TrackEvent) -> None:
        if event.kind == "line_crossed":
            key = f"line/{event.name}/{self._class(event.class_id)}/{event.direction}"
        elif event.kind == "zone_entered":
            key = f"zone/{event.name}/{self._class(event.class_id)}/entered"
        else:
            return
        self.tallies[key] = self.tallies.get(key, 0) + 1

    def _by_class(self, counts: Mapping[int, Any]) -> dict[str, Any]:
        return {self._class(class_id): count for class_id, count in sorted(counts.items())}

    def _class(self, class_id: int) -> str:
        return self._names[class_id] if 0 <= class_id < len(self._names) else f"class_{class_id}"


def _round(value: float, digits: int) -> float:
    return round(value, digits) + 0.0  # and no -0.0
