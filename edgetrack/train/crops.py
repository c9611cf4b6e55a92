"""Batches for the embedder: crops as detectors cut them, of four places a batch, several of each identity.

Those of one place share its light, its camera and its backgrounds, as those do whom a tracker must tell apart; each
crop has its own pose, box, neighbours, shade, distance and noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from edgetrack.render import PERSON
from edgetrack.train.looks import HEIGHT, WIDTH, Wardrobe

PLACES = 4
KINDS, OFTEN = (0, 1, 2, 3), (0.72, 0.07, 0.09, 0.12)  # people, cars, cyclists, things
BEHIND, BEFORE = 0.35, 0.3  # chance of a neighbour behind, in front
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # as embedders of people expect their input
LEVELS = torch.tensor(  # the luminance table of ITU-T T.81, annex K
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)


def cosines(side: int) -> Tensor:
    """(side, side) the cosine transform of every eight in a row."""
    k, n = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    basis = torch.cos((2 * n + 1) * k * math.pi / 16) / 2
    basis[0] /= math.sqrt(2)
    return torch.block_diag(*[basis] * (side // 8))


ACROSS, DOWN = cosines(WIDTH), cosines(HEIGHT)


def compressed(x: Tensor, coarse: Tensor) -> Tensor:
    """(B, 3, HEIGHT, WIDTH) 0..1 as JPEG would keep it; `coarse` (B,) scales the table's steps, 1 is quality 50."""
    steps = (LEVELS * coarse[:, None, None]).clamp(min=1).repeat(1, HEIGHT // 8, WIDTH // 8)[:, None]
    waves = DOWN @ ((x * 255 - 128) @ ACROSS.T)
    return (DOWN.T @ ((waves / steps).round() * steps) @ ACROSS + 128) / 255


def normalised(x: Tensor) -> Tensor:
    return (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


class Feed:
    """Draws from a wardrobe.

    Args:
        identities: of one batch, a multiple of PLACES.
        looks: crops of each.
    """

    def __init__(self, wardrobe: Wardrobe, seed: int, identities: int = 32, looks: int = 4) -> None:
        self._w, self._chance = wardrobe, np.random.default_rng(seed)
        self._identities, self._looks = identities, looks
        self._of_kind = [np.flatnonzero(wardrobe.kind == kind) for kind in KINDS[:3]]

    def batches(self, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        """(B, 3, HEIGHT, WIDTH) RGB as the net takes it, and (B,) whom it shows."""
        with ThreadPoolExecutor(1) as ahead:  # the next batch is made while the net works on this one
            coming = ahead.submit(self.batch)
            for _ in range(count):
                ready, coming = coming, ahead.submit(self.batch)
                yield ready.result()

    def batch(self) -> tuple[Tensor, Tensor]:
        each = self._identities // PLACES
        kinds = self._chance.choice(KINDS, PLACES, p=OFTEN)
        who = np.repeat(np.arange(self._identities), self._looks)
        place = np.repeat(np.arange(PLACES), each * self._looks)
        own = np.concatenate([self._figures(int(kind), each) for kind in kinds])
        x = self._composed(self._backgrounds(place), own, kinds[place])
        x = self._photographed(x, torch.from_numpy(place))
        return normalised(x), torch.from_numpy(who)

    def _figures(self, kind: int, count: int) -> NDArray[np.uint8]:
        """(count * looks, 4, HEIGHT, WIDTH) of so many different ones."""
        if kind == len(self._of_kind):
            chosen = self._chance.choice(len(self._w.things), count, replace=len(self._w.things) < count)
            return np.repeat(self._w.things[np.sort(chosen)], self._looks, axis=0)
        of = self._of_kind[kind]
        rows = [
            self._w.views[k][self._chance.choice(self._w.views.shape[1], self._looks, replace=False)]
            for k in self._chance.choice(of, count, replace=len(of) < count)
        ]
        return np.concatenate(rows)

    def _draw(self, low: float, high: float, *shape: int) -> Tensor:
        return torch.from_numpy(self._chance.uniform(low, high, shape).astype(np.float32))

    def _some(self, share: float, count: int) -> Tensor:
        return torch.from_numpy(self._chance.random(count) < share)

    def _backgrounds(self, place: NDArray[Any]) -> Tensor:
        """Parts of the two pictures of each place."""
        pictures = self._chance.integers(len(self._w.backs), size=(PLACES, 2))
        chosen = pictures[place, self._chance.integers(2, size=len(place))]
        source = torch.from_numpy(self._w.backs[chosen]).float()
        half = self._draw(0.15, 0.45, len(place))
        zero = torch.zeros_like(half)
        x, y = (self._draw(-1, 1, len(place)) * (1 - half) for _ in range(2))
        theta = torch.stack([torch.stack([half * 0.6, zero, x], 1), torch.stack([zero, half, y], 1)], 1)
        return self._sampled(source, theta)

    def _sampled(self, source: Tensor, theta: Tensor, flow: Tensor | None = None) -> Tensor:
        grid = functional.affine_grid(theta, [len(source), source.shape[1], HEIGHT, WIDTH], align_corners=False)
        grid = grid if flow is None else grid + flow
        return functional.grid_sample(source, grid, padding_mode="zeros", align_corners=False)

    def _composed(self, back: Tensor, own: NDArray[np.uint8], kind: NDArray[Any]) -> Tensor:
        """Background, somebody behind, the target in a box that does not quite fit, somebody in front."""
        n = len(own)
        picture = self._laid(back, self._others(kind), self._beside(n, BEHIND, 0.3))
        grow_x, grow_y = (torch.exp(self._draw(-0.16, 0.12, n)) for _ in range(2))
        flip = torch.where(self._some(0.5, n), -1.0, 1.0)
        zero, lean = torch.zeros(n), self._draw(-0.08, 0.08, n)
        rows = [
            torch.stack([flip / grow_x, lean, self._draw(-0.13, 0.13, n)], 1),
            torch.stack([zero, 1 / grow_y, self._draw(-0.09, 0.09, n)], 1),
        ]
        flow = functional.interpolate(self._draw(-0.06, 0.06, n, 2, 4, 3), size=(HEIGHT, WIDTH), mode="bilinear")
        picture = self._over(
            picture, self._sampled(torch.from_numpy(own).float(), torch.stack(rows, 1), flow.permute(0, 2, 3, 1))
        )
        return self._laid(picture, self._others(kind), self._beside(n, BEFORE, 0.75)) / 255

    def _others(self, kind: NDArray[Any]) -> Tensor:
        """Somebody of the same kind mostly, or a thing."""
        rows = []
        for k in kind:
            if k >= len(self._of_kind) or self._chance.random() < 0.25:
                rows.append(self._w.things[self._chance.integers(len(self._w.things))])
            else:
                of = self._of_kind[k if self._chance.random() < 0.8 else PERSON]
                rows.append(self._w.views[self._chance.choice(of), self._chance.integers(self._w.views.shape[1])])
        return torch.from_numpy(np.stack(rows)).float()

    def _beside(self, n: int, share: float, least: float) -> Tensor:
        """(n, 2, 3) maps for neighbours, `least` to 1.7 half widths aside or from below; most of them nowhere."""
        side = torch.where(self._some(0.5, n), -1.0, 1.0) * self._draw(least, 1.7, n)
        below = self._some(0.25, n)
        x = torch.where(below, self._draw(-0.6, 0.6, n), side)
        y = torch.where(below, self._draw(0.9, 1.6, n), self._draw(-0.35, 0.35, n))
        x = torch.where(self._some(share, n), x, torch.full((n,), 9.0))
        wide, tall = torch.exp(self._draw(-0.3, 0.4, n)), torch.exp(self._draw(-0.3, 0.3, n))
        zero = torch.zeros(n)
        return torch.stack(
            [torch.stack([1 / wide, zero, -x / wide], 1), torch.stack([zero, 1 / tall, -y / tall], 1)], 1
        )

    def _laid(self, picture: Tensor, figures: Tensor, theta: Tensor) -> Tensor:
        seen = theta[:, 0, 2].abs() < 5
        result = picture.clone()
        result[seen] = self._over(picture[seen], self._sampled(figures[seen], theta[seen]))
        return result

    def _over(self, picture: Tensor, layer: Tensor) -> Tensor:
        return picture * (1 - layer[:, 3:] / 255) + layer[:, :3]

    def _photographed(self, x: Tensor, place: Tensor) -> Tensor:
        """BGR 0..1 -> RGB 0..1 in the light of each place, from near or far, by a small camera."""
        n, wide = len(x), PLACES
        x = x.flip(1)
        gain, tint = torch.exp(self._draw(-0.55, 0.4, wide, 1, 1, 1)), torch.exp(self._draw(-0.13, 0.13, wide, 3, 1, 1))
        bend, haze = torch.exp(self._draw(-0.35, 0.35, wide, 1, 1, 1)), self._draw(0, 0.22, wide, 1, 1, 1)
        slope = self._draw(-0.25, 0.25, n, 1, 1, 1) * torch.linspace(-1, 1, WIDTH)
        slope = slope + self._draw(-0.2, 0.2, n, 1, 1, 1) * torch.linspace(-1, 1, HEIGHT)[:, None]
        own = torch.exp(self._draw(-0.18, 0.18, n, 1, 1, 1) + slope) * torch.exp(self._draw(-0.03, 0.03, n, 3, 1, 1))
        x = (x.clamp(min=1e-4) ** bend[place] * gain[place] * tint[place] * own).clamp(0, 1)
        x = x * (1 - haze[place]) + 0.75 * haze[place] * self._some(0.3, wide)[place, None, None, None]
        x = self._far(x)
        grain = self._draw(0, 0.05, wide, 1, 1, 1)
        x = x + torch.randn(n, 1, HEIGHT, WIDTH) * grain[place]
        coarse = torch.exp(self._draw(math.log(0.1), math.log(1.2), wide))
        return compressed(x.clamp(0, 1), coarse[place]).clamp(0, 1)

    def _far(self, x: Tensor) -> Tensor:
        """A third as they are; others small once and enlarged, or blurred along one side by their movement."""
        kind = torch.from_numpy(self._chance.integers(6, size=len(x)))
        for k, tall in ((2, 72), (3, 48), (4, 32)):
            some = kind == k
            if some.any():
                small = functional.interpolate(x[some], size=(tall, tall // 2), mode="area")
                x[some] = functional.interpolate(small, size=(HEIGHT, WIDTH), mode="bilinear", align_corners=False)
        x[kind == 5] = functional.avg_pool2d(x[kind == 5], (1, 5), 1, (0, 2), count_include_pad=False)
        return x
