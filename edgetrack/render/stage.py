"""A street in its weather, and how actors are painted on it: shadows, bodies, what hides what."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgetrack.render import CAR, PERSON
from edgetrack.render.camera import Camera, Ground
from edgetrack.render.cars import CarLook, car
from edgetrack.render.dice import Dice
from edgetrack.render.paint import Face, Part, Sprite, Stroke, outline
from edgetrack.render.people import CyclistLook, PersonLook, cyclist, person
from edgetrack.render.street import FINE, Backdrop, Layout, Post, post_sprite
from edgetrack.render.traffic import Actor
from edgetrack.render.weather import Air, Weather
from edgetrack.types import Image

SHADOW = 96  # of 256


@dataclass(frozen=True, slots=True)
class Truth:
    """What one picture shows; row i of every array is the same object."""

    track_id: NDArray[np.int64]  # (N,)
    class_id: NDArray[np.int32]  # (N,)
    xyxy: NDArray[np.float64]  # (N, 4) pixels, the whole object, also what is hidden or outside
    visibility: NDArray[np.float32]  # (N,) share of its pixels that the picture shows


def figure(actor: Actor, camera: Camera) -> list[Part]:
    """What there is to paint, from back to front."""
    if isinstance(actor.look, PersonLook):
        return person(actor.look, camera, actor.where, actor.heading, actor.way_m, actor.moving)
    if isinstance(actor.look, CyclistLook):
        return cyclist(actor.look, camera, actor.where, actor.heading, actor.way_m)
    return car(actor.look, camera, actor.where, actor.heading)


class Stage:
    """A street in its weather, ready for actors."""

    def __init__(
        self,
        dice: Dice,
        camera: Camera,
        layout: Layout,
        posts: Sequence[Post],
        weather: Weather,
        fine: int = FINE,
    ) -> None:
        self.camera, self.weather = camera, weather
        self._margin = 8 + round(4 * weather.shake_px * camera.width / 640)
        self._backdrop = Backdrop(dice, camera, layout, self._margin, weather.night, weather.rain, fine)
        w, h, m = camera.width, camera.height, self._margin
        self._limit = (-w // 2, -h // 2, w + w // 2, h + h // 2)
        order = sorted(posts, key=lambda post: -camera.depth((post.where[0], 0, post.where[1])))
        self._posts = [
            (camera.depth((p.where[0], 0, p.where[1])), post_sprite(p, camera, dice, (-m, -m, w + m, h + m)))
            for p in order
        ]
        self._air = Air(dice, weather, w, h)
        if weather.night:
            self._dark = np.rint(256 * (0.34 + 0.66 * self._backdrop.lit)).astype(np.uint16)

    def picture(self, actors: Sequence[Actor], t: float, dice: Dice) -> tuple[Image, Truth]:
        """`dice` is this picture's own."""
        dx, dy = self._shake(dice)
        m, h, w = self._margin, self.camera.height, self.camera.width
        rows, columns = slice(m - dy, m - dy + h), slice(m - dx, m - dx + w)
        image = self._backdrop.image[rows, columns].copy()
        owner = np.zeros((h, w), np.uint8)
        figures = [(self._depth(actor), actor, figure(actor, self.camera)) for actor in actors]
        for _, actor, _ in figures:
            self._shadow(image, actor, dx, dy)
        self._paint(image, owner, figures, dx, dy)
        if self.weather.night:
            image = (image * self._dark[rows, columns, None] >> 8).astype(np.uint8)
            for _, actor, _ in figures:
                self._headlights(image, actor, dx, dy)
        return self._air.apply(image, t, dice), self._truth(figures, owner, dx, dy)

    def _depth(self, actor: Actor) -> float:
        x, z = actor.where
        return self.camera.depth((x, 0, z))

    def _shake(self, dice: Dice) -> tuple[int, int]:
        reach = self.weather.shake_px * self.camera.width / 640
        if reach == 0:
            return 0, 0
        return round(dice.between(-reach, reach)), round(dice.between(-reach, reach))

    def _paint(
        self, image: Image, owner: NDArray[np.uint8], figures: list[tuple[float, Actor, list[Part]]], dx: int, dy: int
    ) -> None:
        todo: list[tuple[float, int, Sprite]] = [(depth, 0, sprite) for depth, sprite in self._posts]
        self._whole = [0]
        for k, (depth, _, parts) in enumerate(figures, start=1):
            sprite = Sprite(outline(parts), self._limit).draw(parts)
            self._whole.append(max(int(np.count_nonzero(sprite.cover > 128)), 1))
            todo.append((depth, k, sprite))
        todo.sort(key=lambda item: -item[0])
        for _, k, sprite in todo:
            put = sprite.put(image, dx, dy)
            if put is not None:
                rows, columns, mask = put
                owner[rows, columns][mask] = k

    def _truth(
        self, figures: list[tuple[float, Actor, list[Part]]], owner: NDArray[np.uint8], dx: int, dy: int
    ) -> Truth:
        seen = np.bincount(owner.ravel(), minlength=len(figures) + 1)
        boxes = [outline(parts) for _, _, parts in figures]
        n = len(figures)
        return Truth(
            np.array([actor.track_id for _, actor, _ in figures], np.int64),
            np.array([actor.class_id for _, actor, _ in figures], np.int32),
            np.array(boxes, np.float64).reshape(n, 4) + np.array([dx, dy, dx, dy], np.float64),
            np.array([min(1.0, seen[k + 1] / self._whole[k + 1]) for k in range(n)], np.float32),
        )

    def _shadow(self, image: Image, actor: Actor, dx: int, dy: int) -> None:
        camera, (x, z) = self.camera, actor.where
        sx, sz = self.weather.sun or (0.0, 0.0)
        scale = camera.scale((x, 0, z))
        if actor.class_id == CAR and isinstance(actor.look, CarLook):
            parts: list[Part] = [Face(_car_shadow(actor.look, camera, actor, (sx, sz)), (0, 0, 0), 0.0)]
        else:
            tall = 1.6 if actor.class_id == PERSON else 1.4
            wide = 0.16 if actor.class_id == PERSON else 0.25
            foot, tip = camera.project((x, 0, z)), camera.project((x + sx * tall, 0, z + sz * tall))
            flat = 0.55 if abs(sx) > abs(sz) else 1.0
            parts = [Stroke(foot, tip, wide * scale * flat, 0.17 * scale * flat, (0, 0, 0))]
            if self.weather.sun is None:
                aside = wide * 1.3 * scale / 2
                a, b = (foot[0] - aside, foot[1]), (foot[0] + aside, foot[1])
                parts = [Stroke(a, b, 0.09 * scale, 0.09 * scale, (0, 0, 0))]
        sprite = Sprite(outline(parts), self._limit).draw(parts)
        sprite.cover = sprite.cover * np.uint16(SHADOW if self.weather.sun else SHADOW // 2) >> 8
        sprite.put(image, dx, dy)

    def _headlights(self, image: Image, actor: Actor, dx: int, dy: int) -> None:
        look = actor.look
        if not isinstance(look, CarLook):
            return
        for ahead, colour in ((look.length / 2, (235, 250, 255)), (-look.length / 2, (30, 30, 200))):
            if not _end_visible(self.camera, actor, ahead):
                continue
            for aside in (-0.75, 0.75):
                at = _on_car(actor, ahead, aside * look.width / 2, 0.66)
                _glow(image, self.camera.project(at), 0.55 * self.camera.scale(at), colour, dx, dy)


def _on_car(actor: Actor, ahead: float, aside: float, up: float) -> tuple[float, float, float]:
    c, s = math.cos(actor.heading), math.sin(actor.heading)
    return actor.where[0] + ahead * c - aside * s, up, actor.where[1] + ahead * s + aside * c


def _end_visible(camera: Camera, actor: Actor, ahead: float) -> bool:
    tip = _on_car(actor, ahead, 0, 0)
    return camera.depth((tip[0], 0, tip[2])) < camera.depth((actor.where[0], 0, actor.where[1])) + abs(ahead) * 0.35


def _glow(image: Image, at: tuple[float, float], radius: float, colour: tuple[int, int, int], dx: int, dy: int) -> None:
    x, y, r = round(at[0]) + dx, round(at[1]) + dy, max(2, round(radius))
    x0, y0, x1, y1 = max(x - r, 0), max(y - r, 0), min(x + r + 1, image.shape[1]), min(y + r + 1, image.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    away = (np.arange(x0, x1) - x)[None, :] ** 2 + (np.arange(y0, y1) - y)[:, None] ** 2
    light = np.maximum(256 - away * 256 // (r * r), 0)
    light = light * light >> 8
    patch = image[y0:y1, x0:x1].astype(np.int64) + (light[:, :, None] * np.array(colour) >> 8)
    image[y0:y1, x0:x1] = np.minimum(patch, 255)


def _car_shadow(look: CarLook, camera: Camera, actor: Actor, sun: Ground) -> list[tuple[float, float]]:
    ground = []
    for ahead in (-0.48, 0.48):
        for aside in (-0.52, 0.52):
            x, _, z = _on_car(actor, ahead * look.length, aside * look.width, 0)
            ground += [(x, z), (x + sun[0] * look.height * 0.8, z + sun[1] * look.height * 0.8)]
    return [camera.project((x, 0, z)) for x, z in _hull(ground)]


def _hull(points: Sequence[Ground]) -> list[Ground]:
    """Convex hull, Andrew's monotone chain."""

    def half(order: Sequence[Ground]) -> list[Ground]:
        chain: list[Ground] = []
        for p in order:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], p) <= 0:
                chain.pop()
            chain.append(p)
        return chain[:-1]

    ordered = sorted(set(points))
    return half(ordered) + half(ordered[::-1])


def _turn(a: Ground, b: Ground, c: Ground) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
