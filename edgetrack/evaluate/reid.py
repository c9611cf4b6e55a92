"""How well an embedder tells people apart: crops of known identities, the same ones at another time, and others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgetrack.capture import open_source
from edgetrack.config import FileCapture, HistogramEmbed, ImagesCapture, ReidEmbed, RuntimeConfig
from edgetrack.configfile import resolve_model
from edgetrack.detect import Embedder, open_embedder
from edgetrack.errors import ConfigError
from edgetrack.evaluate.sequences import SCORED, read_seqinfo, read_truth
from edgetrack.render.scene import Scene
from edgetrack.types import Detections, Picture

LEAST_PX = 24.0  # height of a box; smaller ones tell nobody apart
LEAST_VISIBLE = 0.4  # of rendered ones, whose visibility is known
EVERY_S = 0.5  # between two looks at a film

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Looks:
    """What one picture of a set shows."""

    place: str  # a sequence; only what is in the same one is compared
    frame: int
    apart: int  # frames between looks that are compared as those of one identity
    picture: Picture
    xyxy: Floats  # (N, 4)
    identity: NDArray[np.int64]  # (N,)
    class_id: NDArray[np.int32]  # (N,)


class Judged(msgspec.Struct):
    """One embedder on one set; distances are one less the cosine."""

    embedder: str
    looks: str
    crops: int
    identities: int
    rank1: float  # share of crops whose nearest at another time is of the same identity
    same: tuple[float, float]  # median, and what 90 % stay below
    different: tuple[float, float]  # what 10 % stay below, and median
    equal_error: float  # share taken wrongly at the distance that is as often wrong for the same as for different ones


def films(folder: Path, apart_s: float) -> Iterator[Looks]:
    """A MOTChallenge sequence: gt.txt, and img1/ or video.mp4.

    Raises:
        ConfigError: there is no truth, or there are no pictures.
    """
    truth = next((file for file in (folder / "gt.txt", folder / "gt" / "gt.txt") if file.is_file()), None)
    video = folder / "video.mp4"
    if truth is None or not (video.is_file() or (folder / "img1").is_dir()):
        raise ConfigError(f"{folder}: expected gt.txt, and img1/ or video.mp4; name the folder of a sequence")
    boxes = read_truth(truth)
    boxes = boxes[(boxes.role == SCORED) & (boxes.xyxy[:, 3] - boxes.xyxy[:, 1] >= LEAST_PX)]
    known = (folder / "seqinfo.ini").is_file()
    rate = read_seqinfo(folder).get("framerate", "0") if known else "0"
    try:
        fps = float(rate)
    except ValueError:
        raise ConfigError(f"{folder}/seqinfo.ini: frameRate is {rate!r}, expected a number") from None
    every, apart = (max(1, round(EVERY_S * fps)), max(1, round(apart_s * fps))) if fps else (1, 1)
    capture = FileCapture(path=str(video)) if video.is_file() else ImagesCapture(path=str(folder))
    with open_source(capture) as source:
        for number, frame in enumerate((frame for frame in source if frame is not None), start=1):
            now = boxes[boxes.frame == number]
            if (number - 1) % every == 0 and len(now):
                kinds = np.zeros(len(now), np.int32)
                yield Looks(str(folder), number, apart, frame.picture, now.xyxy, now.track_id, kinds)


def scenes(seeds: Iterable[int], hard: bool, apart_s: float) -> Iterator[Looks]:
    """Rendered streets."""
    for seed in seeds:
        scene = Scene(seed, hard)
        for index in range(0, len(scene), round(EVERY_S * scene.fps)):
            image, truth = scene.picture(index)
            inside = (truth.xyxy[:, :2] >= -2).all(1) & (truth.xyxy[:, 2:] <= [scene.width + 2, scene.height + 2]).all(
                1
            )
            tall = truth.xyxy[:, 3] - truth.xyxy[:, 1] >= LEAST_PX
            rows = inside & tall & (truth.visibility >= LEAST_VISIBLE)
            if rows.any():
                apart = round(apart_s * scene.fps)
                found = truth.xyxy[rows], truth.track_id[rows], truth.class_id[rows]
                yield Looks(f"street {seed}", index, apart, image, *found)


def judge(embedders: Mapping[str, Embedder], called: str, looks: Iterable[Looks]) -> list[Judged]:
    """Every embedder on the same looks.

    Raises:
        ConfigError: no identity was seen twice.
    """
    rows: dict[str, list[NDArray[np.float32]]] = {name: [] for name in embedders}
    facts = []
    places: dict[str, int] = {}
    for look in looks:
        n = len(look.xyxy)
        boxes = Detections(look.xyxy.astype(np.float32), np.ones(n, np.float32), look.class_id)
        for name, embedder in embedders.items():
            embedding = embedder.embed(look.picture, boxes).embedding
            assert embedding is not None
            rows[name].append(embedding)
        place = places.setdefault(look.place, len(places))
        fixed = np.tile([place, look.frame, look.apart], (n, 1))
        facts.append(np.concatenate([fixed, look.identity[:, None], look.class_id[:, None]], axis=1))
    if not facts:
        raise ConfigError(f"{called}: shows nobody of {LEAST_PX:.0f} px and more; give other sequences")
    known = np.concatenate(facts).astype(np.int64)
    return [_measured(name, called, np.concatenate(parts), known) for name, parts in rows.items()]


def _measured(name: str, called: str, rows: NDArray[np.float32], facts: NDArray[np.int64]) -> Judged:
    """`facts`: (N, 5) place, frame, frames apart, identity, class."""
    same: list[Floats] = []
    different: list[Floats] = []
    right = asked = people = 0
    for place in np.unique(facts[:, 0]):
        for kind in np.unique(facts[facts[:, 0] == place, 4]):
            here = (facts[:, 0] == place) & (facts[:, 4] == kind)
            frame, apart, identity = facts[here, 1], facts[here, 2], facts[here, 3]
            distance = 1 - rows[here] @ rows[here].T
            later = np.abs(frame[:, None] - frame) >= apart[:, None]
            like = identity[:, None] == identity
            people += len(np.unique(identity))
            upper = np.triu(later, 1)
            same.append(distance[upper & like])
            different.append(distance[upper & ~like])
            can = (later & like).any(1)
            nearest = np.where(later, distance, np.inf).argmin(1)
            right += int((identity[nearest] == identity)[can].sum())
            asked += int(can.sum())
    near, far = np.concatenate(same), np.concatenate(different)
    if not len(near) or not len(far):
        raise ConfigError(f"{called}: nobody is seen twice beside others; give longer sequences")
    return Judged(
        name, called, len(rows), people, right / asked,
        (float(np.median(near)), float(np.quantile(near, 0.9))),
        (float(np.quantile(far, 0.1)), float(np.median(far))),
        equal_error(near, far),
    )  # fmt: skip


def equal_error(same: Floats, different: Floats) -> float:
    """Where as many of the same are farther as different ones are nearer."""
    cuts = np.quantile(np.concatenate([same, different]), np.linspace(0, 1, 2001))
    missed = 1 - np.searchsorted(np.sort(same), cuts, side="right") / len(same)
    taken = np.searchsorted(np.sort(different), cuts, side="right") / len(different)
    best = int(np.abs(missed - taken).argmin())
    return float((missed[best] + taken[best]) / 2)


def embedder_of(word: str) -> tuple[str, Embedder]:
    """A file, a name in the catalogue, or `histogram`."""
    runtime = RuntimeConfig(threads=1)
    if word == "histogram":
        return word, open_embedder(HistogramEmbed(), runtime)
    file = word if "/" in word or word.endswith(".onnx") else str(resolve_model(word))
    return Path(file).stem, open_embedder(ReidEmbed(model=file), runtime)


def reid_report(
    folders: Sequence[Path],
    words: Sequence[str],
    seeds: Sequence[int] = (),
    hard: bool = False,
    apart_s: float = 1.0,
    as_json: bool = False,
) -> str:
    """Every embedder on all sequences together, and on the rendered streets of `seeds`.

    Raises:
        ConfigError: a folder is no sequence, or there is nothing to compare.
        ModelError: a model is no embedder.
    """
    if not folders and not seeds:
        raise ConfigError("evaluate reid: nothing to judge; name sequences, or streets with --scenes 100:110")
    found = []
    embedders = dict(embedder_of(word) for word in words)
    if len(embedders) < len(words):
        raise ConfigError("--embed: two are called the same; give files of different names")
    if folders:
        called = folders[0].name if len(folders) == 1 else f"{len(folders)} sequences"
        found += judge(embedders, called, (look for folder in folders for look in films(folder, apart_s)))
    if seeds:
        called = f"streets {seeds[0]} to {seeds[-1]}, {'hard' if hard else 'easy'}"
        found += judge(embedders, called, scenes(seeds, hard, apart_s))
    if as_json:
        return json.dumps([msgspec.to_builtins(row) for row in found], indent=2)
    return _table(found)


def _table(found: Sequence[Judged]) -> str:
    head = ("embedder", "on", "crops", "who", "rank 1", "same 50 %", "90 %", "different 10 %", "50 %", "equal error")
    rows: list[tuple[str, ...]] = [head]
    for r in found:
        values = (r.rank1, *r.same, *r.different, r.equal_error)
        rows.append((r.embedder, r.looks, str(r.crops), str(r.identities), *(f"{value:.3f}" for value in values)))
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    lines = []
    for row in rows:
        cells = (cell.ljust(w) if k < 2 else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True)))
        lines.append("  ".join(cells))
    return "\n".join(lines)
