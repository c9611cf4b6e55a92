"""How an outlet or the outbox is doing: told in health, and in the log when it changes."""

from __future__ import annotations

import logging
from typing import Literal

State = Literal["connecting", "ok", "degraded"]


class Standing:
    """Written by one thread, read by any.

    Args:
        log: of whoever stands so.
        state: at the start.
    """

    def __init__(self, log: logging.Logger, state: State) -> None:
        self.now: tuple[State, str] = (state, "")  # with the reason
        self._log = log

    def tell(self, state: State, reason: str, words: str) -> None:
        """Take it in, and log the words if anything has changed."""
        if self.now == (state, reason):
            return
        self.now = (state, reason)
        self._log.log(logging.WARNING if reason else logging.INFO, "%s", words)
