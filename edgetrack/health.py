"""How the daemon itself is doing: rates, latencies, what each stage costs, and whether it can see and speak."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from edgetrack.pace.sensors import Sensors
from edgetrack.types import CaptureState, Frame, Health, PaceState, PublishState

PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20  # 16 KiB on a Raspberry Pi 5


class Monitor:
    """Measures the loop and tells, every `every_s` and on each change of state, a Health report.

    Figures are those since the last report that was due by time: between two changes of state lie a few frames at most,
    which are no rate.
    """

    def __init__(self, every_s: float) -> None:
        self.every_s = every_s
        self._started = self._since = self._told = self._lap = time.monotonic()
        self._key: tuple[str, str, int] = ("", "", 0)
        self._sensors = Sensors()
        self._clear()

    def _clear(self) -> None:
        self._frames = 0
        self._latency_ms: list[float] = []
        self._stage_s: dict[str, float] = defaultdict(float)

    def lap(self, stage: str) -> None:
        """The time since the last lap went to `stage`."""
        now = time.monotonic()
        self._stage_s[stage] += now - self._lap
        self._lap = now

    def done(self, frame: Frame) -> None:
        """A frame is through the loop."""
        self._frames += 1
        self._latency_ms.append((time.monotonic() - frame.captured) * 1e3)

    def report(
        self,
        capture: CaptureState,
        publish: Sequence[PublishState],
        pace: PaceState,
        tracks: int,
        stopping: bool = False,
    ) -> Health | None:
        """A report if one is due, else None."""
        now = time.monotonic()
        state, reason = _judge(capture, publish, pace, stopping)
        key = state, reason, pace.rung
        if key == self._key and now - self._told < self.every_s:
            return None
        elapsed, frames = max(now - self._since, 1e-6), max(self._frames, 1)
        health = Health(
            state=state,
            reason=reason,
            utc=time.time(),
            captured=now,
            uptime_s=now - self._started,
            fps=self._frames / elapsed,
            tracks=tracks,
            latency_ms=percentiles(self._latency_ms),
            stage_ms={stage: s / frames * 1e3 for stage, s in self._stage_s.items()},
            capture=capture,
            publish=tuple(publish),
            memory_mb=_memory_mb(),
            temperature_c=self._sensors.hottest_c(),
            pace=pace,
            throttled=self._sensors.read().throttled,
        )
        self._key, self._told = key, now
        if now - self._since >= self.every_s:
            self._since = now
            self._clear()
        return health


def _judge(
    capture: CaptureState, publish: Sequence[PublishState], pace: PaceState, stopping: bool
) -> tuple[Literal["starting", "ok", "degraded", "stopping"], str]:
    """The daemon is as well as its worst end: it must see, keep up, and be heard."""
    if stopping:
        return "stopping", ""
    wrong = [f"capture: {capture.reason}"] if capture.state == "degraded" else []
    wrong += ["pace: too much for this device on the lowest rung"] if pace.over else []
    wrong += [f"{end.name}: {end.reason}" for end in publish if end.state == "degraded"]
    if wrong:
        return "degraded", "; ".join(wrong)
    if capture.state == "opening" or any(end.state == "connecting" for end in publish):
        return "starting", ""
    return "ok", ""


def percentiles(ms: list[float]) -> dict[str, float]:
    """p50, p95, p99 and max; nothing of nothing. As np.percentile, which loads 3 MB of masked arrays for it."""
    if not ms:
        return {}
    order, last = sorted(ms), len(ms) - 1
    figures = {}
    for percent in (50, 95, 99):
        low, share = divmod(last * percent / 100, 1)
        above = order[min(int(low) + 1, last)]
        figures[f"p{percent}"] = order[int(low)] + (above - order[int(low)]) * share
    return {**figures, "max": order[last]}


def _memory_mb() -> float:
    """Resident set of this process (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_MB
