"""How well a detector finds what is truly there: mAP50 on rendered scenes and on real pictures.

python -m edgetrack.train.accuracy MODEL            rendered scenes that no training picture shows
python -m edgetrack.train.accuracy MODEL --coco DIR images/*.jpg and labels-person/*.txt (YOLO text)
python -m edgetrack.train.accuracy MODEL --mot DIR  MOTChallenge sequences with pictures
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgetrack.arguments import span, whole
from edgetrack.boxes import area, iou
from edgetrack.capture import open_source
from edgetrack.capture.images import ImageFolder
from edgetrack.config import DetectConfig, ImagesCapture, RuntimeConfig
from edgetrack.detect import Detector, open_detector
from edgetrack.render import CLASSES
from edgetrack.render.scene import Scene
from edgetrack.train.pictures import IGNORED, labels
from edgetrack.types import Image

FLOOR = 0.02  # score below which detections are not looked at
EVERY = 15  # of a scene's pictures, one is judged


@dataclass(frozen=True, slots=True)
class Labelled:
    image: Image
    xyxy: NDArray[np.float32]  # (N, 4) pixels
    class_id: NDArray[np.int32]  # (N,); -1: neither right nor wrong to find


@dataclass
class Score:
    """Collects one class: a row for every detection, and the number of objects there were."""

    rows: list[tuple[float, bool]] = field(default_factory=list)
    objects: int = 0

    def add(
        self,
        found: NDArray[np.float32],
        score: NDArray[np.float32],
        truth: NDArray[np.float32],
        free: NDArray[np.float32],
    ) -> None:
        """One picture: the best detection of each object counts, what covers a box of `free` does not count."""
        self.objects += len(truth)
        taken = np.zeros(len(truth), bool)
        for k in np.argsort(-score, kind="stable"):
            overlap = np.where(taken, 0, iou(found[k : k + 1], truth)[0]) if len(truth) else np.empty(0)
            if len(overlap) and overlap.max() >= 0.5:
                taken[overlap.argmax()] = True
                self.rows.append((float(score[k]), True))
            elif not _covered(found[k : k + 1], free):
                self.rows.append((float(score[k]), False))

    def average_precision(self) -> float:
        """COCO's: mean over 101 recalls of the best precision at that recall or a higher one."""
        if not self.objects or not self.rows:
            return float("nan") if not self.objects else 0.0
        good = np.array([right for _, right in sorted(self.rows, key=lambda row: -row[0])])
        hits = np.cumsum(good)
        recall, precision = hits / self.objects, hits / np.arange(1, len(good) + 1)
        best = np.maximum.accumulate(precision[::-1])[::-1]
        at = np.searchsorted(recall, np.linspace(0, 1, 101))
        return float(np.where(at < len(best), best[np.minimum(at, len(best) - 1)], 0).mean())

    def best_f1(self) -> tuple[float, float]:
        """The highest F1, and the score to cut at for it."""
        rows = sorted(self.rows, key=lambda row: -row[0])
        hits = np.cumsum([right for _, right in rows])
        f1 = 2 * hits / (np.arange(1, len(rows) + 1) + self.objects)
        return (float(f1.max()), rows[int(f1.argmax())][0]) if rows else (0.0, 1.0)


def _covered(box: NDArray[np.float32], free: NDArray[np.float32]) -> bool:
    if not len(free):
        return False
    wide = np.minimum(box[:, 2], free[:, 2]) - np.maximum(box[:, 0], free[:, 0])
    tall = np.minimum(box[:, 3], free[:, 3]) - np.maximum(box[:, 1], free[:, 1])
    inside = np.maximum(wide, 0) * np.maximum(tall, 0) / np.maximum(area(box), 1e-6)
    return bool((inside > 0.5).any())


def judge(detector: Detector, pictures: Iterable[Labelled], names: Sequence[str]) -> dict[str, Score]:
    """A score for each class that the truth knows."""
    scores = {name: Score() for name in names}
    for picture in pictures:
        seen = detector.detect(picture.image)
        for class_id, name in enumerate(names):
            own = seen.class_id == (detector.names.index(name) if name in detector.names else -2)
            truth = picture.xyxy[picture.class_id == class_id]
            scores[name].add(seen.xyxy[own], seen.score[own], truth, picture.xyxy[picture.class_id == IGNORED])
    return scores


