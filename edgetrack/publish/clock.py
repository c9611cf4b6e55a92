"""Whether the wall clock can be believed, and by how much it was put right.

A Raspberry Pi has no clock that runs without power: it starts with the date of its last shutdown, and steps once it has
found a time server. Nothing in edgetrack is measured by that clock; only `ts` tells it.
"""

from __future__ import annotations

import ctypes
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from edgetrack.publish.message import Message
from edgetrack.publish.periods import rfc3339, utc_seconds

log = logging.getLogger(__name__)

STEP_S = 0.5  # a change beyond is a step; below, a time server slews
LOOK_S = 1.0  # between looks at whether it is synchronised
TIMESYNC = Path("/run/systemd/timesync")  # of systemd-timesyncd; `synchronized` is there once it is
OLDEST_UTC = 1.76e9  # October 2025: whoever says less has not been set
TIME_ERROR, STA_UNSYNC = 5, 0x40  # adjtimex(2)
UNSYNCED = b'"clock":"unsynced"'

Mark = Literal["synced", "unsynced", "corrected"]


class Reading(NamedTuple):
    """The clocks at one moment, s."""

    utc: float
    running: float  # since the machine started, suspended or not: no step ever
    monotonic: float


def read() -> Reading:
    return Reading(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), time.monotonic())


def synchronised(utc: float) -> bool:
    """By systemd-timesyncd's file, else by the kernel, which a sandbox may not ask; else by what is plausible."""
    if (TIMESYNC / "synchronized").exists():
        return True
    kernel = _kernel()
    if kernel is not None:
        return kernel
    return utc > OLDEST_UTC and not TIMESYNC.exists()


def _kernel() -> bool | None:
    """adjtimex(2) with nothing to adjust; None where it may not be asked."""
    timex = (ctypes.c_int * 128)()  # of 208 bytes, the first int `modes`: 0
    state = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    status = timex[10]  # after modes, and offset, freq, maxerror, esterror of 8 bytes each
    return None if state < 0 else state != TIME_ERROR and not status & STA_UNSYNC


class Clock:
    """Watches the wall clock against the one that never steps; for the loop's thread, `corrected` for any.

    Args:
        boot: mark of this start of the daemon; what others encoded is not corrected, for their steps are not known.
        read: gives the clocks.
        synchronised: tells whether the system holds its clock for right.
    """

    def __init__(
        self,
        boot: str,
        read: Callable[[], Reading] = read,
        synchronised: Callable[[float], bool] = synchronised,
    ) -> None:
        self._boot = f'"boot":"{boot}"'.encode()
        self._read, self._synchronised = read, synchronised
        now = read()
        self._offset, self._looked = now.utc - now.running, now.monotonic
        self._steps: tuple[tuple[float, float], ...] = ()  # when, monotonic, and by how much
        self._owed_s = 0.0  # of them, nobody has taken notice yet
        self.mark: Mark = "synced" if synchronised(now.utc) else "unsynced"
        if self.mark == "unsynced":
            log.info("the clock is not synchronised; times are marked so until it is")

    def look(self) -> None:
        """To be called often: before events are told, and at least once a second."""
        now = self._read()
        step_s = now.utc - now.running - self._offset
        self._offset += step_s
        if abs(step_s) > STEP_S:
            self._steps = (*self._steps, (now.monotonic, step_s))[-100:]
            self._owed_s += step_s if self.mark == "unsynced" else 0.0  # else what was told was right when it was told
            log.warning("the clock stepped by %+.1f s; what is told from now on has the new time", step_s)
        if self.mark == "unsynced" and (abs(step_s) > STEP_S or now.monotonic - self._looked >= LOOK_S):
            self._looked = now.monotonic
            if self._synchronised(now.utc):
                self.mark = "synced"
                log.info("the clock is synchronised")

    def put_right(self) -> float:
        """By how much, s, the clock was put right since the last call; 0 where it was held for right before."""
        self.look()
        by_s, self._owed_s = self._owed_s, 0.0
        return by_s

    def corrected(self, message: Message) -> Message:
        """The same with the right `ts`, if it was encoded by this process before the clock was put right."""
        if not self._steps or UNSYNCED not in message.payload or self._boot not in message.payload:
            return message
        told: dict[str, Any] = msgspec.json.decode(message.payload)
        by_s = sum(step_s for at, step_s in self._steps if at * 1e9 > told["mono_ns"])
        if not by_s:
            return message
        told |= {"ts": rfc3339(utc_seconds(told["ts"]) + by_s), "clock": "corrected"}
        return replace(message, payload=msgspec.json.encode(told))
