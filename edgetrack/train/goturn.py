"""Trains edgetrack-goturn on drawn and rendered things and writes it as ONNX, float and int8."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgetrack.arguments import number
from edgetrack.train.concatnet import Concat, concat_loss
from edgetrack.train.descent import Average, optimizer_of, rate
from edgetrack.train.follow import Examples, Studio, save, stored
from edgetrack.train.follownet import Goturn
from edgetrack.train.loss import overlap
from edgetrack.train.options import any_number, begin, fours, parser_of, some
from edgetrack.train.sprites import load_bank, make_bank, save_bank

log = logging.getLogger(__name__)

SHARD = 2048
DRAWN_AT_ONCE = 128
HEADS = ("correlate", "concat")
NEAR = 0.3  # of the box's sides: how far from its middle a cell's vote is wanted

Net = TypeVar("Net", Goturn, Concat)


class Feed:
    """Batches from shards, mirrored and with their colours exchanged; shards that come later join in.

    Args:
        rough: bend the templates, change every crop's light by itself, blur and hide parts of windows.
    """

    def __init__(self, folder: Path, seed: int, rough: bool = True) -> None:
        self._folder, self._chance, self._rough = folder, np.random.default_rng(seed), rough
        self._shards: list[Examples] = []

    def batches(self, count: int, batch: int) -> Iterator[list[Tensor]]:
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(self._next, batch, 0)
            for k in range(count):
                ready, coming = coming, ahead.submit(self._next, batch, k)
                yield ready.result()

    def _next(self, batch: int, index: int) -> list[Tensor]:
        if index % 50 == 0:
            self._shards = stored(self._folder)
        chance = self._chance
        parts = []
        for _ in range(4):
            shard = self._shards[chance.integers(len(self._shards))]
            parts.append(shard.rows(np.sort(chance.integers(len(shard.present), size=batch // 4))))
        arrays = [np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Examples)]
        first, recent, search, shape, target, present = (torch.from_numpy(a) for a in arrays)
        pictures = [first, recent, search]
        order = chance.permutation(3)
        if chance.random() < 0.5:
            pictures, target = [p.flip(-1) for p in pictures], target[:, [2, 1, 0, 3]] * torch.tensor([-1, 1, -1, 1.0])
            target = target + torch.tensor([1, 0, 1, 0.0])
        if chance.random() < 0.2:
            pictures, target = [p.flip(-2) for p in pictures], target[:, [0, 3, 2, 1]] * torch.tensor([1, -1, 1, -1.0])
            target = target + torch.tensor([0, 1, 0, 1.0])
        first, recent, search = (p[:, order].float() for p in pictures)
        if self._rough:
            first, recent = self._bent(first, 0.1), self._bent(recent, 0.05)
            first, recent, search = self._lit(first), self._lit(recent), self._erased(self._blurred(self._lit(search)))
        return [first, recent, search, shape, target, present]

    def _draw(self, low: float, high: float, *shape: int) -> Tensor:
        return torch.from_numpy(self._chance.uniform(low, high, shape).astype(np.float32))

    def _bent(self, x: Tensor, far: float) -> Tensor:
        """Seen from elsewhere: turned, grown, and bent smoothly by up to `far` of half the crop."""
        n = len(x)
        flow = functional.interpolate(self._draw(-far, far, n, 2, 4, 4), size=x.shape[2:], mode="bicubic")
        turn, grow = self._draw(-2 * far, 2 * far, n), 1 + self._draw(-far, far, n)
        rows = [torch.stack([grow, -turn, 0 * turn], 1), torch.stack([turn, grow, 0 * turn], 1)]
        grid = functional.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
        return functional.grid_sample(x, grid + flow.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)

    def _lit(self, x: Tensor) -> Tensor:
        n, mean = len(x), x.mean((2, 3), keepdim=True)
        return ((x - mean) * self._draw(0.6, 1.4, n, 1, 1, 1) + mean + self._draw(-25, 25, n, 3, 1, 1)).clamp(0, 255)

    def _blurred(self, x: Tensor) -> Tensor:
        for kernel in ((3, 3), (1, 7), (7, 1), (5, 5)):
            some = torch.from_numpy(self._chance.random(len(x)) < 0.1)
            pad = (kernel[0] // 2, kernel[1] // 2)
            x[some] = functional.avg_pool2d(x[some], kernel, 1, pad, count_include_pad=False)
        return x

    def _erased(self, x: Tensor) -> Tensor:
        """A third of the windows lose a rectangle."""
        n, line = len(x), torch.linspace(0, 1, x.shape[-1])
        low, size = self._draw(0.2, 0.7, 2, n, 1), self._draw(0.05, 0.25, 2, n, 1)
        inside = (line > low) & (line < low + size)
        hole = inside[0][:, None, None, :] & inside[1][:, None, :, None] & (self._draw(0, 1, n, 1, 1, 1) < 0.35)
        return torch.where(hole, self._draw(0, 255, n, 3, 1, 1), x)


def loss(net: Goturn, outputs: tuple[Tensor, ...], shape: Tensor, target: Tensor, present: Tensor) -> list[Tensor]:
    """Cost of the box, of the votes, of each cell's box, of the confidence."""
    box, trust, votes, each = outputs
    scale = shape[:, 4:6].repeat(1, 2)
    there = (present > 0).float()
    total = there.sum().clamp(min=1)
    iou = overlap(box, target)
    distance = functional.smooth_l1_loss(box / scale, target / scale, reduction="none", beta=0.02).mean(1)
    where = ((distance * 2 + 1 - overlap(box, target, enclosing=True)) * there).sum() / total
    middle, size = (target[:, :2] + target[:, 2:]) / 2 - 0.5, (target[:, 2:] - target[:, :2]).clamp(min=1e-3)
    near = ((net.x - middle[:, :1]) / size[:, :1]).pow(2) + ((net.y - middle[:, 1:]) / size[:, 1:]).pow(2)
    wanted = torch.softmax(-near / (2 * NEAR**2), dim=1)
    vote = (-(wanted * torch.log_softmax(votes, dim=1)).sum(1) * there).sum() / total
    truth = torch.cat([middle, size], dim=1)[:, :, None]
    error = torch.cat([(each[:, :2] - truth[:, :2]) / shape[:, 4:6, None], torch.log(each[:, 2:] / truth[:, 2:])], 1)
    each_cost = functional.smooth_l1_loss(error, torch.zeros_like(error), reduction="none", beta=0.02).mean(1)
    own = (each_cost * wanted).sum(1)
    sure = functional.binary_cross_entropy_with_logits(trust, iou.detach().clamp(0, 1) * there)
    return [where, vote * 0.3, (own * there).sum() / total, sure * 0.5, ((iou * there).sum() / total).detach()]


