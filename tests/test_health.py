"""Reports of the daemon on itself."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from edgetrack.health import Monitor, percentiles
from edgetrack.types import CaptureState, Frame, PaceState, PublishState

OPENING, SEES = CaptureState(state="opening"), CaptureState(state="ok")
BLIND = CaptureState(state="degraded", reason="no picture for 5 s")
HEARD = PublishState(name="mqtt", state="ok")
MUTE = PublishState(name="mqtt", state="degraded", reason="connection refused")
TOP = PaceState(0, 2, every=1, model="nano.onnx", max_fps=None, reason="", over=False, looks=0, spared=0)
BOTTOM = replace(TOP, rung=2, every=3, reason="83 °C")
NEVER_S = 3600.0


def frame(age_s: float = 0.0) -> Frame:
    return Frame(np.zeros((2, 2, 3), np.uint8), index=0, time=0.0, utc=0.0, captured=time.monotonic() - age_s)


def test_a_report_comes_with_a_change_of_state_and_not_again_until_it_is_due() -> None:
    monitor = Monitor(NEVER_S)
    told = [monitor.report(capture, [HEARD], TOP, 0) for capture in (OPENING, OPENING, SEES, SEES, BLIND, BLIND)]
    assert [report and report.state for report in told] == ["starting", None, "ok", None, "degraded", None]


def test_a_change_of_state_does_not_make_a_rate_of_one_frame() -> None:
    """One frame between two reports a millisecond apart would be a thousand frames/s."""
    monitor = Monitor(NEVER_S)
    monitor.done(frame())
    monitor.report(OPENING, [HEARD], TOP, 0)
    monitor.done(frame())
    report = monitor.report(SEES, [HEARD], TOP, 0)
    assert report is not None
    assert report.fps * report.uptime_s == pytest.approx(2)


def test_figures_start_anew_with_a_report_that_was_due() -> None:
    monitor = Monitor(0.0)
    monitor.done(frame(age_s=100))
    first = monitor.report(SEES, [HEARD], TOP, 0)
    monitor.done(frame())
    second = monitor.report(SEES, [HEARD], TOP, 0)
    assert first is not None
    assert second is not None
    assert first.latency_ms["max"] >= 1e5 > second.latency_ms["max"]


def test_the_reasons_of_all_that_is_wrong_stand_in_one_line() -> None:
    report = Monitor(NEVER_S).report(BLIND, [HEARD, MUTE], TOP, 0)
    assert report is not None
    assert report.reason == "capture: no picture for 5 s; mqtt: connection refused"


def test_who_stops_says_so_whatever_else_is_wrong() -> None:
    report = Monitor(NEVER_S).report(BLIND, [MUTE], TOP, 0, stopping=True)
    assert report is not None
    assert (report.state, report.reason) == ("stopping", "")


def test_a_step_on_the_ladder_is_reported_at_once() -> None:
    monitor = Monitor(NEVER_S)
    told = [monitor.report(SEES, [HEARD], pace, 0) for pace in (TOP, TOP, BOTTOM, BOTTOM)]
    assert [report and report.pace.rung for report in told] == [0, None, 2, None]


def test_a_device_below_its_limit_is_well_and_one_over_it_on_the_lowest_rung_is_not() -> None:
    told = [Monitor(NEVER_S).report(SEES, [HEARD], replace(BOTTOM, over=over), 0) for over in (False, True)]
    assert [report and report.state for report in told] == ["ok", "degraded"]


@pytest.mark.parametrize("count", [1, 2, 3, 20, 21, 1000])
def test_percentiles_are_those_of_numpy(count: int) -> None:
    ms = np.random.default_rng(count).exponential(20, count).tolist()
    wanted = [*np.percentile(ms, [50, 95, 99]), max(ms)]
    assert list(percentiles(ms).values()) == pytest.approx(wanted)
    assert list(percentiles(ms)) == ["p50", "p95", "p99", "max"]


def test_percentiles_of_nothing_are_none() -> None:
    assert percentiles([]) == {}
