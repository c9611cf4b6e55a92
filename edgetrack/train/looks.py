"""People, cars, cyclists and things, each seen several times: what an embedder learns to tell apart.

Every look is drawn alone, with its cover, so that training can put it before any background, behind anything, into any
light.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from edgetrack.render import BICYCLE, CAR, PERSON
from edgetrack.render.camera import Camera, View
from edgetrack.render.cars import car_look
from edgetrack.render.dice import Dice
from edgetrack.render.paint import OPAQUE, Colour, Sprite, outline
from edgetrack.render.people import CyclistLook, PersonLook, cyclist_look, person_look
from edgetrack.render.stage import figure
from edgetrack.render.traffic import Actor, Look
from edgetrack.train.pictures import street_pictures
from edgetrack.train.sprites import back, sprite, stripes, texture
from edgetrack.types import Image

WIDTH, HEIGHT = 64, 128  # px of a crop
VIEWS = 8  # of one identity; a thing has one, which is bent in training
DRAWN_PX = 150  # height of a figure when it is drawn
FIRST_STREET = 6_000_000
FIRST_LOOK = 7_000_000
THING = 3  # beside PERSON, CAR, BICYCLE
LIMIT = (-2000, -2000, 4000, 4000)

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Wardrobe:
    """
    Attributes:
        views: (I, VIEWS, 4, HEIGHT, WIDTH) uint8: blue, green, red times cover, and cover; the box fills the crop.
        things: (T, 4, HEIGHT, WIDTH) likewise.
        backs: (P, 3, side, side) uint8.
        kind: (I,) PERSON, CAR or BICYCLE.
    """

    views: Pixels
    things: Pixels
    backs: Pixels
    kind: NDArray[np.int64]


def look_of(dice: Dice, kind: int) -> Look:
    if kind == PERSON:
        return person_look(dice, rain=dice.chance(0.15))
    return car_look(dice, False) if kind == CAR else cyclist_look(dice)


def view_of(dice: Dice, kind: int, look: Look) -> tuple[Sprite, float]:
    """One look at somebody, from any camera on a pole, and the heading."""
    height, away = dice.between(1.4, 6.5), dice.between(4, 22) + (4 if kind == CAR else 0)
    aside, heading = dice.between(-0.35, 0.35) * away, dice.between(0, 2 * math.pi)
    if kind != PERSON and dice.chance(0.6):
        heading = dice.pick((0.0, math.pi)) + dice.between(-0.4, 0.4)
    pitch = math.degrees(math.atan2(height - 0.8, away))
    focal = dice.between(0.7, 1.3)
    tall = 1.7 if kind != CAR else 1.5
    wide = round(DRAWN_PX / tall * math.hypot(away, aside, height - 0.8) / focal)
    camera = Camera(View(height, pitch, 0.0, focal), wide, wide * 9 // 16)
    moving = 1.0 if dice.chance(0.75) else dice.between(0, 0.3)
    actor = Actor(1, kind, look, (aside, away), heading, dice.between(0, 9), moving)
    parts = figure(actor, camera)
    box = outline(parts)
    if box[2] - box[0] > 4 * DRAWN_PX:  # a car beside the camera
        return view_of(dice, kind, look)
    middle = round((box[0] + box[2]) / 2), round((box[1] + box[3]) / 2)
    limit = tuple(m + d for m, d in zip((*middle, *middle), (-600, -600, 600, 600), strict=True))
    return Sprite(box, limit).draw(parts), heading  # type: ignore[arg-type]


def squared(patch: Sprite) -> Pixels:
    """(4, HEIGHT, WIDTH) of a sprite's patch, less the pixel that stands round it."""
    planes = np.concatenate([patch.colour, np.minimum(patch.cover, 255)[..., None]], axis=2)[1:-1, 1:-1]
    x = torch.from_numpy(planes.transpose(2, 0, 1).astype(np.float32))[None]
    x = functional.interpolate(x, size=(HEIGHT, WIDTH), mode="bilinear", antialias=True, align_corners=False)
    return x[0].round().clamp(0, 255).to(torch.uint8).numpy()


