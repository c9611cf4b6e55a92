"""What every source promises, as assertions; needs no library but numpy, so that it runs wherever a source does."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import numpy as np

from edgetrack.capture import Source
from edgetrack.types import Frame

PATIENCE_S = 30.0  # a camera of a busy test machine


def readers() -> list[str]:
    """Names of the threads that sources have running."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("capture")]


def wait_for_readers() -> None:
    """Until all of them have ended: a source that is left does not wait for a read that takes long."""
    until = time.monotonic() + PATIENCE_S
    while left := readers():
        assert time.monotonic() < until, f"left behind for {PATIENCE_S} s: {', '.join(left)}"
        time.sleep(0.01)


def take(source: Source, count: int, patience_s: float = PATIENCE_S) -> list[Frame]:
    """The next pictures; fewer if the source ends."""
    frames: list[Frame] = []
    until = time.monotonic() + patience_s
    for frame in source:
        frames += [frame] if frame is not None else []
        if len(frames) == count:
            break
        assert time.monotonic() < until, f"{len(frames)} of {count} pictures in {patience_s} s: {source.state}"
    return frames


def wait_for(source: Source, state: str, patience_s: float = PATIENCE_S) -> None:
    """Iterate until the source is in this state."""
    until = time.monotonic() + patience_s
    for _ in source:
        if source.state.state == state:
            return
        assert time.monotonic() < until, f"not {state} within {patience_s} s: {source.state}"


def check(source: Source, *, live: bool, size: tuple[int, int]) -> None:
    """Run a source that has at least 12 pictures through its life."""
    assert source.state.state == "opening"
    with source as entered:
        assert entered is source
        began = time.monotonic()
        frames = take(source, 4)
        time.sleep(0.3)  # a slow loop
        frames += take(source, 4)
        frames += take(source, 4)  # iterating again goes on
        state = source.state
    wait_for_readers()
    check_frames(frames, live=live, size=size, began=began)
    assert (state.state, state.reason, state.outages, state.blind_s) == ("ok", "", 0, 0)
    assert state.frames == len(frames) == 12
    missing = frames[-1].index + 1 - len(frames)
    assert missing <= state.dropped if live else state.dropped == missing == 0
    assert list(source) == []  # left, it ends
    source.__exit__(None, None, None)  # twice is once


def check_frames(frames: list[Frame], *, live: bool, size: tuple[int, int], began: float) -> None:
    for frame in frames:
        assert frame.size == size
        assert frame.image.dtype == np.uint8
        assert frame.image.shape == (size[1], size[0], 3)
        assert frame.image.flags.c_contiguous
        assert abs(frame.utc - time.time()) < 60
        assert frame.captured <= time.monotonic()
        assert live or frame.captured >= began
    for earlier, later in pairwise(frames):
        assert later.index > earlier.index if live else later.index == earlier.index + 1
        assert later.time >= earlier.time
        assert later.captured >= earlier.captured
    assert frames[-1].time > frames[0].time
