"""Boxes count by whether what surprised once surprises again."""

from itertools import pairwise

import numpy as np

from edgetrack.config import TrackConfig
from edgetrack.track.innovation import COARSE, SURE, BoxNoise
from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections


def learned(innovations: np.ndarray) -> BoxNoise:
    """From the innovations of one track, look by look."""
    noise = BoxNoise()
    for before, now in pairwise(innovations):
        noise.learn(before[None], now[None])
    return noise


def alternating(looks: int, size: float) -> np.ndarray:
    return size * (-1.0) ** np.arange(looks)[:, None] * np.ones(3)


def test_surprises_that_alternate_make_boxes_count_less():
    assert learned(alternating(20, 0.05)).variance > 3 * SURE


def test_surprises_that_repeat_make_boxes_count_more():
    noise = learned(alternating(20, 0.05))
    coarse = noise.variance
    for _ in range(60):
        noise.learn(np.full((1, 3), 0.05), np.full((1, 3), 0.05))
    assert noise.variance < coarse / 2


def test_surprises_that_say_nothing_of_the_next_change_little():
    draws = np.random.default_rng(0).normal(0, 0.05, (400, 3))
    assert learned(draws).variance < 2.5 * SURE


def test_what_is_believed_has_bounds():
    assert learned(alternating(500, 1e3)).variance == COARSE
    assert learned(np.ones((500, 3))).variance == SURE


def test_no_surprise_at_all_teaches_nothing():
    assert learned(np.zeros((20, 3))).variance == SURE


def walk(adaptive_noise: bool, jitter_px: float) -> float:
    """How far the track's left edge lies from the truth, px, of somebody whose boxes jump about; the second half."""
    rng, tracker, off = np.random.default_rng(0), Tracker(TrackConfig(adaptive_noise=adaptive_noise)), []
    for frame in range(200):
        left = 100 + 2 * frame
        box = np.array([[left, 100, left + 40, 200]]) + rng.normal(0, jitter_px, (1, 4))
        tracks = tracker.step(
            frame / 30, Detections(box.astype(np.float32), np.full(1, 0.9, np.float32), np.zeros(1, np.int32))
        )
        off.append(abs(tracks.xyxy[0, 0] - left))
    return float(np.mean(off[100:]))


def test_a_coarse_detector_is_followed_more_calmly():
    assert walk(True, jitter_px=5) < 0.8 * walk(False, jitter_px=5)


def test_a_sharp_detector_is_followed_no_worse():
    assert walk(True, jitter_px=0.5) < 1.2 * walk(False, jitter_px=0.5)
