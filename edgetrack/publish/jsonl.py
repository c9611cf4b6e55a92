"""Events as lines of JSON, to a file or to whatever reads standard output."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import threading
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgetrack.config import JsonlPublish
from edgetrack.errors import PublishError
from edgetrack.publish.desk import Desk
from edgetrack.publish.message import Message
from edgetrack.publish.payload import PREFIX
from edgetrack.publish.standing import Standing
from edgetrack.types import PublishState

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger(__name__)

MAX_QUEUED = 10_000  # lines kept while the disk is full or the reader slow; beyond, the oldest go
RETRY_S = 1.0  # between tries to write to a full disk
FLUSH_S = 0.8  # for what is queued when the daemon stops


class JsonlOutlet:
    """Appends in a thread of its own; a line is written whole or not yet."""

    desk: Desk | None = None  # a file asks nothing

    def __init__(self, options: JsonlPublish) -> None:
        self._path = options.path
        self._name = "standard output" if options.path == "-" else options.path
        self._queue: deque[Message] = deque()
        self._rest = b""  # of a batch that did not fit on the disk
        self._more = threading.Condition()
        self._standing = Standing(log, "ok")
        self._sent = self._dropped = self._writing = 0
        self._leaving = self._gone = False
        self._fd = -1
        self._thread = threading.Thread(target=self._run, name="jsonl", daemon=True)

    @property
    def state(self) -> PublishState:
        with self._more:
            state, reason = self._standing.now
            return PublishState(
                "jsonl", state, reason, self._sent, len(self._queue) + self._writing, self._dropped, refused=0
            )

    @property
    def died(self) -> bool:
        return not (self._gone or self._leaving or self._thread.is_alive())

    def send(self, messages: Sequence[Message], kept: bool = False) -> None:
        with self._more:
            self._queue.extend(messages)
            excess = len(self._queue) - (0 if self._gone else MAX_QUEUED)
            for _ in range(excess):
                self._queue.popleft()
            self._dropped += max(0, excess)
            self._more.notify()

    def __enter__(self) -> Self:
        try:
            self._fd = os.dup(1) if self._path == "-" else open_to_append(self._path)
        except OSError as error:
            raise PublishError(f"publish.path: {self._name}: {error.strerror}; name a file in a folder") from error
        self._thread.start()
        return self

    def leave(self) -> None:
        """Begin to leave; `__exit__` waits for the end."""
        with self._more:
            self._leaving = True
            self._more.notify()

    def __exit__(self, *_: object) -> None:
        self.leave()
        self._thread.join(FLUSH_S)
        unsent = len(self._queue) + self._writing
        if unsent:
            log.warning("%s: %d lines could not be written before the end", self._name, unsent)
        if not self._thread.is_alive():  # else it waits in a write, for a reader that does not read
            os.close(self._fd)

    def _run(self) -> None:
        while True:
            with self._more:
                self._more.wait_for(lambda: self._queue or self._rest or self._leaving)
                if not self._queue and not self._rest:
                    return
                if not self._rest:
                    self._writing = len(self._queue)
                    self._rest = b"".join(map(line, self._queue))
                    self._queue.clear()
            try:
                while self._rest:
                    self._rest = self._rest[os.write(self._fd, self._rest) :]
            except BrokenPipeError:
                self._lose()
                return
            except OSError as error:
                self._complain(f"{error.strerror}; make room, lines are kept in memory until then")
                with self._more:
                    if self._more.wait_for(lambda: self._leaving, RETRY_S):
                        return
            else:
                with self._more:
                    self._sent += self._writing
                    self._writing = 0
                self._standing.tell("ok", "", f"{self._name}: writing again")

    def _lose(self) -> None:
        """Nobody reads any more: from now on everything is dropped, and counted."""
        with self._more:
            self._gone = True
            self._dropped += self._writing + len(self._queue)
            self._writing = 0
            self._queue.clear()
        self._complain("its reader has gone; restart to write again")

    def _complain(self, reason: str) -> None:
        self._standing.tell("degraded", reason, f"{self._name}: {reason}")


def line(message: Message) -> bytes:
    """`{"topic": ..., "payload": {...}}` and a newline; the payload is null where a retained one is removed."""
    topic = f"{PREFIX}/{message.topic}"  # letters, digits, _ - and / only: nothing to escape
    return b'{"topic":"%s","payload":%s}\n' % (topic.encode(), message.payload or b"null")


def open_to_append(path: str) -> int:
    """A descriptor at the end of the file; a last line that a crash cut off is ended first."""
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    with contextlib.suppress(OSError):
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode) and status.st_size and os.pread(fd, 1, status.st_size - 1) != b"\n":
            os.write(fd, b"\n")
    return fd
