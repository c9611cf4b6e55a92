"""A model beside the loop: it looks at the next pictures while the loop still follows what it saw in the last one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from numpy.typing import NDArray

from edgetrack.detect.heads import Candidates, Size
from edgetrack.image import Blob, Fit, Resizer
from edgetrack.runtime import OnnxModel
from edgetrack.types import Picture

Outputs = list[NDArray[Any]]
THREADS = "detect"  # how their names begin
WAITING = 2  # inputs that are filled while all sessions look; with one they now and then wait for the next


@dataclass(frozen=True, slots=True)
class Begun:
    """A look that was begun when capture took the picture."""

    fit: Fit
    candidates: Future[Candidates]


class Beside:
    """Sessions of one model, each with an input of its own; pictures are begun in order by one thread.

    Scaling, and filling an input, is done by whoever begins a look, a thread of capture's, while the sessions
    look at earlier ones. Their threads infer, and decode what is still in their core's cache: elsewhere that takes
    three times as long, and a megabyte of outputs would wait.

    Args:
        models: sessions of the model.
        blob: makes an input for one; there are WAITING more than sessions.
        decode: outputs, and the size of the input that they answer, to candidates; for any thread.
    """

    def __init__(
        self, models: Sequence[OnnxModel], blob: Callable[[], Blob], decode: Callable[[Outputs, Size], Candidates]
    ) -> None:
        self._decode = decode
        self._idle: SimpleQueue[Callable[[NDArray[Any]], Outputs]] = SimpleQueue()
        self._inputs: SimpleQueue[Blob] = SimpleQueue()
        for model in models:
            self._idle.put(model.run)
        for _ in range(len(models) + WAITING):
            self._inputs.put(blob())
        self._threads = ThreadPoolExecutor(len(models), THREADS)
        self._resizer = Resizer()

    def begin(self, picture: Picture, fit: Fit, done: Callable[[], None]) -> Begun:
        """Waits while all inputs are in use; `done` is called when the look is over, by the thread that looked."""
        planes = self._resizer.planes(picture, *fit.inner)
        blob = self._inputs.get()
        blob.fill(0, planes, fit)
        candidates = self._threads.submit(self._look, blob, fit.target)
        candidates.add_done_callback(lambda _: done())
        return Begun(fit, candidates)

    def _look(self, blob: Blob, size: Size) -> Candidates:
        run = self._idle.get()
        try:
            outputs = run(blob.array)
        finally:
            self._idle.put(run)
            self._inputs.put(blob)
        return self._decode(outputs, size)
