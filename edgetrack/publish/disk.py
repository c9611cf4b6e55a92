"""One daemon's hold of the outbox's file: locked against others, given up where it is no good, and tried again."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from edgetrack.config import OutboxConfig
from edgetrack.publish.ledger import Ledger
from edgetrack.publish.outbox import Outbox, OutboxError, faults
from edgetrack.publish.standing import Standing, State
from edgetrack.publish.wreck import Wreck, set_aside

log = logging.getLogger(__name__)

REOPEN_S = 10.0  # between tries to use a disk that failed
CHECK_S = 60.0  # between two readings of the whole file, which take at most CHECK_SHARE of the time
CHECK_SHARE = 0.01
TOLD_S = 5.0  # that a file which broke is told of, although it is in use again


class Disk:
    """For the journal's thread, but for what is said to be for any.

    Args:
        outlets: lasting names, in the order of their bits.
        ledger: filled from the file the first time; later it knows better than the file.
        wake: called, from any thread, when there is something to `examine` at once.
    """

    def __init__(
        self, path: Path, options: OutboxConfig, outlets: Sequence[str], ledger: Ledger, wake: Callable[[], None]
    ) -> None:
        self.path = path
        self.outbox: Outbox | None = None  # to be read by any thread; None: there is none now
        self.dropped = 0  # by files that were given up
        self._options, self._outlets, self._ledger, self._wake = options, outlets, ledger, wake
        self._standing = Standing(log, "ok")
        self._accident: tuple[float, str] = (0.0, "")  # what became of the last file, and until when to tell it
        self._suspect: tuple[Outbox, OutboxError] | None = None  # what an outlet found when it read
        self._lock_file: int | None = None
        self._reopen_at = 0.0
        self._check_at = time.monotonic() + CHECK_S

    @property
    def state(self) -> tuple[State, str]:
        """How it is doing, with the reason; for any thread."""
        (state, reason), (until, accident) = self._standing.now, self._accident
        return ("degraded", accident) if state == "ok" and time.monotonic() < until else (state, reason)

    @property
    def due(self) -> bool:
        """It failed, and is to be tried again."""
        return self.outbox is None and time.monotonic() >= self._reopen_at

    def ready(self) -> Outbox | None:
        """The file, opened where its time has come, a new one where it is broken; None: there is only memory now."""
        if not self.due:
            return self.outbox
        self._reopen_at = time.monotonic() + REOPEN_S
        try:
            self._lock()
            try:
                self.outbox = self._open()
            except OutboxError as error:
                if not error.broken:
                    raise
                self.outbox = self._anew(error)
        except OutboxError as error:
            self._complain(error)
        else:
            self._standing.tell("ok", "", f"{self.path}: in use again")
        return self.outbox

    def examine(self) -> None:
        """Give up a file that is no good any more; it is looked at every time, and read now and then."""
        (suspect, self._suspect), outbox, now = (self._suspect, None), self.outbox, time.monotonic()
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
            self.give_up(error)

    @property
    def suspected(self) -> bool:
        return self._suspect is not None

    def suspect(self, outbox: Outbox, error: OutboxError) -> None:
        """Somebody could not read it; from any thread."""
        self._suspect = (outbox, error)
        self._wake()

    def give_up(self, error: OutboxError) -> None:
        """It failed: a broken file is tried again, or replaced, at once, all else a while later."""
        outbox, self.outbox = self.outbox, None
        if outbox is not None:
            if outbox.gone:
                self._unlock()  # that file may be gone too
            outbox.close()
            self.dropped += outbox.dropped
        self._reopen_at = time.monotonic() + (0 if error.broken else REOPEN_S)
        self._complain(error)
        if error.broken:
            self._tell_accident(f"{self.path}: {error}; written anew")

    def close(self) -> None:
        if self.outbox is not None:
            self.outbox.close()
            self.outbox = None
        self._unlock()

    def _open(self, wreck: Wreck | None = None) -> Outbox:
        outbox = Outbox(self.path, self._options.max_mb, self._options.max_age_h)
        try:
            if wreck is not None:
                outbox.adopt(wreck.events())
            kept = outbox.state() or (wreck.state() if wreck is not None else {})
            if not self._ledger.entries:
                self._ledger.keep(kept)
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

    def _anew(self, error: OutboxError) -> Outbox:
        """A new file, with what can be read of the broken one."""
        aside = set_aside(self.path)
        reason = f"{self.path}: is broken ({error}); set aside as {aside.name}"
        log.warning("%s", reason)
        self._tell_accident(reason)
        return self._open(Wreck(aside))

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

    def _complain(self, error: OutboxError) -> None:
        reason = f"{self.path}: {error}; events are kept in memory only"
        self._standing.tell("degraded", reason, reason)

    def _tell_accident(self, reason: str) -> None:
        self._accident = (time.monotonic() + TOLD_S, reason)
