"""The scene: tracks begin, go on and end; lines are crossed; zones are entered and left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edgetrack.config import Config, LineConfig, ZoneConfig
from edgetrack.errors import ConfigError
from edgetrack.scene.geometry import foot_points
from edgetrack.scene.lines import Line
from edgetrack.scene.lives import Life, Moment
from edgetrack.scene.steps import SLACK, Happening, Sighting, Steps, walk
from edgetrack.scene.zones import Zone
from edgetrack.types import EndReason, Event, Frame, Tracks


class Scene:
    """Turns tracks into events; knows nothing of cameras and clocks.

    Only confirmed tracks exist here, and only detections move them: between two frames on which a detection backs a
    track its foot point walks straight, so a line crossed out of sight is found on return, at the frame where the
    straight walk crossed it. Nothing is kept of a track that is gone.

    Args:
        config: its zones, lines and events.
        names: class names by class_id, for the `classes` of zones and lines.

    Raises:
        ConfigError: a class is not among the names, or a line has no length.
    """

    def __init__(self, config: Config, names: Sequence[str]) -> None:
        self._names = names
        self._lives: dict[int, Life] = {}
        self._now: Moment | None = None  # the newest frame
        self._period = 0.0  # s between the last two pictures
        self._zones: list[Zone] = []
        self._lines: list[Line] = []
        self.reconfigure(config)

    def reconfigure(self, config: Config) -> None:
        """Other zones, lines and events: all of them or, on ConfigError, none.

        Those of the same name and geometry keep their counts and visits; the others start at zero. Tells nothing.
        """
        wanted: list[ZoneConfig | LineConfig] = [*config.zones, *config.lines]
        for place in wanted:
            self._ids(place)  # raises before anything has changed
        zones = [next((z for z in self._zones if z.fits(c)), None) or Zone(c) for c in config.zones]
        lines = [next((x for x in self._lines if x.fits(c)), None) or Line(c) for c in config.lines]
        for zone, zone_config in zip(zones, config.zones, strict=True):
            zone.set(zone_config, self._ids(zone_config))
        for line, line_config in zip(lines, config.lines, strict=True):
            line.set(line_config, self._ids(line_config))
        self._zones, self._lines = zones, lines
        self._update_every_s = config.events.update_every_s
        for life in self._lives.values():
            life.zones = self._zones_of(life.track_id)
        if self._now:
            self._scale(self._now.size)

    def observe(self, frame: Frame, tracks: Tracks) -> list[Event]:
        """What this frame brings.

        Args:
            frame: later than those before.
            tracks: all live tracks; an identity that is missing has ended.

        Returns:
            Events in order: tracks that ended, tracks that started, lines, zones, updates. A LineCount follows every
            crossing, a ZoneOccupancy every entry and leaving.
        """
        now = self._advance(frame)
        tracks = tracks[tracks.confirmed]
        ids = tracks.track_id.tolist()
        events: list[Event] = []
        alive = set(ids)
        for life in [life for life in self._lives.values() if life.track_id not in alive]:
            life.seen = False
            events += self._ended(life, now, now, "lost")
        events += self._started(ids, tracks, now)
        steps = self._steps(ids, tracks, now)
        if steps.frame:
            events += self._crossings(steps, now)
            events += self._visits(steps, now)
        events += self._updates(ids, now)
        return events

    def snapshot(self, utc: float, captured: float) -> list[Event]:
        """All counts and occupancies as they are, so that a subscriber sees zeros before the first change."""
        self._begin(utc)
        return [place.state(utc, captured) for place in self._places()]

    def end(self, reason: EndReason, utc: float, captured: float) -> list[Event]:
        """Every live track leaves its zones and ends, where the newest frame knew it."""
        events: list[Event] = []
        if self._now:
            seen = self._now._replace(captured=captured)
            for life in list(self._lives.values()):
                events += self._ended(life, seen, seen._replace(utc=utc), reason)
        return events

    # --- places ---

    def _places(self) -> list[Line | Zone]:
        return [*self._lines, *self._zones]

    def _ids(self, place: ZoneConfig | LineConfig) -> frozenset[int]:
        """The ids of its classes; empty: all."""
        unknown = [name for name in place.classes if name not in self._names]
        if unknown:
            raise ConfigError(
                f"{place.name}: classes are {', '.join(unknown)}, the model knows {', '.join(self._names)}; "
                "use its names"
            )
        return frozenset(i for i, name in enumerate(self._names) if name in place.classes)

    def _scale(self, size: tuple[int, int]) -> None:
        for place in self._places():
            place.scale(size)

    def _begin(self, utc: float) -> None:
        for place in self._places():
            if place.since_utc is None:
                place.since_utc = utc

    def _zones_of(self, track_id: int) -> tuple[str, ...]:
        return tuple(zone.config.name for zone in self._zones if zone.holds(track_id))

    # --- one frame ---

    def _advance(self, frame: Frame) -> Moment:
        before, now = self._now, Moment.of(frame)
        if before is None or before.size != now.size:
            self._scale(now.size)
        if before and before.size != now.size:
            for life in self._lives.values():
                life.sighting = life.sighting and life.sighting.scaled(before.size, now.size)
        if before and now.frame > before.frame:
            self._period = (now.time - before.time) / (now.frame - before.frame)
        self._now = now
        self._begin(now.utc)
        return now

    def _started(self, ids: list[int], tracks: Tracks, now: Moment) -> Iterator[Event]:
        """Takes over what the tracker says of every track, and tells of those not known before."""
        columns = (tracks.class_id, tracks.score, tracks.xyxy, tracks.seen)
        for track_id, class_id, score, xyxy, seen in zip(ids, *(c.tolist() for c in columns), strict=True):
            life = self._lives.get(track_id)
            is_new = life is None
            if life is None:
                life = self._lives[track_id] = Life(track_id, class_id, started=now.time, updated=now.time)
            life.score, life.xyxy, life.seen = score, tuple(xyxy), seen
            if is_new:
                yield life.told("start", now)

    def _steps(self, ids: list[int], tracks: Tracks, now: Moment) -> Steps:
        """Walks the tracks that a detection backs from where they were seen last."""
        backed = np.flatnonzero(tracks.seen)
        lives = [self._lives[ids[i]] for i in backed]
        foot = foot_points(tracks.xyxy[backed])
        steps = walk(
            [life.track_id for life in lives],
            [life.class_id for life in lives],
            [life.sighting for life in lives],
            foot,
            now.frame,
            now.time,
            self._period,
        )
        for life, (x, y) in zip(lives, foot.tolist(), strict=True):
            life.sighting = Sighting((x, y), now.frame, now.time)
        return steps

    def _crossings(self, steps: Steps, now: Moment) -> Iterator[Event]:
        for line in self._lines:
            for crossing in line.observe(steps):
                life = self._lives[crossing.track_id]
                line.count(life.class_id, crossing)
                yield life.happened(crossing, line.config.name, now)
                yield line.state(now.utc, now.captured)

    def _visits(self, steps: Steps, now: Moment) -> Iterator[Event]:
        for zone in self._zones:
            for happening in zone.observe(steps):
                yield from self._visited(zone, happening, now)

    def _visited(self, zone: Zone, happening: Happening, now: Moment) -> Iterator[Event]:
        life = self._lives[happening.track_id]
        if happening.kind == "dwell":
            yield life.happened(happening, zone.config.name, now)
            return
        life.zones, life.moved = self._zones_of(life.track_id), True
        yield life.happened(happening, zone.config.name, now)
        yield zone.state(now.utc, now.captured)

    def _updates(self, ids: list[int], now: Moment) -> Iterator[Event]:
        """Tells of every track at the set pace, and at once of one that entered or left a zone."""
        every_s = self._update_every_s - SLACK * self._period
        for track_id in ids:
            life = self._lives[track_id]
            if life.moved or (life.started < now.time and now.time - life.updated >= every_s):
                life.updated, life.moved = now.time, False
                yield life.told("update", now)

    def _ended(self, life: Life, now: Moment, told: Moment, reason: EndReason) -> Iterator[Event]:
        for zone in self._zones:
            for happening in zone.forget(life.track_id):
                yield from self._visited(zone, happening, now)
        for line in self._lines:
            line.forget(life.track_id)
        yield life.told("end", told, reason)
        del self._lives[life.track_id]
