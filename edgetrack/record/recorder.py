"""Writes what tracker and scene received, beside the loop, which never waits for the disk."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from edgetrack.config import Config
from edgetrack.errors import PublishError
from edgetrack.record.entries import Anything, Change, End, Meaning, Picture, Reset, Standing
from edgetrack.record.idle import Idle
from edgetrack.record.past import Past
from edgetrack.record.tape import FILES, Tape, pack
from edgetrack.scene import Scene
from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections, Event, Frame, LineCount, PublishState, Tracks, ZoneOccupancy

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger(__name__)

BLOCK_S = 5.0  # of a recording are lost with the process; a block costs a sync of the disk
BLOCK_BYTES = 2**20  # in memory; a block that is so long does not wait
MAX_QUEUED_BYTES = 32 * 2**20  # that wait for a slow disk; beyond, they are lost, and the recording has a hole
REOPEN_S = 10.0  # between tries to use a disk that failed
CLOSE_S = 0.5  # for the last block

MAX_STATE_BYTES = 16 * 2**20  # of a tracker that remembers more (if exact, 80 tracks with 100 x 512) files begin cold
MAX_STATE_SHARE = 0.5  # of a file


class Item(NamedTuple):
    """One entry; a part may begin after it."""

    entry: Anything
    events: Sequence[Event] = ()
    standing: Standing | None = None  # how things stood after the entry, where the recorder had asked

    @property
    def weight(self) -> int:
        """Bytes in memory, about."""
        own = self.entry.weight if isinstance(self.entry, Picture) else 1000
        return own + 500 * len(self.events) + (self.standing.weight if self.standing else 0)


class Recorder(Idle):
    """Appends to one recording, a block every BLOCK_S, in a thread of its own.

    Where the disk fails it says so, tries again every REOPEN_S, and goes on with a hole.

    Args:
        path: of the newest file.
        max_mb: of all files together.
    """

    def __init__(self, path: Path, max_mb: float) -> None:
        self._path, self._max_bytes = path, max_mb * 2**20
        self._more = threading.Condition()  # guards the next seven
        self._queue: list[Item] = []
        self._queued_bytes = 0
        self._hole = self._leaving = False
        self._asked = False  # for how things stand
        self._lost = self._written = 0
        self._reason = ""
        self._tape: Tape | None = None
        self._reopen_at = 0.0
        self._thread = threading.Thread(target=self._run, name="record", daemon=True)

    # --- for the loop ---

    @property
    def states(self) -> tuple[PublishState, ...]:
        with self._more:
            state: Literal["ok", "degraded"] = "degraded" if self._reason else "ok"
            told = PublishState("recording", state, self._reason, self._written, len(self._queue), self._lost)
        return (told,)

    def begin(self, config: Config, names: Sequence[str], tracker: Tracker, scene: Scene) -> None:
        self._past, self._meaning = Past(config, names), Meaning.of(config)
        self._tracker, self._scene = tracker, scene
        self._past.begin(self._standing())
        self._thread.start()

    def picture(
        self,
        frame: Frame,
        detections: Detections | None,
        refined: Tracks,
        events: Sequence[Event],
        shift: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        standing = self._standing() if self._asked else None
        self._put(Item(Picture.of(frame, detections, refined, shift), events, standing))

    def change(self, config: Config) -> None:
        self._meaning = Meaning.of(config)
        self._put(Item(Change(self._meaning)))

    def reset(self, counts: Sequence[Event]) -> None:
        lines = tuple(count.line for count in counts if isinstance(count, LineCount))
        zones = tuple(count.zone for count in counts if isinstance(count, ZoneOccupancy))
        if lines or zones:
            self._put(Item(Reset(lines, zones)))

    def end(self, reason: str, utc: float, events: Sequence[Event]) -> None:
        self._put(Item(End(reason, utc), events))

    def _standing(self) -> Standing:
        """How things stand; without the tracker where that would take too much of a file."""
        most = min(MAX_STATE_BYTES, MAX_STATE_SHARE * self._max_bytes / FILES)
        tracker = self._tracker.state() if self._tracker.weight <= most else None
        return Standing(self._meaning, self._scene.state(), tracker)

    def _put(self, item: Item) -> None:
        size = item.weight
        with self._more:
            self._queue.append(item)
            self._queued_bytes += size
            self._asked = self._asked and item.standing is None
            if self._queued_bytes > MAX_QUEUED_BYTES:
                self._hole = self._asked = True
                self._lost += len(self._queue)
                self._queue.clear()
                self._queued_bytes = 0
            elif self._queued_bytes > BLOCK_BYTES:
                self._more.notify()

    def __enter__(self) -> Self:
        try:
            self._tape = Tape(self._path, self._max_bytes)
        except OSError as error:
            raise PublishError(
                f"--record {self._path}: {error.strerror}; name a file in a folder that this user may write to"
            ) from error
        return self

    def leave(self) -> None:
        with self._more:
            self._leaving = True
            self._more.notify()

    def __exit__(self, *_: object) -> None:
        self.leave()
        if self._thread.ident is not None:
            self._thread.join(CLOSE_S)
        if self._tape is not None and not self._thread.is_alive():
            self._tape.close()

    # --- in the thread ---

    def _run(self) -> None:
        leaving = False
        while not leaving:
            with self._more:
                self._more.wait_for(lambda: self._leaving or self._queued_bytes > BLOCK_BYTES, BLOCK_S)
                leaving, hole, self._hole = self._leaving, self._hole, False
                items, self._queue = self._queue, []
                self._queued_bytes = 0
            if hole:
                self._past.forget()
            self._keep(items)
            if self._wanting and not self._past.due:
                with self._more:
                    self._asked = all(item.standing is None for item in self._queue)

    @property
    def _wanting(self) -> bool:
        """A part should begin."""
        return not self._past.known or self._tape is None or self._tape.full

    def _keep(self, items: Sequence[Item]) -> None:
        """In a block or, where a part begins among them, two."""
        start = 0
        for end, item in enumerate(items, 1):
            if item.standing is not None:
                self._write(items[start:end])
                start = end
                if self._wanting:
                    self._past.begin(item.standing)
        self._write(items[start:])

    def _write(self, items: Sequence[Item]) -> None:
        """All of it in one block, or none of it."""
        if not items:
            return
        if not self._past.known:
            self._lose(items)
            return
        try:
            tape = self._ready()
            events = [event for item in items for event in item.events]
            tape.write(pack(self._past.block([item.entry for item in items], events)))
        except OSError as error:
            self._fail(error, items)
            return
        with self._more:
            told, self._reason = self._reason, ""
            self._written += len(items)
        if told:
            log.info("%s: recording again", self._path)

    def _ready(self) -> Tape:
        """The tape, with room for a block."""
        if self._tape is None:
            if time.monotonic() < self._reopen_at:
                raise OSError(0, self._reason)
            self._tape = Tape(self._path, self._max_bytes)
        if self._past.due and (self._past.going_on or self._tape.full):
            self._tape.turn()
        return self._tape

    def _lose(self, items: Sequence[Item]) -> None:
        with self._more:
            self._lost += len(items)

    def _fail(self, error: OSError, items: Sequence[Item]) -> None:
        self._past.forget()
        self._lose(items)
        if self._tape is not None:
            self._tape.close()
            self._tape = None
        if time.monotonic() >= self._reopen_at:
            self._reopen_at = time.monotonic() + REOPEN_S
        reason = error.strerror or str(error)
        with self._more:
            told, self._reason = self._reason, reason
        if reason != told:
            log.warning("%s: %s; nothing is recorded until the disk can be used", self._path, reason)