def costs_of(net: Goturn | Concat, batch: Sequence[Tensor]) -> list[Tensor]:
    """Cost of the box, of the votes, of each cell's box, of the confidence; and the IoU reached."""
    *pictures, shape, target, present = batch
    if isinstance(net, Concat):
        pictures = pictures[1:]  # no first picture
    with torch.autocast("cpu", torch.bfloat16):
        outputs = net(*(p.contiguous(memory_format=torch.channels_last) for p in pictures), shape)
    outputs = tuple(x.float() for x in outputs)
    if isinstance(net, Concat):
        return concat_loss(outputs, shape, target, present)
    return loss(net, outputs, shape, target, present)


def train(feed: Feed, net: Net, steps: int, batch: int, checkpoint: Path, highest: float) -> Net:
    """The averaged net; `checkpoint` is written every 100 steps."""
    average = Average(net, decay=0.995)
    optimizer = optimizer_of(net, highest)
    net.train().to(memory_format=torch.channels_last)
    sums, since = torch.zeros(5), time.monotonic()
    for step, examples in enumerate(feed.batches(steps, batch)):
        for group in optimizer.param_groups:
            group["lr"] = highest * rate(step, steps, warm=100)
        costs = costs_of(net, examples)
        optimizer.zero_grad(set_to_none=True)
        sum(costs[:4], torch.zeros(())).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        average.update(net)
        sums += torch.stack(costs).detach()
        if step % 50 == 49:
            pace = 50 * batch / (time.monotonic() - since)
            box, vote, own, sure, iou = (sums / 50).tolist()
            log.info(
                "step %d of %d: box %.3f, votes %.3f, cells %.3f, confidence %.3f, IoU %.3f, %.0f examples/s",
                *(step + 1, steps, box, vote, own, sure, iou, pace),
            )
            sums, since = torch.zeros(5), time.monotonic()
        if step % 100 == 99 or step == steps - 1:
            torch.save({"step": step + 1, "net": average.net.state_dict(), "raw": net.state_dict()}, checkpoint)
    return average.net


def draw(folder: Path, shards: int, seed: int) -> None:
    """Fill a folder with shards; those that are there already stay."""
    missing = [shard for shard in range(shards) if not (folder / f"{shard:04d}" / "whole").exists()]
    if not missing:
        return
    path = folder / f"bank{seed}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        save_bank(path, make_bank(seed, 3000, 400, 60, log.info))
    bank = load_bank(path)
    for shard in missing:
        torch.manual_seed(shard)
        studio = Studio(bank, shard)
        parts = [studio.examples(DRAWN_AT_ONCE) for _ in range(SHARD // DRAWN_AT_ONCE)]
        joined = Examples(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Examples)))
        save(folder / f"{shard:04d}", joined)
        log.info("shard %d of %d", shard + 1, shards)


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = parser_of("goturn", __doc__, "out/goturn")
    parser.add_argument("--head", choices=HEADS, default="correlate", help="concat: the paper's form, to compare with")
    parser.add_argument("--shards", type=some, default=60, help=f"of {SHARD} examples, drawn once, 0.12 GB each")
    parser.add_argument("--steps", type=any_number, default=4000)
    parser.add_argument("--batch", type=fours(4, 4096), default=64, help="a multiple of 4")
    parser.add_argument("--rate", type=number(0, 1), default=2e-3, help="highest learning rate")
    parser.add_argument("--plain", action="store_true", help="examples as drawn, not bent and lit anew")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Examples, training, export; returns the exit code."""
    chosen = options(arguments)
    name = "goturn-concat" if chosen.head == "concat" else "goturn"
    title = f"edgetrack-{name}"
    net = begin(chosen, Concat, title) if chosen.head == "concat" else begin(chosen, Goturn, title)
    draw(chosen.work, 1 if chosen.export_only else chosen.shards, chosen.seed)  # one for the ranges of int8
    if not chosen.export_only:
        net = train(
            Feed(chosen.work, chosen.seed, rough=not chosen.plain),
            net,
            chosen.steps,
            chosen.batch,
            chosen.work / f"{name}.pt",
            chosen.rate,
        )
    from edgetrack.train.export_follow import export

    told = f"edgetrack train goturn --head {chosen.head} --shards {chosen.shards} --steps {chosen.steps}"
    told += f" --batch {chosen.batch} --rate {chosen.rate:g} --seed {chosen.seed}{' --plain' if chosen.plain else ''}"
    export(
        net.eval(),
        chosen.out,
        chosen.work,
        title,
        told + (f" --start {chosen.start.name}" if chosen.start else ""),
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
