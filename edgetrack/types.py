"""What flows through edgetrack: pictures in, structs of arrays in the middle, records of what happened out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from typing_extensions import Self

Image = NDArray[np.uint8]  # (H, W, 3) BGR


class Planes(Protocol):
    """A picture in planes of brightness and colour, as decoders and cameras give it: `planes.Decoded`."""

    size: tuple[int, int]  # width and height, px

    @property
    def image(self) -> Image:
        """BGR, made when somebody asks."""

    @property
    def luma(self) -> NDArray[np.uint8]:
        """(H, W) brightness, as it was encoded."""

    def crop(self, left: int, top: int, right: int, bottom: int) -> Image:
        """`image[top:bottom, left:right]` without the rest of it; a box inside the picture."""


Picture = Image | Planes


def size_of(picture: Picture) -> tuple[int, int]:
    """Width and height in pixels."""
    return (picture.shape[1], picture.shape[0]) if isinstance(picture, np.ndarray) else picture.size


def image_of(picture: Picture) -> Image:
    """(H, W, 3) uint8 BGR."""
    return picture if isinstance(picture, np.ndarray) else picture.image


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture and when it was taken; nobody writes to it after capture."""

    picture: Picture  # as it came
    index: int  # counts pictures taken; a gap means that frames were dropped
    time: float  # s, the source's clock, never goes back: drives the filter
    utc: float  # s since 1970: for people and events only (a Pi may start without the right date)
    captured: float  # s, time.monotonic() when the picture was taken or, where that is unknown, arrived
    begun: object = None  # the look that was begun ahead of the loop, for `Detector.detect`

    @property
    def image(self) -> Image:
        """(H, W, 3) uint8 BGR; costs up to 2 ms at 1080p where the picture came in planes, once."""
        return image_of(self.picture)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return size_of(self.picture)


def _check(name: str, array: NDArray[Any], shape: tuple[int | None, ...]) -> None:
    if array.shape == shape:
        return
    if len(array.shape) != len(shape) or any(
        want not in (None, got) for want, got in zip(shape, array.shape, strict=True)
    ):
        wanted = ", ".join("*" if n is None else str(n) for n in shape)
        raise ValueError(f"{name}: shape is {array.shape}, expected ({wanted})")


class _Rows:
    """Common to the structs of arrays: row i of every array is the same object."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self.xyxy)  # type: ignore[attr-defined]

    def __getitem__(self, rows: NDArray[Any] | slice) -> Self:
        """The rows that a mask, an array of indices or a slice selects."""
        names: tuple[str, ...] = self.__slots__  # the fields, in their order
        columns = [getattr(self, name) for name in names]
        return type(self)(*(None if column is None else column[rows] for column in columns))


@dataclass(frozen=True, slots=True)
class Detections(_Rows):
    """What a detector saw in one picture."""

    xyxy: NDArray[np.float32]  # (N, 4) pixels of Frame.image
    score: NDArray[np.float32]  # (N,) 0..1
    class_id: NDArray[np.int32]  # (N,)
    embedding: NDArray[np.float32] | None = None  # (N, D) unit rows; None: no embedder

    def __post_init__(self) -> None:
        n = len(self.xyxy)
        _check("xyxy", self.xyxy, (n, 4))
        _check("score", self.score, (n,))
        _check("class_id", self.class_id, (n,))
        if self.embedding is not None:
            _check("embedding", self.embedding, (n, None))

    @classmethod
    def empty(cls) -> Detections:
        """The detector looked and saw nothing."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32))


@dataclass(frozen=True, slots=True)
class Tracks(_Rows):
    """A snapshot of the tracker's live tracks; the tracker keeps its own state."""

    track_id: NDArray[np.int64]  # (T,) 1, 2, 3 ...; never used twice
    xyxy: NDArray[np.float64]  # (T, 4) filtered boxes, pixels
    class_id: NDArray[np.int32]  # (T,)
    score: NDArray[np.float32]  # (T,) of the last match
    confirmed: NDArray[np.bool_]  # (T,)
    missed: NDArray[np.int64]  # (T,) looks since the last match: decides when a track dies
    seen: NDArray[np.bool_]  # (T,) a detection backs it on this very frame

    def __post_init__(self) -> None:
        n = len(self.track_id)
        _check("xyxy", self.xyxy, (n, 4))
        for name in ("track_id", "class_id", "score", "confirmed", "missed", "seen"):
            _check(name, getattr(self, name), (n,))

    @classmethod
    def empty(cls) -> Tracks:
        return cls(
            np.empty(0, np.int64),
            np.empty((0, 4), np.float64),
            np.empty(0, np.int32),
            np.empty(0, np.float32),
            np.empty(0, np.bool_),
            np.empty(0, np.int64),
            np.empty(0, np.bool_),
        )


TrackPhase = Literal["start", "update", "end"]
EventKind = Literal["line_crossed", "zone_entered", "zone_left", "dwell"]
Direction = Literal["in", "out"]
EndReason = Literal["lost", "shutdown", "restart"]  # restart: the daemon before died, nobody saw the end


