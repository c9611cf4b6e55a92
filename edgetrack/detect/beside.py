"""A model beside the loop: it looks at the next pictures while the loop still follows what it saw in the last one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from numpy.typing import NDArray

from edgetrack.detect.heads import Candidates
from edgetrack.image import Blob, Fit, Plane, Resizer
from edgetrack.runtime import OnnxModel
from edgetrack.types import Picture

Outputs = list[NDArray[Any]]
THREADS = "detect"  # how their names begin


@dataclass(frozen=True, slots=True)
class Begun:
    """A look that was begun when capture had the picture."""

    fit: Fit
    candidates: Future[Candidates]


class Beside:
    """Sessions of one model, each with an input of its own; pictures are begun in order by one thread.

    Scaling is done by whoever begins a look, most often capture's reader. The sessions' threads infer, and decode what
    is still in their core's cache: elsewhere that takes three times as long, and a megabyte of outputs would wait.

    Args:
        sessions: of the model, and the input that each of them is given.
        decode: outputs to candidates; for any thread.
    """

    def __init__(self, sessions: list[tuple[OnnxModel, Blob]], decode: Callable[[Outputs], Candidates]) -> None:
        self._decode = decode
        self._idle: SimpleQueue[tuple[Any, Blob]] = SimpleQueue()
        for model, blob in sessions:
            self._idle.put((model.run, blob))
        self._threads = ThreadPoolExecutor(len(sessions), THREADS)
        self._resizer = Resizer()

    def begin(self, picture: Picture, fit: Fit) -> Begun:
        planes = self._resizer.planes(picture, *fit.inner)
        return Begun(fit, self._threads.submit(self._look, planes, fit))

    def _look(self, planes: tuple[Plane, Plane, Plane], fit: Fit) -> Candidates:
        run, blob = self._idle.get()
        try:
            blob.fill(0, planes, fit)
            return self._decode(run(blob.array))
        finally:
            self._idle.put((run, blob))
