"""What does not move: ground, houses, and the posts and trees that stand before people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetrack.render.camera import Camera, Ground
from edgetrack.render.dice import Dice
from edgetrack.render.paint import Colour, Part, Sprite, Stroke, mix, outline, shade
from edgetrack.types import Image

Field = NDArray[Any]
FINE = 2  # samples a pixel and direction
STONE: tuple[Colour, ...] = (
    (150, 160, 165),
    (128, 140, 150),
    (120, 122, 126),
    (140, 150, 170),
    (165, 165, 160),
    (105, 120, 140),
)
ASPHALT: tuple[Colour, ...] = ((78, 76, 74), (92, 88, 86), (70, 72, 76), (100, 100, 100), (60, 60, 62))
WALL: tuple[Colour, ...] = (
    (150, 175, 200),
    (120, 150, 185),
    (165, 175, 180),
    (90, 110, 160),
    (170, 190, 205),
    (140, 150, 140),
    (190, 195, 200),
    (110, 130, 150),
)
AWNING: tuple[Colour, ...] = ((50, 50, 170), (60, 110, 50), (150, 90, 40), (40, 140, 200), (90, 60, 110), (60, 60, 60))
GRASS: tuple[Colour, ...] = ((60, 120, 90), (55, 105, 75), (70, 130, 110))


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are, metres; the road runs along x."""

    kerb: float = 8.9  # z: the near pavement ends, the road begins
    far_kerb: float = 14.4
    wall: float = 18.4  # z of the houses
    zebra: float | None = -3.6  # x of its middle
    zebra_width: float = 3.2
    square: bool = False  # paving everywhere, no road


@dataclass(frozen=True, slots=True)
class Post:
    """Something that stands and hides what is behind it."""

    where: Ground
    kind: str  # lamp, tree, sign, bin, bollard
    colour: Colour
    size: float


def _hash(ix: Field, iz: Field, salt: int) -> Field:
    """Noise on a lattice, 0..1, by integer arithmetic."""
    h = ix.astype(np.int64).astype(np.uint32) * np.uint32(374761393)
    h = h + iz.astype(np.int64).astype(np.uint32) * np.uint32(668265263) + np.uint32(salt * 2246822519 & 0xFFFFFFFF)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(1274126177)
    return np.asarray(((h ^ (h >> np.uint32(16))) & np.uint32(1023)).astype(np.float32) * np.float32(1 / 1023))


def _noise(x: Field, z: Field, size: float, salt: int) -> Field:
    """Smooth noise 0..1 with bumps of `size` metres."""
    u, v = x / size, z / size
    iu, iv = np.floor(u), np.floor(v)
    fu, fv = (u - iu).astype(np.float32), (v - iv).astype(np.float32)
    fu, fv = fu * fu * (3 - 2 * fu), fv * fv * (3 - 2 * fv)
    a, b = _hash(iu, iv, salt), _hash(iu + 1, iv, salt)
    c, d = _hash(iu, iv + 1, salt), _hash(iu + 1, iv + 1, salt)
    low = a + (b - a) * fu
    return np.asarray(low + (c + (d - c) * fu - low) * fv)


def _paint(picture: Field, where: Field, colour: Colour, gain: Field | float = 1.0) -> None:
    shaded = np.asarray(gain, np.float32)[..., None] * np.array(colour, np.float32)
    np.copyto(picture, shaded, where=where[..., None])


