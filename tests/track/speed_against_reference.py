"""Run by hand: our exact mode and the reference implementation on the same frames, turn by turn in one process.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m tests.track.speed_against_reference PATH [objects ...]

PATH is a checkout of github.com/nwojke/deep_sort, which is GPL and no part of this project.
"""

import sys
import time

import numpy as np

from edgetrack import boxes
from edgetrack.bench.tracker import FPS, scene
from edgetrack.config import TrackConfig
from edgetrack.track.tracker import Tracker


def compare(objects: int, frames: int = 60, warm_up: int = 120) -> tuple[float, float]:
    """Median ms per frame of ours and of the reference, galleries full."""
    from deep_sort.detection import Detection
    from deep_sort.nn_matching import NearestNeighborDistanceMetric
    from deep_sort.tracker import Tracker as Reference

    ours = Tracker(TrackConfig(exact=True))
    theirs = Reference(NearestNeighborDistanceMetric("cosine", 0.2, 100))
    our_s, their_s = [], []
    for index, detections in enumerate(scene(objects, warm_up + frames)):
        tlwh = boxes.xyxy_to_tlwh(detections.xyxy.astype(np.float64))
        assert detections.embedding is not None
        rows = [Detection(*row) for row in zip(tlwh, detections.score, detections.embedding, strict=True)]
        start = time.perf_counter()
        tracks = ours.step(index / FPS, detections)
        our_s.append(time.perf_counter() - start)
        start = time.perf_counter()
        theirs.predict()
        theirs.update(rows)
        their_s.append(time.perf_counter() - start)
        shown = tracks.xyxy[tracks.confirmed]
        reference = np.array([t.to_tlwh() for t in theirs.tracks if t.is_confirmed()]).reshape(-1, 4)
        error = np.abs(np.sort(shown, axis=0) - np.sort(boxes.tlwh_to_xyxy(reference), axis=0)).max(initial=0)
        assert error < 1e-6, f"frame {index}: {error} px apart"
    return float(np.median(our_s[warm_up:]) * 1e3), float(np.median(their_s[warm_up:]) * 1e3)


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    for n in [int(a) for a in sys.argv[2:]] or [5, 20, 50, 100, 200]:
        mine, reference = compare(n)
        print(f"{n:4} objects: {mine:.3f} ms, reference {reference:.2f} ms: {reference / mine:.0f} times faster")
