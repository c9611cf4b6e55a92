"""Since when every line counts, and for how long nobody has counted since then."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import NamedTuple

from edgetrack.publish.payload import Counts


class Period(NamedTuple):
    """One stretch of counting, from zero."""

    since_utc: float
    epoch: str
    earlier_s: float  # blind in daemons before
    blind_s: float  # on this daemon's clock of blindness when the period began
    restored: bool  # it began before this daemon


class Periods:
    """The periods of all lines.

    A counter is blind while its daemon is down and while its camera gives nothing. When the daemon before was last
    alive is known on the wall clock alone, and a device may boot without the right date: so the length of that gap is
    taken anew each time it is told, and is right once the date is.
    """

    def __init__(self) -> None:
        self.blind: Callable[[], float] = lambda: 0.0  # s, that the camera gave nothing since this daemon began
        self._current: dict[str, Period] = {}
        self._alive_utc: float | None = None
        self._started = time.monotonic()

    def resume(self, alive_utc: float | None, counts: Sequence[Counts]) -> None:
        """Go on where a daemon stopped that was last known to run at `alive_utc`."""
        self._alive_utc, self._started = alive_utc, time.monotonic()
        for count in counts:
            since_utc = utc_seconds(count.since)
            self._current[count.line] = Period(since_utc, count.epoch, count.uptime_gaps_s, self.blind(), True)

    def of(self, line: str, since_utc: float) -> Period:
        """The period that began then, a new one with a new epoch if there was none."""
        period = self._current.get(line)
        if period is None or period.since_utc != since_utc:
            period = self._current[line] = Period(since_utc, secrets.token_hex(4), 0.0, self.blind(), False)
        return period

    def put_right(self, by_s: float) -> None:
        """The clock by which this daemon began to count was wrong by so much; the scene corrects it by as much."""
        for line, period in self._current.items():
            if not period.restored:
                self._current[line] = period._replace(since_utc=period.since_utc + by_s)

    def gaps_s(self, line: str) -> float:
        """For how long nobody counted in a line's period."""
        period, down_s = self._current[line], 0.0
        if period.restored and self._alive_utc is not None:
            down_s = time.time() - (time.monotonic() - self._started) - self._alive_utc
        return round(period.earlier_s + max(0.0, down_s) + self.blind() - period.blind_s, 1)


def utc_seconds(text: str) -> float:
    """The inverse of `rfc3339`."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def rfc3339(utc: float) -> str:
    """Seconds since 1970 as "2026-11-20T10:14:07.123456Z"."""
    return datetime.fromtimestamp(utc, timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
