"""Run by hand: embeddings on need where there are no pictures, as the table of docs/tracking.md.

    python -m tests.track.made_up SHARED

SHARED as for tests.track.ablation. Every identity of the truth has a direction and wanders about it; an embedding of a
detection is mixed of those whom its box shows, as far as nobody stands before them, and of noise. Distances of the same
and of different people come out about as those of OSNet x0.25 msmt17 do on ADL-Rundle-6.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgetrack.boxes import tlwh_to_xyxy
from edgetrack.evaluate.sequences import read_truth
from edgetrack.types import Detections
from tests.track.ablation import drawn, folder
from tests.track.sparing import LABELS, row

SEQUENCES = (
    *("MOT17/MOT17-02", "MOT17/MOT17-04", "MOT17/MOT17-11", "MOT17/MOT17-13"),
    *("MOT15/ETH-Sunnyday", "MOT15/ETH-Pedcross2", "MOT15/TUD-Campus", "MOT15/TUD-Stadtmitte"),
)
SHOWN = (LABELS[0], "0.3", LABELS[-1])
WIDTH = 128
COMMON, WANDERING, NOISE, BACKGROUND = 0.95, 0.7, 0.3, 0.5  # lengths, where the direction of an identity is 1
FORGOTTEN_S = 1.0  # of the wandering
ACROSS, DOWN = 8, 16  # points of a box that are looked at
PERSONS = (1, 2, 7)  # of MOT17: pedestrians, persons on vehicles, static persons


def people(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frame, identity and xyxy of all, those who are not scored too."""
    table = np.loadtxt(path / "gt.txt", delimiter=",")
    if table.shape[1] == 9:  # MOT17
        table = table[np.isin(table[:, 7], PERSONS)]
    return table[:, 0], table[:, 1].astype(int), tlwh_to_xyxy(table[:, 2:6])


def shares(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(P,) of the box that each of `others` (P, 4) fills, who stands lower in the picture before who stands higher."""
    x = box[0] + (np.arange(ACROSS) + 0.5) / ACROSS * (box[2] - box[0])
    y = box[1] + (np.arange(DOWN) + 0.5) / DOWN * (box[3] - box[1])
    owner = np.full((DOWN, ACROSS), -1)
    for k in others[:, 3].argsort():
        left, top, right, bottom = others[k]
        owner[np.ix_((y >= top) & (y < bottom), (x >= left) & (x < right))] = k
    return np.bincount(owner[owner >= 0], minlength=len(others)) / owner.size


def made_up(path: Path) -> tuple[float, list[Detections]]:
    """Frame rate, and the detections of every picture with embeddings."""
    rng = np.random.default_rng(1)
    fps, looks = drawn(path, 0)
    frame, identity, xyxy = people(path)

    def directions(n: int) -> np.ndarray:
        return rng.normal(0, WIDTH**-0.5, (n, WIDTH))

    common, background = directions(2)
    own, wandering = directions(identity.max() + 1), directions(identity.max() + 1)
    kept = np.exp(-1 / (fps * FORGOTTEN_S))
    shown = []
    for k, look in enumerate(looks, 1):
        wandering = kept * wandering + np.sqrt(1 - kept**2) * directions(len(own))
        here = frame == k
        part = np.array([shares(box, xyxy[here]) for box in look.xyxy]).reshape(len(look), here.sum())
        mixed = part @ (own + WANDERING * wandering)[identity[here]]
        mixed += COMMON * common + BACKGROUND * (1 - part.sum(axis=1, keepdims=True)) * background
        mixed += NOISE * directions(len(look))
        shown.append(replace(look, embedding=(mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)))
    return fps, shown


def table(shared: Path) -> Iterator[str]:
    yield f"| HOTA / IDF1; embeddings | {' | '.join(SHOWN)} |\n|---|{'---|' * len(SHOWN)}"
    means = []
    for name in SEQUENCES:
        path = folder(shared, name)
        fps, shown = made_up(path)
        means.append([row(label, shown, fps, read_truth(path / "gt.txt")) for label in SHOWN])
        yield f"| {path.name} | {' | '.join(map(cell, means[-1]))} |"
    yield f"| mean | {' | '.join(map(cell, np.mean(means, axis=0)))} |"


def cell(means: tuple[float, float, float, float]) -> str:
    return f"{means[0]:.1f} / {means[1]:.1f}; {means[3]:.1f}"


if __name__ == "__main__":
    for line in table(Path(sys.argv[1])):
        print(line, flush=True)
