"""When a device at its limit goes down the ladder, and when it comes up again."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetrack.config import PaceConfig
from edgetrack.pace.policy import MISTAKE_S, PATIENCE_S, SETTLE_S, Policy, Rung, Strain, ladder
from edgetrack.pace.sensors import Condition

LIMITS = PaceConfig(max_load=0.8, max_latency_ms=500)
RUNGS = ladder(fps=30, min_looks_s=6, lighter=True, slows=True)
WINDOW_S = 2.0
HOT, WARM, COOL = (Condition(c, 80.0) for c in (81.0, 77.0, 60.0))
SLOWED = Condition(60.0, 80.0, ("under-voltage",))


def strain(rung: Rung = RUNGS[0], look_s: float = 0.010, frame_s: float = 0.002, **changes: Any) -> Strain:
    """Of a camera of 30 pictures/s on that rung; the lighter detector takes half of `look_s`."""
    idle = Strain(30.0, frame_s, (look_s, look_s / 2), load=0.0, latency_ms=20.0, condition=COOL)
    return idle._replace(load=idle.load_on(rung), **{"latency_ms": 20.0, **changes})


class Device:
    """Lives through windows of measuring."""

    def __init__(self, rungs: tuple[Rung, ...] = RUNGS) -> None:
        self.policy, self.rungs, self.now_s = Policy(LIMITS), rungs, 1000.0

    def lives(self, seconds: float, **what: Any) -> list[int]:
        """The rungs on which it is, window by window."""
        stood = []
        for _ in range(round(seconds / WINDOW_S)):
            self.now_s += WINDOW_S
            self.policy.decide(
                self.now_s, strain(self.rungs[min(self.policy.rung, len(self.rungs) - 1)], **what), self.rungs
            )
            stood.append(self.policy.rung)
        return stood


def test_the_ladder_goes_from_every_picture_to_the_least_looks_then_a_lighter_detector_then_a_slower_camera() -> None:
    every = [Rung(1), Rung(2), Rung(3), Rung(4), Rung(5)]
    assert [*every, Rung(5, eye=1), Rung(1, eye=1, max_fps=6)] == list(RUNGS)


def test_a_slow_camera_is_looked_at_picture_by_picture() -> None:
    assert ladder(fps=10, min_looks_s=6, lighter=False, slows=True) == (Rung(1),)


def test_without_strain_nothing_changes() -> None:
    assert set(Device().lives(600)) == {0}


def test_a_load_over_the_limit_leads_in_one_step_to_the_first_rung_that_carries_it() -> None:
    """A look of 60 ms: at 30 pictures/s every third one makes 0.66, every second one 0.96."""
    assert Device().lives(4, look_s=0.060) == [2, 2]


def test_a_load_just_over_the_limit_must_last() -> None:
    assert Device().lives(4, look_s=0.026) == [0, 1]


def test_a_hiccup_is_no_reason() -> None:
    device = Device()
    for _ in range(20):
        device.lives(2, look_s=0.026)
        device.lives(2, look_s=0.010)
    assert device.policy.rung == 0


def test_a_recording_that_falls_behind_is_reason_enough_at_once() -> None:
    assert Device().lives(2, look_s=0.040) == [1]


def test_what_no_rung_carries_leads_to_the_lowest_one_and_is_said() -> None:
    device = Device()
    device.lives(4, look_s=1.0)
    assert (device.policy.rung, device.policy.over) == (len(RUNGS) - 1, True)
    assert device.policy.reason.startswith("the loop needs")


def test_a_device_over_its_limit_on_the_only_rung_says_so() -> None:
    device = Device(rungs=(Rung(1),))
    device.lives(2, look_s=1.0)
    assert (device.policy.rung, device.policy.over) == (0, True)


def test_heat_leads_down_one_rung_at_a_time_and_gives_each_time_to_tell() -> None:
    device = Device()
    stood = device.lives(60, condition=HOT)
    at = [k * WINDOW_S for k, (a, b) in enumerate(pairwise([0, *stood])) if b != a]
    assert stood[0] == 1
    assert all(b - a >= SETTLE_S for a, b in pairwise(at))


def test_being_slowed_down_leads_down_however_cool_it_is() -> None:
    device = Device()
    device.lives(2, condition=SLOWED)
    assert device.policy.rung == 1
    assert device.policy.reason == "the device is slowed down: under-voltage"


def test_just_below_the_limit_it_stays_where_it_is() -> None:
    device = Device()
    device.lives(2, condition=HOT)
    assert set(device.lives(600, condition=WARM)) == {1}


def test_it_comes_up_after_a_calm() -> None:
    device = Device()
    device.lives(2, condition=HOT)
    stood = device.lives(60, condition=COOL)
    assert stood.index(0) * WINDOW_S == pytest.approx(PATIENCE_S, abs=2 * WINDOW_S)


def test_it_stays_down_as_long_as_the_finer_rung_would_be_too_much() -> None:
    """On every second picture a look of 24 ms makes a load of 0.42; on every one it would be 0.78, too near."""
    device = Device()
    device.lives(4, look_s=0.060)
    device.lives(600, look_s=0.024)
    assert device.policy.rung == 1


def test_every_mistake_doubles_the_patience() -> None:
    """The sun shines on the housing: it is cool on rung 1 and hot on rung 0."""
    device, ups = Device(), []
    for _ in range(600):
        before = device.policy.rung
        device.lives(WINDOW_S, condition=COOL if before else HOT)
        if device.policy.rung < before:
            ups.append(device.now_s)
    waits = [b - a for a, b in pairwise(ups)]
    assert all(b > 1.5 * a for a, b in pairwise(waits[:4]))
    assert waits[0] < MISTAKE_S


def test_latency_that_the_loop_makes_leads_down_and_that_of_the_camera_does_not() -> None:
    """800 ms between camera and hand-over: with looks of 10 ms they lie in the camera's buffers."""
    device = Device()
    assert set(device.lives(20, latency_ms=800)) == {0}
    slow = strain(look_s=0.45, latency_ms=800)._replace(load=0.5)
    for k in (1, 2):
        device.policy.decide(device.now_s + k * WINDOW_S, slow, RUNGS)
    assert device.policy.rung > 0


