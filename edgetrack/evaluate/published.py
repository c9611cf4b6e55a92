"""What the daemon published, read back: tracks, crossings, visits."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
import numpy as np

from edgetrack.errors import ConfigError
from edgetrack.evaluate.sequences import Trajectories, read_text

FIRST_FRAME = 1  # number that MOTChallenge gives to the daemon's frame 0

Payload = dict[str, Any]


class Crossing(NamedTuple):
    line: str
    frame: int
    direction: str  # "in" or "out"
    track_id: int


class Look(msgspec.Struct):
    """As much of the payload of a track as is judged."""

    frame: int
    track: int
    box: tuple[float, float, float, float]
    size: tuple[int, int]
    seen: bool


class Crossed(msgspec.Struct):
    line: str
    frame: int
    direction: Literal["in", "out"]
    track: int


class Visited(msgspec.Struct):
    type: str
    zone: str
    track: int
    frame: int


Kind = TypeVar("Kind", Look, Crossed, Visited)


class Visit(NamedTuple):
    zone: str
    track_id: int
    enter: int  # first frame inside
    leave: int | None  # first frame after it; None: it had not ended


def read_payloads(path: Path | str) -> list[Payload]:
    """The payloads of one run of the daemon, in order.

    A line is what `publish: {kind: jsonl}` writes, or a payload alone, or what `mosquitto_sub -v` prints: a topic and
    a payload. Status words and removed retained messages are passed over; a message that came twice counts once.
    """
    path = Path(path)
    payloads: dict[str, Payload] = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if "{" not in line:
            continue
        try:
            payload = json.loads(line[line.index("{") :])
        except ValueError as error:
            raise ConfigError(f"{path}:{number}: {error}; expected one JSON object a line") from error
        payload = payload.get("payload", payload)
        if payload and not isinstance(payload, dict):
            raise ConfigError(f"{path}:{number}: the payload is {str(payload)[:40]}, expected a JSON object")
        if payload:
            payload.pop("replayed", None)
            payloads.setdefault(json.dumps(payload, sort_keys=True), payload)
    boots = {payload["boot"] for payload in payloads.values() if "boot" in payload}
    if len(boots) > 1:
        raise ConfigError(f"{path}: {len(boots)} runs of the daemon, expected one; split it by the payloads' boot")
    return list(payloads.values())


def tracks(payloads: list[Payload], first_frame: int = FIRST_FRAME) -> Trajectories:
    """Boxes backed by a detection, pixels; publish with `events.update_every_s: 0` to have one a frame."""
    looks = (_read(p, Look) for p in payloads if p.get("type") in ("start", "update"))
    told = list({(look.frame, look.track): look for look in looks if look.seen}.values())  # two may share a frame
    box = np.array([look.box for look in told], np.float64).reshape(-1, 4)
    size = np.array([look.size for look in told], np.float64).reshape(-1, 2)
    frame = np.array([look.frame + first_frame for look in told], np.int64)
    return Trajectories.of(frame, np.array([look.track for look in told], np.int64), box * np.tile(size, 2))


def crossings(payloads: list[Payload], first_frame: int = FIRST_FRAME) -> list[Crossing]:
    found = (_read(p, Crossed) for p in payloads if p.get("type") == "line_crossed")
    return [Crossing(c.line, c.frame + first_frame, c.direction, c.track) for c in found]


def visits(payloads: list[Payload], first_frame: int = FIRST_FRAME) -> list[Visit]:
    told = (_read(p, Visited) for p in payloads if p.get("zone") and "type" in p)
    return paired((v.type, v.zone, v.track, v.frame + first_frame) for v in told)


def _read(payload: Payload, kind: type[Kind]) -> Kind:
    try:
        return msgspec.convert(payload, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"a message {str(payload)[:80]}: {error}; expected messages that edgetrack published"
        ) from error


def paired(told: Iterable[tuple[str, str, int, int]]) -> list[Visit]:
    """Visits from events in order: kind, zone, track, frame."""
    found: list[Visit] = []
    begun: dict[tuple[str, int], int] = {}
    for kind, zone, track_id, frame in told:
        if kind == "zone_entered":
            begun[zone, track_id] = len(found)
            found.append(Visit(zone, track_id, frame, None))
        elif kind == "zone_left" and (zone, track_id) in begun:
            i = begun.pop((zone, track_id))
            found[i] = found[i]._replace(leave=frame)
    return found
