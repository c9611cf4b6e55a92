"""Who comes along, when, and which way: closed-form walks, so that any moment can be asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from edgetrack.render import BICYCLE, CAR, PERSON
from edgetrack.render.camera import Camera, Ground
from edgetrack.render.cars import CarLook, car_look
from edgetrack.render.counting import Foot, crossings
from edgetrack.render.dice import Dice
from edgetrack.render.people import CyclistLook, PersonLook, cyclist_look, person_look
from edgetrack.render.street import Layout

Look = PersonLook | CarLook | CyclistLook
TICK_S = 1 / 6  # how finely plans are checked against each other
QUIET_S = 1.5  # nobody crosses a line this soon after the start or so late before the end
TRIES = 6  # of somebody who fits; then nobody comes
ROOM_M = {  # the least distance between middles
    (PERSON, PERSON): 0.75,
    (PERSON, CAR): 3.4,
    (PERSON, BICYCLE): 1.6,
    (CAR, CAR): 7.0,
    (CAR, BICYCLE): 4.2,
    (BICYCLE, BICYCLE): 3.0,
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody at one moment."""

    track_id: int
    class_id: int
    look: Look
    where: Ground
    heading: float  # radians; 0 looks along x
    way_m: float  # turns into the phase of legs and wheels
    moving: float  # 0 stands, 1 walks


def rounded(path: Sequence[Ground], times: int = 3) -> list[Ground]:
    """Corners cut by Chaikin's rule; the ends stay."""
    points = list(path)
    for _ in range(times if len(points) > 2 else 0):
        cut = [points[0]]
        for (ax, az), (bx, bz) in pairwise(points):
            cut += [(ax * 0.75 + bx * 0.25, az * 0.75 + bz * 0.25), (ax * 0.25 + bx * 0.75, az * 0.25 + bz * 0.75)]
        points = [*cut, points[-1]]
    return points


class Mover:
    """Follows a path at one speed, with pauses at places on the way."""

    def __init__(
        self,
        class_id: int,
        look: Look,
        path: Sequence[Ground],
        speed: float,
        start_s: float,
        pauses: Sequence[tuple[float, float]] = (),
    ) -> None:
        """pauses: (metres on the path, seconds), in order."""
        self.class_id, self.look, self.speed, self.start_s, self.pauses = class_id, look, speed, start_s, pauses
        self._points = rounded(path)
        self._reach = [0.0]
        for (ax, az), (bx, bz) in pairwise(self._points):
            self._reach.append(self._reach[-1] + math.hypot(bx - ax, bz - az))
        self.end_s = start_s + self._reach[-1] / speed + sum(pause for _, pause in pauses)

    def _way(self, t: float) -> tuple[float, bool]:
        left, done = t - self.start_s, 0.0
        for at, pause in self.pauses:
            walk = (at - done) / self.speed
            if left < walk:
                break
            left, done = left - walk, at
            if left < pause:
                return done, False
            left -= pause
        return done + left * self.speed, True

    def at(self, t: float, track_id: int = 0) -> Actor | None:
        """None before it comes and after it has gone."""
        if not self.start_s <= t < self.end_s:
            return None
        way, moving = self._way(t)
        k = 0
        while k < len(self._reach) - 2 and self._reach[k + 1] <= way:
            k += 1
        (ax, az), (bx, bz) = self._points[k], self._points[k + 1]
        share = (way - self._reach[k]) / max(self._reach[k + 1] - self._reach[k], 1e-9)
        where = ax + (bx - ax) * share, az + (bz - az) * share
        return Actor(track_id, self.class_id, self.look, where, math.atan2(bz - az, bx - ax), way, float(moving))


@dataclass(frozen=True, slots=True)
class _Tick:
    where: Ground
    box: tuple[float, float, float, float]
    depth: float


