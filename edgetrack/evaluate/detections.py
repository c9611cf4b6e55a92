"""Detections from a file through the tracker, and through the scene, to be scored like anybody's answer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgetrack.boxes import tlwh_to_xyxy
from edgetrack.config import Config, DetectConfig, ImagesCapture, LineConfig, TrackConfig, ZoneConfig
from edgetrack.errors import ConfigError
from edgetrack.evaluate.counts import Truth
from edgetrack.evaluate.published import Crossing, Visit, paired
from edgetrack.evaluate.sequences import Floats, Ints, Trajectories, read_detections, read_seqinfo, read_text
from edgetrack.scene import Scene
from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections, Event, Frame, TrackEvent, Tracks

KITTI_FPS = 10.0


class Recording(NamedTuple):
    """What a detector saw in every picture of a sequence."""

    frame: Ints  # (R,)
    xyxy: Floats  # (R, 4) pixels
    score: Floats  # (R,)
    class_id: Ints  # (R,)
    frames: range  # all pictures, also those without detections
    fps: float

    def follow(
        self, config: TrackConfig | None = None, min_score: float = 0.5, every: int = 1
    ) -> Iterator[tuple[int, Tracks]]:
        """Frame number and tracks, picture by picture; the detector looks at every `every`th of them."""
        tracker = Tracker() if config is None else Tracker(config)
        for k in self.frames:
            now = (self.frame == k) & (self.score >= min_score)
            seen = Detections(
                self.xyxy[now].astype(np.float32),
                self.score[now].astype(np.float32),
                self.class_id[now].astype(np.int32),
            )
            yield k, tracker.step(time=k / self.fps, detections=None if k % every else seen)


def record(folder: Path | str, detections: str = "det_frcnn.txt") -> Recording:
    """A MOTChallenge sequence: seqinfo.ini and a file of detections, all of them persons."""
    info = read_seqinfo(folder)
    try:
        fps, length = float(info["framerate"]), int(info["seqlength"])
        if not (0 < fps < math.inf and length > 0):
            raise ValueError(f"frameRate is {fps:g}, seqLength is {length}")
    except (KeyError, ValueError) as error:
        raise ConfigError(f"{folder}/seqinfo.ini: {error}; expected numbers frameRate and seqLength") from error
    frame, xyxy, score = read_detections(Path(folder) / detections)
    return Recording(frame, xyxy, score, np.zeros(len(frame), np.int64), range(1, length + 1), fps)


def record_kitti(path: Path | str, last_frame: int) -> tuple[Recording, list[str]]:
    """A KITTI sequence, `frame,class,left,top,width,height,score`, frames from 0; and the names of the classes."""
    path = Path(path)
    words = [line.split(",") for line in read_text(path).splitlines() if line.strip()]
    names = sorted({w[1].lower() for w in words if len(w) > 1})
    try:
        class_id = np.array([names.index(w[1].lower()) for w in words], np.int64)
        number = np.array([[float(v) for v in (w[0], *w[2:7])] for w in words], np.float64).reshape(-1, 6)
    except (ValueError, IndexError) as error:
        raise ConfigError(f"{path}: {error}; expected lines frame,class,left,top,width,height,score") from error
    if not np.isfinite(number).all():
        raise ConfigError(f"{path}: holds numbers that are not finite; expected lines of a detector's boxes")
    frame, xyxy, score = number[:, 0].astype(np.int64), tlwh_to_xyxy(number[:, 1:5]), number[:, 5]
    return Recording(frame, xyxy, score, class_id, range(last_frame + 1), KITTI_FPS), names


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
    return _trajectories(record(folder, detections).follow(config, min_score)).get(0, Trajectories.empty())


def run_kitti_detections(
    path: Path | str, last_frame: int, config: TrackConfig | None = None, min_score: float = 0.5
) -> dict[str, Trajectories]:
    """The same for KITTI, by class."""
    recording, names = record_kitti(path, last_frame)
    followed = _trajectories(recording.follow(config, min_score))
    return {name: followed.get(i, Trajectories.empty()) for i, name in enumerate(names)}


def count_detections(
    recording: Recording, truth: Truth, config: TrackConfig | None = None, min_score: float = 0.5, every: int = 1
) -> tuple[list[Crossing], list[Visit]]:
    """What tracker and scene count on the lines and in the zones of the truth."""
    scene = Scene(places(truth), ["person"])
    picture = np.broadcast_to(np.uint8(0), (truth.size[1], truth.size[0], 3))
    events: list[Event] = []
    for k, tracks in recording.follow(config, min_score, every):
        events += scene.observe(Frame(picture, k, k / truth.fps, 0.0, 0.0), tracks)
    told = [e for e in events + scene.end("shutdown", 0.0, 0.0) if isinstance(e, TrackEvent)]
    crossings = [Crossing(e.name, e.frame, e.direction, e.track_id) for e in told if e.direction]
    return crossings, paired((e.kind, e.name, e.track_id, e.frame) for e in told)


def places(truth: Truth) -> Config:
    """A configuration with the lines and zones of the truth."""
    w, h = truth.size
    return Config(
        capture=ImagesCapture(path="."),
        detect=DetectConfig(model="none"),
        lines=[
            LineConfig(
                name=line.name,
                start=(line.p0[0] / w, line.p0[1] / h),
                end=(line.p1[0] / w, line.p1[1] / h),
                hysteresis=line.hysteresis_px / h,
            )
            for line in truth.lines
        ],
        zones=[
            ZoneConfig(
                name=zone.name, polygon=[(x / w, y / h) for x, y in zone.polygon], min_s=zone.min_frames / truth.fps
            )
            for zone in truth.zones
        ],
    )


def _trajectories(followed: Iterator[tuple[int, Tracks]]) -> dict[int, Trajectories]:
    """Confirmed tracks that a detection backs, by class."""
    rows = []
    for k, tracks in followed:
        shown = tracks[tracks.confirmed & tracks.seen]
        rows.append((np.full(len(shown), k), shown.track_id, shown.class_id, shown.xyxy))
    when, track_id, kind, boxes = (np.concatenate(column) for column in zip(*rows, strict=True))
    return {c: Trajectories.of(when[kind == c], track_id[kind == c], boxes[kind == c]) for c in set(kind.tolist())}
