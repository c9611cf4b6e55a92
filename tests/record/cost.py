"""Run by hand: what it costs the loop to hand over how things stand, once a file, and how long the head gets.

python -m tests.record.cost
"""

from __future__ import annotations

import time

import msgspec
import numpy as np

from edgetrack.config import TrackConfig
from edgetrack.record.entries import Meaning, Standing
from edgetrack.record.idle import Idle
from edgetrack.record.tape import pack
from edgetrack.types import Detections
from tests.record.parts import Daemon, settings

PICTURES = 120  # more than a gallery is deep


def crowd(people: int, width: int) -> list[Detections]:
    """So many who walk slowly, side by side."""
    draw = np.random.default_rng(0)
    looks = draw.normal(size=(people, width)).astype(np.float32)
    column, row = np.arange(people) % 20, np.arange(people) // 20
    pictures = []
    for n in range(PICTURES):
        left, top = 32.0 * column + 0.2 * n, 40.0 * row
        xyxy = np.stack([left, top, left + 15, top + 35], axis=1).astype(np.float32)
        seen = looks + draw.normal(0, 0.1, looks.shape).astype(np.float32)
        embedding = seen / np.maximum(np.linalg.norm(seen, axis=1, keepdims=True), 1e-6) if width else None
        pictures.append(Detections(xyxy, np.full(people, 0.9, np.float32), np.zeros(people, np.int32), embedding))
    return pictures


def main() -> None:
    print(
        f"{'tracks':>6} {'numbers':>8} {'exact':>6} {'ms in the loop':>15} {'MB in memory':>13} {'MB in the file':>15}"
    )
    for people, width, exact in [
        (10, 0, False),
        (10, 512, False),
        (100, 512, False),
        (10, 128, True),
        (10, 512, True),
        (80, 512, True),
    ]:
        daemon = Daemon(Idle(), settings(track=TrackConfig(exact=exact)))
        daemon.see(crowd(people, width))
        tracker, scene = daemon.tracker, daemon.scene
        took = []
        for _ in range(20):
            began = time.perf_counter()
            standing = Standing(Meaning(), scene.state(), tracker.state())
            took.append(1e3 * (time.perf_counter() - began))
        length = len(msgspec.msgpack.encode(standing)), len(pack([standing]))
        print(
            f"{people:6} {width:8} {exact!s:>6} {np.median(took):15.2f} {length[0] / 1e6:13.3f} {length[1] / 1e6:15.3f}"
        )


if __name__ == "__main__":
    main()
