"""The exact mode against the reference implementation's own output, and against a slow version of the paper."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgetrack.config import TrackConfig
from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections
from tests.track.reference_sequences import NAMES, answered, expected
from tests.track.slow_deepsort import SlowTracker


def by_frame(rows: list[tuple[int, int, np.ndarray]]) -> dict[int, list[tuple[int, np.ndarray]]]:
    frames = defaultdict(list)
    for frame, track_id, box in rows:
        frames[frame].append((track_id, box))
    return frames


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_s_boxes_and_identities_are_reproduced(shared: Path, name: str):
    path = shared / "data" / "deepsort-reference" / f"{name}.npz"
    ours, theirs = by_frame(answered(path)), by_frame(expected(path))
    assert ours.keys() == theirs.keys()
    renamed: dict[int, int] = {}
    for frame, rows in theirs.items():
        assert len(ours[frame]) == len(rows), f"frame {frame}"
        boxes = np.array([box for _, box in ours[frame]])
        for their_id, box in rows:
            error = np.abs(boxes - box).max(axis=1)
            nearest = int(error.argmin())
            assert error[nearest] < 1e-6, f"frame {frame}: no box at {box}"
            assert renamed.setdefault(their_id, ours[frame][nearest][0]) == ours[frame][nearest][0], f"frame {frame}"
    assert len(set(renamed.values())) == len(renamed)


@st.composite
def scenes(draw: st.DrawFn) -> list[Detections]:
    """Few objects that meet, hide and look alike, so that gates, cascade and overlap are all needed."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    objects = draw(st.integers(1, 12))
    looks = draw(st.integers(2, 30))
    miss = draw(st.sampled_from([0.0, 0.1, 0.4, 0.8]))
    jitter = draw(st.sampled_from([0.01, 0.05, 0.2]))
    unlike = draw(st.sampled_from([0.1, 0.4, 1.0]))
    height = rng.uniform(40, 120, objects)
    centre, speed = rng.uniform(0, 400, (objects, 2)), rng.normal(0, 3, (objects, 2))
    identity = 1 + unlike * rng.normal(size=(objects, 8))
    drawn = []
    for _ in range(looks):
        centre = centre + speed
        seen = np.flatnonzero(rng.random(objects) >= miss)
        h = height[seen, None]
        at = centre[seen] + rng.normal(0, jitter, (len(seen), 2)) * h
        half = np.hstack([0.4 * h, h]) / 2 * rng.uniform(0.9, 1.1, (len(seen), 2))
        embedding = (identity[seen] + rng.normal(0, 0.3 * unlike, (len(seen), 8))).astype(np.float32)
        zeros = np.zeros(len(seen))
        drawn.append(
            Detections(np.hstack([at - half, at + half]), zeros.astype(np.float32), zeros.astype(np.int32), embedding)
        )
    return drawn


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    scene=scenes(),
    max_age=st.integers(1, 5),
    gallery=st.integers(1, 6),
    weight=st.sampled_from([0.0, 0.02, 1.0]),
    limit=st.sampled_from([0.05, 0.2, 0.6]),
)
def test_a_slow_version_of_the_paper_agrees(
    scene: list[Detections], max_age: int, gallery: int, weight: float, limit: float
):
    config = TrackConfig(exact=True, max_age=max_age, gallery=gallery, motion_weight=weight, max_cosine_distance=limit)
    fast = Tracker(config)
    slow = SlowTracker(max_age=max_age, gallery=gallery, weight=weight, max_cosine_distance=limit)
    for frame, detections in enumerate(scene):
        tracks = fast.step(float(frame), detections)
        assert detections.embedding is not None
        slow.step(detections.xyxy, detections.embedding.astype(np.float64))
        assert tracks.track_id.tolist() == [t.track_id for t in slow.tracks]
        assert tracks.missed.tolist() == [t.missed for t in slow.tracks]
        assert tracks.confirmed.tolist() == [t.confirmed for t in slow.tracks]
        wanted = np.array([t.xyxy() for t in slow.tracks]).reshape(-1, 4)
        np.testing.assert_allclose(tracks.xyxy, wanted, rtol=0, atol=1e-6)
