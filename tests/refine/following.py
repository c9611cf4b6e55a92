"""How well targets are followed through loss and return: python -m tests.refine.following [SEED ...]

Rendered streets of 24 s, easy ones for even seeds and crowded ones at night or in rain for odd ones; every person, car
and cyclist is asked for by its box as soon as it is wholly in view, 30 at most. Pictures of all targets are counted:

    right   it is told where it is (IoU 0.5), or told to be out of sight while less than half of it can be seen
    near    IoU 0.2 to 0.5
    blind   told to be out of sight, but it can be seen
    wrong   told to be elsewhere

with the shipped detector and hues as embedding (det), with neither (alone), the detector looking at every third picture
(det3).
"""

from __future__ import annotations

import sys
import time
from collections import Counter

import numpy as np

from edgetrack.boxes import iou_pairs
from edgetrack.config import DetectConfig, GoturnRefine, HistogramEmbed, RuntimeConfig
from edgetrack.detect import open_detector, open_embedder
from edgetrack.refine import Follower, open_refine
from edgetrack.render.scene import Scene
from edgetrack.render.stage import Truth
from edgetrack.track.tracker import Tracker
from edgetrack.types import FollowEvent, Frame, Image
from tests.refine.bridging import MODELS, SECONDS

ONE = RuntimeConfig(threads=1)
MOST = 30


def judged(film: list[tuple[Image, Truth]], fps: float, every: int) -> tuple[Counter[str], float]:
    """Pictures by verdict, and ms for one target in one picture; `every` 0: no detector."""
    detector = open_detector(DetectConfig(model=str(MODELS / "edgetrack-nano-int8.onnx")), ONE)
    embedder = open_embedder(HistogramEmbed(), ONE)
    config = GoturnRefine(model=str(MODELS / "edgetrack-goturn-int8.onnx"), max_targets=64)
    _, follower = open_refine(config, ONE)
    tracker = Tracker()
    who: dict[int, int] = {}  # follow id -> true id
    told: dict[int, FollowEvent] = {}
    verdicts: Counter[str] = Counter()
    spent = 0.0
    for k, (image, truth) in enumerate(film):
        detections = embedder.embed(image, detector.detect(image)) if every and k % every == 0 else None
        tracks = tracker.step(k / fps, detections)
        before = time.process_time()
        told |= {event.follow_id: event for event in follower.step(Frame(image, k, k / fps, 0, 0), detections, tracks)}
        spent += time.process_time() - before
        verdicts.update(
            verdict(told[follow_id], truth, true_id) for follow_id, true_id in who.items() if follow_id in told
        )
        if k >= 5:
            ask(follower, image, truth, who)
    return verdicts, 1e3 * spent / max(sum(verdicts.values()), 1)


def ask(follower: Follower, image: Image, truth: Truth, who: dict[int, int]) -> None:
    size = np.array([image.shape[1], image.shape[0]] * 2)
    for true_id, xyxy, visible in zip(truth.track_id.tolist(), truth.xyxy, truth.visibility, strict=True):
        inside = (xyxy[:2] >= 0).all() and (xyxy[2:] <= size[2:]).all() and (xyxy[2:] - xyxy[:2] > 10).all()
        if visible > 0.9 and inside and true_id not in who.values() and len(who) < MOST:
            who[follower.follow_box((xyxy / size).tolist())] = true_id


def verdict(event: FollowEvent, truth: Truth, true_id: int) -> str:
    row = np.flatnonzero(truth.track_id == true_id)
    visible = bool(len(row)) and float(truth.visibility[row[0]]) > 0.5
    if event.state != "following":
        return "blind" if visible else "right"
    overlap = float(iou_pairs(np.array([event.xyxy]), truth.xyxy[row])[0]) if len(row) else 0.0
    return "right" if overlap >= 0.5 else "near" if overlap >= 0.2 else "wrong"


def main(seeds: list[int]) -> None:
    for seed in seeds:
        street = Scene(seed, hard=bool(seed % 2), seconds=SECONDS)
        film = [street.picture(index) for index in range(len(street))]
        for name, every in (("det", 1), ("det3", 3), ("alone", 0)):
            verdicts, ms = judged(film, street.fps, every)
            shares = ", ".join(f"{word} {100 * n / sum(verdicts.values()):.1f} %" for word, n in verdicts.most_common())
            print(f"street {seed}, {name}: {shares}; {ms:.1f} ms a target", flush=True)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [8, 10, 3, 5])
