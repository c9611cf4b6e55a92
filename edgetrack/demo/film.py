"""The annotated video: boxes, numbers, trails, lines, zones and counts, drawn beside the loop and not in it."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from numpy.typing import NDArray

from edgetrack.capture.orient import filled
from edgetrack.config import Config
from edgetrack.demo.letters import stencil
from edgetrack.errors import PublishError
from edgetrack.image import Resizer, outline
from edgetrack.scene import Scene
from edgetrack.types import Event, Frame, Image, LineCount, Tracks

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger(__name__)

Colour = tuple[int, int, int]  # BGR
COLOURS: tuple[Colour, ...] = ((120, 220, 60), (255, 150, 60), (80, 110, 255), (60, 210, 250), (220, 120, 220))
LINE: Colour = (60, 220, 255)
ZONE: Colour = (220, 180, 60)
TRAIL_S = 2.5
FRESH = 3  # looks without a detection, after which a track is no longer drawn
WAITING = 32  # pictures not drawn yet; more, and the loop waits: a film has no gaps


class Filmed:
    """A scene that tells a film what it sees; to the loop it is the scene."""

    def __init__(self, scene: Scene, film: Film) -> None:
        self._scene, self._film = scene, film

    def observe(self, frame: Frame, tracks: Tracks) -> list[Event]:
        events = self._scene.observe(frame, tracks)
        self._film.add(frame, tracks[tracks.confirmed], events)
        return events

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scene, name)


class Film:
    """A context manager that writes an MP4 while it is entered.

    Args:
        path: of the file.
        config: whose lines and zones are drawn.
        names: class names by class_id.
        fps: of the film.
        zoom: pixels of the film for one of the picture, a whole number.
    """

    def __init__(self, path: Path, config: Config, names: Sequence[str], fps: float, zoom: int = 2) -> None:
        self.path = path
        self.fault = ""  # why it could not be written to its end
        self._config, self._names, self._zoom = config, names, zoom
        self._rate = Fraction(fps).limit_denominator(1000)
        self._todo: queue.Queue[tuple[Frame, Tracks, list[Event]] | None] = queue.Queue(WAITING)
        self._trails: dict[int, deque[tuple[float, float]]] = {}
        self._length = max(2, round(TRAIL_S * fps))
        self._counts: dict[str, Mapping[int, tuple[int, int]]] = {}
        self._resizer = Resizer()
        self._ground: NDArray[np.bool_] | None = None
        self._thread = threading.Thread(target=self._run, name="film", daemon=True)

    def __enter__(self) -> Self:
        try:
            self.path.open("wb").close()
        except OSError as error:
            remedy = "name a file in a folder that you may write to with --video, or say --no-video"
            raise PublishError(f"demo: {self.path}: {error.strerror}; {remedy}") from error
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._todo.put(None)
        self._thread.join()

    def add(self, frame: Frame, tracks: Tracks, events: list[Event]) -> None:
        self._todo.put((frame, tracks, events))

    def _run(self) -> None:
        """The thread. A disk that is full ends the film, not the demo: whoever adds never waits for nobody."""
        given = iter(self._todo.get, None)
        try:
            self._write(given)
        except (OSError, av.FFmpegError) as error:
            self.fault = getattr(error, "strerror", None) or str(error)
        finally:
            for _ in given:
                pass

    def _write(self, given: Iterable[tuple[Frame, Tracks, list[Event]]]) -> None:
        with av.open(str(self.path), "w", format="mp4") as container:
            stream: Any = None
            for frame, tracks, events in given:
                picture = self._draw(frame, tracks, events)
                if stream is None:
                    stream = self._stream(container, picture)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            if stream is not None:
                container.mux(stream.encode())

    def _stream(self, container: Any, picture: Image) -> Any:
        options = {"crf": "23", "preset": "veryfast"}
        stream = container.add_stream("libx264", rate=self._rate, options=options)
        stream.height, stream.width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
        stream.pix_fmt = "yuv420p"
        return stream

    def _draw(self, frame: Frame, tracks: Tracks, events: list[Event]) -> Image:
        for event in events:
            if isinstance(event, LineCount):
                self._counts[event.line] = event.counts
        zoom, (width, height) = self._zoom, frame.size
        picture = self._resizer(frame.image, width * zoom, height * zoom)
        if picture is frame.image:
            picture = picture.copy()
        tracks = tracks[tracks.missed <= FRESH]
        self._draw_zones(picture)
        self._draw_lines(picture)
        self._draw_trails(picture, tracks)
        for xyxy, number, class_id, seen in zip(
            tracks.xyxy * zoom, tracks.track_id, tracks.class_id, tracks.seen, strict=True
        ):
            colour = COLOURS[int(class_id) % len(COLOURS)]
            outline(picture, xyxy, colour, 2 if seen else 1)
            label(picture, int(xyxy[0]), int(xyxy[1]) - 18, f"{self._names[class_id]} {number}", colour)
        self._draw_table(picture, frame)
        return picture

    def _draw_zones(self, picture: Image) -> None:
        height, width = picture.shape[:2]
        if self._ground is None:
            zones = [filled(zone.polygon, width, height) for zone in self._config.zones]
            self._ground = np.logical_or.reduce(zones) if zones else np.zeros((height, width), np.bool_)
        tint = picture[self._ground]
        picture[self._ground] = tint - (tint >> 2) + (np.array(ZONE, np.uint8) >> 2)
        for zone in self._config.zones:
            corners = np.array(zone.polygon) * (width, height)
            for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
                segment(picture, a, b, ZONE, 2)
            top = corners[corners[:, 1].argmin()]
            label(picture, int(top[0]), int(top[1]), zone.name, ZONE)

    def _draw_lines(self, picture: Image) -> None:
        height, width = picture.shape[:2]
        for line in self._config.lines:
            a, b = np.array(line.start) * (width, height), np.array(line.end) * (width, height)
            segment(picture, a, b, LINE, 3)
            along = (b - a) / max(float(np.hypot(*(b - a))), 1.0)
            middle, side = (a + b) / 2, np.array([-along[1], along[0]])  # to the right of start -> end: in
            tip = middle + side * 26
            segment(picture, middle, tip, LINE, 3)
            segment(picture, tip, tip - side * 9 + along * 7, LINE, 3)
            segment(picture, tip, tip - side * 9 - along * 7, LINE, 3)
            label(picture, int(b[0]) + 8, int(b[1]) - 9, line.name, LINE)

    def _draw_trails(self, picture: Image, tracks: Tracks) -> None:
        numbers = tracks.track_id.tolist()
        self._trails = {number: self._trails.get(number, deque(maxlen=self._length)) for number in numbers}
        for xyxy, number, class_id in zip(tracks.xyxy * self._zoom, numbers, tracks.class_id.tolist(), strict=True):
            trail = self._trails[number]
            trail.append((float(xyxy[0] + xyxy[2]) / 2, float(xyxy[3])))
            points = np.array(trail)
            path(picture, points[:-1], points[1:], COLOURS[class_id % len(COLOURS)], 2)

    def _draw_table(self, picture: Image, frame: Frame) -> None:
        rows = [f"{frame.time:6.1f} s   {self._config.device}/{self._config.camera}"]
        for line in self._config.lines:
            for class_id, (came, went) in sorted(self._counts.get(line.name, {}).items()):
                if came or went:
                    rows.append(f"{line.name:10} {self._names[class_id]:8} in {came:2}  out {went:2}")
        panel(picture, 10, picture.shape[0] - 10 - 22 * len(rows), rows)


def segment(picture: Image, a: NDArray[Any], b: NDArray[Any], colour: Colour, thick: int) -> None:
    path(picture, a[None], b[None], colour, thick)


def path(picture: Image, a: NDArray[Any], b: NDArray[Any], colour: Colour, thick: int) -> None:
    """Straight lines from every row of a (N, 2) to that of b, as square dots."""
    if not len(a):
        return
    height, width = picture.shape[:2]
    share = np.linspace(0, 1, int(np.abs(b - a).max()) + 2)[:, None, None]
    x, y = (a + (b - a) * share).reshape(-1, 2).astype(int).T - thick // 2
    for dx in range(thick):
        for dy in range(thick):
            good = (x + dx >= 0) & (x + dx < width) & (y + dy >= 0) & (y + dy < height)
            picture[y[good] + dy, x[good] + dx] = colour


def text(picture: Image, x: int, y: int, words: str, colour: Colour, scale: int = 2) -> None:
    ink = stencil(words, scale)
    x, y = max(x, 0), max(y, 0)
    part = picture[y : y + ink.shape[0], x : x + ink.shape[1]]
    part[ink[: part.shape[0], : part.shape[1]]] = colour


def label(picture: Image, x: int, y: int, words: str, colour: Colour) -> None:
    """Dark letters on a ground of the colour."""
    x, y = max(x, 0), max(y, 0)
    picture[y : y + 18, x : x + 12 * len(words) + 4] = colour
    text(picture, x + 3, y + 2, words, (20, 20, 20))


def panel(picture: Image, x: int, y: int, rows: Sequence[str]) -> None:
    wide = max(len(row) for row in rows) * 12 + 12
    ground = picture[y : y + 22 * len(rows) + 4, x : x + wide]
    ground >>= 2
    for k, row in enumerate(rows):
        text(picture, x + 6, y + 5 + 22 * k, row, (235, 235, 235))
