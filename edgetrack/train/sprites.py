"""Things to follow that never existed: textured shapes with parts, and pictures to put behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetrack.image import resize
from edgetrack.train.pictures import street_pictures
from edgetrack.types import Image

SIDE = 96  # px of a sprite's square
BACK = 256  # px of a background's square
DIRECTIONS = 32  # in which the outline's farthest points are kept
FIRST_STREET = 3_000_000
SOLID = 128  # of 255, what belongs to the box

Chance = np.random.Generator
Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Bank:
    """
    Attributes:
        sprites: (S, 4, SIDE, SIDE) uint8, blue, green, red, cover.
        outline: (S, DIRECTIONS, 2) x, y of the outline, -1..1 over the sprite's square.
        backs: (P, 3, BACK, BACK) uint8.
        objects: (O, 5) picture and xyxy, -1..1, of what stands in the backgrounds.
    """

    sprites: NDArray[np.uint8]
    outline: NDArray[np.float32]
    backs: NDArray[np.uint8]
    objects: NDArray[np.float32]


def noise(chance: Chance, side: int, slope: float, channels: int = 3) -> NDArray[np.float32]:
    """(side, side, channels) 0..1, with power falling as frequency ** -slope: 0 is sand, 2 are clouds."""
    f = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    f[0, 0] = 1
    spectrum = np.fft.rfft2(chance.standard_normal((side, side, channels)), axes=(0, 1))
    field = np.fft.irfft2(spectrum / f[..., None] ** slope, s=(side, side), axes=(0, 1))
    mixed = field @ (np.eye(channels) * 0.4 + chance.uniform(0, 1, (channels, channels)))
    low, high = np.quantile(mixed, [0.02, 0.98], axis=(0, 1))
    return np.clip((mixed - low) / (high - low + 1e-6), 0, 1).astype(np.float32)


def _grid(side: int) -> tuple[NDArray[Any], NDArray[Any]]:
    line = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1
    x, y = np.meshgrid(line, line)
    return x, y


def stripes(chance: Chance, side: int) -> Plane:
    """0..1: stripes, checks or a gradient, turned anyhow."""
    x, y = _grid(side)
    turn = chance.uniform(0, np.pi)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    n = chance.uniform(1.5, 9)
    kind = chance.integers(4)
    if kind == 0:
        return np.asarray(np.sin(u * n * 3) > chance.uniform(-0.5, 0.5), np.float32)
    if kind == 1:
        return np.asarray((np.sin(u * n * 3) > 0) ^ (np.sin(v * n * 3) > 0), np.float32)
    if kind == 2:
        return np.asarray(u * 0.5 + 0.5, np.float32)
    return np.asarray(np.sin(np.hypot(u - chance.uniform(-1, 1), v) * n * 3) * 0.5 + 0.5, np.float32)


def texture(chance: Chance, side: int, pictures: list[Image]) -> NDArray[np.float32]:
    """(side, side, 3) 0..1: a piece of a picture, noise, or a pattern of two colours."""
    kind = chance.random()
    if kind < 0.4:
        picture = pictures[chance.integers(len(pictures))]
        height, width = picture.shape[:2]
        w = int(chance.integers(16, min(height, width)))
        x, y = int(chance.integers(width - w)), int(chance.integers(height - w))
        piece = resize(np.ascontiguousarray(picture[y : y + w, x : x + w]), side, side)
        return np.asarray(piece / np.float32(255), np.float32)
    base = noise(chance, side, chance.uniform(0.3, 2.2))
    colours = chance.uniform(0, 1, (2, 3)).astype(np.float32)
    if kind < 0.6:
        return base
    part = stripes(chance, side)[..., None] if kind < 0.8 else base[..., :1]
    mixed = colours[0] * part + colours[1] * (1 - part)
    return np.asarray(np.clip(mixed + (base - 0.5) * chance.uniform(0, 0.5), 0, 1), np.float32)


def blob(chance: Chance, side: int) -> Plane:
    """A cover 0 or 1 that fills its square in width or height."""
    x, y = _grid(side)
    kind = chance.integers(5)
    if kind == 0:
        return np.ones((side, side), np.float32)
    if kind == 1:
        return (np.abs(x) ** 2.5 + np.abs(y) ** 2.5 < 0.98).astype(np.float32)
    if kind == 2:
        return _figure(chance, x, y)
    angle, far = np.arctan2(y, x), np.hypot(x, y)
    radius = np.ones_like(angle)
    for k in range(1, 7):
        radius += chance.normal(0, 0.35 / k) * np.cos(k * angle + chance.uniform(0, 2 * np.pi))
    if kind == 3:
        n = chance.integers(3, 8)
        radius = 1 / np.cos((angle + chance.uniform(0, 6)) % (2 * np.pi / n) - np.pi / n)
    radius = np.clip(radius, 0.25, None)
    return (far < radius / radius.max() * 0.98).astype(np.float32)


def _figure(chance: Chance, x: NDArray[Any], y: NDArray[Any]) -> Plane:
    """A body with head and limbs, in no particular order."""
    cover = np.zeros(x.shape, bool)
    for _ in range(chance.integers(3, 7)):
        cx, cy = chance.uniform(-0.6, 0.6, 2)
        a, b, turn = chance.uniform(0.1, 0.5), chance.uniform(0.2, 0.7), chance.uniform(0, np.pi)
        u = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
        v = (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
        cover |= (u / a) ** 2 + (v / b) ** 2 < 1
    return cover.astype(np.float32)


def sprite(chance: Chance, pictures: list[Image]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """(4, SIDE, SIDE) and the (DIRECTIONS, 2) outline."""
    cover = blob(chance, SIDE)
    colour = texture(chance, SIDE, pictures)
    for _ in range(chance.integers(0, 5)):
        part = np.roll(blob(chance, SIDE), tuple(chance.integers(0, SIDE, 2)), axis=(0, 1))[..., None]
        tint = texture(chance, SIDE, pictures) if chance.random() < 0.4 else chance.uniform(0, 1, 3)
        colour = colour * (1 - part) + tint * part
    colour = colour * (0.6 + 0.4 * noise(chance, SIDE, 2.0, 1)) if chance.random() < 0.5 else colour
    whole = np.concatenate([colour, cover[..., None]], axis=2).transpose(2, 0, 1)
    ys, xs = np.nonzero(cover > 0.5)
    points = (np.stack([xs, ys], axis=1) + 0.5) / SIDE * 2 - 1
    turns = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS
    far = (points @ np.stack([np.cos(turns), np.sin(turns)])).argmax(0)
    return (np.clip(whole, 0, 1) * 255).astype(np.uint8), points[far].astype(np.float32)


def back(chance: Chance, pictures: list[Image]) -> NDArray[np.float32]:
    """(BACK, BACK, 3) of no known objects: textures in large shapes."""
    canvas = texture(chance, BACK, pictures)
    for _ in range(chance.integers(0, 14)):
        part = np.zeros((BACK, BACK, 1), np.float32)
        side = int(np.exp(chance.uniform(np.log(12), np.log(200))))
        x, y = chance.integers(0, BACK - side, 2)
        part[y : y + side, x : x + side, 0] = blob(chance, side)
        tint = texture(chance, BACK, pictures) if chance.random() < 0.5 else chance.uniform(0, 1, 3)
        canvas = canvas * (1 - part) + tint * part
    return np.asarray(canvas, np.float32)


def make_bank(seed: int, sprites: int, backs: int, streets: int, progress: Callable[[str], None]) -> Bank:
    """Render `streets` streets, five pictures each, and draw everything else over and beside them."""
    chance = np.random.default_rng(seed)
    pictures: list[Image] = []
    squares: list[Image] = []
    marks: list[tuple[float, ...]] = []
    for street in range(streets):
        for picture in street_pictures(FIRST_STREET + 1000 * seed + street, 5):
            height, width = picture.image.shape[:2]
            left = int(chance.integers(width - height + 1))
            square = np.ascontiguousarray(picture.image[:, left : left + height])
            scaled = (picture.xyxy - np.array([left, 0, left, 0])) / height * 2 - 1
            inside = (np.abs(scaled) < 0.98).all(1) & (picture.class_id >= 0) & (scaled[:, 2] - scaled[:, 0] > 0.08)
            marks += [(len(squares), *box) for box in scaled[inside]]
            squares.append(resize(square, BACK, BACK))
            pictures.append(picture.image)
    progress(f"{len(pictures)} pictures of streets, {len(marks)} objects in them")
    drawn = [(back(chance, pictures) * 255).astype(np.uint8) for _ in range(backs)]
    made = [sprite(chance, pictures) for _ in range(sprites)]
    return Bank(
        np.stack([m[0] for m in made]),
        np.stack([m[1] for m in made]),
        np.stack(squares + drawn).transpose(0, 3, 1, 2).copy(),
        np.array(marks, np.float32).reshape(-1, 5),
    )


def save_bank(path: Path, bank: Bank) -> None:
    np.savez(path, sprites=bank.sprites, outline=bank.outline, backs=bank.backs, objects=bank.objects)


def load_bank(path: Path) -> Bank:
    with np.load(path) as stored:
        return Bank(**{name: stored[name] for name in ("sprites", "outline", "backs", "objects")})
