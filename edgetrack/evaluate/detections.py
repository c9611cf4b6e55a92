"""Detections from a file through the tracker, to be scored like any tracker's answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgetrack.config import TrackConfig
from edgetrack.errors import EdgetrackError
from edgetrack.evaluate.sequences import Trajectories, read_detections, read_seqinfo
from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections


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
    tracker = Tracker() if config is None else Tracker(config)
    frames, ids, boxes = [], [], []
    for k in range(1, length + 1):
        rows = (frame == k) & (score >= min_score)
        seen = Detections(xyxy[rows].astype(np.float32), score[rows].astype(np.float32), np.zeros(rows.sum(), np.int32))
        tracks = tracker.step(time=k / fps, detections=seen)
        tracks = tracks[tracks.confirmed & tracks.seen]
        frames.append(np.full(len(tracks), k))
        ids.append(tracks.track_id)
        boxes.append(tracks.xyxy)
    return Trajectories.of(np.concatenate(frames), np.concatenate(ids), np.concatenate(boxes))
