"""The shipped detector, on a street that it was not trained on."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from edgetrack.config import DetectConfig, RuntimeConfig
from edgetrack.demo.shipped import shipped_model
from edgetrack.detect import open_detector
from edgetrack.render import CLASSES
from edgetrack.train.accuracy import FLOOR, judge, scenes

FILES = ("edgetrack-nano", "edgetrack-nano-int8", "edgetrack-nano-square", "edgetrack-nano-square-int8")


def model(name: str) -> Path:
    return shipped_model(f"{name}.onnx")


@pytest.mark.parametrize("name", FILES)
def test_it_knows_its_classes_and_its_form(name: str) -> None:
    detector = open_detector(DetectConfig(model=str(model(name))), RuntimeConfig(threads=1))
    assert detector.names == CLASSES
    assert detector.head == "yolov8"


@pytest.mark.parametrize("hard", [False, True])
def test_int8_finds_what_is_there(hard: bool) -> None:
    name = str(model("edgetrack-nano-int8"))
    detector = open_detector(DetectConfig(model=name, min_score=FLOOR), RuntimeConfig(threads=1))
    scores = judge(detector, islice(scenes(range(300, 301), hard), 30), CLASSES)
    found = [score.average_precision() for score in scores.values()]
    assert np.nanmean(found) > (0.75 if hard else 0.9)


def test_the_labels_beside_it_are_its_names() -> None:
    assert tuple(shipped_model("edgetrack-nano.txt").read_text().split()) == CLASSES
