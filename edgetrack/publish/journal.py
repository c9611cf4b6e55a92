"""The step between the loop and the outlets: what must not be lost is written first, then everything goes on."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from edgetrack.config import Config
from edgetrack.publish.clock import STEP_S
from edgetrack.publish.disk import Disk
from edgetrack.publish.ledger import NOTE, Ledger, Legacy, is_count
from edgetrack.publish.message import Message, Worth
from edgetrack.publish.outbox import OutboxError
from edgetrack.publish.shelf import Shelf
from edgetrack.types import PublishState

IDLE_COMMIT_S = 5.0  # deliveries are written down with the next event, or after so long
ALIVE_S = (
    60.0  # the time of the last sign of life is written at least so often: how long nobody counted follows from it
)
FLUSH_S = 0.8  # for what is queued when the daemon stops
MAX_QUEUED = 10_000  # messages that wait for a slow disk; beyond, updates are dropped

Forward = Callable[[Sequence[Message], bool], None]


class Journal:
    """Owns the outbox and its thread. Where the disk fails, it goes on in memory, says so, and tries the disk again.

    Args:
        config: of the whole daemon.
        outlets: a lasting name for every outlet that owes deliveries; its place is its bit.
        forward: takes messages and whether the events among them are on disk; called from one thread.
    """

    def __init__(self, config: Config, outlets: Sequence[str], forward: Forward) -> None:
        self._options = config.outbox
        self._outlets, self._forward = outlets, forward
        self._ledger = Ledger({})
        path = state_folder(config) / f"{config.device}-{config.camera}.db"
        self._disk = Disk(path, config.outbox, outlets, self._ledger, self._wake)
        self._queue: deque[Sequence[Message]] = deque()
        self._queued = 0
        self._delivered: deque[tuple[int, int]] = deque()
        self._notes: dict[str, bytes | None] = {}  # of outlets, not written down yet
        self._more = threading.Condition()
        self._leaving = False
        self._dropped = 0  # beside what outboxes dropped
        self._committed = 0.0
        self._first = 0  # number of the last event before this start
        self._newest = 0  # number of the last event that ever was on disk
        self._offset = time.time() - time.monotonic()
        self._shift_s = 0.0  # by which the clock stepped since what this daemon wrote last
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    @property
    def state(self) -> PublishState:
        with self._more:
            (state, reason), outbox = self._disk.state, self._disk.outbox
            rows, dropped = (outbox.rows, outbox.dropped) if outbox is not None else (0, 0)
            delivered = len(self._delivered) // max(1, len(self._outlets))  # and not yet written down
            queued = max(0, rows - delivered) + self._queued
            return PublishState(
                "outbox", state, reason, queued=queued, dropped=dropped + self._disk.dropped + self._dropped
            )

    @property
    def died(self) -> bool:
        """Its thread has ended without being asked to."""
        return not (self._leaving or self._thread.is_alive())

    def open(self) -> Legacy:
        """What the daemon before left; nothing where the disk cannot be used."""
        outbox = self._disk.ready()
        legacy = self._ledger.legacy()
        if outbox is not None:  # no number is given twice, whatever became of the ledger
            self._newest = outbox.newest
            legacy.seq = max(legacy.seq, self._newest)
        self._first = legacy.seq
        return legacy

    def start(self) -> None:
        self._thread.start()

    def send(self, messages: Sequence[Message]) -> None:
        """From the loop; never waits."""
        with self._more:
            if self._queued >= MAX_QUEUED:
                kept = [message for message in messages if message.worth is not Worth.UPDATE]
                self._dropped += len(messages) - len(kept)
                messages = kept
            self._queue.append(messages)
            self._queued += len(messages)
            self._more.notify()

    def shelf(self, outlet: str) -> Shelf:
        """An outlet's own view of the outbox."""
        return Shelf(self._disk, self._ledger, 1 << self._outlets.index(outlet), f"{NOTE}{outlet}", self)

    def stop(self) -> None:
        """Hand on what is queued, for a bounded time; the outlets are still there."""
        with self._more:
            self._leaving = True
            self._more.notify()
        if self._thread.ident is not None:
            self._thread.join(FLUSH_S)

    def close(self) -> None:
        """Write down what the outlets delivered last, and let go."""
        if self._disk.outbox is not None and not self._thread.is_alive():
            self._commit([])
        self._disk.close()

    # --- for an outlet's shelf ---

    def delivered(self, bit: int, seq: int) -> None:
        """To be written down with the next event, or a little later; of what never was on disk there is nothing to."""
        if seq <= self._newest:
            self._delivered.append((bit, seq))

    def write_down(self, name: str, note: bytes | None) -> None:
        """A note of an outlet, soon; None: there is none any more."""
        with self._more:
            self._notes[name] = note
            self._more.notify()

    def lost(self) -> None:
        """An event that the disk spoilt."""
        self._dropped += 1

    def _wake(self) -> None:
        with self._more:
            self._more.notify()

    # --- in the thread ---

    def _run(self) -> None:
        while True:
            with self._more:
                self._more.wait_for(
                    lambda: self._queue or self._notes or self._disk.suspected or self._leaving, timeout=IDLE_COMMIT_S
                )
                wait_s = self._committed + self._options.commit_every_s - time.monotonic()
                if self._must_be_kept() and wait_s > 0 and not self._leaving:
                    self._more.wait_for(lambda: self._leaving, timeout=wait_s)
                messages = [message for batch in self._queue for message in batch]
                self._queue.clear()
                leaving = self._leaving
            self._disk.examine()
            kept = self._commit(messages) if self._due(messages) else self._disk.outbox is not None
            if messages:
                self._forward(messages, kept)
                with self._more:
                    self._queued -= len(messages)
            elif leaving:
                return

    def _must_be_kept(self) -> bool:
        return any(message.worth is Worth.EVENT for batch in self._queue for message in batch)

    def _due(self, messages: Sequence[Message]) -> bool:
        now = time.monotonic()
        if any(message.worth is Worth.EVENT or is_count(message) for message in messages):
            return True
        if self._disk.outbox is None:
            return self._disk.due
        if self._notes:
            return True
        age_s = now - self._committed
        return age_s > ALIVE_S or (bool(self._delivered) and age_s > IDLE_COMMIT_S)

    def _commit(self, messages: Sequence[Message]) -> bool:
        """Whether the events among the messages are on disk now."""
        utc = time.time()
        step_s, self._offset = utc - time.monotonic() - self._offset, utc - time.monotonic()
        if abs(step_s) > STEP_S:
            self._shift_s += step_s
        changes = self._ledger.note(messages, utc)
        with self._more:
            changes |= self._notes
            self._notes = {}
        self._ledger.keep(changes)
        for _ in range(2):  # a file that turns out to be broken gives way to a new one
            outbox = self._disk.ready()
            if outbox is None:
                return False
            delivered = list(self._delivered)
            try:
                outbox.look()
                if self._shift_s:
                    outbox.shift(self._first, self._shift_s)
                    self._shift_s = 0.0
                outbox.commit(messages, (1 << len(self._outlets)) - 1, delivered, changes, utc)
                self._newest = max(self._newest, outbox.newest)
            except OutboxError as error:
                self._disk.give_up(error)
                continue
            for _ in delivered:
                self._delivered.popleft()
            self._committed = time.monotonic()
            return True
        return False


def state_folder(config: Config) -> Path:
    """`state_dir`, else what systemd gives, else the user's own."""
    folder = config.state_dir or os.environ.get("STATE_DIRECTORY", "").partition(":")[0] or "~/.local/state/edgetrack"
    return Path(folder).expanduser()
