"""Run by hand: what `track.camera_motion` brings where the camera moves, and what it costs.

    python -m tests.detect.moving_camera SHARED

SHARED holds data/mot-video/ADL-Rundle-6-a. A window of 1440x810 px of its pictures moves as a camera on a mast, in a
hand, or turning would move it, and detections and truth with it; boxes may reach beyond the window. The camera itself
stands still, so that the tracker's score there is what it could reach.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np

from edgetrack.config import TrackConfig
from edgetrack.detect import open_camera
from edgetrack.evaluate.mot import evaluate
from edgetrack.evaluate.sequences import Trajectories, read_truth
from edgetrack.track.tracker import Tracker
from tests.track.ablation import drawn

FPS, LOOKS = 30.0, 350
WIDTH, HEIGHT = 1440, 810


def path(kind: str, size_px: float) -> np.ndarray:
    """(LOOKS, 2): where the window's corner lies, px from the middle of its room; even, as planes of colour want."""
    t = np.arange(LOOKS) / FPS
    if kind == "sway":
        corner = np.stack([size_px * np.sin(2 * np.pi * 0.7 * t), 0.3 * size_px * np.sin(2 * np.pi * 1.1 * t)], axis=1)
    elif kind == "turn":
        corner = np.stack([size_px * (2 * np.abs(t / 3 % 2 - 1) - 1), 0 * t], axis=1)
    else:
        tremor = np.random.default_rng(1).normal(size=(2, LOOKS + 14))
        smooth = np.hanning(15) / np.linalg.norm(np.hanning(15))
        corner = size_px / 2 * np.stack([np.convolve(axis, smooth, "valid") for axis in tremor], axis=1)
    return 2 * np.round(corner / 2)


def windows(video: Path, corners: np.ndarray) -> Iterator[np.ndarray]:
    with av.open(str(video)) as container:
        for frame, corner in zip(container.decode(video=0), corners, strict=False):
            left, top = (np.array([240, 135]) + corner).astype(int)
            yield np.ascontiguousarray(frame.to_ndarray(format="bgr24")[top : top + HEIGHT, left : left + WIDTH])


def score(folder: Path, corners: np.ndarray, camera_motion: bool) -> tuple[str, float]:
    """HOTA / IDF1, and ms per picture of telling the motion."""
    camera, tracker, spent, rows = open_camera(TrackConfig(camera_motion=camera_motion)), Tracker(), [], []
    looks = drawn(folder, 0)[1]
    for k, (look, corner, picture) in enumerate(
        zip(looks, corners, windows(folder / "video.mp4", corners), strict=True), 1
    ):
        start = time.thread_time()
        shift = camera.shift(picture)
        spent.append(time.thread_time() - start)
        there = np.tile(corner, 2)
        tracks = tracker.step(k / FPS, replace(look, xyxy=(look.xyxy - there).astype(np.float32)), shift)
        tracks = tracks[tracks.confirmed & tracks.seen]
        rows.append((np.full(len(tracks), k), tracks.track_id, tracks.xyxy + there))
    results = Trajectories.of(*(np.concatenate(column) for column in zip(*rows, strict=True)))
    scores = evaluate(read_truth(folder / "gt.txt"), results)
    return f"{100 * scores.hota:.1f} / {100 * scores.idf1:.1f}", float(np.median(spent)) * 1e3


if __name__ == "__main__":
    place = Path(sys.argv[1]) / "data/mot-video/ADL-Rundle-6-a"
    print("| camera | HOTA / IDF1 without | with | ms per picture |\n|---|---|---|---|")
    for kind, size_px in (("rest", 0), ("sway", 10), ("sway", 40), ("hand", 10), ("hand", 40), ("turn", 100)):
        corners = path(kind, size_px)
        (without, _), (with_it, cost_ms) = (score(place, corners, moves) for moves in (False, True))
        print(f"| {kind}, {size_px} px | {without} | {with_it} | {cost_ms:.2f} |", flush=True)
