"""A camera that halves its frame rate, as at night, counts the same."""

from __future__ import annotations

import numpy as np
import pytest

from edgetrack.scene import Scene
from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections, Frame, TrackEvent
from tests.record.parts import FPS, NAMES, SIZE, settings

PICTURE = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)


def walkers(time: float) -> Detections:
    """Three who walk to and fro across the door, once in 18 to 30 s."""
    x = 20 + np.abs((time * np.array([40.0, 50.0, 65.0]) + np.array([0.0, 300.0, 600.0])) % 1200 - 600)
    foot = np.array([120.0, 220.0, 320.0])
    xyxy = np.stack([x - 15, foot - 80, x + 15, foot], axis=1).astype(np.float32)
    return Detections(xyxy, np.full(3, 0.9, np.float32), np.zeros(3, np.int32))


def counted(fps_of: list[tuple[float, float]]) -> list[tuple[str, str | None]]:
    """Crossings and entries while the camera gives so many pictures a second for so long: [(fps, s), ...]."""
    tracker, scene, events = Tracker(), Scene(settings(), NAMES), []
    time, index = 0.0, 0
    for fps, seconds in fps_of:
        for _ in range(round(seconds * fps)):
            tracks = tracker.step(time, walkers(time))
            events += scene.observe(Frame(PICTURE, index, time, 1.7e9 + time, time), tracks)
            time, index = time + 1 / fps, index + 1
    told = [event for event in events if isinstance(event, TrackEvent)]
    return [(e.kind, e.direction) for e in told if e.kind in ("line_crossed", "zone_entered", "zone_left")]


@pytest.mark.parametrize("night", [FPS / 2, FPS / 3])
def test_counts_do_not_depend_on_the_frame_rate(night: float) -> None:
    day = counted([(FPS, 60.0)])
    assert len(day) > 10
    assert counted([(FPS, 20.0), (night, 20.0), (FPS, 20.0)]) == day
