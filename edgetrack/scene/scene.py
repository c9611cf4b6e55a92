"""The scene: tracks begin, go on and end; lines are crossed; zones are entered and left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import itemgetter

import numpy as np

from edgetrack.config import Config, LineConfig, ZoneConfig
from edgetrack.errors import ConfigError
from edgetrack.scene.geometry import Points, foot_points
from edgetrack.scene.lines import Line
from edgetrack.scene.lives import Life, Moment
from edgetrack.scene.schedule import Schedule
from edgetrack.scene.state import SceneState
from edgetrack.scene.steps import SLACK, Happening, Sighting, Steps, walk
from edgetrack.scene.zones import Zone
from edgetrack.types import EndReason, Event, Frame, LineCount, Tracks

LATE_S = 3.0  # after a scheduled moment, from which it counts as missed
MAX_PRELUDE = 100  # sightings kept of a track that is not confirmed; n_init is smaller


class Scene:
    """Turns tracks into events; knows nothing of cameras and clocks.

    Only confirmed tracks are told of, with what they did since their first detection; of one that is never confirmed
    nothing is. Only detections move a track: between two frames on which one backs it its foot point walks straight,
    so a line crossed out of sight is found on return, at the frame where the straight walk crossed it. Nothing is
    kept of a track that is gone.

    Args:
        config: its zones, lines and events.
        names: class names by class_id, for the `classes` of zones and lines.

    Raises:
        ConfigError: a class is not among the names, or a line has no length.
    """

    def __init__(self, config: Config, names: Sequence[str]) -> None:
        self._names = names
        self._lives: dict[int, Life] = {}
        self._preludes: dict[int, list[Sighting]] = {}  # of tracks that are not confirmed yet
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
        schedule = Schedule(config.counts)
        zones = [next((z for z in self._zones if z.fits(c)), None) or Zone(c) for c in config.zones]
        lines = [next((x for x in self._lines if x.fits(c)), None) or Line(c) for c in config.lines]
        for zone, zone_config in zip(zones, config.zones, strict=True):
            zone.set(zone_config, self._ids(zone_config))
        for line, line_config in zip(lines, config.lines, strict=True):
            line.set(line_config, self._ids(line_config))
        self._zones, self._lines, self._schedule = zones, lines, schedule
        self._update_every_s = config.events.update_every_s
        for life in self._lives.values():
            life.zones = self._zones_of(life.track_id)
        if self._now:
            self._scale(self._now.size)

    def restore(self, counts: Sequence[LineCount]) -> None:
        """Lines go on from what an earlier daemon had counted, found by name; to be called before the first frame."""
        by_name = {count.line: count for count in counts}
        for line in self._lines:
            if line.config.name in by_name:
                line.restore(by_name[line.config.name])

    def state(self) -> SceneState:
        """All that later events depend on, copied; but for the schedule, which goes by the clock."""
        return SceneState(
            newest=self._now,
            period=self._period,
            lives=[replace(life) for life in self._lives.values()],
            preludes={track_id: list(prelude) for track_id, prelude in self._preludes.items()},
            lines=[line.known() for line in self._lines],
            zones=[zone.known() for zone in self._zones],
        )

    def resume(self, state: SceneState) -> None:
        """Go on, to the last bit, as the scene of the same lines, zones and events that gave this state.

        Raises:
            ValueError: it is the state of no such scene; this one is as it was.
        """
        state.check([line.config.name for line in self._lines], [zone.config.name for zone in self._zones])
        self._now, self._period = state.newest, state.period
        self._lives = {life.track_id: replace(life) for life in state.lives}
        self._preludes = {track_id: list(prelude) for track_id, prelude in state.preludes.items()}
        for line, line_state in zip(self._lines, state.lines, strict=True):
            line.resume(line_state)
        for zone, zone_state in zip(self._zones, state.zones, strict=True):
            zone.resume(zone_state)
        if self._now:
            self._scale(self._now.size)

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the newest picture, px; None: there was none."""
        return self._now.size if self._now else None

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
        tentative, tracks = tracks[~tracks.confirmed], tracks[tracks.confirmed]
        events: list[Event] = []
        alive = set(tracks.track_id.tolist())
        for life in [life for life in self._lives.values() if life.track_id not in alive]:
            life.seen = False
            events += self._ended(life, now, now, "lost")
        new = self._taken_over(tracks, now)
        events += (life.told("start", now) for life in new)
        events += self._recalled(new, now)
        self._remember(tentative, now)
        backed = tracks[tracks.seen]
        lives = [self._lives[i] for i in backed.track_id.tolist()]
        events += self._walked(lives, foot_points(backed.xyxy), now.frame, now.time, now)
        events += self._updates(now)
        return events

    def snapshot(self, utc: float, captured: float) -> list[Event]:
        """All counts and occupancies as they are, so that a subscriber sees zeros before the first change."""
        self._begin(utc)
        return [place.state(utc, captured) for place in self._places()]

    def renew(self, utc: float, captured: float) -> list[Event]:
        """What the schedule begins anew now.

        To be called before every frame and, while there is none, at least once a second. Since a place knows since
        when it counts, a moment is neither missed by a daemon that was down nor taken twice by one that was not.
        Counting begins at the moment itself or, if that was missed, now.
        """
        moment = self._schedule.last(utc)
        if moment is None:
            return []
        due = [place for place in self._places() if place.since_utc is not None and place.since_utc < moment]
        for place in due:
            place.reset(moment if utc - moment < LATE_S else utc)
        return [place.state(utc, captured) for place in due]

    def put_right(self, by_s: float, utc: float, captured: float) -> list[Event]:
        """The clock was wrong by so much, and is right now: so is since when this daemon counts; tells all counts.

        To be called before `renew`, which would take what began a year ago for long due.
        """
        if not by_s:
            return []
        for place in self._places():
            place.put_right(by_s)
        return self.snapshot(utc, captured)

    def reset(self, lines: Sequence[str], zones: Sequence[str], since_utc: float, captured: float) -> list[Event]:
        """Counts of these lines and peaks of these zones begin anew at `since_utc`; tells them."""
        chosen: list[Line | Zone] = [line for line in self._lines if line.config.name in lines]
        chosen += [zone for zone in self._zones if zone.config.name in zones]
        for place in chosen:
            place.reset(since_utc)
        return [place.state(since_utc, captured) for place in chosen]

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
            for prelude in self._preludes.values():
                prelude[:] = [sighting.scaled(before.size, now.size) for sighting in prelude]
        if before and now.frame > before.frame:
            self._period = (now.time - before.time) / (now.frame - before.frame)
        self._now = now
        self._begin(now.utc)
        return now

    def _taken_over(self, tracks: Tracks, now: Moment) -> list[Life]:
        """Takes over what the tracker says of every track; returns those not known before."""
        new = []
        columns = (tracks.track_id, tracks.class_id, tracks.score, tracks.xyxy, tracks.seen)
        for track_id, class_id, score, xyxy, seen in zip(*(c.tolist() for c in columns), strict=True):
            life = self._lives.get(track_id)
            if life is None:
                life = self._lives[track_id] = Life(track_id, class_id, started=now.time, updated=now.time)
                new.append(life)
            life.score, life.xyxy, life.seen = score, tuple(xyxy), seen
        return new

    def _remember(self, tentative: Tracks, now: Moment) -> None:
        """Where tracks were before they are confirmed: who is confirmed beyond a line may have come through it."""
        before, self._preludes = self._preludes, {}
        feet = foot_points(tentative.xyxy).tolist()
        for track_id, (x, y), seen in zip(tentative.track_id.tolist(), feet, tentative.seen.tolist(), strict=True):
            here = [Sighting((x, y), now.frame, now.time)] if seen else []
            self._preludes[track_id] = before.get(track_id, [])[1 - MAX_PRELUDE :] + here

    def _recalled(self, new: list[Life], now: Moment) -> Iterator[Event]:
        """What tracks did before this frame confirmed them, picture by picture."""
        pictures: dict[tuple[int, float], list[tuple[Life, tuple[float, float]]]] = {}
        for life in new:
            for foot, frame, time in self._preludes.get(life.track_id, ()):
                pictures.setdefault((frame, time), []).append((life, foot))
        for (frame, time), sighted in sorted(pictures.items(), key=itemgetter(0)):
            lives, feet = zip(*sighted, strict=True)
            yield from self._walked(list(lives), np.array(feet), frame, time, now)

    def _walked(self, lives: list[Life], foot: Points, frame: int, time: float, now: Moment) -> Iterator[Event]:
        """Walks tracks from where they were sighted last to their foot points (N, 2) at one picture."""
        if not lives:
            return
        ids, classes = [life.track_id for life in lives], [life.class_id for life in lives]
        steps = walk(ids, classes, [life.sighting for life in lives], foot, frame, time, self._period)
        for life, (x, y) in zip(lives, foot.tolist(), strict=True):
            life.sighting = Sighting((x, y), frame, time)
        yield from self._crossings(steps, now)
        yield from self._visits(steps, now)

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

    def _updates(self, now: Moment) -> Iterator[Event]:
        """Tells of every track at the set pace, and at once of one that entered or left a zone."""
        every_s = self._update_every_s - SLACK * self._period
        for life in self._lives.values():
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
