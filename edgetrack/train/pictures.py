"""Training pictures: streets and squares that never existed, each from another camera, with their boxes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgetrack.render import BICYCLE, CAR, PERSON
from edgetrack.render.camera import Camera, Ground, View
from edgetrack.render.cars import car_look
from edgetrack.render.dice import Dice
from edgetrack.render.people import cyclist_look, person_look
from edgetrack.render.scene import street_posts
from edgetrack.render.stage import Stage
from edgetrack.render.street import Layout, Post
from edgetrack.render.traffic import ROOM_M, Actor, Look
from edgetrack.render.weather import Weather, easy_weather, hard_weather
from edgetrack.types import Image

SIZE = (480, 272)  # px; a training picture is a part of it
NEAR_SIZE = (640, 360)  # px of those like the demo's; halved, as the detector's input is
PER_STREET = 10  # pictures before the next street is built
IGNORED = -1  # class of what is neither right nor wrong to find
LEAST_VISIBLE = 0.25  # below, an object is neither right nor wrong to find
LEAST_HEIGHT = 0.035  # of the picture's height, likewise


@dataclass(frozen=True, slots=True)
class Picture:
    image: Image
    xyxy: NDArray[np.float32]  # (N, 4) pixels, clipped to the picture
    class_id: NDArray[np.int32]  # (N,); -1: too hidden or too small to be judged


def near_view(dice: Dice) -> View:
    """Not far from the demo's."""
    return View(dice.between(4.4, 5.8), dice.between(21, 27), dice.between(-4, 4), dice.between(0.75, 0.95))


def any_view(dice: Dice) -> View:
    """Half of them near the demo's, half anything that people mount on walls and poles."""
    if dice.chance(0.5):
        return View(dice.between(4, 6.5), dice.between(19, 29), dice.between(-6, 6), dice.between(0.7, 1.0))
    height, away = dice.between(1.8, 9.0), dice.between(6, 24)
    return View(height, math.degrees(math.atan2(height - 0.8, away)), dice.between(-30, 30), dice.between(0.6, 1.5))


def any_layout(dice: Dice) -> Layout:
    kerb = dice.between(6, 12)
    far = kerb + dice.between(5, 9)
    zebra = dice.between(-8, 8) if dice.chance(0.6) else None
    return Layout(kerb, far, far + dice.between(3, 12), zebra, dice.between(2.5, 4), dice.chance(0.25))


def any_weather(dice: Dice) -> Weather:
    if dice.chance(0.55):
        easy = easy_weather(dice)
        return replace(easy, gain=dice.between(0.7, 1.2), soft=dice.chance(0.3), blocks=dice.pick((0, 0, 8)))
    return replace(hard_weather(dice), shake_px=0.0)


def any_posts(dice: Dice, layout: Layout) -> list[Post]:
    kinds = ("lamp", "tree", "sign", "bin", "bollard")
    tones = ((70, 70, 68), (50, 110, 70), (40, 40, 200), (60, 60, 140), (60, 90, 60), (150, 90, 40))

    def somewhere() -> Ground:
        return dice.between(-11, 11), dice.between(4.5, layout.wall - 0.5)

    count = dice.whole(0, 9)
    return [Post(somewhere(), dice.pick(kinds), dice.pick(tones), dice.between(0.7, 1.2)) for _ in range(count)]


def near_posts(dice: Dice, layout: Layout) -> list[Post]:
    return [*any_posts(dice, layout), *street_posts(dice, layout, hard=dice.chance(0.5))]


