from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from edgetrack.config import GoturnRefine, NoRefine, RuntimeConfig
from edgetrack.errors import ModelError
from edgetrack.refine import Refiner, open_refine
from edgetrack.types import Tracks
from tests.refine.white_follower import square, white_follower


def refiner(folder: Path, max_targets: int = 4, missed: bool = True) -> Refiner:
    model = str(white_follower(folder / "white.onnx"))
    config = GoturnRefine(model=model, max_targets=max_targets, mode="bridge", bridge_missed=missed)
    return open_refine(config, RuntimeConfig(threads=1))[0]


def tracks(*lefts: float, seen: bool = True, confirmed: bool = True) -> Tracks:
    n = len(lefts)
    xyxy = np.array([[left, 80, left + 32, 112] for left in lefts], np.float64).reshape(n, 4)
    return Tracks(
        np.arange(1, n + 1),
        xyxy,
        np.zeros(n, np.int32),
        np.full(n, 0.9, np.float32),
        np.full(n, confirmed),
        np.full(n, 0 if seen else 1),
        np.full(n, seen),
    )


def test_a_track_that_is_seen_needs_no_box(tmp_path: Path):
    assert len(refiner(tmp_path).refine(square(100, 80), tracks(100))) == 0


def test_a_track_that_is_lost_is_followed(tmp_path: Path):
    bridge = refiner(tmp_path)
    bridge.refine(square(100, 80), tracks(100))
    found = bridge.refine(square(108, 80), tracks(100, seen=False))
    assert found.track_id.tolist() == [1]
    assert_allclose(found.xyxy[0], [108, 80, 140, 112], atol=1.5)


@pytest.mark.parametrize(("missed", "followed"), [(0, 1), (1, 0)])
def test_a_resting_detector_s_tracks_are_followed_and_missed_ones_are_not(tmp_path: Path, missed: int, followed: int):
    bridge = refiner(tmp_path, missed=False)
    bridge.refine(square(100, 80), tracks(100))
    now = replace(tracks(100, seen=False), missed=np.array([missed]))
    assert len(bridge.refine(square(108, 80), now)) == followed


def test_the_score_of_a_new_box_is_its_confidence(tmp_path: Path):
    bridge = refiner(tmp_path)
    bridge.refine(square(100, 80), tracks(100))
    assert bridge.refine(square(108, 80), tracks(100, seen=False)).score.tolist() == [1]


def test_a_track_that_was_never_confirmed_is_not_followed(tmp_path: Path):
    bridge = refiner(tmp_path)
    bridge.refine(square(100, 80), tracks(100))
    assert len(bridge.refine(square(100, 80), tracks(100, seen=False, confirmed=False))) == 0


def test_a_target_of_low_confidence_is_given_up_until_it_is_seen(tmp_path: Path):
    bridge, dark = refiner(tmp_path), np.zeros((240, 320, 3), np.uint8)
    bridge.refine(square(100, 80), tracks(100))
    assert len(bridge.refine(dark, tracks(100, seen=False))) == 0
    assert len(bridge.refine(square(100, 80), tracks(100, seen=False))) == 0
    bridge.refine(square(100, 80), tracks(100))
    assert len(bridge.refine(square(100, 80), tracks(100, seen=False))) == 1


@pytest.mark.parametrize(("wanted", "followed"), [(3, 3), (50, 4)])
def test_no_more_than_max_targets_are_followed(tmp_path: Path, wanted: int, followed: int):
    bridge, lefts = refiner(tmp_path), [90 + k / 5 for k in range(wanted)]
    bridge.refine(square(100, 80), tracks(*lefts))
    assert len(bridge.refine(square(100, 80), tracks(*lefts, seen=False))) == followed


def test_a_track_nearly_outside_the_picture_is_left_out(tmp_path: Path):
    bridge = refiner(tmp_path)
    bridge.refine(square(100, 80), tracks(319))
    assert len(bridge.refine(square(100, 80), tracks(319, seen=False))) == 0


def test_without_a_refiner_nothing_is_found():
    rest, _ = open_refine(NoRefine(), RuntimeConfig())
    rest.refine(square(100, 80), tracks(100))
    assert len(rest.refine(square(100, 80), tracks(100, seen=False))) == 0


def test_a_model_that_is_not_there_is_named(tmp_path: Path):
    config = GoturnRefine(model=str(tmp_path / "gone.onnx"))
    with pytest.raises(ModelError, match=r"gone\.onnx: no such file"):
        open_refine(config, RuntimeConfig())
