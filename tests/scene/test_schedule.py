"""When counts begin anew: by the wall clock, through changes of the clocks, and through times when nobody looked."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from edgetrack.config import Config, CountsConfig, DetectConfig, FileCapture, LineConfig, ZoneConfig
from edgetrack.errors import ConfigError
from edgetrack.scene import Scene
from edgetrack.scene.schedule import Schedule
from edgetrack.types import LineCount, ZoneOccupancy

BERLIN = "Europe/Berlin"


def utc(text: str, zone: str = "UTC", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def moments(schedule: Schedule, start: float, hours: int) -> list[str]:
    """What `last` tells, in UTC, when asked every 10 minutes."""
    told = {schedule.last(start + 600 * i) for i in range(6 * hours)}
    return [datetime.fromtimestamp(moment, timezone.utc).strftime("%d %H:%M") for moment in sorted(filter(None, told))]


def test_without_times_there_is_no_moment() -> None:
    assert Schedule(CountsConfig()).last(1.7e9) is None


def test_a_time_comes_once_a_day_on_the_clock_of_its_place() -> None:
    schedule = Schedule(CountsConfig(reset_at=["00:00"], timezone=BERLIN))
    assert moments(schedule, utc("2026-07-01T12:00"), 48) == ["30 22:00", "01 22:00", "02 22:00"]
    assert moments(schedule, utc("2026-12-01T12:00"), 48) == ["30 23:00", "01 23:00", "02 23:00"]


def test_several_times_a_day() -> None:
    schedule = Schedule(CountsConfig(reset_at=["18:30", "06:00"], timezone="UTC"))
    assert moments(schedule, utc("2026-07-01T07:00"), 24) == ["01 06:00", "01 18:30", "02 06:00"]


@pytest.mark.parametrize(
    ("zone", "time", "skipped", "expected"),
    [
        (BERLIN, "02:30", "2026-03-29", "2026-03-29T03:30"),  # 02:00 becomes 03:00
        ("America/New_York", "02:30", "2026-03-08", "2026-03-08T03:30"),
        ("America/Santiago", "00:00", "2026-09-06", "2026-09-06T01:00"),  # midnight itself is skipped
        ("Australia/Lord_Howe", "02:15", "2026-10-04", "2026-10-04T02:45"),  # by half an hour
    ],
)
def test_a_time_that_the_clocks_skip_comes_once_as_if_they_had_not_changed(
    zone: str, time: str, skipped: str, expected: str
) -> None:
    schedule = Schedule(CountsConfig(reset_at=[time], timezone=zone))
    noon = utc(f"{skipped}T12:00", zone)
    asked = np.arange(noon - 24 * 3600, noon, 300)
    told = sorted({moment for moment in map(schedule.last, asked.tolist()) if moment is not None})
    assert told[-1] == utc(expected, zone)
    assert len(told) == 2


@pytest.mark.parametrize(
    ("zone", "time", "day"),
    [
        (BERLIN, "02:30", "2026-10-25"),
        ("America/New_York", "01:30", "2026-11-01"),
        ("America/Santiago", "23:30", "2026-04-04"),
        ("Australia/Lord_Howe", "01:45", "2026-04-05"),
    ],
)
def test_a_time_that_comes_twice_is_taken_the_first_time_only(zone: str, time: str, day: str) -> None:
    schedule = Schedule(CountsConfig(reset_at=[time], timezone=zone))
    first, second = (utc(f"{day}T{time}", zone, fold) for fold in (0, 1))
    assert second > first
    assert [schedule.last(at) for at in (first, second - 1, second, second + 3600)] == [first] * 4


def test_a_clock_that_goes_back_over_a_moment_sees_the_one_before() -> None:
    schedule = Schedule(CountsConfig(reset_at=["00:00"], timezone="UTC"))
    midnight = utc("2026-07-02T00:00")
    assert [schedule.last(midnight + s) for s in (-1, 0, -1, 0)] == [
        midnight - 86400,
        midnight,
        midnight - 86400,
        midnight,
    ]


@pytest.mark.parametrize("name", ["Europe/Berlinn", "../../etc/passwd", "Europe", "/etc/localtime", " "])
def test_a_time_zone_that_is_not_known_is_told(name: str) -> None:
    with pytest.raises(ConfigError, match=r"counts.timezone: .* is not known here; write it like Europe/Berlin"):
        Schedule(CountsConfig(reset_at=["00:00"], timezone=name))


# --- the scene -------------------------------------------------------------------------------------------------------


def scene(since: float) -> Scene:
    """A door that has counted three since then, and a porch."""
    config = Config(
        capture=FileCapture(path="none.mp4"),
        detect=DetectConfig(model="none.onnx"),
        lines=[LineConfig(name="door", start=(0.5, 0.0), end=(0.5, 1.0))],
        zones=[ZoneConfig(name="porch", polygon=[(0, 0), (1, 0), (1, 1)])],
        counts=CountsConfig(reset_at=["00:00"], timezone=BERLIN),
    )
    scene = Scene(config, ["person"])
    scene.restore([LineCount("door", {0: (3, 0)}, since, since, 0.0)])
    return scene


MIDNIGHT = utc("2026-07-02T00:00", BERLIN)


def test_counts_begin_anew_at_the_moment() -> None:
    watched = scene(MIDNIGHT - 86400)
    watched.snapshot(MIDNIGHT - 60, 0.0)
    assert watched.renew(MIDNIGHT - 0.1, 0.0) == []
    door, porch = watched.renew(MIDNIGHT + 0.5, 0.0)
    assert isinstance(door, LineCount)
    assert isinstance(porch, ZoneOccupancy)
    assert (dict(door.counts), door.since_utc, porch.since_utc) == ({}, MIDNIGHT, MIDNIGHT)
    assert watched.renew(MIDNIGHT + 0.6, 0.0) == []


def test_a_restart_across_the_moment_does_not_reset_twice() -> None:
    watched = scene(MIDNIGHT)
    assert watched.renew(MIDNIGHT + 5, 0.0) == []


def test_a_device_that_was_off_at_the_moment_begins_anew_when_it_is_on() -> None:
    [door] = scene(MIDNIGHT - 3600).renew(MIDNIGHT + 7200, 0.0)
    assert isinstance(door, LineCount)
    assert (dict(door.counts), door.since_utc) == ({}, MIDNIGHT + 7200)


def test_a_schedule_that_a_reload_brings_does_not_say_that_it_counted_from_a_moment_that_has_passed() -> None:
    """Crossings since then were counted in the old period."""
    [door] = scene(MIDNIGHT - 3600).renew(MIDNIGHT + 7200, 0.0)
    assert isinstance(door, LineCount)
    assert door.since_utc > MIDNIGHT


def test_a_clock_that_is_set_back_over_the_moment_does_not_reset_again() -> None:
    watched = scene(MIDNIGHT - 3600)
    assert len(watched.renew(MIDNIGHT, 0.0)) == 1
    assert [watched.renew(MIDNIGHT + s, 0.0) for s in (-2, 0, 1)] == [[], [], []]


def test_a_clock_that_is_only_set_after_the_start_is_followed() -> None:
    """A board without a battery boots with an old date: NTP then takes it across midnight."""
    watched = scene(MIDNIGHT - 3600)
    assert watched.renew(MIDNIGHT - 1800, 0.0) == []
    [door] = watched.renew(MIDNIGHT + 30000, 0.0)
    assert isinstance(door, LineCount)
    assert door.since_utc == MIDNIGHT + 30000


@pytest.mark.parametrize("wrong_s", [-365 * 86400.0, 365 * 86400.0])
def test_a_clock_that_is_put_right_misses_no_moment_and_makes_none(wrong_s: float) -> None:
    """It counts since an hour after midnight, by a clock that is a year off; the next moment is the next midnight."""
    watched = scene(MIDNIGHT - 86400)
    watched.reset(["door"], ["porch"], MIDNIGHT + 3600 + wrong_s, 0.0)
    watched.put_right(-wrong_s, MIDNIGHT + 3700, 0.0)
    assert watched.renew(MIDNIGHT + 3700, 0.0) == []
    assert len(watched.renew(MIDNIGHT + 86400, 0.0)) == 2


def test_the_peak_begins_with_those_who_are_inside() -> None:
    watched = scene(MIDNIGHT - 3600)
    watched.snapshot(MIDNIGHT - 60, 0.0)
    [zone] = watched._zones
    zone._now[0], zone._peak[0] = 2, 5
    porch = watched.renew(MIDNIGHT, 0.0)[-1]
    assert isinstance(porch, ZoneOccupancy)
    assert (dict(porch.now), dict(porch.peak)) == ({0: 2}, {0: 2})
