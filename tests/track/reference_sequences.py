"""Inputs and outputs of the reference implementation of DeepSORT, as shared/data/SOURCES.md describes them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgetrack import boxes
from edgetrack.config import TrackConfig
from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections

NAMES = (
    "ADL-Rundle-6",
    "ETH-Pedcross2",
    "ETH-Sunnyday",
    "KITTI-13",
    "MOT17-02",
    "MOT17-04",
    "MOT17-11",
    "MOT17-13",
    "TUD-Campus",
    "TUD-Stadtmitte",
)
Row = tuple[int, int, list[float]]


def looks(path: Path) -> Iterator[tuple[int, Detections]]:
    """Frame number and detections of every frame, those without any too."""
    file = np.load(path)
    xyxy = boxes.tlwh_to_xyxy(file["det_tlwh"])
    last = max(file["det_frame"].max(), file["track_frame"].max())
    for frame in range(1, int(last) + 1):
        rows = np.flatnonzero(file["det_frame"] == frame)
        yield (
            frame,
            Detections(
                xyxy[rows],
                file["det_score"][rows].astype(np.float32),
                np.zeros(len(rows), np.int32),
                file["det_embedding"][rows].astype(np.float32),
            ),
        )


def expected(path: Path) -> list[tuple[int, int, np.ndarray]]:
    """(frame, track_id, xyxy) of every confirmed track with at most one missed frame."""
    file = np.load(path)
    xyxy = boxes.tlwh_to_xyxy(file["track_tlwh"])
    return list(zip(file["track_frame"].tolist(), file["track_id"].tolist(), xyxy, strict=True))


def answered(path: Path) -> list[tuple[int, int, np.ndarray]]:
    """The same from our tracker."""
    tracker = Tracker(
        TrackConfig(
            exact=True,
            max_cosine_distance=0.2,
            gallery=100,
            max_iou_distance=0.7,
            max_age=30,
            n_init=3,
        )
    )
    rows = []
    for frame, detections in looks(path):
        tracks = tracker.step(float(frame), detections)
        shown = tracks[tracks.confirmed & (tracks.missed <= 1)]
        rows += [(frame, int(i), box) for i, box in zip(shown.track_id, shown.xyxy, strict=True)]
    return rows
