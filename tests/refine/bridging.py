"""What bridging brings, and what it costs: python -m tests.refine.bridging SHARED [EVERY ...]

HOTA and IDF1 of the confirmed tracks that the last look did not miss, crossings counted wrongly, and the time for one
bridged target, without a follower, with one while the detector rests, and with one for what it missed too. On the
shopping street of ADL-Rundle-6 with Faster R-CNN's detections over 0.5, and on two rendered streets with a crowd, where
posts, trees and people hide people, with the detector that is shipped.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgetrack.capture import open_source
from edgetrack.config import (
    Config,
    DetectConfig,
    FileCapture,
    GoturnRefine,
    ImagesCapture,
    LineConfig,
    NoRefine,
    Refine,
    RuntimeConfig,
)
from edgetrack.detect import open_detector
from edgetrack.evaluate.counts import read_truth as read_counts
from edgetrack.evaluate.detections import places, record
from edgetrack.evaluate.mot import Scores, evaluate
from edgetrack.evaluate.sequences import Trajectories, read_truth
from edgetrack.refine import open_refine
from edgetrack.render import PERSON
from edgetrack.render.scene import COUNTED, LINES
from edgetrack.render.scene import Scene as Street
from edgetrack.scene import Scene
from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections, Frame, Image, LineCount

MODELS = Path(__file__).parents[2] / "models"
ONE = RuntimeConfig(threads=1)
STREETS = (3, 11)  # seeds
SECONDS = 24.0


@dataclass
class Film:
    """Pictures, what the detector sees in each, who is there, and who crosses what: (line, direction) -> times."""

    name: str
    fps: float
    images: list[Image]
    seen: list[Detections]
    truth: Trajectories
    config: Config
    crossings: Counter[tuple[str, str]]


def shopping_street(shared: Path) -> Film:
    folder, counted = shared / "data/mot-video/ADL-Rundle-6-a", shared / "data/counting/ADL-Rundle-6-a.json"
    rows = record(folder)
    seen = []
    for k in rows.frames:
        now = (rows.frame == k) & (rows.score >= 0.5)
        seen.append(
            Detections(
                rows.xyxy[now].astype(np.float32),
                rows.score[now].astype(np.float32),
                rows.class_id[now].astype(np.int32),
            )
        )
    with open_source(FileCapture(path=str(folder / "video.mp4"))) as source:
        images = [frame.image for frame in source if frame is not None]
    truth = read_counts(counted)
    crossings = Counter((line.name, c.direction) for line in truth.lines for c in line.crossings)
    return Film(folder.name, rows.fps, images, seen, read_truth(folder / "gt.txt"), places(truth), crossings)


def rendered(seed: int) -> Film:
    street = Street(seed, hard=True, seconds=SECONDS)
    detector = open_detector(DetectConfig(model=str(MODELS / "edgetrack-nano-int8.onnx")), ONE)
    images, seen, rows = [], [], []
    for index in range(len(street)):
        image, truth = street.picture(index)
        found = detector.detect(image)
        images.append(image)
        seen.append(found[found.class_id == PERSON])
        there = (truth.class_id == PERSON) & (truth.visibility > 0.2)
        rows.append((np.full(int(there.sum()), index + 1), truth.track_id[there], truth.xyxy[there]))
    when, ids, xyxy = (np.concatenate(column) for column in zip(*rows, strict=True))
    names = [name for name in LINES if PERSON in COUNTED[name]]
    lines = [LineConfig(name=name, start=street.line(name)[0], end=street.line(name)[1]) for name in names]
    config = Config(capture=ImagesCapture(path="."), detect=DetectConfig(model="none"), lines=lines)
    crossings = Counter((c.line, c.direction) for c in street.crossings() if c.class_id == PERSON)
    return Film(f"street {seed}", street.fps, images, seen, Trajectories.of(when, ids, xyxy), config, crossings)


def judged(film: Film, every: int, refine: Refine) -> tuple[Scores, int, float, float]:
    """Scores, crossings counted wrongly, targets bridged a picture, ms for one of them."""
    refiner, _ = open_refine(refine, ONE)
    tracker, scene = Tracker(), Scene(film.config, ["person"])
    spent, bridged, rows = 0.0, 0, []
    counts: dict[str, LineCount] = {}
    for k, (image, seen) in enumerate(zip(film.images, film.seen, strict=False)):
        tracks = tracker.step(k / film.fps, seen if k % every == 0 else None)
        before = time.process_time()
        found = refiner.refine(image, tracks)
        spent += time.process_time() - before
        bridged += len(found)
        tracks = tracker.correct(found) if len(found) else tracks
        frame = Frame(image, k, k / film.fps, 0.0, 0.0)
        counts |= {e.line: e for e in scene.observe(frame, tracks) if isinstance(e, LineCount)}
        shown = tracks[tracks.confirmed & (tracks.missed == 0)]
        rows.append((np.full(len(shown), k + 1), shown.track_id, shown.xyxy))
    when, ids, xyxy = (np.concatenate(column) for column in zip(*rows, strict=True))
    ways = {
        (line.name, way): n
        for line in film.config.lines
        for way, n in zip(("in", "out"), told(counts, line.name), strict=True)
    }
    wrong = sum(abs(n - film.crossings[key]) for key, n in ways.items())
    scores = evaluate(film.truth, Trajectories.of(when, ids, xyxy))
    return scores, wrong, bridged / len(film.images), 1e3 * spent / max(bridged, 1)


def told(counts: dict[str, LineCount], name: str) -> tuple[int, int]:
    count = counts.get(name)
    return (0, 0) if count is None else count.counts.get(0, (0, 0))


def films(shared: Path) -> Iterator[Film]:
    yield shopping_street(shared)
    for seed in STREETS:
        yield rendered(seed)


def main(shared: Path, everies: list[int]) -> None:
    model = str(MODELS / "edgetrack-goturn-int8.onnx")
    ways: dict[str, Refine] = {
        "none": NoRefine(),
        "bridge": GoturnRefine(model=model, mode="bridge"),
        "missed": GoturnRefine(model=model, mode="bridge", bridge_missed=True),
    }
    for film in films(shared):
        print(f"{film.name}: {len(film.images)} pictures, {sum(film.crossings.values())} crossings")
        for every in everies:
            for name, refine in ways.items():
                scores, wrong, targets, ms = judged(film, every, refine)
                cost = f", {targets:.1f} targets a picture, {ms:.2f} ms each" if targets else ""
                print(
                    f"  every {every}, {name:6}: HOTA {100 * scores.hota:.1f} IDF1 {100 * scores.idf1:.1f} "
                    f"wrong crossings {wrong}{cost}",
                    flush=True,
                )


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(word) for word in sys.argv[2:]] or [2, 3, 5])
