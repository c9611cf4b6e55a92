"""What one start of the daemon takes over from the one before: the last number, the counts, the tracks left open."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from edgetrack.publish.message import Message, Worth
from edgetrack.publish.payload import Counts, Track
from edgetrack.publish.periods import utc_seconds

BEYOND = 2.0**53  # no number here is so large, unless the disk spoilt it
LINE, ZONE, TRACK, SHAPE, SEQ, ALIVE = "line/", "zone/", "track/", "shape/", "seq", "alive"
NOTE = "note/"  # of an outlet


class Glance(msgspec.Struct):
    """As much of the payload of a track as the ledger must know."""

    type: str
    boot: str
    track: int


class Camera(msgspec.Struct):
    state: str
    blind_s: float


class Sight(msgspec.Struct):
    """As much of the payload of health."""

    capture: Camera


class Lines(msgspec.Struct):
    """As much of the payload of info."""

    lines: dict[str, Any]


@dataclass
class Legacy:
    """What was restored."""

    seq: int = 0
    alive_utc: float | None = None  # when the daemon before was last known to run
    counts: list[Counts] = field(default_factory=list)
    open_tracks: list[Track] = field(default_factory=list)
    shapes: dict[str, Any] = field(default_factory=dict)  # of lines: start and end
    zones: list[str] = field(default_factory=list)  # topics


class Ledger:
    """A mirror in memory of the state on disk, so that a lost file can be written anew.

    Args:
        kept: what was on disk.
    """

    def __init__(self, kept: Mapping[str, bytes]) -> None:
        self.entries = dict(kept)
        self._glance = msgspec.json.Decoder(Glance)
        self._lines = msgspec.json.Decoder(Lines)
        self._sight = msgspec.json.Decoder(Sight)
        self._blind, self._blind_s = False, 0.0  # the camera gives nothing; for how long it has so far

    def note(self, messages: Iterable[Message], utc: float) -> dict[str, bytes | None]:
        """Take in what is about to be committed; returns the entries that it changes, None for those that go.

        While the camera gives nothing the sign of life waits for the next report of health, with which go all counts:
        what it says of the time for which nobody counted, and what they say, must agree.
        """
        changes: dict[str, bytes | None] = {}
        for message in messages:
            _, _, topic = message.topic.split("/", 2)
            if message.worth is Worth.EVENT:
                changes[SEQ] = b"%d" % message.seq
                if topic.startswith(TRACK):
                    told = self._glance.decode(message.payload)
                    changes[f"{TRACK}{told.boot}/{told.track}"] = message.payload if told.type == "start" else None
            elif topic == "health":
                camera = self._sight.decode(message.payload).capture
                self._blind = camera.state == "degraded" and camera.blind_s > self._blind_s
                self._blind_s = camera.blind_s
                changes[ALIVE] = b"%.3f" % utc
            elif topic.startswith(LINE):
                changes[topic] = message.payload or None
            elif topic == "info":
                lines = self._lines.decode(message.payload).lines
                changes |= {key: None for key in self.entries if key.startswith(SHAPE)}
                changes |= {f"{SHAPE}{name}": msgspec.json.encode(shape) for name, shape in lines.items()}
            elif topic.startswith(ZONE) and (topic not in self.entries or not message.payload):
                changes[topic] = b"{}" if message.payload else None
        if not self._blind:
            changes[ALIVE] = b"%.3f" % utc
        self.keep(changes)
        return changes

    def keep(self, changes: Mapping[str, bytes | None]) -> None:
        """Take in changes of entries."""
        for key, value in changes.items():
            if value is None:
                self.entries.pop(key, None)
            else:
                self.entries[key] = value

    def legacy(self) -> Legacy:
        """The entries in words; what cannot be read any more is left out."""
        entries = self.entries
        return Legacy(
            seq=int(_number(entries.get(SEQ, b"0")) or 0),
            alive_utc=_number(entries[ALIVE]) if ALIVE in entries else None,
            counts=_decoded([value for key, value in entries.items() if key.startswith(LINE)], Counts),
            open_tracks=_decoded([value for key, value in entries.items() if key.startswith(TRACK)], Track),
            shapes={
                key.removeprefix(SHAPE): shape
                for key, value in entries.items()
                if key.startswith(SHAPE)
                for shape in _decoded([value], dict[str, Any])
            },
            zones=[key for key in entries if key.startswith(ZONE)],
        )


def is_count(message: Message) -> bool:
    """Of a line; it goes to disk with the event that caused it, or alone where counting began anew."""
    return message.topic.split("/", 2)[2].startswith(LINE)


P = TypeVar("P", Counts, Track, "dict[str, Any]")


def _decoded(payloads: Sequence[bytes], kind: type[P]) -> list[P]:
    decoder = msgspec.json.Decoder(kind)
    decoded: list[P] = []
    for payload in payloads:
        with contextlib.suppress(msgspec.DecodeError, ValueError):  # of an older version, or the disk is bad
            told = decoder.decode(payload)
            for time in (getattr(told, "ts", None), getattr(told, "since", None)):
                if time is not None:
                    utc_seconds(time)
            decoded.append(told)
    return decoded


def _number(text: bytes) -> float | None:
    """Not negative and finite, or nothing where the disk spoilt it."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < BEYOND else None
