"""A model made lean for where it works: the same answers for the wanted classes, in less time. Needs the onnx package.

Every step is judged by itself: what changes an answer, or cannot be done, is left out and told.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx

from edgetrack.config import DetectConfig, RuntimeConfig
from edgetrack.configfile.words import did_you_mean
from edgetrack.detect.network import load
from edgetrack.detect.reid import ReidEmbedder
from edgetrack.detect.yolo import YoloDetector
from edgetrack.errors import ConfigError, ModelError
from edgetrack.modelling import lean
from edgetrack.modelling.classes import Rows, UnknownGraphError, keep_classes, places, shapes_of
from edgetrack.modelling.lean import Array
from edgetrack.modelling.pictures import Album, Picture
from edgetrack.modelling.trial import inputs_of, opened, speed
from edgetrack.render.scene import Scene
from edgetrack.runtime import OnnxModel

TOLERANCE = 1e-3  # of the largest value of an output; scores are compared as they are, 0 to 1
LOOKED_AT = 8  # pictures of a rendered street, where none are given
Cuts = list[tuple[str, int, Rows]]


class Prepared(msgspec.Struct):
    """What was done, what it is worth, and how far answers moved."""

    source: str
    file: str
    steps: list[str]
    left: list[str]  # what could not be done, with the reason
    classes: list[str] | None
    pictures: int
    difference: float  # the largest, of the largest value of the output
    ms: list[float]  # before, after
    speedup: float
    mb: list[float]


@dataclass
class Bench:
    """The model as it was, on pictures."""

    source: str
    model: YoloDetector | ReidEmbedder
    inputs: list[Array]
    outputs: list[list[Array]]

    @classmethod
    def of(cls, source: str, pictures: Sequence[Picture]) -> Bench:
        model = opened(source)
        inputs = [np.array(array) for array in inputs_of(model, pictures)]
        network = OnnxModel(source, RuntimeConfig(threads=1))
        return cls(source, model, inputs, [network.run(array) for array in inputs])

    def difference(self, file: str, cuts: Cuts) -> float:
        """The largest between the answers of both files, as a share of the largest value; infinite where
        shapes differ."""
        network = OnnxModel(file, RuntimeConfig(threads=1))
        kept = {name: (axis, rows) for name, axis, rows in cuts}
        most = 0.0
        for given, wanted in zip(self.inputs, self.outputs, strict=True):
            for tensor, before, after in zip(network.outputs, wanted, network.run(given), strict=True):
                if tensor.name in kept:
                    before = np.take(before, kept[tensor.name][1], axis=kept[tensor.name][0])
                if before.shape != after.shape or not np.isfinite(after).all():
                    return float("inf")
                scale = max(1.0, float(np.abs(before).max(initial=0)))
                most = max(most, float(np.abs(before - after).max(initial=0)) / scale)
        return most


def prepare(source: str, target: Path, wanted: Sequence[str], album: Album | None) -> Prepared:
    """Write a lean copy.

    Args:
        wanted: names of classes; none: all of them.
        album: pictures to compare answers on; None: a rendered street.

    Raises:
        ModelError: it cannot be loaded, or the lean copy answers differently.
        ConfigError: a class that it does not have.
    """
    pictures = list(album) if album else list(street())
    bench = Bench.of(source, pictures)
    try:
        model = onnx.load(source)
    except (ValueError, OSError) as error:
        raise ModelError(f"{source}: its graph cannot be read ({' '.join(str(error).split())[:200]})") from error
    cuts, names = _chosen(bench, wanted)
    with tempfile.TemporaryDirectory(prefix=".preparing-", dir=target.parent) as room:
        trial = f"{room}/{target.name}"
        model, steps, left = _lean(bench, model, trial)
        if cuts and names:
            _cut(bench, model, cuts)
            steps.append(f"scores of {len(names)} of {len(_names(bench))} classes computed")
        _describe(model, names, source, steps)
        onnx.save(model, trial)
        moved = bench.difference(trial, cuts)
        if not moved <= TOLERANCE:
            raise ModelError(
                f"{source}: the lean copy answers differently (by {moved:.2g}); nothing is written, keep it"
            )
        ms = speed([source, trial])
        mb = [Path(file).stat().st_size / 1e6 for file in (source, trial)]
        Path(trial).replace(target)
    return Prepared(source, str(target), steps, left, names, len(pictures), moved, ms, ms[0] / ms[1], mb)


def street() -> Iterator[Picture]:
    """Pictures where there are no others: of two rendered streets, easy and hard."""
    for hard in (False, True):
        scene = Scene(1000, hard, seconds=20)
        for k in range(LOOKED_AT // 2):
            yield Picture(f"street {k}", "street", scene.picture(60 + 50 * k)[0], None)


def _lean(bench: Bench, model: Any, trial: str) -> tuple[Any, list[str], list[str]]:
    """The model after every exact rewrite that keeps its answers, what was done, and what was left with the reason."""
    shapes = shapes_of(model, bench.source, bench.inputs[0].shape)
    known = [] if _follows(bench) else [partial(lean.known_shapes, shapes=shapes)]
    rewrites: tuple[Callable[[Any], str], ...] = (
        lean.free_initializers,
        lean.plain_constants,
        *known,
        lean.fold,
        lean.fold_focus,
        lean.hard_swish,
        lean.sweep,
    )
    done: list[str] = []
    left: list[str] = []
    for rewrite in rewrites:
        changed = onnx.ModelProto()
        changed.CopyFrom(model)
        told = rewrite(changed)
        if not told:
            continue
        onnx.save(changed, trial)
        try:
            moved = bench.difference(trial, [])
        except ModelError as error:
            left.append(f"{told}: that breaks it ({error})")
            continue
        if moved <= TOLERANCE:
            model = changed
            done.append(told)
        else:
            left.append(f"{told}: that changes answers by {moved:.2g}")
    return model, done, left


def _follows(bench: Bench) -> bool:
    """Whether its input may become smaller with the picture (`detect.rect`): worth more than shapes that are known."""
    detects = isinstance(bench.model, YoloDetector)
    return detects and load(DetectConfig(model=bench.source), RuntimeConfig(threads=1)).follows


def _names(bench: Bench) -> tuple[str, ...]:
    if not isinstance(bench.model, YoloDetector):
        raise ConfigError(f"--classes: {bench.source} is an embedder and knows no classes; leave them away")
    return bench.model.names


def _chosen(bench: Bench, wanted: Sequence[str]) -> tuple[Cuts, list[str] | None]:
    """What to cut, and the names that remain; None: not a detector."""
    if not wanted:
        return [], list(bench.model.names) if isinstance(bench.model, YoloDetector) else None
    names = _names(bench)
    for name in wanted:
        if name not in names:
            few = ", ".join(names[:20]) + (" ..." if len(names) > 20 else "")
            hint = did_you_mean(name, names) or f"; choose of {few}"
            raise ConfigError(f"--classes: {bench.source} has no class {name!r}{hint}")
    rows = [k for k, name in enumerate(names) if name in wanted]
    if len(rows) == len(names):
        return [], list(names)
    assert isinstance(bench.model, YoloDetector)
    network = bench.model.model
    shapes = [array.shape for array in bench.outputs[0]]
    try:
        found = places(bench.model.form, rows, shapes)
    except ModelError as error:
        raise ModelError(f"{bench.source}: {error}") from None
    cuts = [(network.outputs[place].name, axis, kept) for place, axis, kept in found]
    return cuts, [names[k] for k in rows]


def _cut(bench: Bench, model: Any, cuts: Cuts) -> None:
    """Leave out the other classes' scores, and what only they need."""
    try:
        keep_classes(model, cuts, shapes_of(model, bench.source, bench.inputs[0].shape))
    except UnknownGraphError as stuck:
        raise ModelError(
            f"{bench.source}: the scores of single classes cannot be left out: {stuck}; leave --classes away, "
            "detect.classes still drops them afterwards"
        ) from None
    lean.sweep(model)


def _describe(model: Any, names: Sequence[str] | None, source: str, steps: Sequence[str]) -> None:
    """Names of the classes that remain, and what was done; all else that the file said stays."""
    facts = {entry.key: entry.value for entry in model.metadata_props}
    if names is not None:
        facts["names"] = str(dict(enumerate(names)))
    facts["prepared"] = f"edgetrack model prepare {Path(source).name}: {'; '.join(steps)}"
    del model.metadata_props[:]
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value)


def text(found: Prepared) -> str:
    """For people."""
    lines = [*(f"  {step}" for step in found.steps), *(f"  not done: {reason}" for reason in found.left)]
    lines.append(
        f"answers on {found.pictures} pictures the same within {found.difference:.1g} of the largest value "
        f"({TOLERANCE:g} is allowed)"
    )
    lines.append(
        f"one inference on one thread: {found.ms[0]:.2f} -> {found.ms[1]:.2f} ms, {found.speedup:.2f} times as fast; "
        f"{found.mb[0]:.2f} -> {found.mb[1]:.2f} MB"
    )
    return "\n".join([found.source, *lines, f"{found.file}: written"])
