"""Zones that are visited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import msgspec

from edgetrack.config import ZoneConfig
from edgetrack.scene.geometry import inside, pixels
from edgetrack.scene.steps import SLACK, Happening, Steps
from edgetrack.types import ZoneOccupancy


@dataclass(slots=True)
class Visit:
    """One stay of one track, short absences included; `entered` once it has lasted long enough to count."""

    class_id: int
    frame: int  # first inside
    time: float
    last_frame: int  # last inside
    leave_time: float  # when that frame was over
    last_time: float
    entered: bool = False
    dwells: int = 0  # dwell events told


class ZoneState(msgspec.Struct, array_like=True, frozen=True):
    """All that one zone knows."""

    name: str
    since_utc: float | None
    inside: dict[int, int]
    peak: dict[int, int]
    visits: dict[int, Visit]


class Zone:
    """Follows visits of foot points to a polygon.

    A visit counts once it has lasted `min_s`, and is over after `min_s` outside: shorter absences belong to it, shorter
    presences are none. It begins with the first frame inside and ends with the frame after the last one inside.
    A track that no detection backs is where it was: neither its prediction nor its absence moves it.
    """

    def __init__(self, config: ZoneConfig) -> None:
        self.since_utc: float | None = None
        self._now: Counter[int] = Counter()  # visits that count, by class
        self._peak: Counter[int] = Counter()
        self._visits: dict[int, Visit] = {}
        self.set(config, frozenset())

    def set(self, config: ZoneConfig, classes: frozenset[int]) -> None:
        """New settings for the same polygon: visits go on. `classes`: ids that count; empty: all."""
        self.config = config
        self._classes = classes
        self._dwell_s = sorted(config.dwell_s)
        if classes:
            self._visits = {i: visit for i, visit in self._visits.items() if visit.class_id in classes}
            self._now = Counter(visit.class_id for visit in self._visits.values() if visit.entered)

    def reset(self, since_utc: float) -> None:
        """The peak begins anew, with those who are inside."""
        self._peak = Counter({class_id: count for class_id, count in self._now.items() if count})
        self.since_utc = since_utc

    def put_right(self, by_s: float) -> None:
        """The clock by which the peak began was wrong by so much."""
        if self.since_utc is not None:
            self.since_utc += by_s

    def known(self) -> ZoneState:
        """A copy of all."""
        visits = {track_id: replace(visit) for track_id, visit in self._visits.items()}
        return ZoneState(self.config.name, self.since_utc, dict(self._now), dict(self._peak), visits)

    def resume(self, state: ZoneState) -> None:
        """Go on as the zone that knew this."""
        self.since_utc, self._now, self._peak = state.since_utc, Counter(state.inside), Counter(state.peak)
        self._visits = {track_id: replace(visit) for track_id, visit in state.visits.items()}

    def fits(self, config: ZoneConfig) -> bool:
        """The same zone, whatever else is set."""
        return (self.config.name, self.config.polygon) == (config.name, config.polygon)

    def scale(self, size: tuple[int, int]) -> None:
        """Pictures are of this width and height from now on."""
        self._polygon = pixels(self.config.polygon, size)

    def observe(self, steps: Steps) -> Iterator[Happening]:
        """What these steps prove; occupancy is up to date at every happening."""
        for i, is_inside in enumerate(inside(steps.foot, self._polygon).tolist()):
            track_id = steps.track_id[i]
            visit = self._visits.get(track_id)
            if is_inside:
                if self._classes and steps.class_id[i] not in self._classes:
                    continue
                if visit is None:
                    start = steps.frame[i], steps.time[i]
                    visit = self._visits[track_id] = Visit(steps.class_id[i], *start, *start, steps.time[i])
                visit.last_frame, visit.last_time = steps.frame[i], steps.time[i]
                visit.leave_time = steps.time[i] + steps.period[i]
                yield from self._stay(track_id, visit, SLACK * steps.period[i])
            elif visit and steps.time[i] - visit.last_time >= self.config.min_s - SLACK * steps.period[i]:
                yield from self.forget(track_id)

    def _stay(self, track_id: int, visit: Visit, slack: float) -> Iterator[Happening]:
        lasted = visit.leave_time - visit.time + slack
        if not visit.entered and lasted >= self.config.min_s:
            visit.entered = True
            self._now[visit.class_id] += 1
            self._peak[visit.class_id] = max(self._peak[visit.class_id], self._now[visit.class_id])
            yield Happening("zone_entered", track_id, visit.frame, visit.time)
        while visit.entered and visit.dwells < len(self._dwell_s) and lasted >= self._dwell_s[visit.dwells]:
            dwell_s = self._dwell_s[visit.dwells]
            visit.dwells += 1
            yield Happening("dwell", track_id, visit.last_frame, visit.time + dwell_s, duration_s=dwell_s)

    def forget(self, track_id: int) -> Iterator[Happening]:
        """The track is outside or gone: its visit, if it counted, ended after the last frame inside."""
        visit = self._visits.pop(track_id, None)
        if visit and visit.entered:
            self._now[visit.class_id] -= 1
            duration_s = visit.leave_time - visit.time
            yield Happening("zone_left", track_id, visit.last_frame + 1, visit.leave_time, duration_s=duration_s)

    def holds(self, track_id: int) -> bool:
        return track_id in self._visits and self._visits[track_id].entered

    def state(self, utc: float, captured: float) -> ZoneOccupancy:
        zeros = dict.fromkeys(sorted(self._classes | set(self._peak)), 0)
        since = utc if self.since_utc is None else self.since_utc
        name = self.config.name
        return ZoneOccupancy(name, zeros | self._now, zeros | self._peak, since, utc, captured)
