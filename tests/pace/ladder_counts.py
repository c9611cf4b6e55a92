"""What fewer looks cost in counts: the table of docs/limits.md.

python -m tests.pace.ladder_counts [STREETS]      default: 8, some minutes: every picture is rendered once
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgetrack.config import Config, DetectConfig, LineConfig, RuntimeConfig, SceneCapture
from edgetrack.detect import open_detector
from edgetrack.render import CLASSES
from edgetrack.render.counting import totals
from edgetrack.render.scene import COUNTED, LINES
from edgetrack.render.scene import Scene as Street
from edgetrack.scene import Scene
from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections, Frame, LineCount

MODEL = Path(__file__).parents[2] / "models" / "edgetrack-nano-int8.onnx"
FPS = 30.0
RATES = ((1, (1, 2, 3, 4, 5, 6, 8, 10)), (2, (1, 2, 3, 4)))  # pictures of the street for one of the camera; every


def config(street: Street) -> Config:
    return Config(
        capture=SceneCapture(seed=street.seed),
        detect=DetectConfig(model=str(MODEL), min_score=0.35, min_scores={"bicycle": 0.65}),
        lines=[
            LineConfig(
                name=name, start=street.line(name)[0], end=street.line(name)[1], classes=[CLASSES[k] for k in kinds]
            )
            for name, kinds in COUNTED.items()
        ],
    )


def wrong(street: Street, seen: Sequence[Detections], step: int, every: int) -> Counter[str]:
    """Crossings too many or too few, by class."""
    tracker, scene = Tracker(), Scene(config(street), CLASSES)
    blank = np.zeros((street.height, street.width, 3), np.uint8)
    counts: dict[str, dict[int, tuple[int, int]]] = {line: {} for line in LINES}
    for number, index in enumerate(range(0, len(seen), step)):
        time = index / FPS
        tracks = tracker.step(time, None if number % every else seen[index])
        for event in scene.observe(Frame(blank, number, time, time, time), tracks):
            if isinstance(event, LineCount):
                counts[event.line] = dict(event.counts)
    truth, found = totals(street.crossings()), Counter[str]()
    for line in LINES:
        for kind in counts[line].keys() | truth.get(line, {}).keys():
            pairs = zip(counts[line].get(kind, (0, 0)), truth.get(line, {}).get(kind, (0, 0)), strict=True)
            found[CLASSES[kind]] += sum(abs(a - b) for a, b in pairs)
    return found


def main(number: int = 8) -> None:
    detector = open_detector(config(Street(0)).detect, RuntimeConfig(threads=1))
    added: dict[tuple[int, int], Counter[str]] = {}
    for seed in range(number):
        street = Street(seed, fps=FPS)
        seen = [detector.detect(street.picture(index)[0]) for index in range(len(street))]
        for step, everies in RATES:
            for every in everies:
                added.setdefault((step, every), Counter()).update(wrong(street, seen, step, every))
    print("camera/s   every   looks/s   wrong")
    for (step, every), counted in added.items():
        each = ", ".join(f"{name} {n}" for name, n in counted.items() if n)
        print(f"{FPS / step:8.0f} {every:7} {FPS / step / every:9.2f} {counted.total():7}   {each}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
