"""Temperature and throttling, read from trees like those of a Raspberry Pi and a Jetson."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgetrack.pace.sensors import Condition, Sensors, throttled_bits
from tests.pace.sysfs import Sysfs, jetson, pi


def sensors(sysfs: Sysfs, limit_c: float | None = None) -> Sensors:
    return Sensors(limit_c, sysfs.root, vcio=sysfs.root / "no-vcio")


def test_a_system_without_sensors_has_no_temperature_and_is_not_slowed_down(tmp_path: Path) -> None:
    assert sensors(Sysfs(tmp_path)).read() == Condition(None, 80.0, ())


def test_a_pi_that_is_well_is_not_slowed_down_by_its_fan(tmp_path: Path) -> None:
    assert sensors(pi(tmp_path, 50.0)).read() == Condition(50.0, 80.0, ())


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (0x1, ("under-voltage",)),
        (0x2, ("frequency capped",)),
        (0x4, ("throttled",)),
        (0x8, ("soft temperature limit",)),
        (0x5, ("under-voltage", "throttled")),
        (0xF0000, ()),
    ],
)
def test_a_pis_firmware_tells_what_slows_it_down_now_and_what_did_is_past(
    tmp_path: Path, bits: int, words: tuple[str, ...]
) -> None:
    assert sensors(pi(tmp_path, throttled=bits)).read().throttled == words


def test_a_pis_voltage_alarm_is_heard_where_the_firmware_file_is_gone(tmp_path: Path) -> None:
    sysfs = Sysfs(tmp_path)
    sysfs.put("class/hwmon/hwmon1/name", "rpi_volt")
    sysfs.put("class/hwmon/hwmon1/in0_lcrit_alarm", 1)
    assert sensors(sysfs).read().throttled == ("under-voltage",)


def test_a_jetson_is_slowed_down_by_an_alert_and_not_by_its_fan(tmp_path: Path) -> None:
    told = [sensors(jetson(tmp_path, alert=alert)).read().throttled for alert in (0, 1)]
    assert told == [(), ("cpu-throttle-alert cooling",)]


def test_over_current_slows_down_while_its_counter_rises(tmp_path: Path) -> None:
    reader = sensors(jetson(tmp_path))
    told = []
    for count in (5, 5, 7, 7):
        jetson(tmp_path, over_current=count)
        told.append(reader.read().throttled)
    assert told == [(), (), ("over-current",), ()]


def test_the_limit_lies_three_degrees_below_where_the_kernel_begins_to_slow_down(tmp_path: Path) -> None:
    assert sensors(jetson(tmp_path, cpu_c=90.0)).read() == Condition(90.0, 96.0, ())


def test_the_zone_nearest_to_its_limit_counts(tmp_path: Path) -> None:
    sysfs = jetson(tmp_path, cpu_c=90.0)
    sysfs.zone(1, "tj-thermal", 70.0, passive=72)
    assert sensors(sysfs).read()[:2] == (70.0, 69.0)


def test_a_limit_of_ones_own_holds_for_every_zone(tmp_path: Path) -> None:
    assert sensors(jetson(tmp_path, cpu_c=60.0), limit_c=65.0).read()[:2] == (60.0, 65.0)


def test_a_zone_that_tells_nonsense_is_passed_over(tmp_path: Path) -> None:
    sysfs = pi(tmp_path, 50.0)
    sysfs.put("class/thermal/thermal_zone1/temp", "N/A")
    assert sensors(sysfs).hottest_c() == 50.0


def test_a_mailbox_that_is_no_mailbox_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "vcio").write_bytes(bytes(64))
    assert throttled_bits(tmp_path / "vcio") is None
