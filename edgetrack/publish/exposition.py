"""The newest states as text in Prometheus' format, 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from edgetrack.publish.payload import Counts, InOut, Occupancy, Report, Start
from edgetrack.publish.periods import utc_seconds

QUANTILES = {"p50": "0.5", "p95": "0.95", "p99": "0.99", "max": "1"}
MAX_CLASSES = 20
STATES = ("starting", "ok", "degraded", "stopping")

Sample = tuple[str, Mapping[str, str], float]
_state = msgspec.json.Decoder(Counts | Occupancy | Report | Start)


def exposition(payloads: Iterable[bytes]) -> str:
    """Text of the newest health, info, counts and occupancies, as JSON."""
    page = Page()
    states = [_state.decode(payload) for payload in payloads]
    starts = [state for state in states if isinstance(state, Start)]
    for state in states:
        page.where = {"device": state.device, "camera": state.camera}
        match state:
            case Start():
                _info(page, state)
            case Report():
                _health(page, state)
            case Counts():
                _counts(page, state, starts[0] if starts else None)
            case Occupancy():
                _occupancy(page, state)
    return page.text()


class Page:
    """Samples by metric: those of one metric stand together, under its help and type."""

    def __init__(self) -> None:
        self.where: dict[str, str] = {}
        self._metrics: dict[str, tuple[str, str, list[str]]] = {}

    def gauge(self, name: str, about: str, value: float | None, **labels: str) -> None:
        """One sample; none where there is no value."""
        self._add(name, "gauge", about, value, labels)

    def counter(self, name: str, about: str, value: float, **labels: str) -> None:
        self._add(f"{name}_total", "counter", about, value, labels)

    def _add(self, name: str, kind: str, about: str, value: float | None, labels: Mapping[str, str]) -> None:
        if value is None:
            return
        pairs = ",".join(f'{label}="{escaped(text)}"' for label, text in {**self.where, **labels}.items())
        _, _, samples = self._metrics.setdefault(f"edgetrack_{name}", (kind, about, []))
        samples.append(f"edgetrack_{name}{{{pairs}}} {value!r}")

    def text(self) -> str:
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        for name, (kind, about, samples) in self._metrics.items():
            yield f"# HELP {name} {about}"
            yield f"# TYPE {name} {kind}"
            yield from samples


def escaped(text: str) -> str:
    """The value of a label."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _info(page: Page, start: Start) -> None:
    labels = {"version": start.version, "model": start.model, "head": start.head, "embedder": start.embedder}
    page.gauge("info", "What the daemon is.", 1, **labels, source=start.source, config=start.config_hash)


def _health(page: Page, health: Report) -> None:
    for state in STATES:
        page.gauge("state", "1 for the state that the daemon is in.", int(state == health.state), state=state)
    page.gauge("report_timestamp_seconds", "When the daemon reported its health last.", utc_seconds(health.ts))
    page.gauge("uptime_seconds", "Since the daemon started.", health.uptime_s)
    page.gauge("frames_per_second", "Through the whole loop, since the last report.", health.fps)
    page.gauge("tracks", "Confirmed tracks now.", health.tracks)
    for name, value_ms in health.delays_ms.items():
        about = "From the picture to the hand-over for publishing, since the last report."
        page.gauge("latency_seconds", about, value_ms / 1e3, quantile=QUANTILES.get(name, name))
    for stage, value_ms in health.stage_ms.items():
        page.gauge("stage_seconds", "Mean of a stage for a frame.", value_ms / 1e3, stage=stage)
    camera = health.capture
    page.gauge("capture_ok", "1 while pictures come as they should.", int(camera.state == "ok"))
    page.counter("capture_frames", "Pictures handed out.", camera.frames)
    page.counter("capture_dropped", "Pictures that a newer one replaced.", camera.dropped)
    page.counter("capture_outages", "Times that the camera was lost.", camera.outages)
    page.counter("capture_blind_seconds", "Time without pictures.", camera.blind_s)
    for i, end in enumerate(health.publish):
        labels = {"publisher": end.name, "index": str(i)}
        page.gauge("publish_ok", "1 while messages go out as they should.", int(end.state == "ok"), **labels)
        page.gauge("publish_queued", "Messages that wait.", end.queued, **labels)
        page.counter("publish_sent", "Messages acknowledged with a good reason.", end.sent, **labels)
        page.counter("publish_dropped", "Messages lost for want of room.", end.dropped, **labels)
        page.counter("publish_refused", "Messages acknowledged with an error.", end.refused, **labels)
    page.gauge("memory_bytes", "Resident memory.", health.memory_mb * 2**20)
    page.gauge("temperature_celsius", "Of the hottest thermal zone.", health.temperature_c)
    page.gauge("throttled", "1 while something slows the device down.", int(bool(health.throttled)))
    if health.pace is not None:
        page.gauge("pace_rung", "Of the ladder of a device at its limit; 0: every picture.", health.pace.rung)
        page.counter("pace_looks", "Pictures that a detector looked at.", health.pace.looks)
        page.counter("pace_spared", "Looks that the motion gate spared.", health.pace.spared)


def _counts(page: Page, counts: Counts, start: Start | None) -> None:
    """Zeros too, of the classes that can be counted, if they are few: a rate needs to see where a counter began."""
    countable = start.lines.get(counts.line, {}).get("classes") or start.classes if start else []
    zeros = {name: InOut(in_=0, out=0) for name in countable} if len(countable) <= MAX_CLASSES else {}
    for name, count in (zeros | counts.by_class).items():
        for way, value in (("in", count.in_), ("out", count.out)):
            labels: dict[str, Any] = {"line": counts.line, "direction": way, "class": name}
            page.counter("line_crossings", "Crossings of a line since it began to count.", value, **labels)
    page.gauge(
        "line_since_timestamp_seconds", "When the line began to count.", utc_seconds(counts.since), line=counts.line
    )
    page.gauge("line_blind_seconds", "Since then, nobody counted for so long.", counts.uptime_gaps_s, line=counts.line)


def _occupancy(page: Page, occupancy: Occupancy) -> None:
    for about, metric, counts in (
        ("In the zone now.", "zone_objects", occupancy.now),
        ("The most at once.", "zone_objects_peak", occupancy.peak),
    ):
        for name, value in counts.items():
            labels: dict[str, Any] = {"zone": occupancy.zone, "class": name}
            page.gauge(metric, about, value, **labels)
