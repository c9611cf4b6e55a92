"""Real models on real pictures: what they find, and how much of the truth, within a band round the figures measured."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgetrack.boxes import iou
from edgetrack.config import DetectConfig, Embed, HistogramEmbed, ReidEmbed, RuntimeConfig
from edgetrack.detect import Detector, open_detector, open_embedder
from tests.detect.real import Truth, as_detections, coco_people, load, mot_frames, recall_precision

CPU = RuntimeConfig(threads=2)
BAND = 0.03

HEADS = {
    "yolox_nano_416": "yolox",
    "picodet_s_416_coco": "picodet",
    "yolov8n_int8_agpl": "yolov8",
    "yolo11n_int8_agpl": "yolov8",
}
# recall, precision at score 0.3 and IoU 0.5: 487 pedestrians in 24 pictures of MOT17, 186 people in 55 of COCO
MOT = {
    "yolox_nano_416": (0.337, 0.796),
    "picodet_s_416_coco": (0.534, 0.682),
    "yolov8n_int8_agpl": (0.517, 0.900),
    "yolo11n_int8_agpl": (0.181, 0.917),
}
COCO = {
    "yolox_nano_416": (0.769, 0.691),
    "picodet_s_416_coco": (0.914, 0.497),
    "yolo11n_int8_agpl": (0.651, 0.890),
}
# Seen by eye in bus.jpg, 810 x 1080: the bus, and the three people who are wholly or mostly in the picture.
BUS = (15, 230, 803, 745)
PEOPLE = [(50, 398, 243, 904), (221, 405, 345, 857), (670, 385, 810, 878)]


def detector(shared: Path, name: str, min_score: float = 0.3) -> Detector:
    return open_detector(DetectConfig(model=str(shared / "models" / f"{name}.onnx"), min_score=min_score), CPU)


@pytest.fixture(scope="module")
def mot(shared: Path) -> list[Truth]:
    return [frame for clip in mot_frames(shared) for frame in clip]


@pytest.fixture(scope="module")
def coco(shared: Path) -> list[Truth]:
    return list(coco_people(shared))


@pytest.fixture(scope="module")
def clip_ends(shared: Path) -> list[list[Truth]]:
    return list(mot_frames(shared, ends_only=True))


@pytest.mark.parametrize("name", HEADS)
def test_the_bus_and_its_people_are_found_and_nothing_else(name: str, shared: Path) -> None:
    opened = detector(shared, name, min_score=0.5)
    assert opened.head == HEADS[name]
    found = opened.detect(load(shared / "data" / "images" / "bus.jpg"))
    names = [opened.names[i] for i in found.class_id]
    truth = np.array([BUS, *PEOPLE], np.float32)
    overlaps = iou(found.xyxy, truth)
    assert sorted(names) == ["bus", "person", "person", "person"]
    assert (overlaps.max(axis=0) > 0.7).all()
    assert [names[i] for i in overlaps.argmax(axis=0)] == ["bus", "person", "person", "person"]


@pytest.mark.parametrize("name", HEADS)
def test_the_taxi_in_the_street_is_found_where_it_stands(name: str, shared: Path) -> None:
    opened = detector(shared, name, min_score=0.5)
    found = opened.detect(load(shared / "data" / "images" / "street.png"))
    cars = found.xyxy[found.class_id == opened.names.index("car")]
    assert iou(cars, np.array([[116, 470, 442, 625]], np.float32)).max() > 0.85


@pytest.mark.parametrize("name", MOT)
def test_pedestrians_of_mot17_are_found_as_often_as_measured(name: str, shared: Path, mot: list[Truth]) -> None:
    assert recall_precision(detector(shared, name), mot) == pytest.approx(MOT[name], abs=BAND)


@pytest.mark.parametrize("name", COCO)
def test_people_of_coco_are_found_as_often_as_measured(name: str, shared: Path, coco: list[Truth]) -> None:
    assert recall_precision(detector(shared, name), coco) == pytest.approx(COCO[name], abs=BAND)


def same_and_different(config: Embed, clips: list[list[Truth]]) -> tuple[float, float, float]:
    """Mean cosine of a person in the first and last picture of a clip, of different people, and the share of people
    whose nearest neighbour is themselves."""
    embedder = open_embedder(config, CPU)
    same: list[NDArray[np.float32]] = []
    different: list[NDArray[np.float32]] = []
    right: list[NDArray[np.bool_]] = []
    for clip in clips:
        rows, identity = [], []
        for frame in clip:
            clear = frame.counts & (frame.xyxy[:, 3] - frame.xyxy[:, 1] >= 60)
            rows.append(embedder.embed(frame.image, as_detections(frame.xyxy[clear])).embedding)
            identity.append(frame.identity[clear])
        assert rows[0] is not None
        assert rows[1] is not None
        cosine, match = rows[0] @ rows[1].T, identity[0][:, None] == identity[1]
        same.append(cosine[match])
        different.append(cosine[~match])
        right.append(match[np.arange(len(match)), cosine.argmax(axis=1)][match.any(axis=1)])
    return (
        float(np.concatenate(same).mean()),
        float(np.concatenate(different).mean()),
        float(np.concatenate(right).mean()),
    )


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("osnet_x0_25_msmt17", (0.89, 0.52, 1.0)),
        ("person-reidentification-retail-0287", (0.89, 0.31, 1.0)),
        ("osnet_x0_25_market1501", (0.92, 0.54, 1.0)),
    ],
)
def test_reid_models_tell_people_apart_as_measured(
    model: str, expected: tuple[float, float, float], shared: Path, clip_ends: list[list[Truth]]
) -> None:
    config = ReidEmbed(model=str(shared / "models" / f"{model}.onnx"))
    assert same_and_different(config, clip_ends) == pytest.approx(expected, abs=BAND)


@pytest.mark.usefixtures("shared")
def test_histograms_tell_people_apart_as_measured(clip_ends: list[list[Truth]]) -> None:
    assert same_and_different(HistogramEmbed(), clip_ends) == pytest.approx((0.97, 0.56, 1.0), abs=BAND)
