"""Recordings as edgetrack wrote them first: heads without the state of the tracker, marks since the start."""

from __future__ import annotations

from collections import Counter

import msgspec

from edgetrack.record.entries import (
    Anything,
    Change,
    End,
    Entry,
    Head,
    Mark,
    Meaning,
    Picture,
    Reset,
    Standing,
    Tallies,
)
from edgetrack.scene import Scene
from edgetrack.track.tracker import Tracker
from edgetrack.types import LineCount

MAGIC = b"edgetrack recording 1\n"


class Head1(Entry, tag="head"):
    """Begins every file; `part` 0 also begins a start of the daemon, or what follows a hole in the recording."""

    version: str
    boot: str
    part: int
    whole: bool  # part 0 began with a tracker that knew nothing
    device: str
    camera: str
    names: tuple[str, ...]
    meaning: Meaning
    counts: tuple[tuple[str, dict[int, tuple[int, int]]], ...]  # of lines, as they stood
    tallies: Tallies  # since part 0

    @property
    def head(self) -> Head:
        """As it is now. Only at a start the tracker is known, for it knew nothing."""
        scene = Scene(self.meaning.config, self.names)
        scene.restore([LineCount(line, by_class, 0.0, 0.0, 0.0) for line, by_class in self.counts])
        fresh = Tracker(self.meaning.track).state() if self.whole and self.part == 0 else None
        about = self.version, self.boot, self.part, self.device, self.camera, self.names
        return Head(*about, Standing(self.meaning, scene.state(), fresh))


class Reader:
    """Reads one file; of those after the first one of a start, the hash cannot be compared."""

    def __init__(self) -> None:
        self._decoder = msgspec.msgpack.Decoder(list[Head1 | Picture | Change | Reset | End | Mark])
        self._before: Counter[str] = Counter()
        self._first = False

    def decode(self, block: bytes) -> list[Anything]:
        return [self._entry(entry) for entry in self._decoder.decode(block)]

    def _entry(self, entry: Head1 | Picture | Change | Reset | End | Mark) -> Anything:
        if isinstance(entry, Head1):
            self._before, self._first = Counter(entry.tallies), entry.part == 0
            return entry.head
        if isinstance(entry, Mark):
            since = Counter(entry.tallies) - self._before
            return Mark(entry.events, entry.sha256 if self._first else b"", dict(since))
        return entry
