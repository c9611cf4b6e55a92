"""What stands in a recording: one struct a kind of entry, numbers as they were, arrays as little-endian bytes."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgetrack.config import (
    Config,
    DetectConfig,
    EventsConfig,
    FileCapture,
    LineConfig,
    Settings,
    TrackConfig,
    ZoneConfig,
)
from edgetrack.scene.state import SceneState
from edgetrack.track.state import TrackerState, little_endian
from edgetrack.types import Detections, Frame, Tracks

ONE_BYTE = np.zeros((1, 1, 1), np.uint8)
MAX_PICTURE_PX = 100_000
MAX_INDEX = 2**53  # as in the scene's state

Tallies = dict[str, int]  # "line/door/person/in" -> crossings, "zone/porch/person/entered" -> entries


class Meaning(Settings, frozen=True, kw_only=True):
    """The settings on which events depend once a picture's detections are given; they hold no secrets."""

    track: TrackConfig = TrackConfig()
    zones: list[ZoneConfig] = msgspec.field(default_factory=list)
    lines: list[LineConfig] = msgspec.field(default_factory=list)
    events: EventsConfig = EventsConfig()

    @classmethod
    def of(cls, config: Config) -> Meaning:
        return cls(track=config.track, zones=config.zones, lines=config.lines, events=config.events)

    @property
    def config(self) -> Config:
        """For tracker and scene, which look at nothing else."""
        settings = {"track": self.track, "zones": self.zones, "lines": self.lines, "events": self.events}
        return Config(capture=FileCapture(path="-"), detect=DetectConfig(model="-"), **settings)  # type: ignore[arg-type]


class Entry(msgspec.Struct, array_like=True):
    """One entry; as an array, so that names cost nothing."""


class Standing(Entry):
    """How things stood between two pictures."""

    meaning: Meaning
    scene: SceneState
    tracker: TrackerState | None  # None: is not known; the scene is then good for its counts alone

    @property
    def weight(self) -> int:
        """That it takes in memory, about."""
        lines, zones = len(self.scene.lines), len(self.scene.zones)
        of_scene = (len(self.scene.lives) + len(self.scene.preludes)) * (1000 + 200 * (lines + zones))
        return of_scene + (self.tracker.weight if self.tracker else 0)


class Head(Entry, tag="head"):
    """Begins every file; `part` 0 also begins a start of the daemon, or what follows a hole in the recording."""

    version: str
    boot: str  # drawn at every start and after every hole
    part: int
    device: str
    camera: str
    names: tuple[str, ...]
    standing: Standing


class Boxes(Entry):
    """N detections, or N refined boxes with the tracks that they belong to."""

    xyxy: bytes
    score: bytes
    class_id: bytes
    embedding: bytes = b""
    track_id: bytes = b""

    @classmethod
    def of_detections(cls, detections: Detections) -> Boxes:
        embedding = b"" if detections.embedding is None else little_endian(detections.embedding, "<f4")
        xyxy, score = little_endian(detections.xyxy, "<f4"), little_endian(detections.score, "<f4")
        return cls(xyxy, score, little_endian(detections.class_id, "<i4"), embedding)

    @classmethod
    def of_tracks(cls, tracks: Tracks) -> Boxes:
        xyxy, score = little_endian(tracks.xyxy, "<f8"), little_endian(tracks.score, "<f4")
        class_id, track_id = little_endian(tracks.class_id, "<i4"), little_endian(tracks.track_id, "<i8")
        return cls(xyxy, score, class_id, track_id=track_id)

    @property
    def weight(self) -> int:
        return len(self.xyxy) + len(self.score) + len(self.class_id) + len(self.embedding) + len(self.track_id)

    def detections(self) -> Detections:
        """Raises ValueError where the lengths do not fit each other."""
        xyxy = _array(self.xyxy, "<f4", np.float32).reshape(-1, 4)
        embedding = _array(self.embedding, "<f4", np.float32).reshape(len(xyxy), -1) if self.embedding else None
        score, class_id = _array(self.score, "<f4", np.float32), _array(self.class_id, "<i4", np.int32)
        return Detections(xyxy, score, class_id, embedding)

    def tracks(self) -> Tracks:
        """As a refiner gave them; what `Tracker.correct` does not look at is zero. Raises ValueError as above."""
        track_id = _array(self.track_id, "<i8", np.int64)
        n = len(track_id)
        return Tracks(
            track_id=track_id,
            xyxy=_array(self.xyxy, "<f8", np.float64).reshape(n, 4),
            class_id=_array(self.class_id, "<i4", np.int32),
            score=_array(self.score, "<f4", np.float32),
            confirmed=np.ones(n, np.bool_),
            missed=np.zeros(n, np.int64),
            seen=np.zeros(n, np.bool_),
        )


class Picture(Entry, tag="picture"):
    """One picture, without the picture."""

    index: int
    time: float
    utc: float
    width: int
    height: int
    detections: Boxes | None  # None: the detector did not look
    refined: Boxes | None  # None: there were none
    shift: tuple[float, float] = (0.0, 0.0)  # of the scene, px, by a camera that moved

    @classmethod
    def of(
        cls, frame: Frame, detections: Detections | None, refined: Tracks, shift: tuple[float, float] = (0.0, 0.0)
    ) -> Picture:
        return cls(
            frame.index,
            frame.time,
            frame.utc,
            *frame.size,
            None if detections is None else Boxes.of_detections(detections),
            Boxes.of_tracks(refined) if len(refined) else None,
            shift,
        )

    @property
    def weight(self) -> int:
        """That it takes in memory, about."""
        return 300 + sum(boxes.weight for boxes in (self.detections, self.refined) if boxes is not None)

    def frame(self) -> Frame:
        """With an image of the right size that takes no memory."""
        if not (0 < self.width <= MAX_PICTURE_PX and 0 < self.height <= MAX_PICTURE_PX):
            raise ValueError(f"a picture of {self.width} x {self.height}")
        if abs(self.index) > MAX_INDEX:
            raise ValueError(f"a picture of number {self.index}")
        image = np.broadcast_to(ONE_BYTE, (self.height, self.width, 3))
        return Frame(image, self.index, self.time, self.utc, captured=self.time)


class Change(Entry, tag="change"):
    """A reload: other zones, lines, events."""

    meaning: Meaning


class Reset(Entry, tag="reset"):
    """Counts of lines and peaks of zones began anew, because somebody asked or by schedule."""

    lines: tuple[str, ...]
    zones: tuple[str, ...]


class End(Entry, tag="end"):
    """The daemon stopped of its own accord, and all tracks ended."""

    reason: str
    utc: float


class Mark(Entry, tag="mark"):
    """What had become of it all since the head: ends every block."""

    events: int
    sha256: bytes  # nothing where it is not known
    tallies: Tallies


Anything = Head | Picture | Change | Reset | End | Mark


def _array(content: bytes, kind: str, own: type[np.generic]) -> NDArray[Any]:
    return np.frombuffer(content, kind).astype(own)
