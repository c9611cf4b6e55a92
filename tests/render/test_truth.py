"""The truth of a street and the scene engine, written apart, agree."""

from collections import Counter

import numpy as np
import pytest

from edgetrack.config import Config, DetectConfig, LineConfig, SceneCapture, ZoneConfig
from edgetrack.render import CLASSES
from edgetrack.render.scene import COUNTED, LINES, ZONES, Scene
from edgetrack.scene import Scene as Live
from edgetrack.types import Frame, TrackEvent, Tracks


def config(street: Scene) -> Config:
    return Config(
        capture=SceneCapture(),
        detect=DetectConfig(model="none.onnx"),
        lines=[
            LineConfig(name=name, start=start, end=end, classes=[CLASSES[c] for c in COUNTED[name]])
            for name in LINES
            for start, end in [street.line(name)]
        ],
        zones=[ZoneConfig(name=name, polygon=list(street.zone(name))) for name in ZONES],
    )


def true_tracks(street: Scene, index: int) -> Tracks:
    now = [(i, boxes[index - first]) for i, (first, boxes) in street.walks.items() if 0 <= index - first < len(boxes)]
    n = len(now)
    return Tracks(
        track_id=np.array([i for i, _ in now], np.int64),
        xyxy=np.array([box for _, box in now], np.float64).reshape(n, 4),
        class_id=np.array([street.movers[i - 1].class_id for i, _ in now], np.int32),
        score=np.ones(n, np.float32),
        confirmed=np.ones(n, bool),
        missed=np.zeros(n, np.int64),
        seen=np.ones(n, bool),
    )


@pytest.mark.parametrize(("seed", "hard"), [(0, False), (7, False), (3, True)])
def test_true_tracks_are_counted_as_the_truth_says(seed: int, hard: bool) -> None:
    street = Scene(seed, hard, width=320, height=180, seconds=30)
    live, picture = Live(config(street), CLASSES), np.zeros((180, 320, 3), np.uint8)
    events = []
    for index in range(len(street)):
        frame = Frame(picture, index, index / street.fps, 0.0, 0.0)
        events += live.observe(frame, true_tracks(street, index))
    told = [event for event in events if isinstance(event, TrackEvent)]
    crossed = Counter((e.name, e.track_id, e.direction) for e in told if e.kind == "line_crossed")
    assert crossed == Counter((c.line, c.track_id, c.direction) for c in street.crossings())
    entered = Counter((e.name, e.track_id) for e in told if e.kind == "zone_entered")
    assert entered == Counter((v.zone, v.track_id) for v in street.visits())