class Plan:
    """Takes movers in one by one, if they disturb nobody who is in it already."""

    def __init__(self, camera: Camera, lines: Sequence[tuple[Foot, Foot]], seconds: float, calm: bool) -> None:
        self.movers: list[Mover] = []
        self._camera, self._lines, self._seconds, self._calm = camera, lines, seconds, calm
        self._ticks: list[dict[int, _Tick]] = []
        self._critical: list[set[int]] = []

    def offer(self, mover: Mover) -> bool:
        ticks = self._look(mover)
        critical = self._crossing_ticks(ticks)
        if critical is None:
            return False
        for other, other_ticks, other_critical in zip(self.movers, self._ticks, self._critical, strict=True):
            if not self._fits(mover, ticks, critical, other, other_ticks, other_critical):
                return False
        self.movers.append(mover)
        self._ticks.append(ticks)
        self._critical.append(critical)
        return True

    def _look(self, mover: Mover) -> dict[int, _Tick]:
        found = {}
        first = math.ceil(max(mover.start_s, -QUIET_S) / TICK_S)
        last = min(mover.end_s, self._seconds + QUIET_S) / TICK_S
        height, half = {PERSON: (1.75, 0.3), CAR: (1.5, 2.2), BICYCLE: (1.75, 0.8)}[mover.class_id]
        for k in range(first, math.floor(last)):
            actor = mover.at(k * TICK_S)
            if actor is None:
                continue
            x, z = actor.where
            foot, head = self._camera.project((x, 0, z)), self._camera.project((x, height, z))
            wide = half * self._camera.scale((x, 0, z))
            low = foot[1] + (0.85 * self._camera.scale((x, 0, z)) * 0.35 if mover.class_id == CAR else 0)
            found[k] = _Tick(actor.where, (foot[0] - wide, head[1], foot[0] + wide, low), self._camera.depth((x, 0, z)))
        return found

    def _crossing_ticks(self, ticks: dict[int, _Tick]) -> set[int] | None:
        """Ticks round every crossing, or None if one comes too near to the start or the end."""
        order = sorted(ticks)
        walk = [((ticks[k].box[0] + ticks[k].box[2]) / 2, ticks[k].box[3]) for k in order]
        near: set[int] = set()
        for start, end in self._lines:
            for index, _ in crossings(walk, start, end, 0.0):
                if self._calm and not QUIET_S < order[index] * TICK_S < self._seconds - QUIET_S:
                    return None
                near.update(range(order[index] - 5, order[index] + 6))
        return near

    def _fits(
        self,
        a: Mover,
        a_ticks: dict[int, _Tick],
        a_near: set[int],
        b: Mover,
        b_ticks: dict[int, _Tick],
        b_near: set[int],
    ) -> bool:
        low, high = sorted((a.class_id, b.class_id))
        room, hidden = ROOM_M[low, high], 0
        for k in a_ticks.keys() & b_ticks.keys():
            p, q = a_ticks[k], b_ticks[k]
            if math.hypot(p.where[0] - q.where[0], p.where[1] - q.where[1]) < room:
                return False
            if self._calm:
                cover = _cover(p, q)
                hidden += cover > 0.5
                if hidden > 1.2 / TICK_S or (cover > 0.3 and (k in a_near or k in b_near)):
                    return False
        return True


def _cover(a: _Tick, b: _Tick) -> float:
    """How much of the one farther away the nearer one hides."""
    wide = min(a.box[2], b.box[2]) - max(a.box[0], b.box[0])
    tall = min(a.box[3], b.box[3]) - max(a.box[1], b.box[1])
    if wide <= 0 or tall <= 0:
        return 0.0
    behind = (a if a.depth > b.depth else b).box
    return wide * tall / ((behind[2] - behind[0]) * (behind[3] - behind[1]))


