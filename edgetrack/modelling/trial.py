"""A model put to the test: what it answers to pictures, how fast it is, how much memory it takes."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgetrack.config import DetectConfig, ReidEmbed, RuntimeConfig
from edgetrack.detect.pixels import pixels_of
from edgetrack.detect.reid import ReidEmbedder
from edgetrack.detect.yolo import YoloDetector
from edgetrack.errors import ModelError
from edgetrack.modelling import accuracy
from edgetrack.modelling.pictures import Picture, Truth
from edgetrack.runtime import OnnxModel
from edgetrack.types import Detections

FLOOR = 0.02  # least score of the detections that are looked at
WORKING = 0.4  # score of the objects that two models are compared by; what both should be sure of
ROUNDS = 30  # runs of each model for its speed
ROUNDS_S = 10.0  # after which the rest is left out, once there are five


def opened(path: str) -> YoloDetector | ReidEmbedder:
    """The model on one thread, as a detector or, where it is none, as an embedder.

    Raises:
        ModelError: it is neither, with the reasons.
    """
    with _unheard():
        return _opened(path)


def _opened(path: str) -> YoloDetector | ReidEmbedder:
    runtime = RuntimeConfig(threads=1)
    try:
        return YoloDetector(DetectConfig(model=path, min_score=FLOOR, rect=False), runtime)
    except ModelError as no_detector:
        try:
            return ReidEmbedder(ReidEmbed(model=path), runtime)
        except ModelError as no_embedder:
            if str(no_embedder) == str(no_detector):
                raise
            raise ModelError(f"{no_detector} (nor an embedder: {no_embedder})") from None


@contextmanager
def _unheard() -> Iterator[None]:
    """What an operator is told of the daemon's one model would be told here of every candidate."""
    rooms = [logging.getLogger(f"edgetrack.detect.{name}") for name in ("yolo", "reid", "labels")]
    before = [room.level for room in rooms]
    for room in rooms:
        room.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for room, level in zip(rooms, before, strict=True):
            room.setLevel(level)


def boxes_of(picture: Picture) -> NDArray[np.int64]:
    """(N, 4) pixels of what an embedder is shown: the objects, or the whole picture where nobody said what is in it."""
    height, width = picture.image.shape[:2]
    if picture.truth is None:
        return np.array([[0, 0, width, height]], np.int64)
    return pixels_of(picture.truth.xyxy, width, height)


def inputs_of(model: YoloDetector | ReidEmbedder, pictures: Iterable[Picture]) -> Iterator[NDArray[Any]]:
    """What the network is given for each picture, or for each object of it; valid until the next one."""
    for picture in pictures:
        if isinstance(model, YoloDetector):
            yield model.prepare(picture.image)[0]
        else:
            yield from (model.prepare(picture.image, box[None]) for box in boxes_of(picture))


@dataclass(frozen=True)
class Seen:
    """What a detector saw in each picture of an album."""

    kind: ClassVar[str] = "detector"
    answers: list[Detections]
    truths: list[Truth] | None  # None: no labels
    names: tuple[str, ...]

    def figures(self, reference: Seen) -> dict[str, float]:
        """Measures of these answers, 1 is best; the first one decides."""
        aligned = self._in_words_of(reference)
        own: dict[str, float] = {}
        if self.truths is not None:
            precision = accuracy.precision(aligned, self.truths)
            own |= {"AP50": precision.ap50, "AP50:95": precision.ap50_95}
        own["agreement"] = accuracy.agreement(reference.answers, aligned, WORKING)
        return own

    def likeness(self, reference: Seen) -> float:
        return accuracy.likeness(reference.answers, self._in_words_of(reference))

    def _in_words_of(self, reference: Seen) -> list[Detections]:
        """The same detections, numbered as the reference numbers its classes; unknown ones get -2."""
        if self.names == reference.names:
            return self.answers
        places = {name: number for number, name in enumerate(reference.names)}
        table = np.array([places.get(name, -2) for name in self.names], np.int32)
        return [Detections(d.xyxy, d.score, table[d.class_id]) for d in self.answers]


