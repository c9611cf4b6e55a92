"""Scores of files, as tables for people or JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path

from edgetrack.config import TrackConfig
from edgetrack.errors import ConfigError
from edgetrack.evaluate import counts, mot, published
from edgetrack.evaluate.detections import count_detections, record, run_detections, run_kitti_detections
from edgetrack.evaluate.sequences import (
    KITTI_ALIKE,
    KITTI_MIN_HEIGHT_PX,
    Trajectories,
    read_kitti,
    read_results,
    read_truth,
)

Record = Mapping[str, float]


def mot_report(
    sequences: Sequence[Path],
    results: Path | None = None,
    detections: str = "det_frcnn.txt",
    min_score: float = 0.5,
    config: TrackConfig | None = None,
    as_json: bool = False,
) -> str:
    """HOTA, MOTA, IDF1 and their parts, per sequence and together.

    Args:
        sequences: MOTChallenge folders (gt.txt or gt/gt.txt; seqinfo.ini), or KITTI label files, scored by class.
        results: tracks to score: a file, or a folder with NAME.txt per sequence. None: the tracker is run.
        detections: what it is run on: a file's name in the sequence's folder; for KITTI a file or folder of its own.
        min_score: weaker detections are left out.
        config: the tracker's settings.
        as_json: instead of a table.
    """
    scores: list[tuple[str, mot.Scores]] = []
    for sequence, name in zip(sequences, names(sequences), strict=True):
        if sequence.is_dir():
            tracks = (
                run_detections(sequence, detections, config, min_score)
                if results is None
                else _answer(_file(results, sequence.name))
            )
            scores.append((name, mot.evaluate(read_truth(_truth(sequence)), tracks)))
        else:
            scores += _kitti(sequence, name, results, detections, min_score, config)
    return _form([(name, mot.record(s)) for name, s in [*scores, *_sums(scores)]], as_json)


def names(paths: Sequence[Path]) -> list[str]:
    """The last part of each, or all of it where that would name two the same."""
    short = [path.name if path.is_dir() else path.stem for path in paths]
    return short if len(set(short)) == len(short) else [str(path) for path in paths]


def _sums(scores: Sequence[tuple[str, mot.Scores]]) -> Iterator[tuple[str, mot.Scores]]:
    """All together, and each of KITTI's classes where there is more than one sequence."""
    for kind in KITTI_ALIKE:
        of_kind = [s for name, s in scores if name.endswith(f" {kind}")]
        if len(of_kind) > 1:
            yield f"{kind}s together", reduce(mot.Scores.__add__, of_kind)
    if len(scores) > 1:
        yield "together", reduce(mot.Scores.__add__, (s for _, s in scores))


def counts_report(
    truth: Path,
    events: Path,
    detections: str = "det_frcnn.txt",
    min_score: float = 0.5,
    config: TrackConfig | None = None,
    as_json: bool = False,
) -> str:
    """Counted crossings and visits against the truth.

    Args:
        truth: JSON with `fps`, `lines` and `zones`, whose names are those of the configuration.
        events: what `publish: {kind: jsonl}` wrote; or a MOTChallenge folder, whose detections go through tracker and
            scene, with the lines and zones of the truth.
        detections, min_score, config: as in `mot_report`, for a folder.
        as_json: instead of a table.
    """
    true = counts.read_truth(truth)
    if events.is_dir():
        crossings, visits = count_detections(record(events, detections), true, config, min_score)
    else:
        payloads = published.read_payloads(events)
        crossings, visits = published.crossings(payloads), published.visits(payloads)
    return _form([(truth.stem, counts.record(counts.evaluate(true, crossings, visits)))], as_json)


def table(rows: Sequence[tuple[str, Record]]) -> str:
    """One line a row; fractions with one decimal."""
    width = max([8, *(len(name) for name, _ in rows)])
    cell = {key: max(7, len(key) + 1) for key in rows[0][1]}
    lines = ["sequence".ljust(width) + "".join(f"{key:>{n}}" for key, n in cell.items())]
    for name, row in rows:
        shown = (f"{v:>{cell[k]}.1f}" if isinstance(v, float) else f"{v:>{cell[k]}d}" for k, v in row.items())
        lines.append(name.ljust(width) + "".join(shown))
    return "\n".join(lines)


def _form(rows: Sequence[tuple[str, Record]], as_json: bool) -> str:
    return json.dumps(dict(rows), indent=2) if as_json else table(rows)


def _truth(folder: Path) -> Path:
    nested = folder / "gt" / "gt.txt"
    return nested if nested.exists() else folder / "gt.txt"


def _file(place: Path, name: str) -> Path:
    return place / f"{name}.txt" if place.is_dir() else place


def _answer(path: Path) -> Trajectories:
    """A tracker's answer, or, where the name says JSON lines, what the daemon published."""
    return published.tracks(published.read_payloads(path)) if path.suffix == ".jsonl" else read_results(path)


def _kitti(
    labels: Path, name: str, results: Path | None, detections: str, min_score: float, config: TrackConfig | None
) -> list[tuple[str, mot.Scores]]:
    truth = {kind: read_kitti(labels, kind) for kind in KITTI_ALIKE}
    if results is not None:
        answer = {kind: read_kitti(_file(results, labels.stem), kind) for kind in KITTI_ALIKE}
    else:
        last = max(int(t.frame.max(initial=0)) for t in truth.values())
        place = _file(Path(detections), labels.stem)
        if not place.exists():
            raise ConfigError(f"{labels}: no detections at {place}; name a file or folder with --detections")
        answer = run_kitti_detections(place, last, config, min_score)
    return [
        (f"{name} {kind}", mot.evaluate(true, answer.get(kind, Trajectories.empty()), KITTI_MIN_HEIGHT_PX))
        for kind, true in truth.items()
    ]
