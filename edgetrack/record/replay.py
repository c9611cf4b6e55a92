"""A recording through tracker and scene again: as it was, or as other settings would have it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from edgetrack import __version__
from edgetrack.config import Config
from edgetrack.configfile import check_classes
from edgetrack.errors import CaptureError, ConfigError
from edgetrack.record import tape
from edgetrack.record.entries import Anything, Change, End, Head, Mark, Picture, Reset
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
    begins: Literal["start", "middle", "cold"] = "start"  # middle: as it stood; cold: that is not known
    same: bool | None = None  # events as when it was recorded; None: nothing to compare with
    damage: str = ""  # what could not be used

    @property
    def explained(self) -> bool:
        """Nothing differs but for another version of edgetrack."""
        return self.same is not False or self.version != __version__

    def spoilt(self, what: str) -> None:
        self.damage += f"; {what}" if self.damage else what


def replay(path: Path, config: Config | None = None, emit: Emit = lambda lines: None) -> Story:
    """Run a recording through tracker and scene.

    Args:
        path: of its newest file; older ones beside it come first. Of a damaged one what comes before the damage counts.
        config: whose track, zones, lines and events count instead of those recorded; counts then begin at zero.
        emit: is given the lines of events, JSON each.

    Raises:
        CaptureError: there is nothing to replay.
        ConfigError: `config` names a class that was not recorded.
    """
    story = Story(path)
    run = Run(story, config, emit)
    for file in tape.files(path) or [path]:
        try:
            with np.errstate(all="ignore"):  # of NaN in a damaged recording, which the tracker refuses
                for block in tape.read(file):
                    for entry in block:
                        run.take(entry)
        except OSError as error:
            run.interrupt(f"{file}: {error.strerror}")
        except tape.DamageError as error:
            run.interrupt(f"{file}: {error}")
        except ValueError as error:
            run.interrupt(f"{file}: after picture {story.pictures}: {error}")
    if not story.starts:
        raise CaptureError(story.damage or f"{path}: holds nothing yet; begun by a daemon that was stopped at once")
    run.close()
    return story


class Run:
    """Takes entries in order; what comes of them goes into the story."""

    def __init__(self, story: Story, config: Config | None, emit: Emit) -> None:
        self._story, self._config, self._emit = story, config, emit
        self._hash = hashlib.sha256()
        self._head: Head | None = None  # of the present part
        self._told = Told(())  # since then
        self._marked: Mapping[str, int] = {}
        self._warm = False  # the tracker is the one that was recorded

    def take(self, entry: Anything) -> None:
        """Raises ValueError where an entry makes no sense."""
        if isinstance(entry, Head):
            self._begin(entry)
        elif self._head is None:
            raise ValueError("begins without a head")
        elif isinstance(entry, Picture):
            self._tell(self._picture(entry))
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

    def interrupt(self, damage: str) -> None:
        """Nothing more is to be had of this file; the next one begins as it stood there."""
        self._story.spoilt(damage)
        self._sum_up()
        self._head = None

    def _begin(self, head: Head) -> None:
        before = self._head
        self._sum_up()
        self._head, self._told = head, Told(head.names)
        self._story.version, self._story.camera = head.version, f"{head.device}/{head.camera}"
        follows = before is not None and (before.boot, before.part + 1) == (head.boot, head.part)
        if follows and (self._warm or head.standing.tracker is None or self._config is not None):
            return  # tracker and scene go on, which is to come to the same
        if self._config is not None:
            check_classes(self._config, head.names)
        try:
            self._stand(head, self._config or head.standing.meaning.config)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        if not self._story.starts:
            self._story.begins = how_it_begins(head)
        self._story.starts += not follows

    def _stand(self, head: Head, config: Config) -> None:
        """Tracker and scene as they stood, as far as they can be had."""
        recorded, standing = head.standing.meaning.config, head.standing
        self._story.places |= {f"line/{line.name}" for line in config.lines} | {f"zone/{z.name}" for z in config.zones}
        self._tracker = Tracker(config.track)
        self._warm = standing.tracker is not None and config.track == recorded.track
        if standing.tracker is None or not self._warm:
            self._scene = Scene(config, head.names)
            if self._config is None:
                self._scene.restore(standing.scene.counts)
            return
        self._tracker.resume(standing.tracker)
        self._scene = Scene(recorded, head.names)
        self._scene.resume(standing.scene)
        if self._config is not None:  # as if somebody had reloaded, and begun all counts anew
            self._scene.reconfigure(config)
            self._scene.reset([line.name for line in config.lines], [zone.name for zone in config.zones], 0.0, 0.0)

    def _picture(self, picture: Picture) -> list[Event]:
        story, frame = self._story, picture.frame()
        detections = None if picture.detections is None else picture.detections.detections()
        self._tracker.rescale(self._scene.size, frame.size)
        tracks = self._tracker.step(picture.time, detections, picture.shift)
        if picture.refined is not None and self._warm:  # else they are other tracks
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
        self._marked = mark.tallies
        if self._config is None and self._warm and mark.sha256:
            same = (self._told.events, self._told.sha256) == (mark.events, mark.sha256)
            self._story.same = same and self._story.same is not False

    def _sum_up(self) -> None:
        """The present part is over."""
        if self._head is not None:
            self._story.recorded.update(self._marked)
            self._story.replayed.update(self._told.tallies)
        self._marked = {}

    def close(self) -> None:
        self._sum_up()
        self._story.sha256 = self._hash.hexdigest()


def how_it_begins(head: Head) -> Literal["start", "middle", "cold"]:
    if head.standing.tracker is None:
        return "cold"
    return "start" if head.standing.tracker.time is None else "middle"
