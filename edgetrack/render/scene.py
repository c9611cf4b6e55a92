"""A street, seen from a pole, with people, cars and bicycles: any picture of it, and what is truly there."""

from __future__ import annotations

from functools import cached_property

from edgetrack.render import BICYCLE, CAR, PERSON
from edgetrack.render.camera import Camera, Ground, View
from edgetrack.render.counting import Crossing, Foot, Visit, crossings, visits
from edgetrack.render.dice import Dice
from edgetrack.render.paint import Box, outline
from edgetrack.render.stage import Stage, Truth, figure
from edgetrack.render.street import Layout, Post
from edgetrack.render.traffic import Actor, Mover, Plan, street_traffic
from edgetrack.render.weather import easy_weather, hard_weather
from edgetrack.types import Image

LINES: dict[str, tuple[Ground, Ground]] = {  # on the ground, metres
    "pavement": ((0.4, 5.0), (0.4, 9.0)),
    "road": ((1.2, 8.3), (1.2, 14.6)),
    "far-side": ((-1.0, 13.7), (-1.0, 18.3)),
    "zebra": ((-5.6, 11.2), (-1.6, 11.2)),
}
COUNTED: dict[str, tuple[int, ...]] = {  # who can cross them
    "pavement": (PERSON,),
    "road": (CAR, BICYCLE),
    "far-side": (PERSON,),
    "zebra": (PERSON,),
}
ZONES: dict[str, tuple[Ground, ...]] = {
    "stop": ((-4.2, 5.1), (-1.4, 5.1), (-1.4, 8.7), (-4.2, 8.7)),
    "shop": ((2.0, 14.7), (6.5, 14.7), (6.5, 18.1), (2.0, 18.1)),
}
HYSTERESIS = 0.01  # of the picture's height, as lines are configured by default
MIN_INSIDE_S = 0.5  # as zones are configured by default


