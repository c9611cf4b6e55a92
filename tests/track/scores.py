"""Run by hand: what `score_noise` brings where scores range widely, as the table of docs/tracking.md.

    python -m tests.track.scores SHARED DETECTOR.onnx ...

SHARED as for `tests.track.ablation`, and so are the four drawings of every row. Scores of ACF are of no fixed scale;
they are divided by 100 and kept between 0.01 and 1. Each DETECTOR looks at ADL-Rundle-6, frames 1-350.
"""

import sys
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np

from edgetrack.config import DetectConfig, RuntimeConfig
from edgetrack.detect import open_detector
from edgetrack.evaluate.sequences import read_detections, read_seqinfo, read_truth
from edgetrack.types import Detections
from tests.track.ablation import DRAWINGS, folder, ours, score, split

ACF = ("MOT15/ETH-Sunnyday", "MOT15/KITTI-13", "MOT15/TUD-Campus", "MOT15/TUD-Stadtmitte")
STREET = "ADL-Rundle-6-a"
FLOORS = (0.1, 0.25)  # detect.min_score
TRACKERS = {"default": ours(), "without score_noise": ours(score_noise=False)}

Rows = tuple[Path, list[Detections]]  # a sequence, and what was seen in each of its pictures


def given(path: Path, file: str, certain: float = 1.0) -> Rows:
    """`certain`: the score that counts as 1."""
    frame, xyxy, score = read_detections(path / file)
    return path, list(split(frame, int(read_seqinfo(path)["seqlength"]), xyxy, (score / certain).clip(0.01, 1)))


def seen(path: Path, model: str, floor: float) -> Rows:
    settings = DetectConfig(model=model, min_score=floor, classes=["person"])
    detector = open_detector(settings, RuntimeConfig(threads=1))
    with av.open(str(path / "video.mp4")) as video:
        return path, [detector.detect(frame.to_ndarray(format="bgr24")) for frame in video.decode(video=0)]


def redrawn(path: Path, looks: list[Detections], drawing: int) -> list[Detections]:
    if not drawing:
        return looks
    rng = np.random.default_rng(zlib.crc32(path.name.encode()) + drawing)
    kept = [look[rng.random(len(look)) > 0.03] for look in looks]
    return [replace(look, xyxy=moved(look.xyxy, rng)) for look in kept]


def moved(xyxy: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """By 1 % of each box's sides; no right before a left."""
    noise = np.tile(xyxy[:, 2:] - xyxy[:, :2], 2) * rng.normal(0, 0.01, xyxy.shape)
    return (xyxy + noise).astype(np.float32)


def means(rows: list[Rows], tracker: str) -> str:
    scores = [
        score(
            TRACKERS[tracker],
            float(read_seqinfo(path)["framerate"]),
            redrawn(path, looks, k),
            read_truth(path / "gt.txt"),
        )
        for path, looks in rows
        for k in range(DRAWINGS)
    ]
    return " / ".join(f"{100 * np.mean([getattr(s, name) for s in scores]):.1f}" for name in ("hota", "idf1"))


def rows(shared: Path, models: list[str]) -> Iterator[tuple[str, list[Rows]]]:
    yield "ACF, four sequences of MOT15", [given(folder(shared, name), "det_acf.txt", 100) for name in ACF]
    yield "YOLOv5l, ADL-Rundle-6", [given(folder(shared, STREET), "det_yolov5l.txt")]
    for model in models:
        for floor in FLOORS:
            yield f"{Path(model).stem}, ADL-Rundle-6, from {floor:g}", [seen(folder(shared, STREET), model, floor)]


def table(shared: Path, models: list[str]) -> Iterator[str]:
    yield f"| detections, HOTA / IDF1 | {' | '.join(TRACKERS)} |\n|---|{'---|' * len(TRACKERS)}"
    for label, some in rows(shared, models):
        yield f"| {label} | {' | '.join(means(some, name) for name in TRACKERS)} |"


if __name__ == "__main__":
    for line in table(Path(sys.argv[1]), sys.argv[2:]):
        print(line, flush=True)
