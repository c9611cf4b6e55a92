"""When counts begin anew, by the wall clock of a place."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edgetrack.config import CountsConfig
from edgetrack.errors import ConfigError

LOCALTIME = "/etc/localtime"


class Schedule:
    """Moments at the same times of every day.

    A time that the clocks skip in spring is taken on the clock before the change: 02:30 is then 03:30 on the new one.
    A time that comes twice in autumn is the first of the two. (RFC 5545, 3.3.5.)

    Raises ConfigError where the time zone is not known here.
    """

    def __init__(self, config: CountsConfig) -> None:
        self._times = [(int(text[:2]), int(text[3:])) for text in config.reset_at]
        self._zone = place(config.timezone) if self._times else timezone.utc
        self._span = (1.0, 0.0)  # s since 1970: from the moment told last to the one after it; none yet

    def last(self, utc: float) -> float | None:
        """The newest moment that is not after `utc`; None where there is none at all."""
        if not self._times:
            return None
        if not self._span[0] <= utc < self._span[1]:
            moments = self._around(utc)
            self._span = max(m for m in moments if m <= utc), min(m for m in moments if m > utc)
        return self._span[0]

    def _around(self, utc: float) -> list[float]:
        """Those of the days about `utc`: two, since the clocks may have skipped or repeated hours between."""
        today = datetime.fromtimestamp(utc, self._zone).replace(minute=0, second=0, microsecond=0, fold=0)
        days = [today + timedelta(days=days) for days in (-2, -1, 0, 1, 2)]
        return [day.replace(hour=hour, minute=minute).timestamp() for day in days for hour, minute in self._times]


def place(name: str) -> tzinfo:
    """A time zone by its name, the device's own if that is empty."""
    try:
        if name:
            return ZoneInfo(name)
        if not os.path.exists(LOCALTIME):
            return timezone.utc  # by localtime(5)
        with open(LOCALTIME, "rb") as file:
            return ZoneInfo.from_file(file, "local")
    except (OSError, ValueError, ZoneInfoNotFoundError):
        raise ConfigError(
            f"counts.timezone: '{name}' is not known here; write it like Europe/Berlin, or: sudo apt install tzdata"
        ) from None
