"""How well tracks agree with the truth: HOTA, CLEAR MOT and identity scores.

HOTA: Luiten et al. 2021. MOTA, MOTP, switches, MT/PT/ML: Bernardin and Stiefelhagen 2008, in the form that
MOTChallenge scores. IDF1: Ristani et al. 2016. Sums are kept, not ratios, so that sequences can be added.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from edgetrack.boxes import area, iou
from edgetrack.evaluate.sequences import REGION, REMOVES, SCORED, Floats, Ints, Trajectories

ALPHAS = np.arange(0.05, 0.99, 0.05)  # (19,) overlaps at which HOTA is averaged
MIN_IOU = 0.5  # overlap of a match in MOTA and IDF1
MOSTLY_TRACKED = 0.8  # of the frames of a true identity; fewer than MOSTLY_LOST: ML, between: PT
MOSTLY_LOST = 0.2
KEEP = 1000.0  # a pair matched in the frame before wins over every sum of overlaps
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class Scores:
    """Sums over one or more sequences; ratios are properties, 0..1 (MOTA may be negative)."""

    sequences: int
    truth: int  # boxes
    results: int
    identities: int  # true ones
    tracks: int
    tp: int  # at MIN_IOU
    overlap: float  # sum of IoU over tp
    switches: int
    fragments: int
    mt: int
    ml: int
    idtp: int
    hota_tp: Floats  # (19,) by ALPHAS
    hota_ass: Floats  # (19,) sum of the association accuracy over hota_tp
    hota_overlap: Floats  # (19,) sum of IoU over hota_tp

    def __add__(self, other: Scores) -> Scores:
        return Scores(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def fn(self) -> int:
        return self.truth - self.tp

    @property
    def fp(self) -> int:
        return self.results - self.tp

    @property
    def pt(self) -> int:
        return self.identities - self.mt - self.ml

    @property
    def recall(self) -> float:
        return self.tp / max(1, self.truth)

    @property
    def precision(self) -> float:
        return self.tp / max(1, self.results)

    @property
    def mota(self) -> float:
        return 1 - (self.fn + self.fp + self.switches) / max(1, self.truth)

    @property
    def motp(self) -> float:
        """Mean overlap of the matches."""
        return self.overlap / max(1, self.tp)

    @property
    def idr(self) -> float:
        return self.idtp / max(1, self.truth)

    @property
    def idp(self) -> float:
        return self.idtp / max(1, self.results)

    @property
    def idf1(self) -> float:
        return 2 * self.idtp / max(1, self.truth + self.results)

    @property
    def det_a(self) -> float:
        return float(self._det_a.mean())

    @property
    def ass_a(self) -> float:
        return float(self._ass_a.mean())

    @property
    def loc_a(self) -> float:
        return float(
            np.divide(self.hota_overlap, self.hota_tp, out=np.ones(len(ALPHAS)), where=self.hota_tp > 0).mean()
        )

    @property
    def hota(self) -> float:
        return float(np.sqrt(self._det_a * self._ass_a).mean())

    @property
    def _det_a(self) -> Floats:
        return self.hota_tp / np.maximum(1, self.truth + self.results - self.hota_tp)

    @property
    def _ass_a(self) -> Floats:
        return self.hota_ass / np.maximum(1, self.hota_tp)


def evaluate(truth: Trajectories, results: Trajectories, min_height_px: float = 0.0) -> Scores:
    """Scores of one sequence.

    Args:
        truth: boxes whose role is not SCORED only forgive results, see `sequences`.
        results: at most one box per frame and identity.
        min_height_px: unmatched results that are no higher count neither way (KITTI: 25).
    """
    results = _without_forgiven(truth, results, min_height_px)
    truth = truth[truth.role == SCORED]
    true_ids, true_index = np.unique(truth.track_id, return_inverse=True)
    ids, index = np.unique(results.track_id, return_inverse=True)
    looks = [_Look(true_index[a], index[b], iou(truth.xyxy[a], results.xyxy[b])) for a, b in _frames(truth, results)]
    shape = (len(true_ids), len(ids))
    true_count = np.bincount(true_index, minlength=len(true_ids))
    count = np.bincount(index, minlength=len(ids))
    clear = _clear(looks, true_count)
    return Scores(
        sequences=1,
        truth=len(truth),
        results=len(results),
        identities=shape[0],
        tracks=shape[1],
        idtp=_identity_matches(looks, shape),
        **clear._asdict(),
        **_hota(looks, true_count, count)._asdict(),
    )


COLUMNS = ("HOTA", "DetA", "AssA", "MOTA", "IDF1", "IDP", "IDR", "Rcll", "Prcn", "MOTP")


def record(scores: Scores) -> dict[str, float]:
    """Scores by the names that papers use; ratios in percent."""
    s = scores
    ratios = (s.hota, s.det_a, s.ass_a, s.mota, s.idf1, s.idp, s.idr, s.recall, s.precision, s.motp)
    percent = {name: 100 * value for name, value in zip(COLUMNS, ratios, strict=True)}
    counts = {"FP": s.fp, "FN": s.fn, "IDs": s.switches, "Frag": s.fragments, "MT": s.mt, "PT": s.pt, "ML": s.ml}
    return percent | counts | {"GT": s.truth, "GTids": s.identities, "Tracks": s.tracks}


class _Look(NamedTuple):
    """One frame: which identities have boxes, and how the boxes overlap."""

    truth: NDArray[np.intp]  # (G,) indices of true identities
    tracks: NDArray[np.intp]  # (T,) indices of tracks
    iou: Floats  # (G, T)


class _Clear(NamedTuple):
    tp: int
    overlap: float
    switches: int
    fragments: int
    mt: int
    ml: int


class _Hota(NamedTuple):
    hota_tp: Floats
    hota_ass: Floats
    hota_overlap: Floats


def _frames(truth: Trajectories, results: Trajectories) -> Iterable[tuple[Ints, Ints]]:
    """Rows of truth and of results for every frame that has any, in order of time."""
    a, b = np.argsort(truth.frame, kind="stable"), np.argsort(results.frame, kind="stable")
    numbers = np.union1d(truth.frame, results.frame)
    a_ends = np.searchsorted(truth.frame[a], numbers, side="right")
    b_ends = np.searchsorted(results.frame[b], numbers, side="right")
    i = j = 0
    for a_end, b_end in zip(a_ends, b_ends, strict=True):
        yield a[i:a_end], b[j:b_end]
        i, j = a_end, b_end


def _without_forgiven(truth: Trajectories, results: Trajectories, min_height_px: float) -> Trajectories:
    """Results less those that a distractor, a region or a rule on size says to count neither way."""
    if not min_height_px and (truth.role == SCORED).all():
        return results
    forgiven = np.zeros(len(results), bool)
    for a, b in _frames(truth, results):
        regions, boxes = a[truth.role[a] == REGION], a[truth.role[a] != REGION]
        rows, columns = _pairs(iou(truth.xyxy[boxes], results.xyxy[b]), MIN_IOU)
        forgiven[b[columns[truth.role[boxes[rows]] == REMOVES]]] = True
        free = np.delete(b, columns)
        height = results.xyxy[free, 3] - results.xyxy[free, 1]
        hidden = _share_inside(results.xyxy[free], truth.xyxy[regions]) > 0.5 + EPS
        forgiven[free[(height <= min_height_px) | hidden.any(axis=1)]] = True
    return results[~forgiven]


def _share_inside(xyxy: Floats, regions: Floats) -> Floats:
    """(N, M) intersection over the area of the first box."""
    top_left = np.maximum(xyxy[:, None, :2], regions[None, :, :2])
    size = np.maximum(np.minimum(xyxy[:, None, 2:], regions[None, :, 2:]) - top_left, 0)
    own = area(xyxy)[:, None]
    return np.asarray(np.divide(size[..., 0] * size[..., 1], own, out=np.zeros(size.shape[:2]), where=own > 0))


def _pairs(overlap: Floats, at_least: float, bonus: Floats | float = 0.0) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the assignment with the largest sum of overlap + bonus, pairs below `at_least` left out."""
    score = np.where(overlap >= at_least - EPS, overlap + bonus, 0.0)
    rows, columns = linear_sum_assignment(score, maximize=True)
    good = score[rows, columns] > EPS
    return rows[good], columns[good]


