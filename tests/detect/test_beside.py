"""Looks that are begun ahead of the loop: the same answers, in the same order, from any number of sessions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from edgetrack.config import Config, DetectConfig, FileCapture, RuntimeConfig
from edgetrack.detect.beside import Begun
from edgetrack.detect.yolo import YoloDetector
from edgetrack.parts import looks_ahead
from tests.parts import blob_detector, walking_square


def detector(folder: Path, ahead: int) -> YoloDetector:
    model = str(blob_detector(folder / "blob.onnx"))
    return YoloDetector(DetectConfig(model=model, min_score=0.5, ahead=ahead), RuntimeConfig(threads=1))


@pytest.mark.parametrize("sessions", [1, 2, 3])
def test_what_was_begun_is_what_the_loop_would_have_seen(sessions: int, tmp_path: Path) -> None:
    opened = detector(tmp_path, sessions)
    pictures = list(walking_square(12))
    begun = [opened.begin(picture) for picture in pictures]
    for picture, look in zip(pictures, begun, strict=True):
        ahead, here = opened.detect(picture, look), opened.detect(picture)
        assert len(here) > 0
        assert_array_equal(ahead.xyxy, here.xyxy)
        assert_array_equal(ahead.score, here.score)


def test_pictures_of_different_shapes_do_not_mix(tmp_path: Path) -> None:
    opened = detector(tmp_path, 2)
    pictures = [next(iter(walking_square(2, size))) for size in ((320, 192), (200, 240), (640, 200), (320, 192))]
    begun = [opened.begin(picture) for picture in pictures]
    for picture, look in zip(pictures, begun, strict=True):
        assert_array_equal(opened.detect(picture, look).xyxy, opened.detect(picture).xyxy)


def test_nothing_is_begun_where_the_loop_looks_itself(tmp_path: Path) -> None:
    opened = detector(tmp_path, 0)
    picture = next(iter(walking_square(2)))
    assert opened.begin(picture) is None
    assert len(opened.detect(picture, None)) > 0


def test_only_pictures_that_will_be_looked_at_are_begun(tmp_path: Path) -> None:
    opened = detector(tmp_path, 1)
    settings = DetectConfig(model="blob.onnx", every=3)
    begin = looks_ahead(Config(capture=FileCapture(path="clip.mp4"), detect=settings), opened)
    assert begin is not None
    picture = np.zeros((192, 320, 3), np.uint8)
    assert [isinstance(begin(picture, index), Begun) for index in range(7)] == [True, False, False] * 2 + [True]
