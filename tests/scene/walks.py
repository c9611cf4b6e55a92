"""Walks for the scene: foot points become boxes, boxes become tracks, frame by frame."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from edgetrack.config import Config, DetectConfig, EventsConfig, FileCapture, LineConfig, ZoneConfig
from edgetrack.scene import Scene
from edgetrack.types import Event, Frame, LineCount, TrackEvent, Tracks, ZoneOccupancy

SIZE = (640, 480)
FPS = 25.0
NAMES = ("person", "bicycle", "car")
BOX = (20.0, 40.0)  # width and height, px, of walkers

# A line that stands upright in the middle, from bottom to top: walking right is "in".
DOOR = LineConfig(name="door", start=(0.5, 0.75), end=(0.5, 0.25), hysteresis=0.01)
# x 160..480, y 120..360
PORCH = ZoneConfig(name="porch", polygon=[(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)], min_s=0.2)

Box = tuple[float, float, float, float]
Walkers = Mapping[int, Box | None]  # None: the track lives, but no detection backs it


def config(
    lines: Sequence[LineConfig] = (), zones: Sequence[ZoneConfig] = (), update_every_s: float = 86400.0
) -> Config:
    return Config(
        capture=FileCapture(path="none.mp4"),
        detect=DetectConfig(model="none.onnx"),
        lines=list(lines),
        zones=list(zones),
        events=EventsConfig(update_every_s=update_every_s),
    )


def picture(index: int, size: tuple[int, int] = SIZE, fps: float = FPS) -> Frame:
    image = np.broadcast_to(np.uint8(0), (size[1], size[0], 3))
    return Frame(image, index=index, time=index / fps, utc=1e9 + index / fps, captured=index / fps)


def tracks(walkers: Walkers, class_id: int = 0, confirmed: bool = True) -> Tracks:
    n = len(walkers)
    seen = np.array([box is not None for box in walkers.values()], bool)
    xyxy = np.array([box or (-1e3, -1e3, -999.0, -999.0) for box in walkers.values()], float).reshape(-1, 4)
    return Tracks(
        np.array(list(walkers), np.int64),
        xyxy,
        np.full(n, class_id, np.int32),
        np.full(n, 0.9, np.float32),
        np.full(n, confirmed),
        (~seen).astype(np.int64),
        seen,
    )


def standing(x: float, y: float) -> Box:
    """The box of a walker whose foot point is x, y."""
    return (x - BOX[0] / 2, y - BOX[1], x + BOX[0] / 2, y)


def stroll(scene: Scene, feet: Iterable[tuple[float, float] | None], first: int = 1, track_id: int = 1) -> list[Event]:
    """One walker, one foot point a frame; None: hidden."""
    events: list[Event] = []
    for index, foot in enumerate(feet, first):
        events += scene.observe(picture(index), tracks({track_id: foot and standing(*foot)}))
    return events


def of(events: Iterable[Event], *kinds: str) -> list[TrackEvent]:
    return [e for e in events if isinstance(e, TrackEvent) and e.kind in kinds]


def directions(events: Iterable[Event]) -> list[str | None]:
    return [e.direction for e in of(events, "line_crossed")]


def line_counts(events: Iterable[Event]) -> list[LineCount]:
    return [e for e in events if isinstance(e, LineCount)]


def occupancies(events: Iterable[Event]) -> list[ZoneOccupancy]:
    return [e for e in events if isinstance(e, ZoneOccupancy)]