def print_on(patch: Sprite, cloth: Colour, pattern: NDArray[np.float32], heading: float) -> None:
    """Replace what has the colour of `cloth`, however it is shaded, by a pattern that turns with the body."""
    colour, tint = patch.colour.astype(np.float32), np.array(cloth, np.float32)
    gain = colour @ tint / float(tint @ tint + 1)
    rest = np.abs(colour - gain[..., None] * tint).max(axis=2)
    share = ((rest < 14) & (gain > 0.45) & (gain < 1.7) & (patch.cover > OPAQUE // 2)).astype(np.float32)[..., None]
    height, width = share.shape[:2]
    side = len(pattern)
    rows = np.arange(height) * side // height
    columns = (np.arange(width) * side // (2 * width) + int(heading / (2 * math.pi) * side)) % side
    printed = pattern[rows[:, None], columns[None]] * 255 * np.clip(gain, 0.5, 1.4)[..., None]
    mixed = colour * (1 - share) + np.clip(printed, 0, 255) * share
    patch.colour = mixed.astype(np.uint16)


def cloths(look: Look) -> tuple[Colour, Colour] | None:
    who = look.rider if isinstance(look, CyclistLook) else look
    return (who.top, who.legs) if isinstance(who, PersonLook) else None


def identity(number: int, kind: int, pictures: list[Image]) -> Pixels:
    """(VIEWS, 4, HEIGHT, WIDTH); half of the people wear a print, some of them on their legs too."""
    chance = np.random.default_rng([number, 5])
    look = look_of(Dice(number, 81), kind)
    worn = cloths(look)
    prints: list[tuple[Colour, NDArray[np.float32]]] = []
    for cloth, often in zip(worn or (), (0.5, 0.2), strict=False):
        if chance.random() < often:
            prints.append((cloth, _pattern(chance, cloth, pictures)))
    found = []
    for view in range(VIEWS):
        patch, heading = view_of(Dice(number, 82, view), kind, look)
        for cloth, pattern in prints:
            print_on(patch, cloth, pattern, heading)
        found.append(squared(patch))
    return np.stack(found)


def _pattern(chance: Any, cloth: Colour, pictures: list[Image]) -> NDArray[np.float32]:
    """(48, 48, 3) BGR 0..1: stripes, checks, or any texture, wholly or on the cloth."""
    other = chance.uniform(0, 1, 3).astype(np.float32)
    own = np.array(cloth, np.float32) / 255
    kind = chance.random()
    if kind < 0.5:
        part = stripes(chance, 48)[..., None]
        return np.asarray(own * part + other * (1 - part), np.float32)
    made = texture(chance, 48, pictures)
    return made if kind < 0.75 else np.asarray(np.clip(own + (made - 0.5) * 0.7, 0, 1), np.float32)


def make_wardrobe(seed: int, counts: tuple[int, int, int, int], backs: int, tell: Callable[[str], None]) -> Wardrobe:
    """`counts`: people, cars, cyclists, things; `backs`: drawn backgrounds, beside four of a street for ten of them."""
    chance = np.random.default_rng(seed)
    pictures = [
        p.image
        for street in range(max(1, backs // 10))
        for p in street_pictures(FIRST_STREET + 1000 * seed + street, 4)
    ]
    kinds = np.repeat((PERSON, CAR, BICYCLE), counts[:3])
    views = np.empty((len(kinds), VIEWS, 4, HEIGHT, WIDTH), np.uint8)
    for k, kind in enumerate(kinds):
        views[k] = identity(FIRST_LOOK + 100_000 * seed + k, int(kind), pictures)
        if k % 500 == 499:
            tell(f"{k + 1} of {len(kinds)} identities")
    things = np.empty((counts[3], 4, HEIGHT, WIDTH), np.uint8)
    for k in range(counts[3]):
        plain = sprite(chance, pictures)[0].astype(np.float32)
        plain[:3] *= plain[3:] / 255
        x = functional.interpolate(torch.from_numpy(plain)[None], size=(HEIGHT, WIDTH), mode="bilinear")
        things[k] = x[0].round().to(torch.uint8).numpy()
    drawn = np.stack([(back(chance, pictures) * 255).astype(np.uint8) for _ in range(backs)])
    streets = np.stack([p[-256:, 112:368] for p in pictures])
    return Wardrobe(views, things, np.concatenate([streets, drawn]).transpose(0, 3, 1, 2).copy(), kinds)


NAMES = ("views", "things", "backs", "kind")


def save(folder: Path, wardrobe: Wardrobe) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        np.save(folder / f"{name}.npy", getattr(wardrobe, name))
    (folder / "whole").touch()


def load(folder: Path) -> Wardrobe:
    return Wardrobe(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in NAMES))