def _clear(looks: Sequence[_Look], true_count: NDArray[np.intp]) -> _Clear:
    """CLEAR MOT with MOTChallenge's two memories.

    A pair of the frame before is kept where it can be; a switch is told against the last track of the identity,
    however long ago. Frames without truth or without results leave both memories as they are.
    """
    last = np.full(len(true_count), -1)
    before = np.full(len(true_count), -1)
    matched, runs = np.zeros(len(true_count), int), np.zeros(len(true_count), int)
    switches, overlap = 0, 0.0
    for look in looks:
        if not look.iou.size:
            continue
        kept = look.tracks[None, :] == before[look.truth][:, None]
        rows, columns = _pairs(look.iou, MIN_IOU, KEEP * kept)
        true_ids, ids = look.truth[rows], look.tracks[columns]
        switches += int(((last[true_ids] >= 0) & (last[true_ids] != ids)).sum())
        runs[true_ids] += before[true_ids] < 0
        matched[true_ids] += 1
        last[true_ids] = ids
        before[:] = -1
        before[true_ids] = ids
        overlap += float(look.iou[rows, columns].sum())
    share = matched / np.maximum(1, true_count)
    fragments = int(np.maximum(runs - 1, 0).sum())
    mt, ml = int((share > MOSTLY_TRACKED).sum()), int((share < MOSTLY_LOST).sum())
    return _Clear(int(matched.sum()), overlap, switches, fragments, mt, ml)


