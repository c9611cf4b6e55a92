"""Examples for the follower: one target at three times, cut out as the follower cuts it out.

The first picture, a recent one, and the one that is searched. From recent to searched the target moves as in the paper
(Held et al. 2016, section 3.3): Laplace distributed, 1/5 of its size for the centre, 1/15 for the size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from edgetrack.refine.crops import FILL, SEARCH_PX, TEMPLATE_PX, side
from edgetrack.train.sprites import DIRECTIONS, Bank

CENTRE, SIZE = 1 / 5, 1 / 15  # scales of the Laplace distributions; the paper's
LEAST_SCALE, MOST_SCALE = 0.6, 1.4
FREE = 0.15  # share of displacements drawn evenly over the window: fast targets, bad predictions
PATCH = 0.22  # share of targets that are a part of the background: still pictures under a moving camera
ABSENT = 0.08
LEAST_VISIBLE = 0.25
DISTRACTORS, SAME_LOOK = 3, 0.5
FIRST, RECENT, NOW = range(3)
PX = TEMPLATE_PX, TEMPLATE_PX, SEARCH_PX  # of a crop, by time

Array = NDArray[np.float64]
CORNERS = np.tile([[-1, -1], [1, -1], [1, 1], [-1, 1]], (DIRECTIONS // 4, 1)).astype(float)


@dataclass(frozen=True)
class Examples:
    """N of them: crops (N, 3, side, side) uint8 BGR."""

    first: Any  # TEMPLATE_PX
    recent: Any  # TEMPLATE_PX
    search: Any  # SEARCH_PX
    shape: Any  # (N, 6) width and height of first, recent and expected box as fractions of their crops
    target: Any  # (N, 4) xyxy, fractions of the search crop
    present: Any  # (N,) visible share of the target, 0: it is not there

    def rows(self, chosen: Any) -> Examples:
        return Examples(*(getattr(self, f.name)[chosen] for f in fields(self)))


def _turn(angle: Array) -> Array:
    """(..., 2, 2) matrices that turn by `angle`."""
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)


def _planes(values: Array) -> Tensor:
    """(N, C) -> (N, C, 1, 1), to be spread over a crop."""
    return torch.from_numpy(values).float()[:, :, None, None]


@dataclass
class Poses:
    """Of one layer, at three times."""

    middle: Array  # (3, N, 2)
    angle: Array  # (3, N)
    half: Array  # (3, N, 2) half width and height before turning

    def inverse(self) -> tuple[Array, Array]:
        """(3, N, 2, 2) and (3, N, 2): scene -> the layer's own square, -1..1."""
        matrix = _turn(-self.angle) / self.half[..., None]
        return matrix, -np.einsum("tnij,tnj->tni", matrix, self.middle)

    def boxes(self, outline: Array) -> Array:
        """(3, N, 4) xyxy of outlines (N, P, 2)."""
        points = np.einsum("tnij,tnpj->tnpi", _turn(self.angle), outline[None] * self.half[:, :, None])
        points = points + self.middle[:, :, None]
        return np.concatenate([points.min(2), points.max(2)], axis=-1)


@dataclass
class Layer:
    """One thing of every example, at three times."""

    poses: Poses
    sprite: NDArray[Any]  # (N,) in the bank
    shown: NDArray[np.bool_]  # (3, N)


@dataclass
class Back:
    """The background of every example: scene -> picture, -1..1."""

    picture: NDArray[Any]  # (N,) in the bank
    matrix: Array  # (3, N, 2, 2)
    offset: Array  # (3, N, 2)


@dataclass
class Look:
    """What is cut out of the scene, at one of the three times."""

    t: int
    centre: Array  # (N, 2)
    half: Array  # (N,) of a side
    px: int  # of a side


