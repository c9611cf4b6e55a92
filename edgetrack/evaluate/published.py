"""What the daemon published, read back: tracks, crossings, visits."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

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
        if payload:
            payload.pop("replayed", None)
            payloads.setdefault(json.dumps(payload, sort_keys=True), payload)
    boots = {payload["boot"] for payload in payloads.values() if "boot" in payload}
    if len(boots) > 1:
        raise ConfigError(f"{path}: {len(boots)} runs of the daemon, expected one; split it by the payloads' boot")
    return list(payloads.values())


def tracks(payloads: list[Payload], first_frame: int = FIRST_FRAME) -> Trajectories:
    """Boxes backed by a detection, pixels; publish with `events.update_every_s: 0` to have one a frame."""
    seen = (p for p in payloads if p.get("type") in ("start", "update") and p["seen"])
    told = list({(p["frame"], p["track"]): p for p in seen}.values())  # start and update may share a frame
    box = np.array([p["box"] for p in told], np.float64).reshape(-1, 4)
    size = np.array([p["size"] for p in told], np.float64).reshape(-1, 2)
    frame = np.array([p["frame"] + first_frame for p in told], np.int64)
    return Trajectories.of(frame, np.array([p["track"] for p in told], np.int64), box * np.tile(size, 2))


def crossings(payloads: list[Payload], first_frame: int = FIRST_FRAME) -> list[Crossing]:
    return [
        Crossing(p["line"], p["frame"] + first_frame, p["direction"], p["track"])
        for p in payloads
        if p.get("type") == "line_crossed"
    ]


def visits(payloads: list[Payload], first_frame: int = FIRST_FRAME) -> list[Visit]:
    told = (p for p in payloads if p.get("zone") and "type" in p)
    return paired((p["type"], p["zone"], p["track"], p["frame"] + first_frame) for p in told)


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
