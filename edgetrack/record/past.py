"""What a reader must know who begins in the middle, and what he must come to."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from edgetrack import __version__
from edgetrack.config import Config
from edgetrack.record.entries import Anything, Head, Mark, Standing
from edgetrack.record.told import Told
from edgetrack.types import Event


class Past:
    """Follows what is recorded, part by part: a part is what stands under one head.

    Args:
        config, names: of the daemon.
    """

    def __init__(self, config: Config, names: Sequence[str]) -> None:
        self._camera, self._names = (config.device, config.camera), tuple(names)
        self._told = Told(self._names)
        self._head: Head | None = None  # of the present part
        self.due = False  # the head is not written yet

    @property
    def known(self) -> bool:
        """False: something was lost, and nothing can be recorded before the next part begins."""
        return self._head is not None

    @property
    def going_on(self) -> bool:
        """The present part goes on where another one ended."""
        return self._head is not None and self._head.part > 0

    def begin(self, standing: Standing) -> None:
        """The next part, from where things stand so."""
        before = self._head
        boot, part = (secrets.token_hex(4), 0) if before is None else (before.boot, before.part + 1)
        self._head = Head(__version__, boot, part, *self._camera, self._names, standing)
        self._told, self.due = Told(self._names), True

    def forget(self) -> None:
        """Something was lost: what follows is a recording of its own."""
        self._head, self.due = None, False

    def block(self, entries: Sequence[Anything], events: Sequence[Event]) -> list[Anything]:
        """With the head, if it is due, and what has become of it all since."""
        self._told.add(events)
        mark = Mark(self._told.events, self._told.sha256, dict(self._told.tallies))
        head = [self._head] if self._head and self.due else []
        self.due = False
        return [*head, *entries, mark]