@dataclass(frozen=True, slots=True)
class TrackEvent:
    """Something that one track did, at the moment it did it.

    A crossing or an entry is known only when it has held for a while: `time`, `utc` and `frame` say when it happened,
    `captured` belongs to the frame that proved it, so that latency can be told.
    """

    kind: TrackPhase | EventKind
    track_id: int
    class_id: int
    score: float
    xyxy: tuple[float, float, float, float]  # pixels, where the track is now
    size: tuple[int, int]  # of the picture, px
    frame: int  # Frame.index
    time: float  # s, source clock
    utc: float  # s since 1970
    captured: float  # s, monotonic
    age_s: float  # since the track was confirmed
    seen: bool = True  # a detection backs the box; False: it is predicted
    zones: tuple[str, ...] = ()  # the zones it is in
    name: str = ""  # of the line or zone, for the kinds that have one
    direction: Direction | None = None  # line_crossed
    duration_s: float | None = None  # zone_left, dwell: how long inside
    reason: EndReason | None = None  # end


FollowPhase = Literal["start", "update", "change", "end"]
FollowState = Literal["following", "searching", "lost", "ended"]
FollowReason = Literal["unfollowed", "lost", "shutdown"]


@dataclass(frozen=True, slots=True)
class FollowEvent:
    """Where a followed target is, and whether it is in sight."""

    kind: FollowPhase  # change: of its state
    follow_id: int  # stays through loss and return
    name: str  # of a target in the configuration, else empty
    state: FollowState
    confidence: float  # IoU expected of the box, or the score of the detection that backs it
    xyxy: tuple[float, float, float, float]  # pixels; out of sight: where it should be, lost: where it was last
    size: tuple[int, int]  # of the picture, px
    track_id: int | None  # the track that it is
    class_id: int | None  # None: nothing that the detector knows
    seen: bool  # a detection backs the box
    frame: int  # Frame.index
    time: float  # s, source clock
    utc: float  # s since 1970
    captured: float  # s, monotonic
    age_s: float  # since it was asked for
    reason: FollowReason | None = None  # end


@dataclass(frozen=True, slots=True)
class LineCount:
    """Cumulative crossings of one line since `since_utc`, by class and direction."""

    line: str
    counts: Mapping[int, tuple[int, int]]  # class_id -> (in, out)
    since_utc: float
    utc: float
    captured: float


@dataclass(frozen=True, slots=True)
class ZoneOccupancy:
    """Who is in one zone now, and the most there have been at once since `since_utc`."""

    zone: str
    now: Mapping[int, int]  # class_id -> tracks inside
    peak: Mapping[int, int]
    since_utc: float
    utc: float
    captured: float


@dataclass(frozen=True, slots=True)
class CaptureState:
    """How a source is doing; counters only grow."""

    state: Literal["opening", "ok", "degraded"]
    reason: str = ""  # what is wrong, for people; empty when ok
    frames: int = 0  # handed out
    dropped: int = 0  # taken, but older than the newest when the loop came for it
    outages: int = 0
    blind_s: float = 0.0  # time without pictures that a working camera would have given, the present outage included
    tamper: Literal["", "frozen", "blank"] = ""  # pictures come, but stand still, or show nothing all at once


@dataclass(frozen=True, slots=True)
class PublishState:
    """How one publisher is doing; counters only grow."""

    name: str  # mqtt, jsonl, prometheus, outbox, recording
    state: Literal["connecting", "ok", "degraded"]
    reason: str = ""
    sent: int = 0  # acknowledged with a good reason code
    queued: int = 0
    dropped: int = 0
    refused: int = 0  # acknowledged with an error reason


@dataclass(frozen=True, slots=True)
class PaceState:
    """How often the detector looks, and why not more often; counters only grow."""

    rung: int  # of the ladder that a device at its limit goes down; 0: the top
    last: int  # the lowest rung; 0: there is no ladder
    every: int  # pictures for one look
    model: str
    max_fps: float | None  # of the camera; None: its own rate
    reason: str  # why it went down; empty at the top
    over: bool  # the lowest rung is still too much for the device
    looks: int
    spared: int  # looks that were due, and left out because nothing in the picture had changed


@dataclass(frozen=True, slots=True)
class PaceChange:
    """The detector looks less often from here on, or more often again."""

    direction: Literal["down", "up"]
    pace: PaceState  # from now on
    utc: float
    captured: float


@dataclass(frozen=True, slots=True)
class Health:
    """The daemon's own state, told every `health.every_s` and on every change of state."""

    state: Literal["starting", "ok", "degraded", "stopping"]
    reason: str
    utc: float
    captured: float  # s, monotonic
    uptime_s: float
    fps: float  # frames through the whole loop per second since the last report that was due by time
    tracks: int
    latency_ms: Mapping[str, float]  # p50, p95, p99, max: capture to hand-over to the publishers, since then
    stage_ms: Mapping[str, float]  # mean per frame: capture, detect, embed, track, refine, scene, publish
    capture: CaptureState
    publish: tuple[PublishState, ...]
    memory_mb: float
    temperature_c: float | None  # hottest thermal zone; None where the system has none
    pace: PaceState
    throttled: tuple[str, ...]  # what slows the device down now


@dataclass(frozen=True, slots=True)
class Info:
    """What this daemon is; told once per start and after a reload."""

    version: str
    utc: float
    captured: float
    config_hash: str
    model: str
    head: str
    providers: tuple[str, ...]
    refused: Mapping[str, str]  # providers of the configuration that the detector does not run on, and why
    embedder: str
    classes: tuple[str, ...]  # those that are reported
    lines: Mapping[str, Any]  # name -> {"start": [x, y], "end": [x, y]}, fractions; "classes" if not all count
    zones: Mapping[str, Any]  # name -> {"polygon": [[x, y], ...]}
    capture: str  # kind of source


Event = TrackEvent | FollowEvent | LineCount | ZoneOccupancy | PaceChange | Health | Info
