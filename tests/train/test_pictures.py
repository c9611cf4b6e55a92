"""Training pictures: true, varied, and the same for the same seed."""

import numpy as np

from edgetrack.train.pictures import IGNORED, labels, street_pictures


def test_a_street_is_the_same_for_the_same_seed() -> None:
    first, again = (list(street_pictures(5, 2, (160, 96))) for _ in range(2))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, again, strict=True))
    assert np.array_equal(first[1].xyxy, again[1].xyxy)


def test_boxes_lie_within_the_picture() -> None:
    boxes = np.concatenate([picture.xyxy for street in range(4) for picture in street_pictures(street, 2, (160, 96))])
    assert len(boxes) > 5
    assert (boxes >= 0).all()
    assert (boxes <= [160, 96, 160, 96]).all()


def test_streets_show_all_classes() -> None:
    seen = {
        c for street in range(8) for picture in street_pictures(street, 2, (160, 96)) for c in picture.class_id.tolist()
    }
    assert {0, 1, 2} <= seen


def test_what_is_mostly_hidden_is_neither_right_nor_wrong_to_find() -> None:
    xyxy = np.array([[10.0, 10, 30, 60], [50, 10, 70, 60], [-500, 10, -400, 60]])
    _, class_id = labels(xyxy, np.zeros(3, np.int32), np.array([0.9, 0.1, 0], np.float32), (160, 96))
    assert class_id.tolist() == [0, IGNORED]
