"""What the tracker alone costs: time per frame and memory, on drawn scenes with full galleries."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from edgetrack.config import TrackConfig
from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections

FPS = 30.0
SIZE = np.array([1920.0, 1080.0])
WIDTH = 128  # of an embedding, as in the reference implementation's network


@dataclass(frozen=True, slots=True)
class TrackerCost:
    """Of one number of simultaneous objects."""

    objects: int
    exact: bool
    median_ms: float  # per frame
    p95_ms: float
    tracks: float  # live ones per frame, mean


def scene(objects: int, frames: int, seed: int = 0) -> Iterator[Detections]:
    """People that walk to and fro in a 1920x1080 picture, seen by a detector with errors.

    Heights are 60 to 200 px and speeds up to 4 px a frame, as in MOT17. Boxes are off by 2 % of the height, one in
    fifty is missing. Embeddings of one person differ by a cosine distance of about 0.1, those of two by about 1.
    """
    rng = np.random.default_rng(seed)
    height = rng.uniform(60, 200, objects)
    centre = rng.uniform(0, SIZE, (objects, 2))
    speed = rng.uniform(-4, 4, (objects, 2))
    identity = rng.normal(size=(objects, WIDTH))
    for _ in range(frames):
        centre += speed
        outside = (centre < 0) | (centre > SIZE)
        speed[outside] *= -1
        seen = rng.permutation(np.flatnonzero(rng.random(objects) > 0.02))
        h = height[seen, None]
        half = np.hstack([0.4 * h, h]) / 2 * rng.normal(1, 0.02, (len(seen), 2))
        at = centre[seen] + rng.normal(0, 0.02, (len(seen), 2)) * h
        embedding = identity[seen] + rng.normal(0, 0.33, (len(seen), WIDTH))
        embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
        yield Detections(
            np.hstack([at - half, at + half]).astype(np.float32),
            rng.uniform(0.5, 1, len(seen)).astype(np.float32),
            np.zeros(len(seen), np.int32),
            embedding.astype(np.float32),
        )


def measure(objects: int, config: TrackConfig, frames: int = 200) -> TrackerCost:
    """Time of `Tracker.step` once the galleries are full."""
    tracker = Tracker(config)
    warm_up = config.gallery + 20
    seconds, live = [], []
    for index, detections in enumerate(scene(objects, warm_up + frames)):
        start = time.perf_counter()
        tracks = tracker.step(index / FPS, detections)
        seconds.append(time.perf_counter() - start)
        live.append(len(tracks))
    measured = np.array(seconds[warm_up:]) * 1e3
    median, p95 = np.percentile(measured, [50, 95])
    return TrackerCost(objects, config.exact, float(median), float(p95), float(np.mean(live[warm_up:])))


def main(objects: Sequence[int] = (5, 20, 50, 100, 200), as_json: bool = False) -> str:
    """The figures as text for people, or as one JSON array."""
    costs = [measure(n, TrackConfig(exact=exact)) for n in objects for exact in (True, False)]
    if as_json:
        return json.dumps([asdict(cost) for cost in costs], indent=2)
    lines = ["objects  mode      median    p95  ms per frame, galleries full"]
    for cost in costs:
        mode = "exact" if cost.exact else "default"
        lines.append(f"{cost.objects:7}  {mode:8} {cost.median_ms:7.3f} {cost.p95_ms:6.3f}")
    return "\n".join(lines)