class Passers:
    """Draws who comes along a street, one at a time: every method makes somebody who sets out at `start`.

    Args:
        rain, night: what they wear, and whether lamps are on.
    """

    def __init__(self, dice: Dice, layout: Layout, rain: bool, night: bool) -> None:
        self._dice, self._layout, self._rain, self._night = dice, layout, rain, night
        self._near = layout.kerb - 3.4, layout.kerb - 0.7  # z of the pavements
        self._far = layout.far_kerb + 0.8, layout.wall - 1.0
        self._zebra = layout.zebra if layout.zebra is not None else -3.6
        self._lane = (layout.far_kerb - layout.kerb) / 4

    def _walker(self, path: Sequence[Ground], start: float, pauses: Sequence[tuple[float, float]] = ()) -> Mover:
        return Mover(PERSON, person_look(self._dice, self._rain), path, self._dice.between(1.05, 1.6), start, pauses)

    def strolls(self, start: float) -> Mover:
        """On the near pavement; one may stop."""
        dice = self._dice
        side, z = dice.pick((-1, 1)), dice.between(*self._near)
        pauses = [(dice.between(4.5, 6.5), dice.between(2.5, 6))] if side < 0 and dice.chance(0.35) else []
        return self._walker([(side * 8.5, z), (-side * 8.5, z + dice.between(-0.4, 0.4))], start, pauses)

    def passes(self, start: float) -> Mover:
        """On the far pavement; one may stop before the shop."""
        dice = self._dice
        side, z = dice.pick((-1, 1)), dice.between(*self._far)
        pauses = [(dice.between(16.5, 19.5), dice.between(3, 7))] if side < 0 and dice.chance(0.4) else []
        return self._walker([(side * 14.5, z), (-side * 14.5, z + dice.between(-0.4, 0.4))], start, pauses)

    def crosses(self, start: float) -> Mover:
        """Over the zebra, from one pavement to the other."""
        dice, layout = self._dice, self._layout
        x = self._zebra + dice.between(-0.9, 0.9)
        path = [
            (dice.pick((-14.0, 14.0)), dice.between(*self._far)),
            (x, layout.far_kerb + 1.6),
            (x, layout.kerb - 1.5),
        ]
        path.append((dice.pick((-9.0, 9.0)), dice.between(*self._near)))
        return self._walker(path if dice.chance(0.5) else path[::-1], start)

    def drives(self, start: float) -> Mover:
        dice = self._dice
        way = dice.pick((-1, 1))
        z = self._layout.kerb + self._lane * (1 if way > 0 else 3) + dice.between(-0.15, 0.15)
        look = car_look(dice, self._night)
        return Mover(CAR, look, [(-way * 19, z), (way * 19, z)], dice.between(5.5, 8.0), start)

    def rides(self, start: float) -> Mover:
        """At the edge of the road."""
        dice = self._dice
        way = dice.pick((-1, 1))
        z = (self._layout.kerb + 0.8) if way > 0 else (self._layout.far_kerb - 0.9)
        return Mover(BICYCLE, cyclist_look(dice), [(-way * 16, z), (way * 16, z)], dice.between(3.2, 4.8), start)


def street_traffic(dice: Dice, plan: Plan, layout: Layout, seconds: float, hard: bool, rain: bool, night: bool) -> None:
    """Fill a plan; on a hard street twice as many come."""
    passers = Passers(dice, layout, rain, night)
    wishes: tuple[tuple[Callable[[float], Mover], float, float], ...] = (  # s from one to the next, s of the first
        (passers.crosses, 8.0, -14.0),
        (passers.drives, 5.0, -2.0),
        (passers.rides, 9.0, -3.0),
        (passers.strolls, 4.5, -5.0),
        (passers.passes, 5.0, -16.0),
    )
    for invite, usual_s, since_s in wishes:
        every_s = usual_s * (0.5 if hard else 1.0)
        start = since_s + dice.between(0, every_s)
        while start < seconds - 2:
            for _ in range(TRIES):
                if plan.offer(invite(start + dice.between(0, every_s * 0.6))):
                    break
            start += every_s * dice.between(0.8, 1.4)
