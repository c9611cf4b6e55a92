"""A recording through tracker and scene again: as it was, or as other settings would have it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgetrack import __version__
from edgetrack.config import Config
from edgetrack.configfile import check_classes
from edgetrack.errors import CaptureError
from edgetrack.record import tape
from edgetrack.record.entries import Anything, Change, End, Head, Mark, Meaning, Picture, Reset, line_counts
from edgetrack.record.told import Told
from edgetrack.scene import Scene
from edgetrack.track.tracker import Tracker
from edgetrack.types import Event

Emit = Callable[[list[bytes]], None]


@dataclass
class Story:
    """What a recording held, and what came of it this time."""

    path: Path
    version: str = ""  # of edgetrack that recorded, the last one
    camera: str = ""
    starts: int = 0  # of the daemon, and beginnings after a hole
    pictures: int = 0
    first_utc: float = 0.0
    last_utc: float = 0.0
    events: int = 0
    sha256: str = ""  # of the lines of all events
    recorded: Counter[str] = field(default_factory=Counter)  # crossings and entries while it was recorded
    replayed: Counter[str] = field(default_factory=Counter)
    places: set[str] = field(default_factory=set)  # lines and zones of this time, those without any too
    same: bool | None = None  # events as when it was recorded; None: nothing to compare with
    damage: str = ""  # what cut it short

    @property
    def explained(self) -> bool:
        """Nothing differs but for another version of edgetrack."""
        return self.same is not False or self.version != __version__


def replay(path: Path, config: Config | None = None, emit: Emit = lambda lines: None) -> Story:
    """Run a recording through tracker and scene.

    Args:
        path: of its newest file; older ones beside it come first.
        config: whose track, zones, lines and events count instead of those recorded; counts then begin at zero.
        emit: is given the lines of events, JSON each.

    Raises:
        CaptureError: there is nothing to replay.
        ConfigError: `config` names a class that was not recorded.
    """
    story = Story(path)
    run = Run(story, config, emit)
    for block in _blocks(path, story):
        try:
            with np.errstate(all="ignore"):  # of NaN in a damaged recording, which the tracker refuses
                for entry in block:
                    run.take(entry)
        except ValueError as error:
            story.damage = f"{path}: after picture {story.pictures}: {error}"
            break
    run.close()
    return story


def _blocks(path: Path, story: Story) -> Iterator[list[Anything]]:
    """Up to the first damage, which the story then tells."""
    found = False
    for file in tape.files(path) or [path]:
        try:
            for block in tape.read(file):
                found = True
                yield block
        except OSError as error:
            story.damage = f"{file}: {error.strerror}"
            break
        except tape.DamageError as error:
            story.damage = f"{file}: {error}"
            break
    if not found:
        found_what = story.damage or f"{path}: holds nothing yet"
        raise CaptureError(f"{found_what}; expected a file that `edgetrack run --record` wrote")


class Run:
    """Takes entries in order; what comes of them goes into the story."""

    def __init__(self, story: Story, config: Config | None, emit: Emit) -> None:
        self._story, self._config, self._emit = story, config, emit
        self._hash = hashlib.sha256()
        self._head: Head | None = None
        self._before: Counter[str] = Counter()  # tallies where the present run of the daemon comes in
        self._marked: Counter[str] = Counter()
        self._comparable = False

    def take(self, entry: Anything) -> None:
        """Raises ValueError where an entry makes no sense."""
        if isinstance(entry, Head):
            self._begin(entry)
        elif self._head is None:
            raise ValueError("begins without a head")
        elif isinstance(entry, Picture):
            self._tell(self._picture(entry, self._head.meaning))
        elif isinstance(entry, Change):
            if self._config is None:
                self._scene.reconfigure(entry.meaning.config)
        elif isinstance(entry, Reset):
            if self._config is None:
                self._scene.reset(entry.lines, entry.zones, 0.0, 0.0)
        elif isinstance(entry, End):
            self._tell(self._scene.end("shutdown", entry.utc, 0.0))
        else:
            self._compare(entry)

    def _begin(self, head: Head) -> None:
        before, self._head = self._head, head
        self._story.version, self._story.camera = head.version, f"{head.device}/{head.camera}"
        if before is not None and (before.boot, before.part + 1) == (head.boot, head.part):
            return  # the next file of the same run
        self._sum_up()
        self._story.starts += 1
        self._before = self._marked = Counter(head.tallies)
        self._comparable = self._config is None and head.part == 0 and head.whole
        if self._config is not None:
            check_classes(self._config, head.names)
        config = self._config or head.meaning.config
        self._story.places |= {f"line/{line.name}" for line in config.lines} | {f"zone/{z.name}" for z in config.zones}
        self._track = config.track
        self._tracker, self._scene, self._told = Tracker(config.track), Scene(config, head.names), Told(head.names)
        if self._config is None:
            self._scene.restore(line_counts(head.counts))

    def _picture(self, picture: Picture, recorded: Meaning) -> list[Event]:
        story, frame = self._story, picture.frame()
        detections = None if picture.detections is None else picture.detections.detections()
        tracks = self._tracker.step(picture.time, detections, picture.shift)
        if picture.refined is not None and self._track == recorded.track:  # else they are other tracks
            tracks = self._tracker.correct(picture.refined.tracks())
        story.pictures += 1
        story.first_utc, story.last_utc = story.first_utc or picture.utc, picture.utc
        return self._scene.observe(frame, tracks)

    def _tell(self, events: list[Event]) -> None:
        lines = self._told.add(events)
        for line in lines:
            self._hash.update(line)
        self._story.events += len(lines)
        self._emit(lines)

    def _compare(self, mark: Mark) -> None:
        self._marked = Counter(mark.tallies)
        if self._comparable:
            same = (self._told.events, self._told.sha256) == (mark.events, mark.sha256)
            self._story.same = same and self._story.same is not False

    def _sum_up(self) -> None:
        """The present run of the daemon is over."""
        if self._story.starts:
            self._story.recorded += self._marked - self._before
            self._story.replayed += Counter(self._told.tallies)

    def close(self) -> None:
        self._sum_up()
        self._story.sha256 = self._hash.hexdigest()
