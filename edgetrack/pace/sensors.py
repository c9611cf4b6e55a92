"""How hot the device is, and whether something slows it down: sysfs, and a Raspberry Pi's firmware.

Everything is looked for on every reading, since drivers come late, and what a system does not have is passed over.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

# The firmware's word of what slows a Raspberry Pi down now; higher bits say what has since it started.
PI_WORDS = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
PI_FILE = "devices/platform/soc*/soc*firmware/get_throttled"
VCIO_IOCTL = 0xC0006400 | struct.calcsize("P") << 16  # _IOWR(100, 0, char *)
GET_THROTTLED = 0x00030046  # firmware property
DONE = 0x80000000  # the firmware's answer to a request that it understood

COOLERS = ("cpufreq", "devfreq", "throttle", "Processor")  # what slows down; fans and power limits are no harm
COUNTERS = {  # a count that rises between two readings -> what it counts
    "class/hwmon/hwmon*/oc*_event_cnt": "over-current",  # Jetson Orin
    "devices/system/cpu/cpu*/thermal_throttle/core_throttle_count": "throttled",  # Intel
}
MARGIN_C = 3.0  # below the temperature at which the kernel begins to slow the device down
USUAL_LIMIT_C = 80.0  # where the kernel names none; a Raspberry Pi's firmware slows down from here


class Condition(NamedTuple):
    """The device at one moment."""

    temperature_c: float | None = None  # of the zone that is nearest to its limit; None where the system shows none
    limit_c: float = USUAL_LIMIT_C  # of that zone: from here on the device is slowed down, or will be soon
    throttled: tuple[str, ...] = ()  # what slows it down now, in words


class Sensors:
    """Args: limit_c of every zone; None: each its own. sysfs, vcio: where they are; tests have a tree of their own."""

    def __init__(
        self, limit_c: float | None = None, sysfs: Path = Path("/sys"), vcio: Path = Path("/dev/vcio")
    ) -> None:
        self._limit_c, self._sysfs, self._vcio = limit_c, sysfs, vcio
        self._counts: dict[Path, int] = {}

    def read(self) -> Condition:
        """The device as it is now."""
        zones = sorted(self._zones(), key=lambda zone: zone[0] - zone[1])
        words = dict.fromkeys([*self._firmware(), *self._cooling(), *self._risen()])
        nearest: tuple[float | None, float] = zones[-1] if zones else (None, USUAL_LIMIT_C)
        return Condition(*nearest, tuple(words))

    def hottest_c(self) -> float | None:
        """The hottest thermal zone (Pi: the SoC; Jetson: CPU, GPU and others), None where the system shows none."""
        return max((zone[0] for zone in self._zones()), default=None)

    def _zones(self) -> Iterator[tuple[float, float]]:
        """Temperature and limit of every zone; one that is switched off reads as an error."""
        for zone in self._sysfs.glob("class/thermal/thermal_zone*"):
            milli_c = _number(zone / "temp")
            if milli_c is not None:
                yield milli_c / 1000, _limit_c(zone) if self._limit_c is None else self._limit_c

    def _firmware(self) -> Iterator[str]:
        files = sorted(self._sysfs.glob(PI_FILE))
        bits = _number(files[0], 16) if files else throttled_bits(self._vcio)
        yield from (word for bit, word in enumerate(PI_WORDS) if (bits or 0) >> bit & 1)
        for chip in self._sysfs.glob("class/hwmon/hwmon*"):
            if _text(chip / "name") == "rpi_volt" and _number(chip / "in0_lcrit_alarm"):
                yield PI_WORDS[0]

    def _cooling(self) -> Iterator[str]:
        for device in sorted(self._sysfs.glob("class/thermal/cooling_device*")):
            kind = _text(device / "type")
            if any(word in kind for word in COOLERS) and (_number(device / "cur_state") or 0) > 0:
                yield f"{kind} cooling"

    def _risen(self) -> Iterator[str]:
        for pattern, word in COUNTERS.items():
            for file in self._sysfs.glob(pattern):
                count = _number(file)
                if count is not None and count > self._counts.setdefault(file, count):
                    yield word
                self._counts[file] = count or 0


def _limit_c(zone: Path) -> float:
    """Where the kernel begins to slow the device down because of this zone, less a margin."""
    trips = [point for point in zone.glob("trip_point_*_type") if _text(point) == "passive"]
    temps = [_number(point.with_name(point.name.replace("_type", "_temp"))) for point in trips]
    return min((temp / 1000 - MARGIN_C for temp in temps if temp and temp > 0), default=USUAL_LIMIT_C)


def throttled_bits(vcio: Path) -> int | None:
    """The same bits from the firmware's mailbox, where this user may ask it; None elsewhere."""
    size, code, value_size, end = 28, 0, 4, 0
    request = bytearray(struct.pack("=7I", size, code, GET_THROTTLED, value_size, 0, 0, end))
    with suppress(OSError):
        device = os.open(vcio, os.O_RDONLY | os.O_NONBLOCK)
        try:
            fcntl.ioctl(device, VCIO_IOCTL, request)
        finally:
            os.close(device)
        _, code, _, _, _, bits, _ = struct.unpack("=7I", request)
        return int(bits) if code == DONE else None
    return None


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _number(file: Path, base: int = 10) -> int | None:
    try:
        return int(_text(file), base)
    except ValueError:
        return None
