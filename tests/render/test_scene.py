"""The street: deterministic, true, and easy enough to count."""

import hashlib

import numpy as np
import pytest

from edgetrack.boxes import iou
from edgetrack.render.scene import LINES, ZONES, Scene


@pytest.fixture(scope="module")
def street() -> Scene:
    return Scene(0, width=320, height=180, seconds=12)


@pytest.mark.parametrize(
    ("seed", "hard", "digest"),
    [(0, False, "1fcfa9ea4dfb282f"), (1, True, "2f5fbf5c8d5f097e")],
)
def test_a_picture_is_the_same_on_every_machine(seed: int, hard: bool, digest: str) -> None:
    image, _ = Scene(seed, hard, width=320, height=180, seconds=12).picture(100)
    assert hashlib.sha256(image.tobytes()).hexdigest()[:16] == digest


def test_pictures_may_be_asked_for_in_any_order(street: Scene) -> None:
    late, _ = street.picture(90)
    street.picture(3)
    assert np.array_equal(street.picture(90)[0], late)


def test_another_seed_is_another_street(street: Scene) -> None:
    other, _ = Scene(1, width=320, height=180, seconds=12).picture(60)
    assert not np.array_equal(street.picture(60)[0], other)


def test_what_moves_lies_within_the_true_boxes() -> None:
    """Where two moments differ by more than noise, some object's box of either moment is near."""
    scene = Scene(3, width=320, height=180, seconds=12)
    (before, here), (after, there) = scene.picture(60), scene.picture(75)
    boxes = np.concatenate([here.xyxy, there.xyxy])
    changed = np.abs(before.astype(int) - after).max(axis=2) > 90  # shadows change less
    rows, columns = np.nonzero(changed)
    inside = np.zeros(len(rows), bool)
    for x0, y0, x1, y1 in boxes:
        inside |= (columns >= x0 - 2) & (columns <= x1 + 2) & (rows >= y0 - 2) & (rows <= y1 + 2)
    assert len(rows) > 100
    assert inside.mean() > 0.98


def test_boxes_scale_with_the_resolution() -> None:
    small = Scene(0, width=320, height=180, seconds=8).picture(50)[1]
    large = Scene(0, width=640, height=360, seconds=8).picture(50)[1]
    assert small.track_id.tolist() == large.track_id.tolist()
    assert np.allclose(small.xyxy * 2, large.xyxy, atol=0.6)


def test_visibility_is_a_share(street: Scene) -> None:
    shares = np.concatenate([street.picture(k)[1].visibility for k in range(0, 150, 10)])
    assert shares.min() >= 0
    assert shares.max() <= 1
    assert (shares > 0.95).any()


@pytest.mark.parametrize("seed", range(3))
def test_easy_streets_have_crossings_but_none_at_the_very_start_or_end(seed: int) -> None:
    scene = Scene(seed)
    frames = [crossing.frame for crossing in scene.crossings()]
    assert len(frames) >= 8
    assert min(frames) > 0.8 * scene.fps
    assert max(frames) < len(scene) - 0.8 * scene.fps


def test_truth_does_not_depend_on_the_resolution() -> None:
    small, large = Scene(2, width=320, height=180, seconds=20), Scene(2, width=1280, height=720, seconds=20)
    assert [(c.line, c.track_id, c.direction) for c in small.crossings()] == [
        (c.line, c.track_id, c.direction) for c in large.crossings()
    ]


def test_lines_and_zones_are_fractions_of_the_picture(street: Scene) -> None:
    points = [point for name in LINES for point in street.line(name)]
    points += [point for name in ZONES for point in street.zone(name)]
    assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in points)


def test_nobody_stands_in_somebody_else_on_an_easy_street(street: Scene) -> None:
    for index in range(0, len(street), 15):
        xyxy = street.picture(index)[1].xyxy
        overlaps = iou(xyxy, xyxy) - np.eye(len(xyxy))
        assert overlaps.max(initial=0) < 0.9
