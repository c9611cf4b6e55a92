"""How well one target is followed: OTB-style sequences, from their start and from later starts.

Success is the share of pictures whose IoU exceeds a threshold, its AUC the mean over thresholds 0 to 1; precision the
share whose middle lies within 20 pixels (Wu et al. 2013). The picture in which a follower is started is not judged.
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgetrack.boxes import iou_pairs, tlwh_to_xyxy
from edgetrack.capture.images import ImageFolder
from edgetrack.config import ImagesCapture
from edgetrack.errors import ConfigError
from edgetrack.evaluate.sequences import read_text
from edgetrack.types import Image

log = logging.getLogger(__name__)

THRESHOLDS = np.linspace(0, 1, 21)
NEAR_PX = 20.0
FOUND = 0.5  # IoU of a picture that counts as right where confidence is judged as an alarm
RELIABLE_FOR = 30  # pictures; VOT
BURN_IN, AFTER_FAILURE = 10, 5  # pictures left out after a start, and between failure and new start; VOT 2014

Floats = NDArray[np.float64]


class Follower(Protocol):
    """What is judged; `edgetrack.refine.Goturn` is one."""

    def start(self, image: Image, xyxy: Any) -> None: ...

    def follow(self, image: Image) -> tuple[Floats, float]:
        """Box (4,) xyxy and confidence."""


@dataclass(frozen=True)
class Film:
    """Attributes: images in order; xyxy (F, 4) the truth, NaN where there is none."""

    name: str
    images: list[Image]
    xyxy: Floats


@dataclass(frozen=True)
class Run:
    """What one follower did on one sequence; rows are judged pictures of all starts."""

    iou: Floats
    distance: Floats  # px, between middles
    confidence: Floats
    start: NDArray[np.int64]  # number of the start a row belongs to
    seconds: float  # of processor time, in `follow` alone
    followed: int  # pictures, judged or not

    def success(self, rows: Any = slice(None)) -> Floats:
        """(21,) share of pictures over each threshold."""
        return np.asarray((self.iou[rows, None] > THRESHOLDS).mean(axis=0))


def read_sequence(folder: Path) -> Film:
    """`img/*.jpg` and `groundtruth_rect.txt`: left, top, width, height, by comma, tab or blank."""
    images = ImageFolder(ImagesCapture(path=str(folder / "img")))
    pictures = [image for image in map(images.read, images.files()) if image is not None]
    place = folder / "groundtruth_rect.txt"
    try:
        rows = [[float(x) for x in re.split(r"[,\s]+", line.strip())] for line in read_text(place).splitlines() if line]
        tlwh = np.array(rows, np.float64).reshape(-1, 4)
    except ValueError as error:
        raise ConfigError(f"{place}: {error}; expected left, top, width, height in every line") from None
    if len(tlwh) != len(pictures):
        raise ConfigError(f"{place}: {len(tlwh)} lines for {len(pictures)} pictures; expected one line a picture")
    tlwh[~(tlwh[:, 2:] > 0).all(axis=1) | ~np.isfinite(tlwh).all(axis=1)] = np.nan
    if np.isfinite(tlwh).all(axis=1).sum() < 2:
        raise ConfigError(
            f"{place}: fewer than two pictures have a box; expected one to start with, and others to judge"
        )
    return Film(folder.name, pictures, tlwh_to_xyxy(tlwh).astype(np.float64))


def starts(sequence: Film, count: int) -> list[int]:
    """`count` pictures, evenly spread, each with a truth; the first is the first that has one."""
    known = np.flatnonzero(np.isfinite(sequence.xyxy).all(axis=1))
    return [int(known[k * len(known) // count]) for k in range(count)]


def run(make: Callable[[], Follower], sequence: Film, count: int) -> Run:
    """Follow to the end from each of `count` starts."""
    rows: list[tuple[float, float, float, int]] = []
    spent, followed = 0.0, 0
    for number, first in enumerate(starts(sequence, count)):
        follower = make()
        follower.start(sequence.images[first], sequence.xyxy[first])
        for image, truth in zip(sequence.images[first + 1 :], sequence.xyxy[first + 1 :], strict=True):
            before = time.process_time()
            box, confidence = follower.follow(image)
            spent += time.process_time() - before
            followed += 1
            if np.isfinite(truth).all():
                rows.append((*_agreement(box, truth), confidence, number))
    table = np.array(rows, np.float64).reshape(-1, 4)
    return Run(table[:, 0], table[:, 1], table[:, 2], table[:, 3].astype(np.int64), spent, followed)


def with_restarts(make: Callable[[], Follower], sequence: Film) -> tuple[float, int]:
    """Accuracy, the mean IoU while it is on the target, and failures (Kristan et al. 2014).

    A failure is an IoU of 0; five pictures later it is started again, and ten after a start are not judged.
    """
    follower, judged, failures = make(), [], 0
    begin = starts(sequence, 1)[0]
    follower.start(sequence.images[begin], sequence.xyxy[begin])
    for k in range(begin + 1, len(sequence.images)):
        truth = sequence.xyxy[k]
        if k < begin or not np.isfinite(truth).all():
            continue
        if k == begin:
            follower = make()
            follower.start(sequence.images[k], truth)
            continue
        overlap, _ = _agreement(follower.follow(sequence.images[k])[0], truth)
        if overlap <= 0:
            failures += 1
            later = np.flatnonzero(np.isfinite(sequence.xyxy).all(axis=1))
            later = later[later >= k + AFTER_FAILURE]
            if not len(later):
                break
            begin = int(later[0])
        elif k >= begin + BURN_IN:
            judged.append(overlap)
    return float(np.mean(judged)) if judged else 0.0, failures


def robustness(failures: int, pictures: int) -> float:
    """The chance of 30 pictures in a row without a failure (Cehovin et al. 2014, reliability; VOT 2014)."""
    return math.exp(-RELIABLE_FOR * failures / max(pictures, 1))


def _agreement(box: Floats, truth: Floats) -> tuple[float, float]:
    middles = (box[:2] + box[2:]) / 2 - (truth[:2] + truth[2:]) / 2
    return float(iou_pairs(np.asarray(box, np.float64)[None], truth[None])[0]), float(np.hypot(*middles))


def roc_auc(score: Floats, right: NDArray[np.bool_]) -> float:
    """How often a right answer has a higher score than a wrong one; ties count half, 0.5 where only one kind is."""
    good, bad = int(right.sum()), int((~right).sum())
    if not good or not bad:
        return 0.5
    values, place = np.unique(score, return_inverse=True)
    count = np.bincount(place, minlength=len(values))
    rank = np.cumsum(count) - (count - 1) / 2  # mean of the ranks that share a value
    return float((rank[place][right].sum() - good * (good + 1) / 2) / (good * bad))


def record(run_: Run) -> dict[str, float]:
    """Percentages; `ope` are the rows of the first start, `tre` of all starts."""
    first = run_.start == 0
    return {
        "TRE": 100 * float(run_.success().mean()),
        "OPE": 100 * float(run_.success(first).mean()),
        "prec": 100 * float((run_.distance <= NEAR_PX).mean()),
        "alarm": 100 * roc_auc(run_.confidence, run_.iou > FOUND),
        "fps": run_.followed / max(run_.seconds, 1e-9),
    }


def together(runs: Sequence[Run]) -> dict[str, float]:
    """Means over sequences; frames/s and the alarm over all pictures."""
    rows = [record(r) for r in runs]
    mean = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    score = np.concatenate([r.confidence for r in runs])
    mean["alarm"] = 100 * roc_auc(score, np.concatenate([r.iou for r in runs]) > FOUND)
    mean["fps"] = sum(r.followed for r in runs) / max(sum(r.seconds for r in runs), 1e-9)
    return mean


def curves(runs: Sequence[Run]) -> Floats:
    """(21,) success, the mean over sequences."""
    return np.asarray(np.mean([r.success() for r in runs], axis=0))


def sequences(folders: Sequence[Path]) -> Iterator[Film]:
    """Those folders, and those below them, that hold a groundtruth_rect.txt."""
    for folder in folders:
        inner = sorted(p.parent for p in folder.glob("*/groundtruth_rect.txt"))
        if not inner and not (folder / "groundtruth_rect.txt").is_file():
            raise ConfigError(f"{folder}: no groundtruth_rect.txt in it; expected an OTB-style folder with img/")
        for place in inner or [folder]:
            yield read_sequence(place)
