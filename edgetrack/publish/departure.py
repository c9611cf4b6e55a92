"""When a thread that talks to a broker must be gone."""

from __future__ import annotations

import math
import threading
import time

FLUSH_S = 0.8  # for what is queued when the daemon stops


class Departure:
    """Begun by whoever stops the daemon, heeded by the thread."""

    def __init__(self) -> None:
        self.by = math.inf  # s, monotonic
        self._begun = threading.Event()

    @property
    def begun(self) -> bool:
        return self._begun.is_set()

    def begin(self) -> None:
        """What is queued has FLUSH_S from the first call."""
        if not self.begun:
            self.by = time.monotonic() + FLUSH_S
            self._begun.set()

    def wait(self, most_s: float) -> None:
        """Do nothing until it begins."""
        self._begun.wait(most_s)

    def patience_s(self, most_s: float) -> float:
        """How long to wait for the broker at once: no longer than there is to leave."""
        return min(most_s, max(0.0, self.by - time.monotonic()))
