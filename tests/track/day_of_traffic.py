"""Run by hand: a day of traffic through the tracker, and what memory the process holds, hour by hour.

    nice -n 19 python -m tests.track.day_of_traffic [exact]

432,000 pictures at 5 per second; 100,000 people who walk through and are seen 20 times each, with embeddings.
"""

import sys
from collections.abc import Iterator

import numpy as np

from edgetrack.config import TrackConfig
from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections

FPS, HOURS = 5, 24
FRAMES = HOURS * 3600 * FPS
PEOPLE, LOOKS, WIDTH = 100_000, 20, 128


def traffic(frames: int, people: int, seed: int = 0) -> Iterator[Detections]:
    """People who begin at random moments anywhere and walk for LOOKS frames."""
    rng = np.random.default_rng(seed)
    begin = np.sort(rng.integers(0, frames - LOOKS, people))
    place, speed = rng.uniform(100, 900, (people, 2)), rng.normal(0, 3, (people, 2))
    identity = rng.normal(size=(1000, WIDTH))
    for frame in range(frames):
        here = np.arange(begin.searchsorted(frame - LOOKS, side="right"), begin.searchsorted(frame, side="right"))
        at = place[here] + speed[here] * (frame - begin[here])[:, None] + rng.normal(0, 1, (len(here), 2))
        look = identity[here % 1000] + rng.normal(0, 0.3, (len(here), WIDTH))
        yield Detections(
            np.hstack([at, at + np.array([40, 100])]).astype(np.float32),
            rng.uniform(0.8, 1, len(here)).astype(np.float32),
            np.zeros(len(here), np.int32),
            look.astype(np.float32),
        )


def resident_mb() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20


def main(exact: bool) -> None:
    tracker = Tracker(TrackConfig(exact=exact))
    detections, highest = 0, 0
    for frame, look in enumerate(traffic(FRAMES, PEOPLE)):
        tracks = tracker.step(frame / FPS, look)
        detections += len(look)
        highest = max(highest, tracks.track_id.max(initial=0))
        if frame + 1 == 60 * FPS or (frame + 1) % (2 * 3600 * FPS) == 0:
            seconds = (frame + 1) // FPS
            print(
                f"{seconds // 3600:02}:{seconds // 60 % 60:02}  {detections:9,} detections  {highest:7,} ids"
                f"  {resident_mb():6.1f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main("exact" in sys.argv[1:])
