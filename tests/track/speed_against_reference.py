"""Run by hand: our exact mode and the reference implementation on the same frames, in one process and one run.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m tests.track.speed_against_reference PATH [objects ...]

PATH is a checkout of github.com/nwojke/deep_sort, which is GPL and no part of this project.

Both take turns of 20 frames, so that whatever else the machine does bears on both alike; then turns of a single frame,
where each finds the processor's caches full of the other's work. Times are the thread's own, medians per frame, with
galleries full. On every frame the boxes are compared.
"""

import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from edgetrack import boxes
from edgetrack.bench.tracker import FPS, scene
from edgetrack.config import TrackConfig
from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections

WARM_UP, FRAMES = 120, 120


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.thread_time()
    answer = run()
    return time.thread_time() - start, answer


def turns(objects: int, length: int) -> Iterator[tuple[float, float]]:
    """Seconds of ours and of the reference for every frame after the warm-up; each has `length` frames at a time."""
    from deep_sort.detection import Detection
    from deep_sort.nn_matching import NearestNeighborDistanceMetric
    from deep_sort.tracker import Tracker as Reference

    ours = Tracker(TrackConfig(exact=True))
    theirs = Reference(NearestNeighborDistanceMetric("cosine", 0.2, 100))

    def step(index: int, detections: Detections) -> np.ndarray:
        tracks = ours.step(index / FPS, detections)
        return tracks.xyxy[tracks.confirmed]

    def reference_step(rows: list[Any]) -> None:
        theirs.predict()
        theirs.update(rows)

    frames = enumerate(scene(objects, WARM_UP + FRAMES))
    while turn := list(islice(frames, length)):
        answers = [timed(lambda k=k, d=d: step(k, d)) for k, d in turn]
        for (index, detections), (our_s, shown) in zip(turn, answers, strict=True):
            assert detections.embedding is not None
            tlwh = boxes.xyxy_to_tlwh(detections.xyxy.astype(np.float64))
            rows = [Detection(*row) for row in zip(tlwh, detections.score, detections.embedding, strict=True)]
            their_s, _ = timed(lambda rows=rows: reference_step(rows))
            reference = np.array([t.to_tlwh() for t in theirs.tracks if t.is_confirmed()]).reshape(-1, 4)
            error = np.abs(np.sort(shown, axis=0) - np.sort(boxes.tlwh_to_xyxy(reference), axis=0)).max(initial=0)
            assert error < 1e-6, f"frame {index}: {error} px apart"
            if index >= WARM_UP:
                yield our_s, their_s


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    print("objects | frames a turn | ours, ms | reference, ms | times faster")
    for n in [int(a) for a in sys.argv[2:]] or [5, 20, 50, 100, 200]:
        for length in (20, 1):
            mine, reference = np.median(list(turns(n, length)), axis=0) * 1e3
            print(f"{n:7} | {length:13} | {mine:8.3f} | {reference:13.2f} | {reference / mine:12.0f}", flush=True)
