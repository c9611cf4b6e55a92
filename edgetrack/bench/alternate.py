"""The whole daemon by turns with its detector's model alone: same process, same pictures, same minute."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, cast

import msgspec

from edgetrack import app
from edgetrack.bench.stopwatch import Cost, Stopwatch, threads_cpu_s
from edgetrack.capture import Source
from edgetrack.config import Config
from edgetrack.detect.yolo import YoloDetector
from edgetrack.errors import CaptureError
from edgetrack.notify import Systemd
from edgetrack.parts import build
from edgetrack.types import CaptureState, Frame

if TYPE_CHECKING:
    from typing_extensions import Self

Size = tuple[int, int]  # width, height
Bare = Callable[[Frame], Callable[[], object]]  # the model's run on a picture that is prepared

TURN = 25  # pictures, and runs of the model; long against a hiccup, short against a change of the machine's load
SETTLE = 5  # of each, before: what was decoded meanwhile is used up, and caches are the model's own again


@dataclass(frozen=True, slots=True)
class Turn:
    """Both, one right after the other; costs are of one picture or one run."""

    pictures: int
    daemon: Cost  # CPU of all threads
    bare: Cost
    stages: dict[str, Cost]  # of the loop's thread
    beside_cpu_s: dict[str, float]  # of the threads beside it


class Alternating:
    """A source that interrupts itself: after each TURN of pictures the model runs alone for as long."""

    def __init__(self, source: Source, stopwatch: Stopwatch, bare: Bare, seconds: float) -> None:
        self.turns: list[Turn] = []
        self.size = (0, 0)
        self._source, self._stopwatch, self._bare, self._seconds = source, stopwatch, bare, seconds

    @property
    def state(self) -> CaptureState:
        return self._source.state

    @property
    def slow(self) -> Callable[[float | None], None] | None:
        return self._source.slow

    def __enter__(self) -> Self:
        self._source.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.__exit__(kind, error, trace)

    def __iter__(self) -> Iterator[Frame | None]:
        until = time.monotonic() + self._seconds
        frames, handed = iter(self._source), 0
        beside, spent, begun = threads_cpu_s(), self._stopwatch.spent(), whole()
        while time.monotonic() < until:
            with self._stopwatch.inside("capture"):
                frame = next(frames, self)
            if frame is self:
                return
            frame = cast("Frame | None", frame)
            yield frame
            handed += frame is not None
            if frame is not None and handed == SETTLE:
                self.size = frame.size
                beside, spent, begun = threads_cpu_s(), self._stopwatch.spent(), whole()  # the slow one outside
            if frame is not None and handed == SETTLE + TURN:
                daemon = whole() - begun
                stages = {name: each(cost - spent.get(name, Cost())) for name, cost in self._stopwatch.spent().items()}
                threads = {name: max(0.0, cpu - beside[name]) / TURN for name, cpu in threads_cpu_s().items()}
                self.turns.append(Turn(TURN, each(daemon), each(self._alone(frame)), stages, threads))
                handed = 0

    def _alone(self, frame: Frame) -> Cost:
        run = self._bare(frame)
        for _ in range(SETTLE):
            run()
        begun = whole()
        for _ in range(TURN):
            run()
        return whole() - begun


def whole() -> Cost:
    """The clock, and the CPU time of all threads of this process."""
    return Cost(time.perf_counter(), time.process_time())


def each(cost: Cost) -> Cost:
    return Cost(cost.wall_s / TURN, cost.cpu_s / TURN)


def alternate(config: Config, seconds: float, against: str = "") -> tuple[list[Turn], Size, Size, tuple[str, ...]]:
    """Run the daemon of this configuration for `seconds`.

    Args:
        against: another model that runs alone; empty: the daemon's own, as its file is, on all of its input.

    Returns:
        The turns, the pictures' width and height, what a picture fills of the model's input, px, and its providers.

    Raises:
        CaptureError: the source ended before the first turn, or cannot be opened.
        ModelError: a model cannot be loaded.
    """
    stopwatch = Stopwatch()
    parts = build(config)
    detector = cast(YoloDetector, parts.detector)
    plain = msgspec.structs.replace(config.detect, rect=False, ahead=0)
    if against:
        plain = msgspec.structs.replace(plain, model=against, size=None, head="auto")
    alone = YoloDetector(plain, config.runtime)
    prepare, infer = alone.prepare, alone.model.run  # as they are before they are watched
    source = Alternating(parts.source, stopwatch, lambda frame: partial(infer, prepare(frame.picture)[0]), seconds)
    for owner, method, stage in (
        (detector, "detect", "decode"),
        (detector, "candidates", "infer"),  # or waits for it, where it runs beside
        (detector, "decode", "decode"),
        (detector, "prepare", "scale"),
        (detector.model, "run", "infer"),
        (parts.embedder, "embed", "embed"),
        (parts.tracker, "step", "track"),
        (parts.scene, "observe", "scene"),
        (parts.publisher, "publish", "publish"),
    ):
        stopwatch.watch(owner, method, stage)
    app.run(replace(parts, source=source), app.Wishes(), Systemd({}), lambda: config)
    if not source.turns:
        raise CaptureError(
            f"bench: the source gave fewer than {SETTLE + TURN} pictures in {seconds:g} s; set capture.loop, or give "
            "--seconds more"
        )
    given = detector.fit(source.size).target
    return source.turns, source.size, given, tuple(detector.providers)
