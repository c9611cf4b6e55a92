"""From events to messages: numbers, topics, JSON."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from edgetrack.publish.clock import Clock
from edgetrack.publish.desk import Request
from edgetrack.publish.ledger import Legacy
from edgetrack.publish.message import Message, Worth
from edgetrack.publish.payload import (
    Box,
    Counts,
    Crossing,
    Envelope,
    Fault,
    Following,
    InOut,
    Occupancy,
    PaceStep,
    Report,
    Response,
    Start,
    Track,
    Visit,
)
from edgetrack.publish.periods import Periods, rfc3339, utc_seconds
from edgetrack.types import Event, FollowEvent, Health, Info, LineCount, PaceChange, TrackEvent, ZoneOccupancy


class Encoder:
    """Gives events their numbers and their form; there is one, however many publishers there are.

    Args:
        device, camera: first levels of every topic.
        names: class names by class_id.
        boot: marks this start of the daemon.
        seq: number of the last event before this start.
    """

    def __init__(self, device: str, camera: str, names: Sequence[str], boot: str = "", seq: int = 0) -> None:
        self.seq = seq
        self._device, self._camera, self._names = device, camera, names
        self._boot = boot or secrets.token_hex(4)
        self.clock = Clock(self._boot)
        self._json = msgspec.json.Encoder()
        self._geometry: set[str] = set()  # topics of lines and zones that a broker may retain
        self.periods = Periods()  # of lines
        self._counted: dict[str, Counts] = {}  # what was told last of every line
        self._told_blind_s = 0.0

    def resume(self, legacy: Legacy, counts: Sequence[Counts], utc: float) -> list[Message]:
        """Go on where the daemon before stopped.

        Args:
            legacy: what was restored.
            counts: those of it that go on.
            utc: now.

        Returns:
            An end for every track that was left open, and the counts: for how long nobody counted goes to disk in the
            same transaction as the sign of life from which the next daemon reckons.
        """
        self.seq = legacy.seq
        self._geometry.update(f"line/{count.line}/count" for count in legacy.counts)
        self._geometry.update(legacy.zones)
        last_utc = utc if legacy.alive_utc is None else legacy.alive_utc
        self.periods.resume(legacy.alive_utc, counts)
        self._counted = {count.line: count for count in counts}
        ends = [self._closed(track, last_utc) for track in legacy.open_tracks]
        return [*ends, *self._counts_again(utc, time.monotonic())]

    def _closed(self, track: Track, utc: float) -> Message:
        """The end of a track whose daemon died: the last place that is known is that of its start."""
        self.seq += 1
        ts = max(track.ts, rfc3339(utc))
        age_s = max(track.age_s, round(utc - utc_seconds(track.ts), 3))
        end = msgspec.structs.replace(
            track, type="end", reason="restart", seq=self.seq, ts=ts, age_s=age_s, seen=False, zones=[]
        )
        return self._message(f"track/{level(track.class_)}", end, Worth.EVENT).replayed()

    def encode(self, event: Event) -> Iterator[Message]:
        """The messages that tell of one event.

        One, and one more for every line or zone that is no more; with a report that the camera gave nothing for a
        while, the counts, which say so too.
        """
        if isinstance(event, TrackEvent):
            if event.kind != "update":
                self.seq += 1
            yield self._message(*self._sighting(event), Worth.UPDATE if event.kind == "update" else Worth.EVENT)
        elif isinstance(event, FollowEvent):
            if event.kind != "update":
                self.seq += 1
            worth = Worth.UPDATE if event.kind == "update" else Worth.EVENT
            yield self._message("event/follow", self._follow(event), worth)
        elif isinstance(event, LineCount):
            yield self._message(*self._counts(event), Worth.STATE)
        elif isinstance(event, ZoneOccupancy):
            yield self._message(*self._occupancy(event), Worth.STATE)
        elif isinstance(event, PaceChange):
            self.seq += 1
            yield self._message("event/pace", self._pace(event), Worth.EVENT)
        elif isinstance(event, Health):
            yield self._message("health", self._report(event), Worth.STATE)
            if event.capture.blind_s > self._told_blind_s:
                self._told_blind_s = event.capture.blind_s
                yield from self._counts_again(event.utc, event.captured)
        else:
            yield self._message("info", self._start(event), Worth.STATE)
            yield from self._forgotten(event)

    def response(self, request: Request, result: Any, fault: Fault | None, reason: str) -> bytes:
        """The payload of an answer; from any thread."""
        origin = self._origin(time.time(), request.received)
        ok = fault is None
        return self._json.encode(
            Response(
                **origin,
                request=request.verb,
                transaction=request.transaction,
                ok=ok,
                error=fault,
                reason=None if ok else reason,
                result=result,
            )
        )

    def _message(self, topic: str, payload: Envelope, worth: Worth) -> Message:
        return Message(f"{self._device}/{self._camera}/{topic}", self._json.encode(payload), worth, self.seq)

    def _origin(self, utc: float, captured: float) -> dict[str, Any]:
        return {
            "device": self._device,
            "camera": self._camera,
            "boot": self._boot,
            "seq": self.seq,
            "ts": rfc3339(utc),
            "mono_ns": round(captured * 1e9),
            "latency_ms": round(max(0.0, time.monotonic() - captured) * 1e3, 1),
            "clock": self.clock.mark,
        }

    def _sighting(self, event: TrackEvent) -> tuple[str, Envelope]:
        width, height = event.size
        left, _, right, bottom = event.xyxy
        fields: dict[str, Any] = {
            **self._origin(event.utc, event.captured),
            "track": event.track_id,
            "class_": self._class(event.class_id),
            "score": round(min(max(event.score, 0.0), 1.0), 4),
            "box": fractions(event.xyxy, event.size),
            "foot": (round((left + right) / 2 / width, 5), round(bottom / height, 5)),
            "size": event.size,
            "frame": event.frame,
            "age_s": round(event.age_s, 3),
            "seen": event.seen,
            "zones": list(event.zones),
        }
        match event.kind:
            case "start" | "update" | "end" as kind:
                return f"track/{level(fields['class_'])}", Track(**fields, type=kind, reason=event.reason)
            case "line_crossed" as kind:
                assert event.direction is not None
                return f"event/{kind}", Crossing(**fields, type=kind, line=event.name, direction=event.direction)
            case kind:
                duration_s = None if event.duration_s is None else round(event.duration_s, 3)
                return f"event/{kind}", Visit(**fields, type=kind, zone=event.name, duration_s=duration_s)

    def _follow(self, event: FollowEvent) -> Envelope:
        return Following(
            **self._origin(event.utc, event.captured),
            type=event.kind,
            follow=event.follow_id,
            name=event.name,
            state=event.state,
            confidence=round(min(max(event.confidence, 0.0), 1.0), 4),
            box=fractions(event.xyxy, event.size),
            size=event.size,
            frame=event.frame,
            age_s=round(event.age_s, 3),
            seen=event.seen,
            track=event.track_id,
            class_=None if event.class_id is None else self._class(event.class_id),
            reason=event.reason,
        )

    def _counts(self, event: LineCount) -> tuple[str, Envelope]:
        by_class = {self._class(id_): InOut(in_=count[0], out=count[1]) for id_, count in sorted(event.counts.items())}
        total = InOut(in_=sum(count.in_ for count in by_class.values()), out=sum(c.out for c in by_class.values()))
        topic = f"line/{event.line}/count"
        self._geometry.add(topic)
        period = self.periods.of(event.line, event.since_utc)
        self._counted[event.line] = counts = Counts(
            **self._origin(event.utc, event.captured),
            line=event.line,
            total=total,
            by_class=by_class,
            since=rfc3339(period.since_utc),
            epoch=period.epoch,
            uptime_gaps_s=self.periods.gaps_s(event.line),
        )
        return topic, counts

    def _counts_again(self, utc: float, captured: float) -> Iterator[Message]:
        """The same counts, with the time for which nobody counted as it is now."""
        for line, count in self._counted.items():
            origin = self._origin(utc, captured)
            again = msgspec.structs.replace(count, **origin, uptime_gaps_s=self.periods.gaps_s(line))
            yield self._message(f"line/{line}/count", again, Worth.STATE)

    def _occupancy(self, event: ZoneOccupancy) -> tuple[str, Envelope]:
        topic = f"zone/{event.zone}/occupancy"
        self._geometry.add(topic)
        return topic, Occupancy(
            **self._origin(event.utc, event.captured),
            zone=event.zone,
            total=sum(event.now.values()),
            now=self._by_class(event.now),
            peak=self._by_class(event.peak),
            since=rfc3339(event.since_utc),
        )

    def _report(self, event: Health) -> Envelope:
        return Report(
            **self._origin(event.utc, event.captured),
            state=event.state,
            reason=event.reason,
            uptime_s=round(event.uptime_s, 1),
            fps=round(event.fps, 2),
            tracks=event.tracks,
            delays_ms={name: round(value, 1) for name, value in event.latency_ms.items()},
            stage_ms={name: round(value, 2) for name, value in event.stage_ms.items()},
            capture=replace(event.capture, blind_s=round(event.capture.blind_s, 3)),
            publish=list(event.publish),
            memory_mb=round(event.memory_mb, 1),
            temperature_c=event.temperature_c,
            throttled=list(event.throttled),
            pace=event.pace,
        )

    def _pace(self, event: PaceChange) -> Envelope:
        pace = event.pace
        return PaceStep(
            **self._origin(event.utc, event.captured),
            type="pace",
            direction=event.direction,
            reason=pace.reason,
            rung=pace.rung,
            last=pace.last,
            every=pace.every,
            model=pace.model,
            max_fps=pace.max_fps,
        )

    def _start(self, event: Info) -> Envelope:
        return Start(
            **self._origin(event.utc, event.captured),
            version=event.version,
            config_hash=event.config_hash,
            model=event.model,
            head=event.head,
            providers=list(event.providers),
            refused=dict(event.refused),
            embedder=event.embedder,
            classes=list(event.classes),
            lines=dict(event.lines),
            zones=dict(event.zones),
            source=event.capture,
        )

    def _forgotten(self, event: Info) -> Iterator[Message]:
        """Nothing, retained, where a line or zone was that the configuration no longer names."""
        named = {f"line/{name}/count" for name in event.lines} | {f"zone/{name}/occupancy" for name in event.zones}
        for topic in sorted(self._geometry - named):
            yield Message(f"{self._device}/{self._camera}/{topic}", b"", Worth.STATE, self.seq)
        self._geometry &= named
        self._counted = {line: count for line, count in self._counted.items() if line in event.lines}

    def _by_class(self, counts: Mapping[int, int]) -> dict[str, int]:
        return {self._class(class_id): count for class_id, count in sorted(counts.items())}

    def _class(self, class_id: int) -> str:
        return self._names[class_id] if 0 <= class_id < len(self._names) else f"class_{class_id}"


def fractions(xyxy: Box, size: tuple[int, int]) -> Box:
    """A box in pixels as fractions of the picture."""
    (left, top, right, bottom), (width, height) = xyxy, size
    return (round(left / width, 5), round(top / height, 5), round(right / width, 5), round(bottom / height, 5))


def line_count(told: Counts, names: Sequence[str]) -> LineCount:
    """A count as the scene keeps it, from what was told; classes that have no name any more are left out."""
    numbers = {name: class_id for class_id, name in enumerate(names)}
    counts = {numbers[name]: (count.in_, count.out) for name, count in told.by_class.items() if name in numbers}
    return LineCount(told.line, counts, utc_seconds(told.since), utc_seconds(told.ts), captured=0.0)


def level(name: str) -> str:
    """A class name as one level of a topic: `traffic light` becomes `traffic_light`; + # / $ never pass."""
    return re.sub(r"[^\w-]", "_", name)[:64] or "_"
