"""Run by hand: what embedders bring to tracking ADL-Rundle-6-a, as the table of models/edgetrack-reid.md.

    python -m tests.track.embedded SHARED MODEL... [--max-unlikeness X]

MODEL is a file, a name, or histogram; SHARED holds data/mot-video. Detections are those of the Faster R-CNN, every
figure is the mean over four drawings, as in tests.track.ablation.
"""

import argparse
from pathlib import Path

import numpy as np

from edgetrack.capture import open_source
from edgetrack.config import FileCapture
from edgetrack.detect import Embedder
from edgetrack.evaluate.reid import embedder_of
from edgetrack.evaluate.sequences import Trajectories, read_detections, read_truth
from edgetrack.types import Detections
from tests.track.ablation import DRAWINGS, MIN_SCORE, ours, score, split

FRAMES, FPS = 350, 30.0
Boxes = tuple[np.ndarray, np.ndarray, np.ndarray]  # frame, xyxy, score


def embedded(path: Path, boxes: Boxes, embedders: dict[str, Embedder]) -> dict[str, np.ndarray]:
    """An embedding of every detection, by each."""
    frame, xyxy, sure = boxes
    found: dict[str, list[np.ndarray]] = {name: [] for name in embedders}
    with open_source(FileCapture(path=str(path))) as source:
        for number, picture in enumerate((f.picture for f in source if f is not None), start=1):
            rows = np.flatnonzero(frame == number)
            looks = Detections(
                xyxy[rows].astype(np.float32), sure[rows].astype(np.float32), np.zeros(len(rows), np.int32)
            )
            for name, embedder in embedders.items():
                found[name].append(embedder.embed(picture, looks).embedding)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def row(boxes: Boxes, embedding: np.ndarray | None, truth: Trajectories, settings: dict[str, float]) -> list[float]:
    scores = []
    for k in range(DRAWINGS):
        keep = np.random.default_rng(k).random(len(boxes[0])) > (0.03 if k else 0.0)
        frame, xyxy, sure = (column[keep] for column in boxes)
        looks = split(frame, FRAMES, xyxy, sure, None if embedding is None else embedding[keep])
        scores.append(score(ours(**settings), FPS, list(looks), truth))
    return [float(np.mean(v)) for v in zip(*((100 * s.hota, 100 * s.idf1, s.switches) for s in scores), strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--max-unlikeness", type=float)
    chosen = parser.parse_args()
    folder = chosen.shared / "data" / "mot-video" / "ADL-Rundle-6-a"
    frame, xyxy, sure = read_detections(folder / "det_frcnn.txt")
    keep = (sure >= MIN_SCORE) & (frame <= FRAMES)
    order = np.argsort(frame[keep], kind="stable")
    boxes = (frame[keep][order], xyxy[keep][order], sure[keep][order])
    truth = read_truth(folder / "gt.txt")
    settings = {} if chosen.max_unlikeness is None else {"max_unlikeness": chosen.max_unlikeness}
    print("| embedder | HOTA | IDF1 | switches |\n| --- | --- | --- | --- |")
    print("| none | {:.1f} | {:.1f} | {:.0f} |".format(*row(boxes, None, truth, {})))
    for name, rows in embedded(folder / "video.mp4", boxes, dict(map(embedder_of, chosen.models))).items():
        print("| {} | {:.1f} | {:.1f} | {:.0f} |".format(name, *row(boxes, rows, truth, settings)))


if __name__ == "__main__":
    main()
