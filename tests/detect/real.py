"""Real pictures and their truth, from the shared data."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from edgetrack.boxes import iou, tlwh_to_xyxy
from edgetrack.detect import Detector
from edgetrack.types import Detections

PEDESTRIAN = 1  # of MOT17's classes
VISIBLE = 0.4  # share from which a pedestrian must be found


def load(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) BGR."""
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="bgr24")


@dataclass(frozen=True)
class Truth:
    """One picture: (M, 4) boxes of the people in it, who they are, and which of them count."""

    image: NDArray[np.uint8]
    xyxy: NDArray[np.float64]
    identity: NDArray[np.int64]
    counts: NDArray[np.bool_]  # those that do not may be found or not


def mot_frames(shared: Path, ends_only: bool = False) -> Iterator[list[Truth]]:
    """The pictures of each MOT17 clip, or its first and last."""
    for clip in sorted((shared / "data" / "mot-frames").iterdir()):
        truth = np.loadtxt(clip / "gt.txt", delimiter=",")
        pictures = sorted((clip / "img1").glob("*.jpg"))
        frames = []
        for picture in pictures[:: len(pictures) - 1] if ends_only else pictures:
            rows = truth[truth[:, 0] == int(picture.stem)]
            counts = (rows[:, 6] == 1) & (rows[:, 7] == PEDESTRIAN) & (rows[:, 8] >= VISIBLE)
            frames.append(Truth(load(picture), tlwh_to_xyxy(rows[:, 2:6]), rows[:, 1].astype(np.int64), counts))
        yield frames


def coco_people(shared: Path) -> Iterator[Truth]:
    """The COCO pictures whose people are labelled."""
    folder = shared / "data" / "images" / "coco-val2017-100"
    for labels in sorted((folder / "labels-person").glob("*.txt")):
        image = load(folder / "images" / f"{labels.stem}.jpg")
        rows = np.loadtxt(labels, ndmin=2)
        scale = np.array([image.shape[1], image.shape[0]] * 2)
        half = np.concatenate([-rows[:, 3:], rows[:, 3:]], axis=1) / 2
        xyxy = (np.tile(rows[:, 1:3], 2) + half) * scale
        yield Truth(image, xyxy, np.arange(len(rows)), np.ones(len(rows), bool))


def recall_precision(detector: Detector, frames: list[Truth], min_iou: float = 0.5) -> tuple[float, float]:
    """Greedy, best detection first; what matches a person who does not count is neither right nor wrong."""
    hits = found = wanted = 0
    person = detector.names.index("person")
    for frame in frames:
        detections = detector.detect(frame.image)
        overlaps = iou(detections.xyxy[detections.class_id == person].astype(np.float64), frame.xyxy)
        free = frame.counts.copy()
        for row in overlaps:
            place = int(np.where(free, row, -1).argmax())
            if free[place] and row[place] >= min_iou:
                free[place] = False
                hits += 1
                found += 1
            elif not (row[~frame.counts] >= min_iou).any():
                found += 1
        wanted += int(frame.counts.sum())
    return hits / wanted, hits / max(found, 1)


def as_detections(xyxy: NDArray[np.float64]) -> Detections:
    return Detections(xyxy.astype(np.float32), np.ones(len(xyxy), np.float32), np.zeros(len(xyxy), np.int32))