def _coarse(fine: Field, by: int) -> Field:
    """Means of `by` x `by` samples, added in a fixed order, so that they are the same everywhere."""
    total = np.zeros((fine.shape[0] // by, fine.shape[1] // by, *fine.shape[2:]), np.float32)
    for row in range(by):
        for column in range(by):
            total += fine[row::by, column::by]
    return np.asarray(total / np.float32(by * by))


class Backdrop:
    """The still picture of one street, with `margin` pixels more on each side for a camera that shakes."""

    def __init__(
        self, dice: Dice, camera: Camera, layout: Layout, margin: int, night: bool, wet: bool, fine: int = FINE
    ):
        self.layout, self._night, self._wet = layout, night, wet
        self._salt = dice.whole(1, 1 << 20)
        x, y, z = camera.rays(margin, fine)
        with np.errstate(divide="ignore", invalid="ignore"):
            to_wall = np.float64(layout.wall) / z
            to_ground = np.where(y < -1e-6, -camera.view.height_m / y, np.inf)
        on_wall = (z > 1e-6) & (to_wall < to_ground)
        on_ground = ~on_wall & np.isfinite(to_ground)
        reach = np.where(on_wall, to_wall, np.where(on_ground, to_ground, 0.0))
        gx, gy, gz = x * reach, camera.view.height_m + y * reach, z * reach
        far = np.minimum(reach, 400).astype(np.float32)
        self._lit = np.zeros(x.shape, np.float32)
        picture = np.empty((*x.shape, 3), np.float32)
        picture[:] = (40, 30, 25) if night else (225, 205, 185)
        rows = np.flatnonzero(on_ground.any(axis=1))
        if len(rows):
            below = slice(rows[0], rows[-1] + 1)
            self._ground(dice, picture[below], on_ground[below], gx[below], gz[below], far[below])
        self._houses(dice, picture, on_wall, gx, gy)
        self.image: Image = np.clip(np.rint(_coarse(picture, fine)), 0, 255).astype(np.uint8)
        if night:
            for lamp in range(-4, 5):
                away = (gx - lamp * 7.0 - 3.4) ** 2 + (gz - layout.kerb) ** 2
                self._lit = np.maximum(self._lit, np.where(on_ground, 0.7 / (1 + away / 9), 0).astype(np.float32))
        # (H, W) 0..1 how much light there is at night
        self.lit: NDArray[np.float32] = _coarse(self._lit, fine)

    def _ground(self, dice: Dice, picture: Field, here: Field, x: Field, z: Field, far: Field) -> None:
        layout, salt = self.layout, self._salt
        rough = _noise(x, z, 2.7, salt) * 0.16 + _noise(x, z, 0.45, salt + 1) * 0.1
        grain = _hash(np.floor(x * 24), np.floor(z * 24), salt + 2) - 0.5
        gain = 0.87 + rough + grain * 0.12 * np.clip(1.4 - far / 14, 0, 1)
        stone, slab = dice.pick(STONE), dice.pick((0.5, 0.8, 1.2))
        stagger = np.floor(z / slab) % 2 * (slab / 2 if dice.chance(0.6) else 0)
        tile = _hash(np.floor((x + stagger) / slab), np.floor(z / slab), salt + 3)
        joint_x, joint_z = (x + stagger) / slab % 1, z / slab % 1
        joint = (joint_x < 0.03 / slab) | (joint_z < 0.03 / slab)
        paved = gain * (0.94 + 0.1 * tile) * np.where(joint, 0.82, 1.0)
        _paint(picture, here, stone, paved)
        if layout.square:
            if dice.chance(0.5):
                band = (x / 3.2 % 1 < 0.12) | (z / 3.2 % 1 < 0.12)
                _paint(picture, here & band, shade(stone, dice.pick((0.75, 1.15))), paved)
            return
        road = here & (z > layout.kerb) & (z < layout.far_kerb)
        tar = dice.pick(ASPHALT)
        patch = _noise(x / 3, z, 1.3, salt + 5)
        _paint(picture, road, tar, gain * (0.95 + 0.12 * (patch > 0.72)) * (0.9 if self._wet else 1.0))
        for edge in (layout.kerb, layout.far_kerb):
            kerb = here & (z > edge - 0.13) & (z < edge + 0.13)
            _paint(picture, kerb, (165, 168, 170), gain * np.where(x / 1.0 % 1 < 0.04, 0.7, 1.0))
        white: Colour = (212, 216, 218)
        middle = (layout.kerb + layout.far_kerb) / 2
        dash = road & (abs(z - middle) < 0.07) & (x / 4 % 1 < 0.5)
        worn = gain * (0.82 + 0.25 * _noise(x, z, 0.3, salt + 6))
        if layout.zebra is not None:
            strip = road & (abs(x - layout.zebra) < layout.zebra_width / 2)
            dash &= abs(x - layout.zebra) > layout.zebra_width / 2 + 1
            _paint(picture, strip & ((z - layout.kerb) / 1.0 % 1 > 0.5), white, worn)
        _paint(picture, dash, white, worn)
        if dice.chance(0.5):
            _paint(
                picture,
                here & (z > layout.wall - 1.3),
                dice.pick(GRASS),
                gain * (0.8 + 0.5 * _noise(x, z, 0.2, salt + 7)),
            )

    def _houses(self, dice: Dice, picture: Field, here: Field, x: Field, y: Field) -> None:
        left = -60.0
        while left < 60:
            width = dice.between(5.5, 10)
            mine = here & (x >= left) & (x < left + width)
            rows, columns = np.flatnonzero(mine.any(axis=1)), np.flatnonzero(mine.any(axis=0))
            if len(rows):
                part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
                self._house(picture[part], self._lit[part], mine[part], x[part] - left, y[part], width)
            left += width

    def _house(self, picture: Field, lit: Field, here: Field, x: Field, y: Field, width: float) -> None:
        dice = Dice(self._salt, round(width * 1e6))
        wall, salt = shade(dice.pick(WALL), dice.between(0.75, 1.1)), dice.whole(1, 1 << 20)
        brick, shop = dice.chance(0.5), dice.chance(0.65)
        trim = mix(wall, (225, 228, 230), 0.6)
        awning, sign, dark = dice.pick(AWNING), dice.pick(AWNING), shade((80, 72, 64), dice.between(0.6, 1.2))
        door = dice.between(0.15, 0.75) * width
        lit_share = dice.between(0.3, 0.8)
        gain = 0.9 + 0.12 * _noise(x, y, 1.9, salt)
        if brick:
            row = np.floor(y / 0.16)
            course = (y / 0.16 % 1 < 0.14) | ((x + row % 2 * 0.2) / 0.4 % 1 < 0.06)
            gain = gain * np.where(course, 1.1, 0.93 + 0.14 * _hash(np.floor((x + row % 2 * 0.2) / 0.4), row, salt))
        _paint(picture, here, wall, gain)
        _paint(picture, here & (y < 0.5), shade(wall, 0.7), gain)
        _paint(picture, here & (x < 0.12), shade(wall, 0.75), gain)
        pane = x / (width / max(1, round(width / 2.4))) % 1
        floor, index = np.floor((y - 3.6) / 3.0), np.floor(x / (width / max(1, round(width / 2.4))))
        rise = (y - 3.6) / 3.0 % 1
        window = here & (y > 3.6) & (pane > 0.26) & (pane < 0.74) & (rise > 0.2) & (rise < 0.78)
        glow = self._night & (_hash(index, floor, salt + 3) < lit_share)
        _paint(picture, here & (y > 3.6) & (pane > 0.22) & (pane < 0.78) & (rise > 0.15) & (rise < 0.82), trim, gain)
        _paint(picture, window, dark, 0.8 + 0.5 * rise.astype(np.float32))
        _paint(picture, window & glow, (110, 200, 245), 1.0)
        lit[window & glow] = 1.0
        front = here & (y > 0.55) & (y < 2.7)
        if shop:
            glass = front & (x > 0.4) & (x < width - 0.4)
            goods = _hash(np.floor(x / 0.45), np.floor(y / 0.6), salt + 5)
            _paint(picture, glass, dark, 0.75 + 0.25 * (y / 2.7).astype(np.float32))
            shelf = glass & (y < 1.7) & (goods > 0.45)
            tint = np.stack([_hash(np.floor(x / 0.45), np.floor(y / 0.6), salt + k) for k in (6, 7, 8)], axis=-1)
            np.copyto(picture, 55 + 75 * tint, where=shelf[..., None])
            if self._night:
                _paint(picture, glass, (120, 195, 235), 0.55 + 0.5 * goods)
                lit[glass] = 0.8
            _paint(picture, front & ((x / 1.9 % 1 < 0.04) | (abs(y - 0.62) < 0.08)), trim, 0.9)
            stripe = np.where(x / 0.6 % 1 < 0.5, np.float32(1.0), np.float32(0.72))
            _paint(picture, here & (y > 2.6) & (y < 3.05) & (x > 0.2) & (x < width - 0.2), awning, stripe)
            letters = _hash(np.floor(x / 0.16), np.zeros_like(x), salt + 9) > 0.4
            band = here & (y > 3.1) & (y < 3.6)
            _paint(picture, band, sign, 0.8)
            _paint(
                picture, band & letters & (y > 3.22) & (y < 3.48) & (x > 1) & (x < width - 1.2), (220, 225, 228), 1.0
            )
        else:
            _paint(picture, front & (pane > 0.28) & (pane < 0.72) & (y > 1.0), dark, 0.9)
        _paint(picture, here & (y < 2.35) & (abs(x - door) < 0.62), trim, 0.85)
        _paint(picture, here & (y < 2.25) & (abs(x - door) < 0.52), shade(awning, 0.7), 0.9)


def post_sprite(post: Post, camera: Camera, dice: Dice, limit: tuple[int, int, int, int]) -> Sprite:
    """Painted once; it never changes."""
    x, z = post.where

    def up(height: float, dx: float = 0.0, dz: float = 0.0) -> tuple[float, float]:
        return camera.project((x + dx, height, z + dz))

    def wide(metres: float, height: float = 1.0) -> float:
        return metres * camera.scale((x, height, z))

    size, colour = post.size, post.colour
    parts: list[Part] = []
    if post.kind == "tree":
        top = 3.0 * size
        parts.append(Stroke(up(0), up(top), wide(0.17 * size), wide(0.1 * size, top), (50, 66, 84)))
        for _ in range(70):
            dx, dh, r = dice.between(-1.3, 1.3) * size, dice.between(-0.9, 1.2) * size, dice.between(0.22, 0.5) * size
            leaf = shade(colour, dice.between(0.6, 1.1) + 0.16 * dh)
            at = up(top + 0.8 * size + dh, dx, dice.between(-0.5, 0.5))
            parts.append(Stroke(at, at, wide(r, top), wide(r, top), leaf, 0.35))
    elif post.kind == "lamp":
        parts.append(Stroke(up(0), up(0.9), wide(0.1), wide(0.08), colour))
        parts.append(Stroke(up(0.9), up(6.0), wide(0.065), wide(0.05, 3.0), colour))
    elif post.kind == "sign":
        parts.append(Stroke(up(0), up(2.4), wide(0.035), wide(0.035), (125, 125, 125)))
        at = up(2.5)
        parts.append(Stroke(at, at, wide(0.32), wide(0.32), (235, 235, 235), 0.05))
        parts.append(Stroke(at, at, wide(0.26), wide(0.26), colour, 0.05))
    elif post.kind == "bin":
        parts.append(Stroke(up(0.28), up(0.75), wide(0.24), wide(0.27), colour))
        parts.append(Stroke(up(0.95, -0.2), up(0.95, 0.2), wide(0.07), wide(0.07), (50, 50, 52)))
    else:
        parts.append(Stroke(up(0.08), up(0.85), wide(0.09), wide(0.09), colour))
        parts.append(Stroke(up(0.72), up(0.76), wide(0.095), wide(0.095), (225, 225, 225)))
    return Sprite(outline(parts), limit).draw(parts)
