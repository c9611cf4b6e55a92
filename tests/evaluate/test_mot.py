"""Scores agree with py-motmetrics and TrackEval, whose answers are written here, and with what the words mean."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgetrack.evaluate.mot import Scores, evaluate, record
from edgetrack.evaluate.sequences import (
    KITTI_MIN_HEIGHT_PX,
    REMOVES,
    SCORED,
    Trajectories,
    read_kitti,
    read_results,
    read_truth,
)

# Printed by py-motmetrics for these two files at IoU 0.5; PT and ML follow from its MT, PT, ML.
MOTMETRICS = {
    "TUD-Campus": {"IDF1": 55.8, "IDP": 73.0, "IDR": 45.1, "Rcll": 58.2, "Prcn": 94.1, "MOTA": 52.6, "MOTP": 72.3}
    | {"MT": 1, "PT": 6, "ML": 1, "FP": 13, "FN": 150, "IDs": 7, "Frag": 7},
    "TUD-Stadtmitte": {"IDF1": 64.5, "IDP": 82.0, "IDR": 53.1, "Rcll": 60.9, "Prcn": 94.0, "MOTA": 56.4, "MOTP": 65.4}
    | {"MT": 5, "PT": 4, "ML": 1, "FP": 45, "FN": 452, "IDs": 7, "Frag": 6},
}
# Printed by TrackEval 1.0.0 for the same files, and for the reference DeepSORT's tracks with a detection on the frame,
# against the truth of the frames up to the last of them.
TRACKEVAL = {
    "TUD-Campus": [39.140, 41.805, 36.912],
    "TUD-Stadtmitte": [39.785, 39.227, 40.884],
    "MOT17/MOT17-02": [44.005, 31.948, 60.832, 35.074, 50.478, 32, 10],
    "MOT17/MOT17-04": [63.065, 53.185, 75.062, 58.521, 70.108, 5, 9],
    "MOT17/MOT17-11": [57.975, 47.508, 70.806, 51.737, 65.215, 2, 3],
    "MOT17/MOT17-13": [53.266, 44.976, 63.569, 51.193, 66.818, 335, 29],
    "MOT15/KITTI-13": [24.639, 19.218, 32.377, 7.637, 38.154, 97, 5],
}


def walk(track_id: int, frames: range, left: float = 0.0) -> Trajectories:
    n = len(frames)
    xyxy = np.tile([left, 0.0, left + 10.0, 20.0], (n, 1)) + np.arange(n)[:, None] * [1.0, 0.0, 1.0, 0.0]
    return Trajectories.of(np.array(frames), np.full(n, track_id), xyxy)


def together(*parts: Trajectories) -> Trajectories:
    return Trajectories(
        *(np.concatenate([getattr(p, n) for p in parts]) for n in ("frame", "track_id", "xyxy", "role"))
    )


def references(shared: Path, name: str) -> Scores:
    folder = shared / "data/metrics-reference" / name
    return evaluate(read_truth(folder / "gt.txt"), read_results(folder / "test.txt"))


@pytest.mark.parametrize("name", MOTMETRICS)
def test_scores_are_those_of_motmetrics(shared: Path, name: str) -> None:
    scores = record(references(shared, name))
    assert {key: round(scores[key], 1) for key in MOTMETRICS[name]} == MOTMETRICS[name]


@pytest.mark.parametrize("name", ["TUD-Campus", "TUD-Stadtmitte"])
def test_hota_is_that_of_trackeval(shared: Path, name: str) -> None:
    scores = record(references(shared, name))
    assert [scores[key] for key in ("HOTA", "DetA", "AssA")] == pytest.approx(TRACKEVAL[name], abs=5e-4)


@pytest.mark.parametrize(
    "name", ["MOT17/MOT17-02", "MOT17/MOT17-04", "MOT17/MOT17-11", "MOT17/MOT17-13", "MOT15/KITTI-13"]
)
def test_distractors_are_forgiven_as_in_trackeval(shared: Path, name: str) -> None:
    with np.load(shared / "data/deepsort-reference" / f"{Path(name).name}.npz") as z:
        last = max(z["det_frame"].max(), z["track_frame"].max())
        tlwh, shown = z["track_tlwh"], z["track_missed"] == 0
        # The files that TrackEval read held three decimals.
        tlwh = np.round(tlwh, 3)
        xyxy = np.concatenate([tlwh[:, :2], tlwh[:, :2] + tlwh[:, 2:]], axis=1)
        tracks = Trajectories.of(z["track_frame"][shown], z["track_id"][shown], xyxy[shown])
    truth = read_truth(shared / "data/mot-gt" / name / "gt.txt")
    scores = record(evaluate(truth[truth.frame <= last], tracks))
    assert [scores[k] for k in ("HOTA", "DetA", "AssA", "MOTA", "IDF1", "FP", "IDs")] == pytest.approx(
        TRACKEVAL[name], abs=5e-4
    )


def test_the_truth_itself_scores_full_marks(shared: Path) -> None:
    truth = read_truth(shared / "data/mot-gt/MOT17/MOT17-13/gt.txt")
    scores = record(evaluate(truth, truth[truth.role == SCORED]))
    assert [scores[key] for key in ("HOTA", "MOTA", "IDF1", "FP", "FN", "IDs", "Frag")] == [100, 100, 100, 0, 0, 0, 0]


def test_kitti_truth_forgives_what_it_cannot_judge(shared: Path) -> None:
    truth = read_kitti(shared / "data/mot-gt/KITTI-label_02/0000.txt", "car")
    scores = evaluate(truth, replace(truth, role=np.zeros_like(truth.role)), KITTI_MIN_HEIGHT_PX)
    assert (scores.mota, scores.fp, scores.fn) == (1.0, 0, 0)


def test_a_result_on_a_distractor_counts_neither_way() -> None:
    person, doll = walk(1, range(10)), walk(2, range(10), left=100)
    truth = together(person, replace(doll, role=np.full(10, REMOVES)))
    scores = evaluate(truth, together(person, doll))
    assert (scores.fp, scores.fn, scores.hota) == (0, 0, 1.0)


def test_a_change_of_identity_is_one_switch_and_no_fragment() -> None:
    results = together(walk(1, range(5)), walk(2, range(5, 10), left=5))
    scores = evaluate(walk(7, range(10)), results)
    assert (scores.switches, scores.fragments, scores.idf1, scores.tp) == (1, 0, 0.5, 10)


def test_a_gap_is_one_fragment_and_no_switch() -> None:
    truth = walk(7, range(10))
    scores = evaluate(truth, truth[(truth.frame < 4) | (truth.frame > 6)])
    # Frames without any result leave the memory of the pair, as in MOTChallenge; a second person fills them.
    other = walk(9, range(10), left=200)
    filled = evaluate(together(truth, other), together(truth[(truth.frame < 4) | (truth.frame > 6)], other))
    assert (scores.switches, filled.switches, filled.fragments, filled.fn) == (0, 0, 1, 3)


def test_a_tracker_that_says_nothing_scores_zero_and_loses_everybody() -> None:
    scores = evaluate(walk(1, range(10)), walk(1, range(0)))
    assert (scores.hota, scores.mota, scores.idf1, scores.fn, scores.ml) == (0.0, 0.0, 0.0, 10, 1)


def test_sequences_add_up() -> None:
    one = evaluate(walk(1, range(10)), walk(1, range(5)))
    both = one + one
    assert (both.hota, both.mota, both.fn, both.sequences) == (one.hota, one.mota, 10, 2)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False), st.integers(0, 40))
def test_names_of_identities_do_not_matter(random, dropped: int) -> None:
    truth = together(walk(1, range(20)), walk(2, range(5, 25), left=6), walk(3, range(20), left=40))
    kept = np.sort(np.array(random.sample(range(len(truth)), len(truth) - dropped)))
    results = truth[kept]
    new = np.array(random.sample(range(1, 1000), 3))
    renamed = replace(results, track_id=new[results.track_id - 1])
    assert record(evaluate(truth, renamed)) == pytest.approx(record(evaluate(truth, results)))
