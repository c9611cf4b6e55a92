"""The houses along a street: walls, windows, shops and doors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgetrack.render.dice import Dice
from edgetrack.render.paint import Colour, mix, shade
from edgetrack.render.texture import Field, lattice, lay, noise

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
ENDS = -60.0, 60.0  # of the row, metres
GROUND_FLOOR, STOREY = 3.6, 3.0  # high, metres
WINDOW = 2.4  # from one to the next, about, metres


@dataclass(frozen=True, slots=True)
class HouseLook:
    """How one looks; lengths in metres."""

    width: float
    salt: int
    wall: Colour
    trim: Colour
    awning: Colour
    sign: Colour
    glass: Colour
    brick: bool
    shop: bool  # on the ground floor
    door: float  # its middle
    lit_share: float  # of the windows at night


@dataclass(frozen=True, slots=True)
class Front:
    """Where a picture shows one house."""

    picture: Field  # (H, W, 3) float32
    lit: Field  # (H, W) 0..1 how much light there is at night
    here: Field  # (H, W) bool
    x: Field  # (H, W) metres from the left end of the house
    y: Field  # (H, W) metres above the ground

    def cut(self, rows: slice, columns: slice, left: float) -> Front:
        """A part of it, of a house that begins at `left`."""
        part = rows, columns
        return Front(self.picture[part], self.lit[part], self.here[part], self.x[part] - left, self.y[part])


def paint_houses(dice: Dice, row: Front, salt: int, night: bool) -> None:
    """One after the other, wall to wall; `row` counts x from the middle of the street."""
    left, end = ENDS
    while left < end:
        width = dice.between(5.5, 10)
        mine = row.here & (row.x >= left) & (row.x < left + width)
        rows, columns = np.flatnonzero(mine.any(axis=1)), np.flatnonzero(mine.any(axis=0))
        if len(rows):
            part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
            here = Front(row.picture, row.lit, mine, row.x, row.y).cut(*part, left)
            paint_house(house_look(Dice(salt, round(width * 1e6)), width), here, night)
        left += width


def house_look(dice: Dice, width: float) -> HouseLook:
    """Drawn by chance."""
    wall, salt = shade(dice.pick(WALL), dice.between(0.75, 1.1)), dice.whole(1, 1 << 20)
    brick, shop = dice.chance(0.5), dice.chance(0.65)
    awning, sign, glass = dice.pick(AWNING), dice.pick(AWNING), shade((80, 72, 64), dice.between(0.6, 1.2))
    door, lit_share = dice.between(0.15, 0.75) * width, dice.between(0.3, 0.8)
    trim = mix(wall, (225, 228, 230), 0.6)
    return HouseLook(width, salt, wall, trim, awning, sign, glass, brick, shop, door, lit_share)


def paint_house(look: HouseLook, front: Front, night: bool) -> None:
    gain = _wall(look, front)
    _windows(look, front, gain, night)
    if look.shop:
        _shop(look, front, night)
    else:
        pane = front.x / _window_width(look) % 1
        lay(front.picture, _ground_floor(front) & (pane > 0.28) & (pane < 0.72) & (front.y > 1.0), look.glass, 0.9)
    door = abs(front.x - look.door)
    lay(front.picture, front.here & (front.y < 2.35) & (door < 0.62), look.trim, 0.85)
    lay(front.picture, front.here & (front.y < 2.25) & (door < 0.52), shade(look.awning, 0.7), 0.9)


def _window_width(look: HouseLook) -> float:
    return look.width / max(1, round(look.width / WINDOW))


def _ground_floor(front: Front) -> Field:
    """Where glass may be."""
    return np.asarray(front.here & (front.y > 0.55) & (front.y < 2.7))


def _wall(look: HouseLook, front: Front) -> Field:
    """Painted from the ground to the roof; returns how bright every point of it is."""
    x, y, picture, here = front.x, front.y, front.picture, front.here
    gain = 0.9 + 0.12 * noise(x, y, 1.9, look.salt)
    if look.brick:
        row = np.floor(y / 0.16)
        course = (y / 0.16 % 1 < 0.14) | ((x + row % 2 * 0.2) / 0.4 % 1 < 0.06)
        stones = lattice(np.floor((x + row % 2 * 0.2) / 0.4), row, look.salt)
        gain = gain * np.where(course, 1.1, 0.93 + 0.14 * stones)
    lay(picture, here, look.wall, gain)
    lay(picture, here & (y < 0.5), shade(look.wall, 0.7), gain)
    lay(picture, here & (x < 0.12), shade(look.wall, 0.75), gain)
    return np.asarray(gain)


def _windows(look: HouseLook, front: Front, gain: Field, night: bool) -> None:
    """Of the upper storeys."""
    picture, upper = front.picture, front.here & (front.y > GROUND_FLOOR)
    across, up = front.x / _window_width(look), (front.y - GROUND_FLOOR) / STOREY
    pane, rise = across % 1, up % 1
    window = upper & (pane > 0.26) & (pane < 0.74) & (rise > 0.2) & (rise < 0.78)
    lay(picture, upper & (pane > 0.22) & (pane < 0.78) & (rise > 0.15) & (rise < 0.82), look.trim, gain)
    lay(picture, window, look.glass, 0.8 + 0.5 * rise.astype(np.float32))
    if night:
        glow = window & (lattice(np.floor(across), np.floor(up), look.salt + 3) < look.lit_share)
        lay(picture, glow, (110, 200, 245), 1.0)
        front.lit[glow] = 1.0


def _shop(look: HouseLook, front: Front, night: bool) -> None:
    """Goods behind glass, an awning, and letters above it."""
    x, y, picture, here, salt = front.x, front.y, front.picture, front.here, look.salt
    inside = (x > 0.4) & (x < look.width - 0.4)
    glass = _ground_floor(front) & inside
    column, shelf_row = np.floor(x / 0.45), np.floor(y / 0.6)
    goods = lattice(column, shelf_row, salt + 5)
    lay(picture, glass, look.glass, 0.75 + 0.25 * (y / 2.7).astype(np.float32))
    tint = np.stack([lattice(column, shelf_row, salt + k) for k in (6, 7, 8)], axis=-1)
    np.copyto(picture, 55 + 75 * tint, where=(glass & (y < 1.7) & (goods > 0.45))[..., None])
    if night:
        lay(picture, glass, (120, 195, 235), 0.55 + 0.5 * goods)
        front.lit[glass] = 0.8
    lay(picture, _ground_floor(front) & ((x / 1.9 % 1 < 0.04) | (abs(y - 0.62) < 0.08)), look.trim, 0.9)
    stripe = np.where(x / 0.6 % 1 < 0.5, np.float32(1.0), np.float32(0.72))
    lay(picture, here & (y > 2.6) & (y < 3.05) & (x > 0.2) & (x < look.width - 0.2), look.awning, stripe)
    board = here & (y > 3.1) & (y < GROUND_FLOOR)
    lay(picture, board, look.sign, 0.8)
    letters = lattice(np.floor(x / 0.16), np.zeros_like(x), salt + 9) > 0.4
    middle = (y > 3.22) & (y < 3.48) & (x > 1) & (x < look.width - 1.2)
    lay(picture, board & letters & middle, (220, 225, 228), 1.0)
