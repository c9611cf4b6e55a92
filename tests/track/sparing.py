"""Run by hand: what embeddings on need spare and cost, as the tables of docs/tracking.md.

    python -m tests.track.sparing SEQUENCE --detections FILE_OR_MODEL ... --embedders MODEL ...
        [--frames FIRST-LAST] [--backwards]

SEQUENCE is a folder of MOTChallenge with gt.txt and video.mp4 or img1/. Detections are those of a det_*.txt with score
0.5 and more, or what a detector sees from 0.25 on; an embedder is a file, a name, or histogram. Figures are means over
detections, embedders and four drawings: everything as it is, and three times with 3 % left out and 1 % of noise on the
boxes. Backwards the film is another one, with the same people.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from edgetrack.capture import open_source
from edgetrack.config import DetectConfig, FileCapture, ImagesCapture, RuntimeConfig
from edgetrack.detect import Embedder, open_detector
from edgetrack.evaluate.reid import embedder_of
from edgetrack.evaluate.sequences import Trajectories, read_detections, read_seqinfo, read_truth
from edgetrack.types import Detections, Picture
from tests.track.ablation import DRAWINGS, MIN_SCORE, SHOWN, SPARING, ours, score, split
from tests.track.scores import redrawn

FLOOR = 0.25  # detect.min_score
LABELS = ["each detection, each look", *map(str, SPARING), "no embeddings"]

Shown = dict[tuple[str, str], list[Detections]]  # by detections and embedder; every look with all its embeddings


@dataclass(frozen=True)
class Film:
    """Pictures `first` to `last` of a sequence."""

    folder: Path
    first: int
    last: int

    def pictures(self) -> Iterator[Picture]:
        video = self.folder / "video.mp4"
        capture = FileCapture(path=str(video)) if video.is_file() else ImagesCapture(path=str(self.folder))
        with open_source(capture) as source:
            frames = (frame for frame in source if frame is not None)
            yield from (frame.picture for frame in islice(frames, self.first - 1, self.last))

    def truth(self, backwards: bool) -> Trajectories:
        """Frames from 1 on."""
        files = (self.folder / "gt.txt", self.folder / "gt" / "gt.txt")
        boxes = read_truth(next(file for file in files if file.is_file()))
        boxes = boxes[(boxes.frame >= self.first) & (boxes.frame <= self.last)]
        return replace(boxes, frame=self.last + 1 - boxes.frame if backwards else boxes.frame + 1 - self.first)


def seen(film: Film, by: str) -> list[Detections]:
    if by.endswith(".txt"):
        frame, xyxy, sure = read_detections(film.folder / by)
        keep = sure >= MIN_SCORE
        return list(split(frame[keep], film.last, xyxy[keep], sure[keep]))[film.first - 1 :]
    settings = DetectConfig(model=by, min_score=FLOOR, classes=["person"])
    detector = open_detector(settings, RuntimeConfig(threads=1))
    return [detector.detect(picture) for picture in film.pictures()]


def described(film: Film, looks: dict[str, list[Detections]], embedders: dict[str, Embedder]) -> Shown:
    shown: Shown = {(by, name): [] for by in looks for name in embedders}
    for k, picture in enumerate(film.pictures()):
        for by, name in shown:
            shown[by, name].append(embedders[name].embed(picture, looks[by][k]))
    return shown


def row(label: str, shown: list[Detections], fps: float, truth: Trajectories) -> tuple[float, float, float, float]:
    """HOTA, IDF1, switches, embeddings a picture."""
    sparing = label in map(str, SPARING)
    make = ours(embed_every_s=float(label)) if sparing else ours()
    if label == LABELS[-1]:
        shown = [replace(look, embedding=None) for look in shown]
    SHOWN.clear()
    scores = [score(make, fps, redrawn(Path(), shown, k), truth, sparing) for k in range(DRAWINGS)]
    each = np.mean(SHOWN) if SHOWN else np.mean([0 if look.embedding is None else len(look) for look in shown])
    means = np.mean([(100 * s.hota, 100 * s.idf1, s.switches) for s in scores], axis=0)
    return float(means[0]), float(means[1]), float(means[2]), float(each)


def table(shown: Shown, fps: float, truth: Trajectories) -> Iterator[str]:
    """A column for each embedder and one for all, means over detections."""
    names = list(dict.fromkeys(name for _, name in shown))
    yield f"| `embed_every_s` | {' | '.join(names)} | mean | embeddings |\n|---|{'---|' * (len(names) + 2)}"
    for label in LABELS:
        found = {key: row(label, looks, fps, truth) for key, looks in shown.items()}
        means = [np.mean([cell for (_, of), cell in found.items() if of == name], axis=0) for name in names]
        whole = np.mean(means, axis=0)
        cells = [f"{mean[0]:.1f} / {mean[1]:.1f}" for mean in [*means, whole]]
        each = {by: np.mean([cell[3] for (of, _), cell in found.items() if of == by]) for by, _ in shown}
        yield f"| {label} | {' | '.join(cells)} | {', '.join(f'{crops:.1f}' for crops in each.values())} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sequence", type=Path)
    parser.add_argument("--detections", nargs="+", required=True)
    parser.add_argument("--embedders", nargs="+", required=True)
    parser.add_argument("--frames", default="1-")
    parser.add_argument("--backwards", action="store_true")
    chosen = parser.parse_args()
    info = read_seqinfo(chosen.sequence)
    film = Film(chosen.sequence, *(int(end or info["seqlength"]) for end in chosen.frames.split("-")))
    looks = {by: seen(film, by) for by in chosen.detections}
    shown = described(film, looks, dict(map(embedder_of, chosen.embedders)))
    if chosen.backwards:
        shown = {key: part[::-1] for key, part in shown.items()}
    for line in table(shown, float(info["framerate"]), film.truth(chosen.backwards)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
