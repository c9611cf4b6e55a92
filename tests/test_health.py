"""Reports of the daemon on itself."""

from __future__ import annotations

import time

import numpy as np
import pytest

from edgetrack.health import Monitor
from edgetrack.types import CaptureState, Frame, PublishState

OPENING, SEES = CaptureState(state="opening"), CaptureState(state="ok")
BLIND = CaptureState(state="degraded", reason="no picture for 5 s")
HEARD = PublishState(name="mqtt", state="ok")
MUTE = PublishState(name="mqtt", state="degraded", reason="connection refused")
NEVER_S = 3600.0


def frame(age_s: float = 0.0) -> Frame:
    return Frame(np.zeros((2, 2, 3), np.uint8), index=0, time=0.0, utc=0.0, captured=time.monotonic() - age_s)


def test_a_report_comes_with_a_change_of_state_and_not_again_until_it_is_due() -> None:
    monitor = Monitor(NEVER_S)
    told = [monitor.report(capture, [HEARD], 0) for capture in (OPENING, OPENING, SEES, SEES, BLIND, BLIND)]
    assert [report and report.state for report in told] == ["starting", None, "ok", None, "degraded", None]


def test_a_change_of_state_does_not_make_a_rate_of_one_frame() -> None:
    """One frame between two reports a millisecond apart would be a thousand frames/s."""
    monitor = Monitor(NEVER_S)
    monitor.done(frame())
    monitor.report(OPENING, [HEARD], 0)
    monitor.done(frame())
    report = monitor.report(SEES, [HEARD], 0)
    assert report is not None
    assert report.fps * report.uptime_s == pytest.approx(2)


def test_figures_start_anew_with_a_report_that_was_due() -> None:
    monitor = Monitor(0.0)
    monitor.done(frame(age_s=100))
    first = monitor.report(SEES, [HEARD], 0)
    monitor.done(frame())
    second = monitor.report(SEES, [HEARD], 0)
    assert first is not None
    assert second is not None
    assert first.latency_ms["max"] >= 1e5 > second.latency_ms["max"]


def test_the_reasons_of_all_that_is_wrong_stand_in_one_line() -> None:
    report = Monitor(NEVER_S).report(BLIND, [HEARD, MUTE], 0)
    assert report is not None
    assert report.reason == "capture: no picture for 5 s; mqtt: connection refused"


def test_who_stops_says_so_whatever_else_is_wrong() -> None:
    report = Monitor(NEVER_S).report(BLIND, [MUTE], 0, stopping=True)
    assert report is not None
    assert (report.state, report.reason) == ("stopping", "")