class Scene:
    """One pass of the street. The same arguments give the same pictures, everywhere.

    Args:
        hard: night or rain, a crowd, a shaking camera, noise and block artefacts.
    """

    def __init__(
        self,
        seed: int,
        hard: bool = False,
        width: int = 640,
        height: int = 360,
        fps: float = 15.0,
        seconds: float = 40.0,
    ) -> None:
        self.seed, self.hard, self.width, self.height, self.fps, self.seconds = seed, hard, width, height, fps, seconds
        dice = Dice(seed, int(hard))
        self.camera = Camera(View(), width, height)
        self._layout = Layout()
        self.weather = hard_weather(dice) if hard else easy_weather(dice)
        reference = Camera(View(), 640, 360)  # what happens must not depend on the resolution
        lines = [(reference.project((a[0], 0, a[1])), reference.project((b[0], 0, b[1]))) for a, b in LINES.values()]
        plan = Plan(reference, lines, seconds, calm=not hard)
        street_traffic(
            Dice(seed, int(hard), 1), plan, self._layout, seconds, hard, self.weather.rain, self.weather.night
        )
        self.movers: list[Mover] = sorted(plan.movers, key=lambda mover: mover.start_s)

    def __len__(self) -> int:
        return round(self.seconds * self.fps)

    @cached_property
    def _stage(self) -> Stage:
        dice = Dice(self.seed, int(self.hard), 2)
        return Stage(dice, self.camera, self._layout, street_posts(dice, self._layout, self.hard), self.weather)

    def actors(self, index: int) -> list[Actor]:
        """Who is about on one picture, in view or not."""
        found = (mover.at(index / self.fps, k) for k, mover in enumerate(self.movers, start=1))
        return [actor for actor in found if actor is not None]

    def picture(self, index: int) -> tuple[Image, Truth]:
        """Picture 0 to len - 1, in any order."""
        return self._stage.picture(self.actors(index), index / self.fps, Dice(self.seed, int(self.hard), 3, index))

    def line(self, name: str) -> tuple[Foot, Foot]:
        """Its ends, fractions of the picture."""
        (ax, az), (bx, bz) = LINES[name]
        return self._fraction((ax, az)), self._fraction((bx, bz))

    def zone(self, name: str) -> tuple[Foot, ...]:
        """Its corners, fractions of the picture."""
        return tuple(self._fraction(corner) for corner in ZONES[name])

    def _fraction(self, place: Ground) -> Foot:
        reference = Camera(View(), 640, 360)
        x, y = reference.project((place[0], 0, place[1]))
        return min(max(round(x / 640, 3), 0.0), 1.0), min(max(round(y / 360, 3), 0.0), 1.0)

    @cached_property
    def walks(self) -> dict[int, tuple[int, list[Box]]]:
        """track_id -> (first picture, a box for each picture from there on), while any of it is inside the picture."""
        found: dict[int, tuple[int, list[Box]]] = {}
        for index in range(len(self)):
            for actor in self.actors(index):
                box = outline(figure(actor, self.camera))
                if box[2] > 0 and box[3] > 0 and box[0] < self.width and box[1] < self.height:
                    found.setdefault(actor.track_id, (index, []))[1].append(box)
        return found

    def _feet(self, track_id: int) -> tuple[int, list[Foot]]:
        first, boxes = self.walks[track_id]
        return first, [((box[0] + box[2]) / 2, box[3]) for box in boxes]

    def crossings(self, hysteresis: float = HYSTERESIS) -> list[Crossing]:
        """Every true crossing of a line, in order of time."""
        found = []
        for track_id in self.walks:
            first, feet = self._feet(track_id)
            class_id = self.movers[track_id - 1].class_id
            for name in (name for name in LINES if class_id in COUNTED[name]):
                a, b = self.line(name)
                start, end = (a[0] * self.width, a[1] * self.height), (b[0] * self.width, b[1] * self.height)
                for k, direction in crossings(feet, start, end, hysteresis * self.height):
                    found.append(Crossing(name, track_id, class_id, first + k, direction))
        return sorted(found, key=lambda crossing: (crossing.frame, crossing.track_id))

    def visits(self, min_s: float = MIN_INSIDE_S) -> list[Visit]:
        """Every true visit of a zone, in order of time."""
        found = []
        for track_id in self.walks:
            first, feet = self._feet(track_id)
            for name in ZONES:
                polygon = [(x * self.width, y * self.height) for x, y in self.zone(name)]
                for enter, leave in visits(feet, polygon, max(1, round(min_s * self.fps))):
                    class_id = self.movers[track_id - 1].class_id
                    found.append(Visit(name, track_id, class_id, first + enter, first + leave))
        return sorted(found, key=lambda visit: (visit.enter, visit.track_id))


def street_posts(dice: Dice, layout: Layout, hard: bool) -> list[Post]:
    leaf = dice.pick(((50, 110, 70), (45, 95, 80), (60, 130, 95)))
    grey = dice.pick(((70, 70, 68), (60, 75, 60), (45, 45, 48)))
    posts = [Post((3.6, layout.kerb - 0.35), "lamp", grey, 1.0), Post((-8.3, layout.far_kerb + 0.5), "tree", leaf, 1.0)]
    posts += [
        Post((7.6, layout.far_kerb + 0.5), "tree", leaf, 0.9),
        Post((-5.2, layout.kerb - 0.4), "sign", (40, 40, 200), 1.0),
    ]
    posts += [Post((x, layout.kerb - 0.3), "bollard", grey, 1.0) for x in (-1.4, -0.2, 5.2)]
    posts.append(Post((4.2, layout.kerb - 0.6), "bin", dice.pick(((60, 90, 60), (90, 80, 60), (60, 60, 140))), 1.0))
    if hard:
        posts += [
            Post((-4.5, layout.kerb - 2.6), "tree", leaf, 0.95),
            Post((1.6, layout.far_kerb + 0.4), "tree", leaf, 0.8),
        ]
    return posts
