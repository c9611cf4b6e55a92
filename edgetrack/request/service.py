"""Runs requests between two frames, and answers every one of them."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from edgetrack.errors import EdgetrackError
from edgetrack.publish import Publisher
from edgetrack.publish.desk import Request
from edgetrack.request.verb import Daemon, Verb

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger(__name__)

MAX_LONG = 2  # long jobs that wait; beyond, the answer is `busy`


class Service:
    """A context manager; `serve` is called by the loop. Its thread begins with the first job that takes longer."""

    def __init__(self, verbs: Mapping[str, Verb], publisher: Publisher) -> None:
        self._verbs, self._publisher = verbs, publisher
        self._jobs: queue.Queue[tuple[Request, Callable[[], Struct]] | None] = queue.Queue(MAX_LONG)
        self._thread: threading.Thread | None = None

    def serve(self, daemon: Daemon) -> None:
        """Answer what has been asked since the last call, or see to it that it will be."""
        for request in self._publisher.requests():
            if request.fault is not None:
                log.debug("request %s: %s: %s", request.verb, request.fault, request.reason)
                self._publisher.answer(request, fault=request.fault, reason=request.reason)
            else:
                self._run(daemon, request)

    def _run(self, daemon: Daemon, request: Request) -> None:
        verb = self._verbs[request.verb]
        try:
            ask = msgspec.json.decode(request.body, type=verb.ask)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._publisher.answer(request, fault="malformed", reason=str(error))
            return
        try:
            desk = request.address.desk
            daemon.options, daemon.room, daemon.show = desk.options, desk.room, request.show
            result = verb.run(daemon, ask)
        except EdgetrackError as error:
            self._fail(request, error)
            return
        if isinstance(result, Struct):
            self._succeed(request, result)
        else:
            self._later(request, result)

    def _later(self, request: Request, job: Callable[[], Struct]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="requests", daemon=True)
            self._thread.start()
        try:
            self._jobs.put_nowait((request, job))
        except queue.Full:
            self._publisher.answer(request, fault="busy", reason="others asked before; ask again")

    def _work(self) -> None:
        """The thread."""
        while (job := self._jobs.get()) is not None:
            request, make = job
            try:
                self._succeed(request, make())
            except EdgetrackError as error:
                self._fail(request, error)

    def _succeed(self, request: Request, result: Struct) -> None:
        log.info("request %s: done", request.verb)
        self._publisher.answer(request, result)

    def _fail(self, request: Request, error: EdgetrackError) -> None:
        log.info("request %s: %s", request.verb, error)
        self._publisher.answer(request, fault="failed", reason=str(error))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None and not self._jobs.full():
            self._jobs.put_nowait(None)
