"""Writes what tracker and scene received, beside the loop, which never waits for the disk."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from edgetrack import __version__
from edgetrack.config import Config, LineConfig
from edgetrack.errors import PublishError
from edgetrack.record.entries import Anything, Change, End, Head, Mark, Meaning, Picture, Reset, counts_of
from edgetrack.record.tape import Tape, pack
from edgetrack.record.told import Told
from edgetrack.types import Detections, Event, Frame, LineCount, PublishState, Tracks, ZoneOccupancy

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger(__name__)

BLOCK_S = 5.0  # of a recording are lost with the process; a block costs a sync of the disk
BLOCK_BYTES = 2**20  # in memory; a block that is so long does not wait
MAX_QUEUED_BYTES = 32 * 2**20  # that wait for a slow disk; beyond, they are lost, and the recording has a hole
REOPEN_S = 10.0  # between tries to use a disk that failed
CLOSE_S = 0.5  # for the last block

Item = tuple[Anything, Sequence[Event], int]  # bytes that it takes


class Idle:
    """Records nothing."""

    @property
    def states(self) -> tuple[PublishState, ...]:
        """How the recording is doing, if there is one."""
        return ()

    def begin(self, config: Config, names: Sequence[str], counts: Sequence[LineCount]) -> None:
        """The tracker is new, the scene has these counts."""

    def picture(
        self,
        frame: Frame,
        detections: Detections | None,
        refined: Tracks,
        events: Sequence[Event],
        shift: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """What came in, and what came of it."""

    def change(self, config: Config) -> None:
        """The scene was reconfigured."""

    def reset(self, counts: Sequence[Event]) -> None:
        """These counts of lines and peaks of zones began anew."""

    def end(self, reason: str, utc: float, events: Sequence[Event]) -> None:
        """Every track was ended."""

    def leave(self) -> None:
        """Begin to leave, at once; `__exit__` waits for it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()


class Recorder(Idle):
    """Appends to one recording, a block every BLOCK_S, in a thread of its own.

    Where the disk fails it says so, tries again every REOPEN_S, and goes on with a hole.

    Args:
        path: of the newest file.
        max_mb: of all files together.
    """

    def __init__(self, path: Path, max_mb: float) -> None:
        self._path, self._max_bytes = path, max_mb * 2**20
        self._more = threading.Condition()  # guards the next six
        self._queue: list[Item] = []
        self._queued_bytes = 0
        self._hole = self._leaving = False
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

    def begin(self, config: Config, names: Sequence[str], counts: Sequence[LineCount]) -> None:
        self._past = Past(config, names, counts)
        self._thread.start()

    def picture(
        self,
        frame: Frame,
        detections: Detections | None,
        refined: Tracks,
        events: Sequence[Event],
        shift: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self._put(Picture.of(frame, detections, refined, shift), events)

    def change(self, config: Config) -> None:
        self._put(Change(Meaning.of(config)))

    def reset(self, counts: Sequence[Event]) -> None:
        lines = tuple(count.line for count in counts if isinstance(count, LineCount))
        zones = tuple(count.zone for count in counts if isinstance(count, ZoneOccupancy))
        if lines or zones:
            self._put(Reset(lines, zones))

    def end(self, reason: str, utc: float, events: Sequence[Event]) -> None:
        self._put(End(reason, utc), events)

    def _put(self, entry: Anything, events: Sequence[Event] = ()) -> None:
        size = entry.weight + 500 * len(events) if isinstance(entry, Picture) else 1000
        with self._more:
            self._queue.append((entry, events, size))
            self._queued_bytes += size
            if self._queued_bytes > MAX_QUEUED_BYTES:
                self._hole = True
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
            if items:
                self._keep(items)

    def _keep(self, items: Sequence[Item]) -> None:
        """All of it in one block, or none of it."""
        try:
            tape = self._ready()
            head = self._past.head(new_file=tape.empty)
            entries = [self._past.take(entry, events) for entry, events, _ in items]
            tape.write(pack([*head, *entries, self._past.mark()]))
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
        if self._tape.full:
            self._tape.turn()
        return self._tape

    def _fail(self, error: OSError, items: Sequence[Item]) -> None:
        self._past.forget()
        if self._tape is not None:
            self._tape.close()
            self._tape = None
        if time.monotonic() >= self._reopen_at:
            self._reopen_at = time.monotonic() + REOPEN_S
        reason = error.strerror or str(error)
        with self._more:
            told, self._reason = self._reason, reason
            self._lost += len(items)
        if reason != told:
            log.warning("%s: %s; nothing is recorded until the disk can be used", self._path, reason)


class Past:
    """What a reader must know who begins in the middle, and what he must come to.

    Args:
        config, names: of the daemon.
        counts: that the scene began with.
    """

    def __init__(self, config: Config, names: Sequence[str], counts: Sequence[LineCount]) -> None:
        self._places, self._names = (config.device, config.camera), tuple(names)
        self._meaning = Meaning.of(config)
        self._counts = dict(counts_of(counts))
        self._whole = True
        self._begin()

    def _begin(self) -> None:
        self._boot, self._part = secrets.token_hex(4), -1
        self._told = Told(self._names)

    def forget(self) -> None:
        """Something was lost: what follows is a recording of its own."""
        self._whole = False
        self._begin()

    def head(self, new_file: bool) -> list[Anything]:
        """Where a part begins, its head, as things stand."""
        if self._part >= 0 and not new_file:
            return []
        self._part += 1
        counts = tuple(self._counts.items())
        about = self._boot, self._part, self._whole, *self._places, self._names, self._meaning
        return [Head(__version__, *about, counts, dict(self._told.tallies))]

    def take(self, entry: Anything, events: Sequence[Event]) -> Anything:
        self._told.add(events)
        self._counts |= {event.line: dict(event.counts) for event in events if isinstance(event, LineCount)}
        if isinstance(entry, Reset):
            self._counts |= {line: {} for line in entry.lines}
        elif isinstance(entry, Change):
            before = {line.name: line for line in self._meaning.lines}
            self._meaning = entry.meaning
            kept = [x.name for x in entry.meaning.lines if x.name in before and same_place(x, before[x.name])]
            self._counts = {name: counts for name, counts in self._counts.items() if name in kept}
        return entry

    def mark(self) -> Mark:
        return Mark(self._told.events, self._told.sha256, dict(self._told.tallies))


def same_place(one: LineConfig, other: LineConfig) -> bool:
    return (one.start, one.end) == (other.start, other.end)