def test_on_another_ladder_it_stands_no_lower_than_before() -> None:
    """A camera that goes from 30 to 15 pictures/s at dusk, and to 10 at night."""
    device = Device()
    device.lives(6, look_s=0.09)
    assert RUNGS[device.policy.rung] == Rung(4)
    stood = []
    for fps in (15, 10, 30):
        device.rungs = ladder(fps=fps, min_looks_s=6, lighter=True, slows=True)
        device.policy.decide(device.now_s, strain(look_s=0.020)._replace(load=0.5), device.rungs)
        stood.append(device.rungs[device.policy.rung])
    assert stood == [Rung(2), Rung(1), Rung(1)]


def test_a_ladder_of_one_rung_is_no_fall() -> None:
    device = Device()
    device.lives(2, look_s=0.1)
    device.rungs = ladder(fps=10, min_looks_s=6, lighter=False, slows=False)
    device.lives(2)
    assert device.policy.rung == 0


@given(
    st.lists(
        st.tuples(
            st.floats(0, 2), st.floats(0, 5000), st.floats(20, 110), st.booleans(), st.floats(1, 60), st.floats(0, 3)
        ),
        max_size=60,
    )
)
def test_whatever_is_measured_it_stays_on_the_ladder(windows: list[tuple[Any, ...]]) -> None:
    policy, now = Policy(LIMITS), 0.0
    for load, latency_ms, temperature_c, slowed, fps, look_s in windows:
        now += WINDOW_S
        rungs = ladder(fps, 6, lighter=slowed, slows=True)
        condition = Condition(temperature_c, 80.0, ("throttled",) if slowed else ())
        policy.decide(now, Strain(fps, 0.001, (look_s, look_s), load, latency_ms, condition), rungs)
        assert 0 <= policy.rung < len(rungs)
