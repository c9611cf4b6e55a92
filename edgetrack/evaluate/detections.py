"""Detections from a file through the tracker, to be scored like any tracker's answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgetrack.boxes import tlwh_to_xyxy
from edgetrack.config import TrackConfig
from edgetrack.errors import EdgetrackError
from edgetrack.evaluate.sequences import Floats, Ints, Trajectories, read_detections, read_seqinfo, read_text
from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections

KITTI_FPS = 10.0


def run_detections(
    folder: Path | str, detections: str = "det_frcnn.txt", config: TrackConfig | None = None, min_score: float = 0.5
) -> Trajectories:
    """The confirmed tracks that a detection backs, on every frame of a MOTChallenge sequence.

    Args:
        folder: holds seqinfo.ini and the file of detections.
        detections: name of that file; all its boxes are persons.
        config: the tracker's settings; default: its defaults.
        min_score: weaker detections are not shown to the tracker.

    Time is frame / frameRate; frames 1 to seqLength are all stepped, also those without detections.
    """
    info = read_seqinfo(folder)
    try:
        fps, length = float(info["framerate"]), int(info["seqlength"])
    except (KeyError, ValueError) as error:
        raise EdgetrackError(f"{folder}/seqinfo.ini: {error}; expected numbers frameRate and seqLength") from error
    frame, xyxy, score = read_detections(Path(folder) / detections)
    class_id = np.zeros(len(frame), np.int64)
    return _followed(frame, xyxy, score, class_id, range(1, length + 1), fps, config, min_score)[0]


def run_kitti_detections(
    path: Path | str, last_frame: int, config: TrackConfig | None = None, min_score: float = 0.5
) -> dict[str, Trajectories]:
    """The same for KITTI, by class: lines are `frame,class,left,top,width,height,score`, frames from 0, 10 a second."""
    path = Path(path)
    words = [line.split(",") for line in read_text(path).splitlines() if line.strip()]
    names = sorted({w[1].lower() for w in words if len(w) > 1})
    try:
        class_id = np.array([names.index(w[1].lower()) for w in words], np.int64)
        number = np.array([[float(v) for v in (w[0], *w[2:7])] for w in words], np.float64).reshape(-1, 6)
    except (ValueError, IndexError) as error:
        raise EdgetrackError(f"{path}: {error}; expected lines frame,class,left,top,width,height,score") from error
    frame, xyxy, score = number[:, 0].astype(np.int64), tlwh_to_xyxy(number[:, 1:5]), number[:, 5]
    followed = _followed(frame, xyxy, score, class_id, range(last_frame + 1), KITTI_FPS, config, min_score)
    return {name: followed.get(i, Trajectories.empty()) for i, name in enumerate(names)}


def _followed(
    frame: Ints,
    xyxy: Floats,
    score: Floats,
    class_id: Ints,
    frames: range,
    fps: float,
    config: TrackConfig | None,
    min_score: float,
) -> dict[int, Trajectories]:
    """Confirmed tracks that a detection backs, by class."""
    tracker = Tracker() if config is None else Tracker(config)
    rows = []
    for k in frames:
        now = (frame == k) & (score >= min_score)
        seen = Detections(xyxy[now].astype(np.float32), score[now].astype(np.float32), class_id[now].astype(np.int32))
        tracks = tracker.step(time=k / fps, detections=seen)
        tracks = tracks[tracks.confirmed & tracks.seen]
        rows.append((np.full(len(tracks), k), tracks.track_id, tracks.class_id, tracks.xyxy))
    when, track_id, kind, boxes = (np.concatenate(column) for column in zip(*rows, strict=True))
    classes = sorted({0, *kind.tolist()})
    return {c: Trajectories.of(when[kind == c], track_id[kind == c], boxes[kind == c]) for c in classes}