class Crowd:
    """Puts people, cars and bicycles where a camera sees them and where they do not stand in each other."""

    def __init__(self, dice: Dice, camera: Camera, layout: Layout, weather: Weather) -> None:
        self._dice, self._camera, self._layout, self._weather = dice, camera, layout, weather
        self.actors: list[Actor] = []

    def fill(self, crowded: bool = False) -> list[Actor]:
        dice = self._dice
        many = 3 if crowded else dice.pick((1, 1, 2, 3))
        wishes = [CAR] * dice.whole(0, 3) + [BICYCLE] * dice.whole(0, 2 + many) + [PERSON] * dice.whole(0, 5 * many)
        for class_id in wishes:
            for _ in range(4):
                if self._try(class_id):
                    break
        return self.actors

    def _spot(self, on_road: bool) -> Ground | None:
        """A place that some pixel shows; lower ones, nearer to the camera, come as often as higher ones."""
        dice, camera = self._dice, self._camera
        u, v = dice.between(-0.06, 1.06), dice.between(0.1, 1.12)
        pitch, yaw = math.radians(camera.view.pitch_deg), math.radians(camera.view.yaw_deg)
        aside, down = (u - 0.5) / camera.view.focal, (v - 0.5) * camera.height / camera.width / camera.view.focal
        y = -math.sin(pitch) - down * math.cos(pitch)
        if y > -0.02:
            return None
        ahead, reach = math.cos(pitch) - down * math.sin(pitch), camera.view.height_m / -y
        x = (aside * math.cos(yaw) + ahead * math.sin(yaw)) * reach
        z = (ahead * math.cos(yaw) - aside * math.sin(yaw)) * reach
        if on_road and not self._layout.square:
            lane = (self._layout.far_kerb - self._layout.kerb) / 4
            z = self._layout.kerb + lane * dice.pick((1, 3)) + dice.between(-0.6, 0.6)
        return (x, z) if 1.5 < math.hypot(x, z) < 50 and z < self._layout.wall - 0.4 else None

    def _zebra_spot(self) -> Ground | None:
        dice, layout = self._dice, self._layout
        if layout.zebra is None or layout.square:
            return None
        half = layout.zebra_width / 2
        return layout.zebra + dice.between(-half, half), dice.between(layout.kerb - 1, layout.far_kerb + 1)

    def _try(self, class_id: int) -> bool:
        dice = self._dice
        on_zebra = class_id == PERSON and self._layout.zebra is not None and dice.chance(0.25)
        where = (
            self._zebra_spot()
            if on_zebra
            else self._spot(class_id == CAR or (class_id == BICYCLE and dice.chance(0.6)))
        )
        if where is None or (class_id == CAR and math.hypot(*where) < 5):
            return False
        for other in self.actors:
            low, high = sorted((class_id, other.class_id))
            room = ROOM_M[low, high] * (0.55 if low == high == PERSON else 0.85)
            if math.hypot(where[0] - other.where[0], where[1] - other.where[1]) < room:
                return False
        lateral = dice.pick((0.0, math.pi)) + dice.between(-0.15, 0.15)
        heading = lateral if dice.chance(0.5 if class_id == PERSON else 0.75) else dice.between(0, 2 * math.pi)
        if on_zebra:  # head-on, between stripes, a walker looks most like a cyclist
            heading = dice.pick((0.5, -0.5)) * math.pi + dice.between(-0.4, 0.4)
        night, rain = self._weather.night, self._weather.rain
        look: Look = cyclist_look(dice)
        if class_id != BICYCLE:
            look = person_look(dice, rain) if class_id == PERSON else car_look(dice, night)
        moving = 1.0 if class_id != PERSON or dice.chance(0.75) else dice.between(0, 0.3)
        self.actors.append(Actor(len(self.actors) + 1, class_id, look, where, heading, dice.between(0, 9), moving))
        return True


def street_pictures(seed: int, count: int = PER_STREET, size: tuple[int, int] = SIZE) -> Iterator[Picture]:
    """`count` pictures of the street number `seed`, each with other people on it."""
    dice = Dice(seed, 77)
    camera = Camera(any_view(dice), *size)
    layout, weather = any_layout(dice), any_weather(dice)
    stage = Stage(dice, camera, layout, any_posts(dice, layout), weather, fine=dice.pick((1, 2)))
    for index in range(count):
        own = Dice(seed, 78, index)
        image, truth = stage.picture(Crowd(own, camera, layout, weather).fill(), own.between(0, 60), own)
        yield Picture(image, *labels(truth.xyxy, truth.class_id, truth.visibility, size))


def near_pictures(seed: int, count: int = PER_STREET) -> Iterator[Picture]:
    """Crowded streets with a zebra, seen much as in the demo, half as large as they are rendered."""
    dice = Dice(seed, 79)
    camera, width, height = Camera(near_view(dice), *NEAR_SIZE), NEAR_SIZE[0] // 2, NEAR_SIZE[1] // 2
    kerb = dice.between(8.6, 10.4)
    far = kerb + dice.between(5.6, 7.2)
    layout = Layout(kerb, far, far + dice.between(3.8, 5.6), dice.between(-5.5, 5), dice.between(2.6, 3.8))
    weather = any_weather(dice)
    stage = Stage(dice, camera, layout, near_posts(dice, layout), weather, fine=1)
    for index in range(count):
        own = Dice(seed, 80, index)
        image, truth = stage.picture(Crowd(own, camera, layout, weather).fill(crowded=True), own.between(0, 60), own)
        four = image.reshape(height, 2, width, 2, 3).astype(np.uint16).sum(axis=(1, 3), dtype=np.uint16)
        halved = (four + 2 >> 2).astype(np.uint8)
        yield Picture(halved, *labels(truth.xyxy / 2, truth.class_id, truth.visibility, (width, height)))


def labels(
    xyxy: NDArray[np.float64], class_id: NDArray[np.int32], visibility: NDArray[np.float32], size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Boxes clipped to the picture, without those outside; the class of what cannot be judged is -1."""
    clipped = np.clip(xyxy, 0, np.array([*size, *size])).astype(np.float32)
    wide, tall = clipped[:, 2] - clipped[:, 0], clipped[:, 3] - clipped[:, 1]
    whole = (xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1])
    inside = wide * tall / np.maximum(whole, 1e-6)
    there = (wide >= 2) & (tall >= 2)
    # visibility counts what the picture's edge hides too; only what hides an object inside the picture blurs its box
    blurred = (visibility < LEAST_VISIBLE * inside) | (tall < LEAST_HEIGHT * size[1]) | (visibility < 0.08)
    return clipped[there], np.where(blurred, IGNORED, class_id)[there].astype(np.int32)
