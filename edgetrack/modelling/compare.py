"""One model against another on the same pictures: accuracy, speed, size, memory, and whether the loss is allowed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import msgspec

from edgetrack.errors import ConfigError, ModelError
from edgetrack.modelling.pictures import Picture
from edgetrack.modelling.trial import Embedded, Seen, answers, compared, memory_mb, opened, speed

MAX_LOSS = 0.01  # of AP50, with labels
MAX_DISAGREEMENT = 0.05  # without: small changes of score make objects come and go at the threshold
WORDS = {
    "AP50": "mAP at IoU 0.5",
    "AP50:95": "mAP at IoU 0.5 to 0.95",
    "agreement": "objects in common, F1",
    "cosine": "mean cosine to A's embedding",
    "apart": "cosine of same less different",
}


class Side(msgspec.Struct):
    """One of the two models."""

    path: str
    figures: dict[str, float]  # 1 is best; the first one decides
    ms: float  # one inference on one thread, median
    mb_file: float
    mb_memory: float  # that it adds to a process


class Comparison(msgspec.Struct):
    kind: str
    pictures: int
    objects: int  # labelled ones, or for embedders those that were embedded; 0: no labels
    a: Side
    b: Side
    measure: str
    loss: float
    max_loss: float
    min_speedup: float
    speedup: float
    passed: bool
    verdict: str


def compare(
    a: str, b: str, pictures: Iterable[Picture], max_loss: float | None = None, min_speedup: float = 1.0
) -> Comparison:
    """Judge b, as a replacement of a.

    Args:
        max_loss: allowed of the measure that decides; None: MAX_LOSS with labels and for embedders,
            MAX_DISAGREEMENT for detectors without.
        min_speedup: refuse b if it is not at least so many times as fast; 0: allow any.

    Raises:
        ModelError: one cannot be loaded, or they are of two kinds.
        ConfigError: there are no pictures to judge with.
    """
    shown = list(pictures)
    if not shown:
        raise ConfigError("--images: no picture with labels; give pictures, or labels that belong to them")
    reference, other = (answers(opened(path), shown) for path in (a, b))
    before, after = compared(reference, other)
    measure = next((name for name in before if name in after), "")
    loss = before[measure] - after[measure]
    if max_loss is None:
        max_loss = MAX_DISAGREEMENT if measure == "agreement" else MAX_LOSS
    times = speed([a, b])
    sides = [
        Side(path, figures, ms, Path(path).stat().st_size / 1e6, memory_mb(path))
        for path, figures, ms in zip((a, b), (before, after), times, strict=True)
    ]
    speedup = times[0] / times[1]
    return Comparison(
        kind=reference.kind,
        pictures=len(shown),
        objects=_objects(reference),
        a=sides[0],
        b=sides[1],
        measure=measure,
        loss=loss,
        max_loss=max_loss,
        min_speedup=min_speedup,
        speedup=speedup,
        passed=not math.isnan(loss) and loss <= max_loss and speedup >= min_speedup,
        verdict=_verdict(measure, before, after, max_loss, speedup, min_speedup, loss),
    )


def _objects(seen: Seen | Embedded) -> int:
    if isinstance(seen, Embedded):
        return len(seen.rows)
    return sum(int((truth.class_id >= 0).sum()) for truth in seen.truths or ())


def _verdict(
    measure: str,
    before: dict[str, float],
    after: dict[str, float],
    max_loss: float,
    speedup: float,
    min_speedup: float,
    loss: float,
) -> str:
    change = f"{measure} {before[measure]:.3f} -> {after[measure]:.3f}"
    if math.isnan(loss):
        return f"refused: {measure} cannot be told, the labels hold nothing to find; give other labels"
    if loss > max_loss:
        remedy = (
            "keep A, or allow it with --max-loss where B's speed is worth it"
            if measure != "agreement"
            else "give --labels to learn whether that is worse or only different, or keep A"
        )
        return f"refused: {change}, a loss of {loss:.3f} where {max_loss:g} is allowed; {remedy}"
    if speedup < min_speedup:
        return (
            f"refused: B is {speedup:.2f} times as fast as A, at least {min_speedup:g} was asked for ({change}); "
            "keep A, or allow it with --min-speedup 0 where B's size is worth it"
        )
    return f"good: {change}, a loss of {loss:.3f} where {max_loss:g} is allowed, {speedup:.2f} times as fast"


def text(found: Comparison) -> str:
    """A table for people."""
    labels = {"detector": "labelled objects", "embedder": "objects"}[found.kind]
    head = (
        f"{found.pictures} pictures, {found.objects} {labels}"
        if found.objects
        else f"{found.pictures} pictures, no labels"
    )
    rows = [("", "A", "B")]
    for name in found.a.figures:
        rows.append(
            (WORDS.get(name, name), f"{found.a.figures[name]:.3f}", f"{found.b.figures.get(name, math.nan):.3f}")
        )
    rows.append(("ms, one thread, median", f"{found.a.ms:.1f}", f"{found.b.ms:.1f}"))
    rows.append(("MB of the file", f"{found.a.mb_file:.2f}", f"{found.b.mb_file:.2f}"))
    rows.append(("MB of memory, peak", f"{found.a.mb_memory:.0f}", f"{found.b.mb_memory:.0f}"))
    table = "\n".join(f"{name:<30} {a:>9} {b:>9}" for name, a, b in rows)
    return f"A {found.a.path}\nB {found.b.path}\n{head}\n{table}\n{found.verdict}"


def gate(found: Comparison) -> None:
    """Raise ModelError where b is no good replacement."""
    if not found.passed:
        raise ModelError(f"{found.b.path}: {found.verdict}")
