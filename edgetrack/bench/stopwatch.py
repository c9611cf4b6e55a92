"""Where the time of a running daemon goes: stage by stage in its loop, thread by thread beside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REST = "rest"  # of the loop: what no stage is charged with
THREADS = Path("/proc/self/task")
DELIVERING = ("mqtt", "jsonl", "outbox")


@dataclass(frozen=True, slots=True)
class Cost:
    """Time on the clock, and time that a core worked."""

    wall_s: float = 0.0
    cpu_s: float = 0.0

    def __sub__(self, earlier: Cost) -> Cost:
        return Cost(self.wall_s - earlier.wall_s, self.cpu_s - earlier.cpu_s)

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)


class Stopwatch:
    """Every moment of one thread, that which made it, counts for one stage: the innermost that it is in."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._spent: dict[str, Cost] = {}
        self._within = [REST]
        self._since = now()

    def watch(self, owner: object, method: str, stage: str) -> None:
        """From now on the time in a method of one object counts for `stage`; that of other threads for none."""
        function: Callable[..., Any] = getattr(owner, method)

        def timed(*arguments: Any) -> Any:
            if threading.get_ident() != self._thread:  # such as capture's, which tries the model at a new size
                return function(*arguments)
            with self.inside(stage):
                return function(*arguments)

        setattr(owner, method, timed)

    @contextmanager
    def inside(self, stage: str) -> Iterator[None]:
        self._charge()
        self._within.append(stage)
        try:
            yield
        finally:
            self._charge()
            self._within.pop()

    def spent(self) -> dict[str, Cost]:
        """By stage, since the start."""
        self._charge()
        return dict(self._spent)

    def _charge(self) -> None:
        moment = now()
        stage = self._within[-1]
        self._spent[stage] = self._spent.get(stage, Cost()) + (moment - self._since)
        self._since = moment


def now() -> Cost:
    """The clock, and the CPU time of the calling thread."""
    return Cost(time.perf_counter(), time.thread_time())


def threads_cpu_s() -> dict[str, float]:
    """CPU time of the threads that read and decode, "capture", take pictures ahead of the loop and scale them, "take",
    infer, "infer", and deliver, "deliver". A recording is decoded by the one that takes.

    FFmpeg's own threads are no threads of Python's, but carry a name.
    """
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    spent = {"capture": 0.0, "take": 0.0, "infer": 0.0, "deliver": 0.0}
    for task in THREADS.glob("*"):
        with suppress(OSError):  # it has ended
            name = names.get(int(task.name)) or (task / "comm").read_text()
            if name.startswith("capture ") and name.endswith(", ahead"):
                spent["take"] += cpu_s(task)
            elif name.startswith(("capture ", "av:")):
                spent["capture"] += cpu_s(task)
            elif name.startswith("detect_"):
                spent["infer"] += cpu_s(task)
            elif name in DELIVERING:
                spent["deliver"] += cpu_s(task)
    return spent


def cpu_s(task: Path) -> float:
    """CPU time of one thread (proc(5), schedstat)."""
    return int((task / "schedstat").read_text().split()[0]) / 1e9
