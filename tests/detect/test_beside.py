"""Looks that are begun ahead of the loop: the same answers, in the same order, from any number of sessions."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from numpy.testing import assert_array_equal

from edgetrack.config import DetectConfig, RuntimeConfig
from edgetrack.detect.beside import Begun
from edgetrack.detect.yolo import YoloDetector
from edgetrack.errors import ModelError
from edgetrack.image import Fit
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


def test_whoever_began_a_look_is_told_when_it_is_over(tmp_path: Path) -> None:
    over = threading.Event()
    begun = detector(tmp_path, 1).begin(next(iter(walking_square(2))), over.set)
    assert isinstance(begun, Begun)
    begun.candidates.result()
    assert over.wait(10)


def test_a_model_that_fails_beside_the_loop_fails_in_the_loop_and_is_over(tmp_path: Path) -> None:
    """A run on an input of another shape, as the model refuses it."""
    opened, over = detector(tmp_path, 1), threading.Event()
    picture = next(iter(walking_square(2)))
    assert opened._beside is not None
    for _ in range(opened._beside._inputs.qsize()):
        blob = opened._beside._inputs.get()
        blob.array = blob.array[..., :-8]
        opened._beside._inputs.put(blob)
    begun = opened._beside.begin(picture, Fit.of((320, 192), (320, 192), "stretch"), over.set)
    with pytest.raises(ModelError, match=r"blob\.onnx: cannot run"):
        opened.detect(picture, begun)
    assert over.wait(10)
