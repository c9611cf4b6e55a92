"""Trains edgetrack-reid on drawn identities and writes it as ONNX, float and int8."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgetrack.arguments import number
from edgetrack.train.crops import Feed
from edgetrack.train.descent import Average, optimizer_of, rate
from edgetrack.train.looks import load, make_wardrobe, save
from edgetrack.train.options import any_number, begin, fours, parser_of, some
from edgetrack.train.reidnet import Reid

log = logging.getLogger(__name__)

HIGHEST_RATE = 2e-3
MARGIN = 0.35  # of the cosine, between same and different
SHARP = 12.0  # how much more a hard pair weighs than an easy one
ABSOLUTE = 0.5  # weight of where cosines lie, beside which is larger
FREE = 0.2  # cosine up to which different ones cost nothing


def loss(rows: Tensor, who: Tensor) -> tuple[Tensor, Tensor]:
    """Triplets of each anchor with all its like and all others, the hardest weighing most (Ristani & Tomasi 2018);
    and how far the same are from 1 and different ones from 0, so that one threshold serves everywhere."""
    unit = functional.normalize(rows, dim=1)
    cosine = unit @ unit.T
    same = who[:, None] == who
    like = same & ~torch.eye(len(who), dtype=torch.bool)
    hard_like = torch.softmax((-SHARP * cosine.detach()).masked_fill(~like, -1e9), dim=1)
    hard_other = torch.softmax((SHARP * cosine.detach()).masked_fill(same, -1e9), dim=1)
    near, far = (hard_like * cosine).sum(1), (hard_other * cosine).sum(1)
    triplets = functional.softplus(SHARP * (far - near + MARGIN)).mean() / SHARP
    absolute = ((1 - cosine[like]) ** 2).mean() + (functional.relu(cosine[~same] - FREE) ** 2).mean()
    return triplets, ABSOLUTE * absolute


def first_rank(rows: Tensor, who: Tensor) -> float:
    """Share of rows whose nearest is of the same identity."""
    cosine = functional.normalize(rows, dim=1) @ functional.normalize(rows, dim=1).T
    return float((who[cosine.fill_diagonal_(-1).argmax(1)] == who).float().mean())


def train(feed: Feed, net: Reid, steps: int, checkpoint: Path, highest: float = HIGHEST_RATE) -> Reid:
    """The averaged net; `checkpoint` is written every 100 steps."""
    average = Average(net, decay=0.99)
    optimizer = optimizer_of(net, highest)
    net.train().to(memory_format=torch.channels_last)
    sums, since = torch.zeros(3), time.monotonic()
    for step, (crops, who) in enumerate(feed.batches(steps)):
        for group in optimizer.param_groups:
            group["lr"] = highest * rate(step, steps, warm=100)
        with torch.autocast("cpu", torch.bfloat16):
            rows = net(crops.contiguous(memory_format=torch.channels_last))
        triplets, absolute = loss(rows.float(), who)
        optimizer.zero_grad(set_to_none=True)
        (triplets + absolute).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        average.update(net)
        sums += torch.stack([triplets, absolute, torch.tensor(first_rank(rows.detach().float(), who))]).detach()
        if step % 50 == 49 or step == steps - 1:
            count = step % 50 + 1
            pace = count * len(crops) / (time.monotonic() - since)
            log.info(
                "step %d of %d: triplets %.3f, absolute %.3f, rank 1 %.3f, %.0f crops/s",
                *(step + 1, steps, *(sums / count).tolist(), pace),
            )
            sums, since = torch.zeros(3), time.monotonic()
        if step % 100 == 99 or step == steps - 1:
            torch.save({"step": step + 1, "net": average.net.state_dict(), "raw": net.state_dict()}, checkpoint)
    return average.net


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = parser_of("embedder", __doc__, "out/reid")
    parser.add_argument(
        "--drawn",
        type=some,
        nargs=4,
        default=(2400, 250, 350, 1200),
        metavar=("PEOPLE", "CARS", "CYCLISTS", "THINGS"),
        help="drawn once, 1 GB in all",
    )
    parser.add_argument("--backs", type=some, default=160, help="backgrounds drawn, beside those of streets")
    parser.add_argument("--steps", type=any_number, default=1600)
    parser.add_argument(
        "--identities", type=fours(4, 4096), default=32, help="of a batch, a multiple of 4, four crops of each"
    )
    parser.add_argument("--rate", type=number(0, 1), default=HIGHEST_RATE, help="highest learning rate")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Drawings, training, export; returns the exit code."""
    chosen = options(arguments)
    net = begin(chosen, Reid, "edgetrack-reid")
    drawings = chosen.work / f"wardrobe{chosen.seed}"
    if not (drawings / "whole").exists():
        save(drawings, make_wardrobe(chosen.seed, tuple(chosen.drawn), chosen.backs, log.info))
    wardrobe = load(drawings)
    if not chosen.export_only:
        feed = Feed(wardrobe, chosen.seed, chosen.identities)
        net = train(feed, net, chosen.steps, chosen.work / "reid.pt", chosen.rate)
    from edgetrack.train.export_reid import export

    told = f"edgetrack train embedder --steps {chosen.steps} --identities {chosen.identities} --seed {chosen.seed}"
    if chosen.start and not chosen.export_only:
        told += f" --start {chosen.start.name}"
    export(net.eval(), chosen.out, wardrobe, told, chosen.identities)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
