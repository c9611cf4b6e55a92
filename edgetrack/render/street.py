"""What does not move: ground, houses, and the posts and trees that stand before people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgetrack.render.camera import Camera, Ground
from edgetrack.render.dice import Dice
from edgetrack.render.houses import Front, paint_houses
from edgetrack.render.paint import Colour, Part, Sprite, Stroke, outline, shade
from edgetrack.render.texture import Field, coarse, lattice, lay, noise
from edgetrack.types import Image

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
WHITE: Colour = (212, 216, 218)
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
        paint_houses(dice, Front(picture, self._lit, on_wall, gx, gy), self._salt, night)
        self.image: Image = np.clip(np.rint(coarse(picture, fine)), 0, 255).astype(np.uint8)
        if night:
            for lamp in range(-4, 5):
                away = (gx - lamp * 7.0 - 3.4) ** 2 + (gz - layout.kerb) ** 2
                self._lit = np.maximum(self._lit, np.where(on_ground, 0.7 / (1 + away / 9), 0).astype(np.float32))
        # (H, W) 0..1 how much light there is at night
        self.lit: NDArray[np.float32] = coarse(self._lit, fine)

    def _ground(self, dice: Dice, picture: Field, here: Field, x: Field, z: Field, far: Field) -> None:
        layout, salt = self.layout, self._salt
        rough = noise(x, z, 2.7, salt) * 0.16 + noise(x, z, 0.45, salt + 1) * 0.1
        grain = lattice(np.floor(x * 24), np.floor(z * 24), salt + 2) - 0.5
        gain = 0.87 + rough + grain * 0.12 * np.clip(1.4 - far / 14, 0, 1)
        self._paving(dice, picture, here, x, z, gain)
        if layout.square:
            return
        self._road(dice, picture, here, x, z, gain)
        if dice.chance(0.5):
            tufts = gain * (0.8 + 0.5 * noise(x, z, 0.2, salt + 7))
            lay(picture, here & (z > layout.wall - 1.3), dice.pick(GRASS), tufts)

    def _paving(self, dice: Dice, picture: Field, here: Field, x: Field, z: Field, gain: Field) -> None:
        stone, slab = dice.pick(STONE), dice.pick((0.5, 0.8, 1.2))
        stagger = np.floor(z / slab) % 2 * (slab / 2 if dice.chance(0.6) else 0)
        tile = lattice(np.floor((x + stagger) / slab), np.floor(z / slab), self._salt + 3)
        joint_x, joint_z = (x + stagger) / slab % 1, z / slab % 1
        joint = (joint_x < 0.03 / slab) | (joint_z < 0.03 / slab)
        paved = gain * (0.94 + 0.1 * tile) * np.where(joint, 0.82, 1.0)
        lay(picture, here, stone, paved)
        if self.layout.square and dice.chance(0.5):
            band = (x / 3.2 % 1 < 0.12) | (z / 3.2 % 1 < 0.12)
            lay(picture, here & band, shade(stone, dice.pick((0.75, 1.15))), paved)

    def _road(self, dice: Dice, picture: Field, here: Field, x: Field, z: Field, gain: Field) -> None:
        """Between its kerbs, with what is painted on it."""
        layout, salt = self.layout, self._salt
        road = here & (z > layout.kerb) & (z < layout.far_kerb)
        patch = noise(x / 3, z, 1.3, salt + 5)
        tar = gain * (0.95 + 0.12 * (patch > 0.72)) * (0.9 if self._wet else 1.0)
        lay(picture, road, dice.pick(ASPHALT), tar)
        for edge in (layout.kerb, layout.far_kerb):
            kerb = here & (z > edge - 0.13) & (z < edge + 0.13)
            lay(picture, kerb, (165, 168, 170), gain * np.where(x / 1.0 % 1 < 0.04, 0.7, 1.0))
        middle = (layout.kerb + layout.far_kerb) / 2
        dash = road & (abs(z - middle) < 0.07) & (x / 4 % 1 < 0.5)
        worn = gain * (0.82 + 0.25 * noise(x, z, 0.3, salt + 6))
        if layout.zebra is not None:
            strip = road & (abs(x - layout.zebra) < layout.zebra_width / 2)
            dash &= abs(x - layout.zebra) > layout.zebra_width / 2 + 1
            lay(picture, strip & ((z - layout.kerb) / 1.0 % 1 > 0.5), WHITE, worn)
        lay(picture, dash, WHITE, worn)


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