def scenes(seeds: range, hard: bool) -> Iterator[Labelled]:
    for seed in seeds:
        scene = Scene(seed, hard)
        for index in range(EVERY // 2, len(scene), EVERY):
            image, truth = scene.picture(index)
            yield Labelled(image, *labels(truth.xyxy, truth.class_id, truth.visibility, (scene.width, scene.height)))


def coco(folder: Path) -> Iterator[Labelled]:
    """Pictures that have a label file; all labels are persons."""
    images = ImageFolder(ImagesCapture(path=str(folder / "images")))
    for file in images.files():
        text = folder / "labels-person" / f"{file.stem}.txt"
        image = images.read(file) if text.exists() else None
        if image is None:
            continue
        rows = np.array(text.read_text().split(), np.float64).reshape(-1, 5)[:, 1:]  # none: nobody is there
        half = rows[:, 2:] / 2
        size = image.shape[1], image.shape[0]
        xyxy = np.concatenate([rows[:, :2] - half, rows[:, :2] + half], axis=1) * np.tile(size, 2)
        yield Labelled(image, xyxy.astype(np.float32), np.zeros(len(xyxy), np.int32))


def mot(folder: Path) -> Iterator[Labelled]:
    """Pedestrians of MOT17 sequences; those that are mostly hidden, and who is no pedestrian, are free."""
    for sequence in sorted(path.parent for path in folder.glob("*/img1")):
        rows = np.loadtxt(sequence / "gt.txt", delimiter=",")
        with open_source(ImagesCapture(path=str(sequence))) as source:
            for number, frame in enumerate((frame for frame in source if frame is not None), start=1):
                now = rows[rows[:, 0] == number]
                xyxy = np.concatenate([now[:, 2:4], now[:, 2:4] + now[:, 4:6]], axis=1).astype(np.float32)
                judged = (now[:, 6] == 1) & (now[:, 7] == 1) & (now[:, 8] >= 0.25)
                yield Labelled(frame.image, xyxy, np.where(judged, 0, IGNORED).astype(np.int32))


def speed(detector: Detector, image: Image, times: int = 60) -> float:
    """Median ms of a whole detection of one picture, resizing included."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        detector.detect(image)
        took.append(time.perf_counter() - start)
    return float(np.median(took)) * 1000


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--seeds", type=span, default=range(20), metavar="FIRST:LAST", help="scenes; default: 0:20")
    parser.add_argument("--coco", type=Path)
    parser.add_argument("--mot", type=Path)
    parser.add_argument("--threads", type=whole(1, 64), default=1)
    chosen = parser.parse_args(arguments)
    detector = open_detector(DetectConfig(model=chosen.model, min_score=FLOOR), RuntimeConfig(threads=chosen.threads))
    sets: list[tuple[str, Iterable[Labelled], Sequence[str]]] = []
    if chosen.coco:
        sets.append((str(chosen.coco.name), coco(chosen.coco), ("person",)))
    if chosen.mot:
        sets.append((str(chosen.mot.name), mot(chosen.mot), ("person",)))
    if not sets:
        first, last = chosen.seeds.start, chosen.seeds.stop
        for kind in ("easy", "hard"):
            sets.append((f"scenes {first}:{last} {kind}", scenes(chosen.seeds, kind == "hard"), CLASSES))
    for name, pictures, names in sets:
        scores = judge(detector, pictures, names)
        each = {kind: score.average_precision() for kind, score in scores.items()}
        line = " ".join(f"{kind} {value:.3f}" for kind, value in each.items())
        cut = " ".join(
            f"{kind} {s.best_f1()[0]:.3f} at {s.best_f1()[1]:.2f}" for kind, s in scores.items() if s.objects
        )
        sys.stdout.write(f"{name}: mAP50 {np.nanmean(list(each.values())):.3f} ({line}); best F1 {cut}\n")
    image, _ = Scene(0, seconds=2).picture(5)
    sys.stdout.write(f"one picture: {speed(detector, image):.1f} ms on {chosen.threads} threads\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
