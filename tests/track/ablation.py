"""Run by hand: what every switch of the default tracker brings, as the tables of docs/tracking.md.

    python -m tests.track.ablation SHARED [MODEL]

SHARED holds data/mot-gt and data/mot-video. With MODEL, an embedder, the tables with embeddings are printed instead.
Every figure is the mean over sequences and over four drawings: the detections as they are, and three times with 3 %
left out and, without embeddings, 1 % of noise on the boxes. One change in one frame can turn a sequence by two points
of HOTA; the drawings say what is luck.
"""

import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np

from edgetrack.config import ReidEmbed, RuntimeConfig, TrackConfig
from edgetrack.detect import open_embedder
from edgetrack.evaluate.mot import Scores, evaluate
from edgetrack.evaluate.sequences import Trajectories, read_detections, read_seqinfo, read_truth
from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections
from tests.track.plain_sort import PlainSort

DEVELOPMENT = ("MOT15/ETH-Sunnyday", "MOT15/KITTI-13", "MOT15/TUD-Campus", "MOT17/MOT17-02", "MOT17/MOT17-13")
HELD_OUT = ("MOT15/ETH-Pedcross2", "MOT15/TUD-Stadtmitte", "MOT17/MOT17-04", "MOT17/MOT17-11", "ADL-Rundle-6-a")
DRAWINGS = 4
MIN_SCORE = 0.5

SHOWN: list[int] = []  # embeddings that a sparing run wanted, look by look

Make = Callable[[], Tracker | PlainSort]


def ours(**settings: object) -> Make:
    return lambda: Tracker(TrackConfig(**settings))


MOTION: dict[str, Make] = {
    "plain SORT": PlainSort,
    "exact (reference DeepSORT)": ours(exact=True),
    "default": ours(),
    "without second_pass": ours(second_pass=False),
    "without score_noise": ours(score_noise=False),
    "without adaptive_noise": ours(adaptive_noise=False),
    "without both": ours(score_noise=False, adaptive_noise=False),
    "max_age_s: 1": ours(max_age_s=1.0),
    "n_init: 3": ours(n_init=3),
    "new_track_score: 0": ours(new_track_score=0),
}
SPARING = (0.0, 0.1, 0.2, 0.3, 0.5, 1.0)  # s, embed_every_s
APPEARANCE: dict[str, Make] = {
    "exact (reference DeepSORT)": ours(exact=True),
    "default": ours(),
    "without appearance_veto": ours(appearance_veto=False),
    "without recovery": ours(recovery=False),
}


def folder(shared: Path, name: str) -> Path:
    return shared / "data" / ("mot-video" if "/" not in name else "mot-gt") / name


def drawn(path: Path, drawing: int) -> tuple[float, list[Detections]]:
    """Frame rate, and the detections of every frame."""
    info = read_seqinfo(path)
    frame, xyxy, score = read_detections(path / "det_frcnn.txt")
    keep = score >= MIN_SCORE
    frame, xyxy, score = frame[keep], xyxy[keep], score[keep]
    if drawing:
        rng = np.random.default_rng(zlib.crc32(path.name.encode()) + drawing)
        keep = rng.random(len(frame)) > 0.03
        frame, xyxy, score = frame[keep], xyxy[keep], score[keep]
        xyxy = xyxy + np.tile(xyxy[:, 2:] - xyxy[:, :2], 2) * rng.normal(0, 0.01, xyxy.shape)
    return float(info["framerate"]), list(split(frame, int(info["seqlength"]), xyxy, score))


def split(frame: np.ndarray, last: int, xyxy: np.ndarray, score: np.ndarray) -> Iterator[Detections]:
    for k in range(1, last + 1):
        rows = frame == k
        yield Detections(xyxy[rows].astype(np.float32), score[rows].astype(np.float32), np.zeros(rows.sum(), np.int32))


def score(make: Make, fps: float, looks: list[Detections], truth: Trajectories, sparing: bool = False) -> Scores:
    """`sparing`: only those embeddings are shown that the tracker wants."""
    tracker = make()
    parts = []
    for k, look in enumerate(looks, 1):
        if sparing and isinstance(tracker, Tracker) and look.embedding is not None:
            wanted = tracker.wanted(k / fps, look)
            look = replace(look, embedding=np.where(wanted[:, None], look.embedding, np.float32(0)))
            SHOWN.append(int(wanted.sum()))
        tracks = tracker.step(k / fps, look)
        tracks = tracks[tracks.confirmed & tracks.seen]
        parts.append((np.full(len(tracks), k), tracks.track_id, tracks.xyxy))
    return evaluate(truth, Trajectories.of(*(np.concatenate(column) for column in zip(*parts, strict=True))))


def motion_rows(shared: Path) -> Iterator[str]:
    yield "| tracker | development HOTA | IDF1 | held out HOTA | IDF1 |\n|---|---|---|---|---|"
    for label, make in MOTION.items():
        cells = []
        for names in (DEVELOPMENT, HELD_OUT):
            scores = [
                score(make, *drawn(folder(shared, name), k), read_truth(folder(shared, name) / "gt.txt"))
                for name in names
                for k in range(DRAWINGS)
            ]
            cells += [
                f"{100 * np.mean([s.hota for s in scores]):.1f}",
                f"{100 * np.mean([s.idf1 for s in scores]):.1f}",
            ]
        yield f"| {label} | {' | '.join(cells)} |"


def described(path: Path, model: str) -> list[Detections]:
    """The detections of every frame with their embeddings."""
    embedder = open_embedder(ReidEmbed(model=model), RuntimeConfig())
    with av.open(str(path / "video.mp4")) as video:
        pictures = (frame.to_ndarray(format="bgr24") for frame in video.decode(video=0))
        return [embedder.embed(*look) for look in zip(pictures, drawn(path, 0)[1], strict=False)]


def appearance_rows(shared: Path, model: str) -> Iterator[str]:
    yield "| tracker | HOTA | IDF1 | switches | embeddings a picture |\n|---|---|---|---|---|"
    looks = described(folder(shared, "ADL-Rundle-6-a"), model)
    bare = [replace(look, embedding=None) for look in looks]
    truth = read_truth(folder(shared, "ADL-Rundle-6-a") / "gt.txt")
    rows = {"default without embeddings": (ours(), bare)} | {k: (v, looks) for k, v in APPEARANCE.items()}
    rows |= {f"embed_every_s: {every_s:g}": (ours(embed_every_s=every_s), looks) for every_s in SPARING}
    for label, (make, shown) in rows.items():
        scores = []
        sparing = label.startswith("embed_every_s")
        SHOWN.clear()
        for k in range(DRAWINGS):
            rng = np.random.default_rng(k)
            some = [look[rng.random(len(look)) > (0.03 if k else 0.0)] for look in shown]
            scores.append(score(make, 30.0, some, truth, sparing))
        means = [np.mean([100 * s.hota for s in scores]), np.mean([100 * s.idf1 for s in scores])]
        all_of_them = np.mean([0 if look.embedding is None else len(look) for look in shown])
        each = np.mean(SHOWN) if sparing else all_of_them
        switches = np.mean([s.switches for s in scores])
        yield f"| {label} | {means[0]:.1f} | {means[1]:.1f} | {switches:.0f} | {each:.1f} |"


if __name__ == "__main__":
    rows = appearance_rows(Path(sys.argv[1]), sys.argv[2]) if len(sys.argv) > 2 else motion_rows(Path(sys.argv[1]))
    for line in rows:
        print(line, flush=True)
