"""Trains edgetrack-nano on rendered streets and writes it as ONNX, float and int8."""

from __future__ import annotations

import argparse
import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from edgetrack.train.descent import Average, optimizer_of, rate
from edgetrack.train.feed import SHARD_STREETS, Feed, render_shard
from edgetrack.train.loss import loss
from edgetrack.train.net import Nano, boxes, cells
from edgetrack.train.options import any_number, begin, parser_of, some
from edgetrack.train.pictures import PER_STREET

log = logging.getLogger(__name__)

HIGHEST_RATE, FINISH_RATE = 2e-3, 8e-4
NEAR_SHARE = 0.65  # of the second part's batches


def train(feed: Feed, net: Nano, steps: int, batch: int, checkpoint: Path, highest: float = HIGHEST_RATE) -> Nano:
    """The averaged net; `checkpoint` is written every 250 steps."""
    average = Average(net)
    optimizer = optimizer_of(net, highest)
    net.train().to(memory_format=torch.channels_last)
    grids = {size: cells(*size) for size in ((320, 192), (320, 320))}
    sums, since = [0.0, 0.0], time.monotonic()
    for step, (images, truth, class_id) in enumerate(feed.batches(steps, batch)):
        for group in optimizer.param_groups:
            group["lr"] = highest * rate(step, steps)
        middles, strides = grids[images.shape[3], images.shape[2]]
        with torch.autocast("cpu", torch.bfloat16):
            raw = net(images.contiguous(memory_format=torch.channels_last))
        raw = raw.float()
        what, where = loss(raw, boxes(raw, middles, strides), middles, strides, truth, class_id)
        optimizer.zero_grad(set_to_none=True)
        (what + where).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimizer.step()
        average.update(net)
        sums = [sums[0] + what.item(), sums[1] + where.item()]
        if step % 50 == 49:
            pace = 50 * batch / (time.monotonic() - since)
            log.info(
                "step %d of %d: class %.3f, box %.3f, %.0f pictures/s",
                step + 1,
                steps,
                sums[0] / 50,
                sums[1] / 50,
                pace,
            )
            sums, since = [0.0, 0.0], time.monotonic()
        if step % 250 == 249 or step == steps - 1:
            torch.save({"step": step + 1, "net": average.net.state_dict()}, checkpoint)
    return average.net


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = parser_of("detector", __doc__, "out/train")
    parser.add_argument("--pictures", type=some, default=20000, help="rendered once, to WORK (8 GB for 20000)")
    parser.add_argument("--near", type=some, default=6000, help="of streets like the demo's, for the second part")
    parser.add_argument("--steps", type=any_number, default=2500, help="of the first part, on all sorts of streets")
    parser.add_argument("--finish", type=any_number, default=1700, help="of the second part, mostly on such streets")
    parser.add_argument("--batch", type=some, default=32)
    parser.add_argument("--calibrate", type=some, default=40, help="streets for the ranges of int8")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Pictures, training, export; returns the exit code."""
    chosen = options(arguments)
    net = begin(chosen, Nano, "edgetrack-nano")
    if not chosen.export_only:
        render(chosen.work, chosen.pictures, chosen.near)
        weights = chosen.work / "nano.pt"
        net = train(Feed(chosen.work, chosen.seed), net, chosen.steps, chosen.batch, weights)
        net = train(
            Feed(chosen.work, chosen.seed + 1, NEAR_SHARE), net, chosen.finish, chosen.batch, weights, FINISH_RATE
        )
    from edgetrack.train.export import FIRST_CALIBRATED, export

    steps = f"--steps {chosen.steps} --finish {chosen.finish} --batch {chosen.batch}"
    command = f"edgetrack train detector {steps} --seed {chosen.seed}"
    export(net.eval(), chosen.out, command, range(FIRST_CALIBRATED, FIRST_CALIBRATED + chosen.calibrate))
    return 0


def render(work: Path, pictures: int, near: int) -> None:
    """Whatever is not there yet."""
    work.mkdir(parents=True, exist_ok=True)
    for count, alike, name in ((pictures, False, "{:05d}"), (near, True, "near{:05d}")):
        streets = math.ceil(count / PER_STREET)
        for shard in range(math.ceil(streets / SHARD_STREETS)):
            if not (work / f"{name.format(shard)}.boxes.npy").exists():
                render_shard(work, shard, alike, min(SHARD_STREETS, streets - shard * SHARD_STREETS))


if __name__ == "__main__":
    raise SystemExit(main())
