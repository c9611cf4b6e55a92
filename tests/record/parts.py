"""A small street of numbers: who walks where, and a daemon's tracker and scene that see it while it is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgetrack.config import Config, DetectConfig, FileCapture, LineConfig, ZoneConfig
from edgetrack.record import Idle, Recorder
from edgetrack.record.told import Told
from edgetrack.scene import Scene
from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections, Event, Frame, LineCount, Tracks

FPS = 15
SIZE = (640, 360)
NAMES = ("person", "car")
DOOR = LineConfig(name="door", start=(0.5, 1.0), end=(0.5, 0.0))
PORCH = ZoneConfig(name="porch", polygon=[(0.6, 0.0), (0.9, 0.0), (0.9, 1.0), (0.6, 1.0)], dwell_s=[0.5])
UTC = 1_764_000_000.0


def settings(**changes: Any) -> Config:
    fields = {"lines": [DOOR], "zones": [PORCH], **changes}
    return Config(
        device="gate-01",
        camera="north",
        capture=FileCapture(path="none.mp4"),
        detect=DetectConfig(model="none.onnx"),
        **fields,
    )


def street(pictures: int, seed: int = 1, width: int = 0) -> Iterator[Detections]:
    """Detections of four who walk to and fro, shaky, now and then missed; with embeddings of `width`."""
    draw = np.random.default_rng(seed)
    looks = draw.normal(size=(4, width)).astype(np.float32)
    for i in range(pictures):
        walk = 20 + np.abs((i * np.array([5, 7, 4, 9]) + np.array([0, 300, 600, 900])) % 1200 - 600)
        centre = np.stack([walk, [120, 180, 240, 300]], axis=1) + draw.normal(0, 1, (4, 2))
        half = np.array([15, 40]) + draw.normal(0, 0.5, (4, 2))
        seen = draw.random(4) > 0.1
        embedding = looks + draw.normal(0, 0.1, looks.shape).astype(np.float32)
        embedding /= np.maximum(np.linalg.norm(embedding, axis=1, keepdims=True), 1e-6)
        yield Detections(
            xyxy=np.concatenate([centre - half, centre + half], axis=1)[seen].astype(np.float32),
            score=draw.uniform(0.6, 0.95, 4)[seen].astype(np.float32),
            class_id=np.array([0, 0, 0, 1], np.int32)[seen],
            embedding=embedding[seen] if width else None,
        )


class Daemon:
    """Tracker and scene as the loop runs them; `told` is what really happened."""

    def __init__(self, recorder: Idle, config: Config, counts: Sequence[LineCount] = (), every: int = 1) -> None:
        self.config, self.told, self.lines = config, Told(NAMES), list[bytes]()
        self.tracker, self.scene, self._every = Tracker(config.track), Scene(config, NAMES), every
        self.scene.restore(counts)
        self._index = 0
        self.record(recorder)

    def record(self, recorder: Idle) -> None:
        """From now on."""
        self.recorder = recorder
        recorder.begin(self.config, NAMES, self.tracker, self.scene)

    def see(self, pictures: Sequence[Detections] | Iterator[Detections]) -> None:
        for seen in pictures:
            time = self._index / FPS
            frame = Frame(np.zeros((SIZE[1], SIZE[0], 3), np.uint8), self._index, time, UTC + time, time)
            detections = None if self._index % self._every else seen
            tracks = self.tracker.step(time, detections)
            refined = self._refined(tracks) if detections is None else tracks[:0]
            events = self.scene.observe(frame, self.tracker.correct(refined))
            self.recorder.picture(frame, detections, refined, events)
            self._tell(events)
            self._index += 1

    @staticmethod
    def _refined(tracks: Tracks) -> Tracks:
        """As a follower might give them: near the prediction."""
        return tracks[tracks.confirmed][:2]

    def reload(self, config: Config) -> None:
        self.scene.reconfigure(config)
        self.recorder.change(config)

    def reset(self, lines: Sequence[str], zones: Sequence[str]) -> None:
        self.recorder.reset(self.scene.reset(lines, zones, UTC, 0.0))

    def stop(self) -> None:
        utc = UTC + self._index / FPS
        events = self.scene.end("shutdown", utc, 0.0)
        self.recorder.end("shutdown", utc, events)
        self._tell(events)

    def _tell(self, events: Sequence[Event]) -> None:
        self.lines += self.told.add(events)


def record(path: Path, pictures: int = 300, max_mb: float = 100, width: int = 0, **changes: Any) -> Daemon:
    """A whole run, from start to stop."""
    with Recorder(path, max_mb) as recorder:
        daemon = Daemon(recorder, settings(**changes))
        daemon.see(street(pictures, width=width))
        daemon.stop()
    return daemon