@dataclass(frozen=True)
class Embedded:
    """What an embedder made of each object of an album."""

    kind: ClassVar[str] = "embedder"
    rows: NDArray[np.float32]  # (N, D) unit rows
    identity: NDArray[np.int64] | None
    sequence: NDArray[np.int64]

    def figures(self, reference: Embedded) -> dict[str, float]:
        own = {"cosine": accuracy.cosines(reference.rows, self.rows)}
        if self.identity is not None:
            apart = accuracy.identities_apart(self.rows, self.identity, self.sequence)
            if np.isfinite(apart):
                own = {"apart": apart} | own
        return own

    def likeness(self, reference: Embedded) -> float:
        return accuracy.cosines(reference.rows, self.rows)


def answers(model: YoloDetector | ReidEmbedder, pictures: Iterable[Picture]) -> Seen | Embedded:
    """What the model says to every picture."""
    if isinstance(model, YoloDetector):
        found, truths = [], []
        for picture in pictures:
            found.append(model.detect(picture.image))
            truths.append(picture.truth)
        known = [truth for truth in truths if truth is not None]
        return Seen(found, known if known and len(known) == len(found) else None, model.names)
    rows, identity, places = [], [], []
    sequences: dict[str, int] = {}
    for picture in pictures:
        boxes = boxes_of(picture).astype(np.float32)
        nothing = Detections(boxes, np.ones(len(boxes), np.float32), np.zeros(len(boxes), np.int32))
        embedding = model.embed(picture.image, nothing).embedding
        assert embedding is not None
        rows.append(embedding)
        place = sequences.setdefault(picture.sequence, len(sequences))
        places.append(np.full(len(boxes), place, np.int64))
        if picture.truth is not None and picture.truth.identity is not None:
            identity.append(picture.truth.identity)
    all_rows = np.concatenate([np.empty((0, model.width), np.float32), *rows])
    who = np.concatenate(identity) if identity and sum(map(len, identity)) == len(all_rows) else None
    return Embedded(all_rows, who, np.concatenate([np.empty(0, np.int64), *places]))


def compared(reference: Seen | Embedded, found: Seen | Embedded) -> tuple[dict[str, float], dict[str, float]]:
    """Figures of the reference and of the other; of the first one that both have, less is a loss.

    Raises:
        ModelError: one is a detector and the other an embedder.
    """
    if isinstance(reference, Seen) and isinstance(found, Seen):
        return reference.figures(reference), found.figures(reference)
    if isinstance(reference, Embedded) and isinstance(found, Embedded):
        return reference.figures(reference), found.figures(reference)
    raise ModelError(f"A is {reference.kind}, B is {found.kind}; compare models of one kind")


def likeness(reference: Seen | Embedded, found: Seen | Embedded) -> float:
    """How alike two models answer, 0 to 1."""
    if isinstance(reference, Seen) and isinstance(found, Seen):
        return found.likeness(reference)
    if isinstance(reference, Embedded) and isinstance(found, Embedded):
        return found.likeness(reference)
    return 0.0


def speed(paths: Sequence[str], rounds: int = ROUNDS) -> list[float]:
    """Median ms of one inference on one thread, in turn, so that what disturbs one disturbs all.

    Time of the processor: what other programs take of it does not count.
    """
    models = [OnnxModel(path, RuntimeConfig(threads=1)) for path in paths]
    arrays = [_noise(model) for model in models]
    took: list[list[float]] = [[] for _ in models]
    for model, given in zip(models, arrays, strict=True):
        model.run(*given)
    began = time.perf_counter()
    for number in range(rounds):
        for model, given, times in zip(models, arrays, took, strict=True):
            start = time.thread_time()
            model.run(*given)
            times.append((time.thread_time() - start) * 1000)
        if number >= 4 and time.perf_counter() - began > ROUNDS_S:
            break
    return [float(np.median(times)) for times in took]


def _noise(model: OnnxModel) -> list[NDArray[Any]]:
    random = np.random.default_rng(0)
    shapes = [[side or (1 if place == 0 else 256) for place, side in enumerate(t.shape)] for t in model.inputs]
    return [random.random(shape).astype(t.dtype) for shape, t in zip(shapes, model.inputs, strict=True)]


def memory_mb(path: str) -> float:
    """MB that loading and running the model adds at its peak, measured in a process of its own."""
    command = [sys.executable, "-m", "edgetrack.modelling.footprint", path]
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 -- this Python itself
    if run.returncode:
        last = (run.stderr.strip().splitlines() or [f"exit status {run.returncode}"])[-1]
        raise ModelError(f"{path}: its memory cannot be measured ({last[:200]}); is there memory enough to load it?")
    return float(json.loads(run.stdout)["mb"])
