"""What one look at a gallery's anchor proves about the whole gallery."""

import numpy as np
import pytest

from edgetrack.track import gallery
from edgetrack.track.gallery import Gallery

LIMIT = 0.2


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def filled(pushes: int, depth: int = 5) -> tuple[Gallery, np.ndarray, np.ndarray]:
    """A gallery of 30 tracks whose looks drift, their slots, and embeddings from like to unlike."""
    rng = np.random.default_rng(0)
    kept = Gallery(depth, 8)
    slots, look = kept.take(30), rng.normal(size=(30, 8))
    for _ in range(pushes):
        look = look + rng.normal(0, 0.3, look.shape)
        kept.push(slots, unit(look))
    return kept, slots, unit(look + rng.normal(0, np.linspace(0, 3, 30)[:, None], look.shape))


@pytest.mark.parametrize("pushes", [1, 3, 5, 6, 13])
def test_what_is_near_the_anchor_is_near_the_gallery(pushes: int):
    kept, slots, embeddings = filled(pushes)
    near = kept.distance_to_anchor(slots, embeddings) <= LIMIT
    assert near.any()
    assert (kept.distance(slots[near], embeddings[near]) <= LIMIT + 1e-6).all()


@pytest.mark.parametrize("pushes", [1, 3, 5, 6, 13])
def test_what_is_beyond_reach_of_the_anchor_is_far_from_the_gallery(pushes: int):
    kept, slots, embeddings = filled(pushes)
    far = kept.distance_to_anchor(slots, embeddings) > kept.reach(slots, LIMIT)
    assert far.any()
    assert (kept.distance(slots[far], embeddings[far]) > LIMIT).all()


def test_a_gallery_forgets_all_but_its_last_embeddings():
    kept = Gallery(2, 3)
    slot = kept.take(1)
    for look in np.eye(3, dtype=np.float32):
        kept.push(slot, look[None])
    first, last = np.eye(3, dtype=np.float32)[[0, 2]]
    assert kept.distance(slot, first[None]).tolist() == [1]
    assert kept.distance(slot, last[None]).tolist() == [0]


def test_an_empty_gallery_is_near_nothing():
    kept = Gallery(2, 3)
    slot, look = kept.take(1), np.ones((1, 3), np.float32)
    assert not (kept.distance_to_anchor(slot, look) <= 2).any()
    assert kept.distance(slot, look).tolist() == [np.inf]


def test_many_galleries_are_read_in_portions(monkeypatch: pytest.MonkeyPatch):
    kept, slots, embeddings = filled(7)
    whole = kept.distance(slots, embeddings)
    monkeypatch.setattr(gallery, "AT_ONCE", 7)
    np.testing.assert_allclose(kept.distance(slots, embeddings), whole, atol=1e-6)