def _identity_matches(looks: Sequence[_Look], shape: tuple[int, int]) -> int:
    """Boxes that agree under the best one-to-one assignment of tracks to true identities over the whole sequence."""
    together = np.zeros(shape)
    for look in looks:
        together[look.truth[:, None], look.tracks] += look.iou >= MIN_IOU
    rows, columns = linear_sum_assignment(together, maximize=True)
    return int(together[rows, columns].sum())


def _hota(looks: Sequence[_Look], true_count: NDArray[np.intp], count: NDArray[np.intp]) -> _Hota:
    """Matches at every alpha, after one assignment a frame that prefers identities which agree over the sequence."""
    agreement = np.zeros((len(true_count), len(count)))
    for look in looks:
        total = look.iou.sum(axis=0) + look.iou.sum(axis=1)[:, None] - look.iou
        agreement[look.truth[:, None], look.tracks] += np.divide(
            look.iou, total, out=np.zeros_like(total), where=total > EPS
        )
    agreement /= np.maximum(true_count[:, None] + count - agreement, 1)
    pairs: list[Ints] = [np.empty(0, np.int64)]
    overlaps: list[Floats] = [np.empty(0)]
    for look in looks:
        rows, columns = linear_sum_assignment(agreement[look.truth[:, None], look.tracks] * look.iou, maximize=True)
        pairs.append(look.truth[rows] * len(count) + look.tracks[columns])
        overlaps.append(look.iou[rows, columns])
    pair, overlap = np.concatenate(pairs), np.concatenate(overlaps)
    tp, ass, loc = np.zeros((3, len(ALPHAS)))
    for a, alpha in enumerate(ALPHAS):
        good = overlap >= alpha - EPS
        unique, n = np.unique(pair[good], return_counts=True)
        true_id, track = np.divmod(unique, max(1, len(count)))
        tp[a], loc[a] = good.sum(), overlap[good].sum()
        ass[a] = (n * n / (true_count[true_id] + count[track] - n)).sum()
    return _Hota(tp, ass, loc)