class Studio:
    """Draws examples from a bank."""

    def __init__(self, bank: Bank, seed: int) -> None:
        self.bank, self.chance = bank, np.random.default_rng(seed)

    def examples(self, count: int) -> Examples:
        chance = self.chance
        patch = chance.random(count) < PATCH
        target, sprite, back, outline = self._target(count, patch)
        boxes = target.boxes(outline)
        believed, window = self._windows(boxes)
        present = chance.random(count) >= ABSENT
        always = np.ones((3, count), bool)
        behind, *before = [Layer(self._beside(target, boxes), self._looks(sprite), always) for _ in range(DISTRACTORS)]
        sought = Layer(target, sprite, np.stack([~patch, ~patch, ~patch & present]))
        centre = (window[..., :2] + window[..., 2:]) / 2
        half = (window[..., 2] - window[..., 0]) / 2
        gone = patch & ~present  # a part of the background is gone when the window looks elsewhere
        centre[NOW, gone] += (half[NOW, gone] * 2.5)[:, None]
        looks = [Look(t, centre[t], half[t], PX[t]) for t in (FIRST, RECENT, NOW)]
        crops, seen = zip(*[self._shoot(look, back, [behind, sought, *before], sought) for look in looks], strict=True)
        visible = np.where(patch, 1.0, seen[NOW]) * present
        first, recent, search = self._finish(crops)
        low, span = centre[NOW] - half[NOW][:, None], 2 * half[NOW][:, None]
        truth = (boxes[NOW] - np.tile(low, 2)) / span
        return Examples(
            first,
            recent,
            search,
            _shape(believed, window).astype(np.float32),
            truth.astype(np.float32),
            np.where(visible < LEAST_VISIBLE, 0, visible).astype(np.float32),
        )

    def _shoot(self, look: Look, back: Back, layers: Sequence[Layer], target: Layer) -> tuple[Tensor, Array]:
        """Crops (N, 3, size, size) 0..1 with layers from back to front, and the share of the target that they show."""
        canvas = _crop(torch.from_numpy(self.bank.backs[back.picture]), (back.matrix, back.offset), look, "reflection")
        seen = whole = torch.zeros(())  # nothing, until the target comes
        for layer in layers:
            paint = _crop(torch.from_numpy(self.bank.sprites[layer.sprite]), layer.poses.inverse(), look, "zeros")
            cover = paint[:, 3:] * torch.from_numpy(layer.shown[look.t]).float()[:, None, None, None]
            canvas = canvas * (1 - cover) + paint[:, :3] * cover
            if layer is target:
                seen = whole = cover
            else:
                seen = seen * (1 - cover)
        return canvas, (seen.sum((1, 2, 3)) / whole.sum((1, 2, 3)).clamp(min=1)).numpy().astype(float)

    def _target(self, n: int, patch: NDArray[np.bool_]) -> tuple[Poses, NDArray[Any], Back, Array]:
        """Its poses, its sprite, its background, its outline (N, P, 2)."""
        chance, bank = self.chance, self.bank
        choice = chance.integers(len(bank.sprites), size=n)
        picture = chance.integers(len(bank.backs), size=n)
        aspect = np.exp(np.clip(chance.normal(0, 0.42, n), -1.2, 1.2))
        spread = np.exp(chance.uniform(np.log(0.1), np.log(0.5), n))  # of the background per unit of the scene
        origin = chance.uniform(-0.6, 0.6, (n, 2))
        known = patch & (chance.random(n) < 0.7)
        mark = bank.objects[chance.integers(len(bank.objects), size=n)]
        wide, tall = (mark[:, 3] - mark[:, 1]) / 2, (mark[:, 4] - mark[:, 2]) / 2
        picture = np.where(known, mark[:, 0].astype(int), picture)
        aspect = np.where(known, wide / tall, aspect)
        spread = np.where(known, 2 * np.sqrt(wide * tall), spread)
        origin = np.where(known[:, None], np.stack([mark[:, 1] + wide, mark[:, 2] + tall], 1), origin)
        outline = np.where(patch[:, None, None], CORNERS, bank.outline[choice].astype(float))

        poses = self._walk(n, np.where(patch, 0.3, 1.0), aspect)
        shift = np.zeros((3, n, 2))
        shift[RECENT] = chance.normal(0, 1, (n, 2))
        shift[NOW] = shift[RECENT] + chance.laplace(0, 0.15, (n, 2))
        roll = chance.normal(0, 0.05, (3, n))
        zoom = np.exp(chance.normal(0, 0.1, (3, n)))
        own = np.sqrt(poses.half.prod(-1)) * 2
        shift[:, patch], roll[:, patch], zoom[:, patch] = 0, poses.angle[:, patch], own[:, patch]
        matrix = _turn(-roll) * (spread / zoom)[..., None, None]
        offset = origin + np.clip(shift * spread[:, None], -0.8, 0.8)
        return poses, choice, Back(picture, matrix, offset), outline

    def _walk(self, n: int, free: Array, aspect: Array) -> Poses:
        """A target at the origin that turns, grows and bends between the three times."""
        chance = self.chance
        calm = np.where(chance.random(n) < 0.25, 0.2, 1.0) * free  # some are followed since a moment ago only
        spin = np.where(chance.random(n) < 0.06, 1.5, 0.28)
        angle = np.zeros((3, n))
        angle[FIRST] = chance.normal(0, 0.25, n) * free
        angle[RECENT] = angle[FIRST] + chance.normal(0, 1, n) * spin * calm
        angle[NOW] = angle[RECENT] + chance.normal(0, 0.08, n) * free
        change = np.zeros((3, n, 2))
        change[RECENT] = (chance.normal(0, 0.3, (n, 1)) + chance.normal(0, 0.1, (n, 2))) * calm[:, None]
        change[NOW] = change[RECENT] + chance.normal(0, 0.04, (n, 1)) + chance.normal(0, 0.02, (n, 2))
        base = np.stack([np.sqrt(aspect), 1 / np.sqrt(aspect)], 1) / 2
        return Poses(np.zeros((3, n, 2)), angle, base * np.exp(change))

    def _windows(self, boxes: Array) -> tuple[Array, Array]:
        """(3, N, 4) the boxes that the follower believes in when it cuts, and its crops."""
        chance, n = self.chance, boxes.shape[1]
        middle, size = (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]
        move = np.zeros((3, n, 2))
        move[FIRST], move[RECENT] = chance.laplace(0, 0.015, (n, 2)), chance.laplace(0, 0.06, (n, 2))
        move[NOW] = chance.laplace(0, CENTRE, (n, 2))
        free = np.asarray(chance.random(n) < FREE)
        move[NOW, free] = chance.uniform(-1, 1, (int(free.sum()), 2))
        move = np.clip(move, -1.1, 1.1)
        grow = np.stack([chance.laplace(0, scale, (n, 2)) for scale in (0.02, 0.08, SIZE)])
        grow[NOW] += chance.normal(0, 0.05, (n, 1))
        size = size * np.clip(1 + grow, LEAST_SCALE, MOST_SCALE)
        middle = middle + move * size
        believed = np.concatenate([middle - size / 2, middle + size / 2], axis=-1)
        half = np.stack([side(b) * zoom / 2 for b, zoom in zip(believed, (1, 1, 2), strict=True)])[..., None]
        return believed, np.concatenate([middle - half, middle + half], axis=-1)

    def _looks(self, choice: NDArray[Any]) -> NDArray[Any]:
        other = self.chance.integers(len(self.bank.sprites), size=len(choice))
        return np.where(self.chance.random(len(choice)) < SAME_LOOK, choice, other)

    def _beside(self, target: Poses, boxes: Array) -> Poses:
        """Another thing: near the target, in front of it now and then, or far away."""
        chance, n = self.chance, boxes.shape[1]
        angle = target.angle + chance.normal(0, 0.3, n) + chance.normal(0, 0.05, (3, n))
        half = target.half * np.exp(chance.normal(0, 0.25, (n, 2)))
        way, kind = chance.uniform(0, 2 * np.pi, n), chance.random(n)
        far = np.where(kind < 0.12, chance.uniform(0.2, 0.7, n), np.where(kind < 0.7, chance.uniform(0.8, 2.2, n), 50))
        reach = np.stack([np.cos(way), np.sin(way)], 1) * far[:, None]
        middle = np.stack([reach + chance.normal(0, s, (n, 2)) for s in (1.5, 0.2, 0.0)])
        middle[FIRST] += np.where(np.abs(middle[FIRST]) < 0.7, np.sign(middle[FIRST]) * 0.8, 0)
        return Poses(middle, angle, half)

    def _finish(self, crops: Sequence[Tensor]) -> list[NDArray[np.uint8]]:
        """Light, blur, noise, edges of the picture."""
        chance, n = self.chance, len(crops[0])
        grey, coarse = chance.random(n) < 0.1, chance.random(n) < 0.25
        sudden = np.where(chance.random(n) < 0.15, 0.35, 0.06)
        light = np.zeros((3, n, 3))
        light[FIRST] = chance.normal(0, 0.2, (n, 1)) + chance.normal(0, 0.06, (n, 3))
        light[NOW] = chance.normal(0, sudden[:, None], (n, 1)) + chance.normal(0, 0.02, (n, 3))
        lift = np.stack([chance.normal(0, 0.05, n), np.zeros(n), chance.normal(0, sudden / 3)])
        done = []
        for t, x in enumerate(crops):
            x = x * _planes(np.exp(light[t])) + _planes(lift[t][:, None])
            shade = chance.normal(0, 0.12, (n, 2)) * (chance.random((n, 1)) < 0.3)
            ramp = torch.linspace(-1, 1, x.shape[-1])
            x = x * (1 + _planes(shade[:, :1]) * ramp + _planes(shade[:, 1:]) * ramp[:, None])
            x[grey] = x[grey].mean(1, keepdim=True)
            if coarse.any():
                small = functional.avg_pool2d(x[coarse], 2)
                x[coarse] = functional.interpolate(small, size=x.shape[-2:], mode="bilinear", align_corners=False)
            for kernel, share in (((3, 3), 0.2), ((1, 5), 0.06), ((5, 1), 0.06)):
                some = chance.random(n) < share
                if some.any():
                    pad = (kernel[0] // 2, kernel[1] // 2)
                    x[some] = functional.avg_pool2d(x[some], kernel, 1, pad, count_include_pad=False)
            x = x + torch.randn(x.shape) * _planes(np.abs(chance.normal(0, 0.015, (n, 1))))
            done.append(self._edge((x.clamp(0, 1) * 255 + 0.5).to(torch.uint8).numpy()))
        return done

    def _edge(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Some reach beyond the picture's edge."""
        for k in np.flatnonzero(self.chance.random(len(crops)) < 0.1):
            deep = int(self.chance.uniform(0.03, 0.35) * crops.shape[-1])
            which = self.chance.integers(4)
            part = slice(deep) if which < 2 else slice(-deep, None)
            if which % 2:
                crops[k, :, part] = FILL
            else:
                crops[k, :, :, part] = FILL
        return crops


def _crop(picture: Tensor, inverse: tuple[Array, Array], look: Look, edge: str) -> Tensor:
    """(N, C, size, size) 0..1 of one layer.

    Args:
        picture: (N, C, H, W) uint8.
        inverse: of `Poses`.
        edge: what is beyond the picture, as PyTorch calls it.
    """
    matrix, offset = inverse[0][look.t], inverse[1][look.t]
    shift = np.einsum("nij,nj->ni", matrix, look.centre) + offset
    theta = torch.from_numpy(np.concatenate([matrix * look.half[:, None, None], shift[..., None]], axis=-1)).float()
    grid = functional.affine_grid(theta, [len(theta), 1, look.px, look.px], align_corners=False)
    return functional.grid_sample(picture.float() / 255, grid, padding_mode=edge, align_corners=False)


def _shape(believed: Array, window: Array) -> Array:
    """(N, 6) the net's input `shape`."""
    size = (believed[..., 2:] - believed[..., :2]) / (window[..., 2:] - window[..., :2])
    return np.concatenate(list(size), axis=-1)


def save(path: Path, examples: Examples) -> None:
    """One array a file, so that training can map them."""
    path.mkdir(parents=True, exist_ok=True)
    for f in fields(examples):
        np.save(path / f"{f.name}.npy", getattr(examples, f.name))
    (path / "whole").touch()


def stored(folder: Path) -> list[Examples]:
    """All shards in a folder that were written to the end."""
    whole = sorted(path.parent for path in folder.glob("*/whole"))
    return [Examples(*(np.load(p / f"{f.name}.npy", mmap_mode="r") for f in fields(Examples))) for p in whole]
