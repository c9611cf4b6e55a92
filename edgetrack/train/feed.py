"""Batches for training: parts of rendered pictures, bent in shape, colour and sharpness."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from edgetrack.train.pictures import near_pictures, street_pictures
from edgetrack.types import Image

SHARD_STREETS = 25
FIRST_STREET = 1_000_000
ZOOM, NEAR_ZOOM = 0.53, 0.15  # logarithm of the largest change of size
GREY = 114 / 255  # round a letterboxed picture, as in the detector
LEAST_PX = 5.0  # an object lower or thinner than this after scaling is neither right nor wrong to find


def render_shard(folder: Path, shard: int, near: bool = False, streets: int = SHARD_STREETS) -> None:
    """Pictures of the shard's first streets in two files: (P, H, W, 3) uint8 and rows of picture, class, xyxy."""
    images: list[Image] = []
    rows: list[tuple[float, ...]] = []
    for street in range(shard * SHARD_STREETS, shard * SHARD_STREETS + streets):
        for picture in (near_pictures if near else street_pictures)(FIRST_STREET + street):
            rows += [(len(images), c, *box) for box, c in zip(picture.xyxy, picture.class_id, strict=True)]
            images.append(picture.image)
    name = f"near{shard:05d}" if near else f"{shard:05d}"
    np.save(folder / f"{name}.npy", np.stack(images))
    part = folder / f"{name}.part.npy"
    np.save(part, np.array(rows, np.float32).reshape(-1, 6))
    part.rename(folder / f"{name}.boxes.npy")  # now it counts


class Feed:
    """Draws from the shards in a folder.

    Args:
        folder: filled by `render_shard`.
        seed: of the order and of all bending.
        near: share of batches from the streets like the demo's.
    """

    def __init__(self, folder: Path, seed: int, near: float = 0.0) -> None:
        self._chance, self._near = np.random.default_rng(seed), near
        self._shards: dict[str, tuple[NDArray[Any], list[NDArray[Any]]]] = {}
        for path in sorted(folder.glob("*.boxes.npy")):
            images, rows = np.load(folder / path.name.replace(".boxes", ""), mmap_mode="r"), np.load(path)
            self._shards[path.name] = images, [rows[rows[:, 0] == k, 1:] for k in range(len(images))]

    def batches(self, count: int, batch: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """(B, 3, H, W) RGB 0..1, (B, G, 4) xyxy, (B, G) class, -1 ignored, -2 padding."""
        with ThreadPoolExecutor(1) as ahead:  # the next batch is made while the net works on this one
            coming = ahead.submit(self._next, batch)
            for _ in range(count):
                ready, coming = coming, ahead.submit(self._next, batch)
                yield ready.result()

    def _next(self, batch: int) -> tuple[Tensor, Tensor, Tensor]:
        return self._batch(batch, (320, 192) if self._chance.random() < 0.75 else (320, 320))

    def _batch(self, batch: int, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
        near = self._chance.random() < self._near
        names = [name for name in self._shards if name.startswith("near") == near]
        pictures, rows = [], []
        for _ in range(batch):
            images, boxes = self._shards[names[self._chance.integers(len(names))]]
            k = int(self._chance.integers(len(images)))
            pictures.append(np.asarray(images[k]))
            rows.append(boxes[k])
        source = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).flip(1).float() / 255
        zoom = NEAR_ZOOM if near else ZOOM
        shape = (source.shape[3], source.shape[2])
        frames, labels = zip(*(self._frame(shape, size, zoom, r) for r in rows), strict=True)
        most = max(1, max(len(label) for label in labels))
        truth, class_id = torch.zeros(batch, most, 4), torch.full((batch, most), -2, dtype=torch.long)
        for b, label in enumerate(labels):
            truth[b, : len(label)] = torch.from_numpy(label[:, 1:])
            class_id[b, : len(label)] = torch.from_numpy(label[:, 0]).long()
        grid = functional.affine_grid(torch.stack(frames), [batch, 3, size[1], size[0]], align_corners=False)
        cut = functional.grid_sample(source - GREY, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        return self._colours(cut + GREY), truth, class_id

    def _frame(
        self, shape: tuple[int, int], size: tuple[int, int], zoom: float, rows: NDArray[Any]
    ) -> tuple[Tensor, NDArray[np.float32]]:
        """The map from output to source coordinates (-1..1), and the boxes in the output."""
        chance, (width, height) = self._chance, shape
        fit = min(size[0] / width, size[1] / height)
        scale = fit * (1.0 if chance.random() < 0.3 else float(np.exp(chance.uniform(-zoom, zoom))))
        sx, sy = scale * chance.uniform(0.93, 1.07), scale * chance.uniform(0.93, 1.07)
        flip = -1.0 if chance.random() < 0.5 else 1.0
        # source point (cx, cy) comes to the middle of the output
        free_x, free_y = abs(width - size[0] / sx) / 2, abs(height - size[1] / sy) / 2
        cx, cy = width / 2 + chance.uniform(-1, 1) * free_x, height / 2 + chance.uniform(-1, 1) * free_y
        theta = torch.tensor(
            [
                [flip * size[0] / sx / width, 0, 2 * cx / width - 1],
                [0, size[1] / sy / height, 2 * cy / height - 1],
            ],
            dtype=torch.float32,
        )
        boxes = rows.astype(np.float32).copy()
        x = (boxes[:, [1, 3]] - cx) * flip * sx + size[0] / 2
        y = (boxes[:, [2, 4]] - cy) * sy + size[1] / 2
        boxes[:, [1, 3]], boxes[:, [2, 4]] = np.sort(x, axis=1), np.sort(y, axis=1)
        whole = (boxes[:, 3] - boxes[:, 1]) * (boxes[:, 4] - boxes[:, 2])
        boxes[:, [1, 3]] = boxes[:, [1, 3]].clip(0, size[0])
        boxes[:, [2, 4]] = boxes[:, [2, 4]].clip(0, size[1])
        wide, tall = boxes[:, 3] - boxes[:, 1], boxes[:, 4] - boxes[:, 2]
        there = (wide > 1) & (tall > 1)
        doubtful = (wide * tall < 0.2 * whole) | (tall < LEAST_PX * 1.6) | (wide < LEAST_PX * 0.6)
        boxes[:, 0] = np.where(doubtful, -1, boxes[:, 0])
        return theta, boxes[there]

    def _colours(self, x: Tensor) -> Tensor:
        chance, batch = self._chance, len(x)

        def draw(low: float, high: float, *shape: int) -> Tensor:
            return torch.from_numpy(chance.uniform(low, high, (batch, *shape)).astype(np.float32))

        x = x * draw(0.65, 1.35, 1, 1, 1) * draw(0.88, 1.12, 3, 1, 1)
        mean = x.mean(dim=(2, 3), keepdim=True)
        x = (x - mean) * draw(0.7, 1.3, 1, 1, 1) + mean + draw(-0.08, 0.08, 1, 1, 1)
        for b in range(batch):
            if chance.random() < 0.12:
                x[b] = x[b][torch.from_numpy(chance.permutation(3))]
            if chance.random() < 0.08:
                x[b] = x[b].mean(dim=0, keepdim=True)
            if chance.random() < 0.15:
                x[b] = functional.avg_pool2d(x[b], 3, 1, 1)
            if chance.random() < 0.3:
                x[b] += torch.randn(1, *x.shape[2:]) * float(chance.uniform(0.01, 0.05))
        return x.clamp(0, 1)
