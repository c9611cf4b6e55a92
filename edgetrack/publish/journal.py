"""The step between the loop and the outlets: what must not be lost is written first, then everything goes on."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from edgetrack.config import Config
from edgetrack.publish.clock import STEP_S
from edgetrack.publish.ledger import NOTE, Ledger, Legacy, is_count
from edgetrack.publish.message import Message, Worth
from edgetrack.publish.outbox import Outbox, OutboxError, Wreck, faults, set_aside
from edgetrack.publish.standing import Standing
from edgetrack.types import PublishState

log = logging.getLogger(__name__)

IDLE_COMMIT_S = 5.0  # deliveries are written down with the next event, or after so long
ALIVE_S = (
    60.0  # the time of the last sign of life is written at least so often: how long nobody counted follows from it
)
REOPEN_S = 10.0  # between tries to use a disk that failed
CHECK_S = 60.0  # between two readings of the whole file, which take at most CHECK_SHARE of the time
CHECK_SHARE = 0.01
TOLD_S = 5.0  # that a file which broke is told of, although a new one is in use
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
        self.path = state_folder(config) / f"{config.device}-{config.camera}.db"
        self._outlets, self._forward = outlets, forward
        self._bits: dict[str, int] = {}
        self._ledger = Ledger({})
        self._outbox: Outbox | None = None
        self._lock_file: int | None = None
        self._queue: deque[Sequence[Message]] = deque()
        self._queued = 0
        self._delivered: deque[tuple[int, int]] = deque()
        self._notes: dict[str, bytes | None] = {}  # of outlets, not written down yet
        self._more = threading.Condition()
        self._leaving = False
        self._standing = Standing(log, "ok")
        self._accident: tuple[float, str] = (0.0, "")  # what became of the last file, and until when to tell it
        self._suspect: tuple[Outbox, OutboxError] | None = None  # what an outlet found when it read
        self._check_at = time.monotonic() + CHECK_S
        self._dropped = 0  # beside what the outbox dropped
        self._committed = self._reopen_at = 0.0
        self._first = 0  # number of the last event before this start
        self._offset = time.time() - time.monotonic()
        self._shift_s = 0.0  # by which the clock stepped since what this daemon wrote last
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    @property
    def state(self) -> PublishState:
        with self._more:
            state, reason = self._standing.now
            if state == "ok" and time.monotonic() < self._accident[0]:
                state, reason = "degraded", self._accident[1]
            rows, dropped = (self._outbox.rows, self._outbox.dropped) if self._outbox else (0, 0)
            delivered = len(self._delivered) // max(1, len(self._outlets))  # and not yet written down
            queued = max(0, rows - delivered) + self._queued
            return PublishState("outbox", state, reason, queued=queued, dropped=dropped + self._dropped)

    def open(self) -> Legacy:
        """What the daemon before left; nothing where the disk cannot be used."""
        self._try_disk()
        legacy = self._ledger.legacy()
        if self._outbox is not None:  # no number is given twice, whatever became of the ledger
            legacy.seq = max(legacy.seq, self._outbox.newest)
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
        return Shelf(self, outlet)

    def stop(self) -> None:
        """Hand on what is queued, for a bounded time; the outlets are still there."""
        with self._more:
            self._leaving = True
            self._more.notify()
        if self._thread.ident is not None:
            self._thread.join(FLUSH_S)

    def close(self) -> None:
        """Write down what the outlets delivered last, and let go."""
        if self._outbox is not None and not self._thread.is_alive():
            self._commit([])
        if self._outbox is not None:
            self._outbox.close()
            self._outbox = None
        self._unlock()

    # --- in the thread ---

    def _run(self) -> None:
        while True:
            with self._more:
                self._more.wait_for(
                    lambda: self._queue or self._notes or self._suspect or self._leaving,
                    timeout=min(IDLE_COMMIT_S, REOPEN_S),
                )
                wait_s = self._committed + self._options.commit_every_s - time.monotonic()
                if self._must_be_kept() and wait_s > 0 and not self._leaving:
                    self._more.wait_for(lambda: self._leaving, timeout=wait_s)
                messages = [message for batch in self._queue for message in batch]
                self._queue.clear()
                leaving = self._leaving
            self._examine()
            kept = self._commit(messages) if self._due(messages) else self._outbox is not None
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
        if self._outbox is None:
            return now > self._reopen_at
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
            if self._outbox is None and time.monotonic() >= self._reopen_at:
                self._try_disk()
            if self._outbox is None:
                return False
            delivered = list(self._delivered)
            try:
                self._outbox.look()
                if self._shift_s:
                    self._outbox.shift(self._first, self._shift_s)
                    self._shift_s = 0.0
                self._outbox.commit(messages, (1 << len(self._outlets)) - 1, delivered, changes, utc)
            except OutboxError as error:
                self._fail(error)
                continue
            for _ in delivered:
                self._delivered.popleft()
            self._committed = time.monotonic()
            return True
        return False

    def _try_disk(self) -> None:
        """Open the file, a new one where it is broken; where that fails, go on in memory."""
        self._reopen_at = time.monotonic() + REOPEN_S
        try:
            self._lock()
            try:
                outbox = self._open()
            except OutboxError as error:
                if not error.broken:
                    raise
                outbox = self._anew(error)
        except OutboxError as error:
            self._complain(error)
            return
        with self._more:
            self._outbox = outbox
        self._standing.tell("ok", "", f"{self.path}: in use again")

    def _anew(self, error: OutboxError) -> Outbox:
        """A new file, with what can be read of the broken one."""
        aside = set_aside(self.path)
        reason = f"{self.path}: is broken ({error}); set aside as {aside.name}"
        log.warning("%s", reason)
        self._tell_accident(reason)
        return self._open(Wreck(aside))

    def _tell_accident(self, reason: str) -> None:
        with self._more:
            self._accident = (time.monotonic() + TOLD_S, reason)

    def _open(self, wreck: Wreck | None = None) -> Outbox:
        outbox = Outbox(self.path, self._options.max_mb, self._options.max_age_h)
        try:
            if wreck is not None:
                outbox.adopt(wreck.events())
            kept = outbox.state() or (wreck.state() if wreck is not None else {})
            if not self._ledger.entries:  # the first time; later, memory knows better than the disk
                self._ledger = Ledger(kept)
            owners = [name for name in kept.get("outlets", b"").decode("utf-8", "replace").split("\n") if name]
            if wreck is not None and not owners:  # who they were cannot be read
                owners = list(self._outlets)
            outbox.hand_over([owners.index(name) if name in owners else None for name in self._outlets])
            changes: dict[str, bytes | None] = {**dict.fromkeys(outbox.state()), **self._ledger.entries}
            outbox.commit([], 0, [], {**changes, "outlets": "\n".join(self._outlets).encode()}, time.time())
        except BaseException:
            outbox.close()
            raise
        return outbox

    def _lock(self) -> None:
        """Two daemons with the same device and camera would number the same events."""
        if self._lock_file is None:
            with faults():
                self.path.parent.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                raise OutboxError("another daemon runs with the same device and camera; give each its own") from None
            self._lock_file = descriptor

    def _unlock(self) -> None:
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _examine(self) -> None:
        """Give up a file that is no good any more; it is looked at every few seconds, and read now and then."""
        outbox, now = self._outbox, time.monotonic()
        with self._more:
            suspect, self._suspect = self._suspect, None
        if outbox is None:
            return
        try:
            if suspect is not None and suspect[0] is outbox:
                raise suspect[1]
            outbox.look()
            if now >= self._check_at:
                outbox.check()
                self._check_at = now + max(CHECK_S, (time.monotonic() - now) / CHECK_SHARE)
        except OutboxError as error:
            self._fail(error)

    def suspect(self, outbox: Outbox, error: OutboxError) -> None:
        """An outlet could not read it; from any thread."""
        with self._more:
            self._suspect = (outbox, error)
            self._more.notify()

    def _fail(self, error: OutboxError) -> None:
        with self._more:
            outbox, self._outbox = self._outbox, None
        if outbox is not None:
            if outbox.gone:
                self._unlock()  # that file may be gone too
            outbox.close()
            self._dropped += outbox.dropped
        self._reopen_at = time.monotonic() + (0 if error.broken else REOPEN_S)
        self._complain(error)
        if error.broken:
            self._tell_accident(f"{self.path}: {error}; a new one is in use")

    def _complain(self, error: OutboxError) -> None:
        reason = f"{self.path}: {error}; events are kept in memory only"
        self._standing.tell("degraded", reason, reason)


class Shelf:
    """What one outlet owes."""

    def __init__(self, journal: Journal, outlet: str) -> None:
        self._journal = journal
        self._bit = 1 << journal._outlets.index(outlet)
        self._note = f"{NOTE}{outlet}"

    def read(self, after: int, limit: int) -> list[Message] | None:
        """The next events that are not delivered, in order; None where the disk cannot be read now."""
        outbox = self._journal._outbox
        try:
            return self._sound(outbox.read(self._bit, after, limit)) if outbox is not None else []
        except OutboxError as error:
            log.debug("cannot read: %s", error)
            if outbox is not None and error.broken:
                self._journal.suspect(outbox, error)
            return None

    @property
    def note(self) -> bytes:
        """What the outlet wrote down for the next start; empty if nothing."""
        return self._journal._ledger.entries.get(self._note, b"")

    @note.setter
    def note(self, value: bytes) -> None:
        with self._journal._more:
            self._journal._notes[self._note] = value or None
            self._journal._more.notify()

    def _sound(self, messages: Sequence[Message]) -> list[Message]:
        """Those that the disk did not spoil; the others are as good as lost."""
        sound = [message for message in messages if is_sound(message)]
        for message in messages:
            if message not in sound:
                log.warning("%s: event %d is spoilt, and dropped; is the card worn?", self._journal.path, message.seq)
                self._journal._dropped += 1
                self.delivered(message.seq)
        return sound

    def delivered(self, seq: int) -> None:
        self._journal._delivered.append((self._bit, seq))


def is_sound(message: Message) -> bool:
    """A topic that can be published to, and JSON: on a worn card bits flip."""
    if not (isinstance(message.topic, str) and isinstance(message.payload, bytes)):
        return False
    try:
        msgspec.json.decode(message.payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return not any(sign in message.topic for sign in "+#\0\ufffd")


def state_folder(config: Config) -> Path:
    """`state_dir`, else what systemd gives, else the user's own."""
    folder = config.state_dir or os.environ.get("STATE_DIRECTORY", "").partition(":")[0] or "~/.local/state/edgetrack"
    return Path(folder).expanduser()
