"""What the loop tells a recorder, and one that writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgetrack.config import Config
from edgetrack.scene import Scene
from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections, Event, Frame, PublishState, Tracks

if TYPE_CHECKING:
    from typing_extensions import Self


class Idle:
    """Records nothing."""

    @property
    def states(self) -> tuple[PublishState, ...]:
        """How the recording is doing, if there is one."""
        return ()

    def begin(self, config: Config, names: Sequence[str], tracker: Tracker, scene: Scene) -> None:
        """These two are watched from now on; they are looked at within the calls that follow."""

    def picture(
        self,
        frame: Frame,
        detections: Detections | None,
        refined: Tracks,
        events: Sequence[Event],
        shift: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """What came in, and what came of it."""

    def change(self, config: Config) -> None:
        """The scene was reconfigured."""

    def reset(self, counts: Sequence[Event]) -> None:
        """These counts of lines and peaks of zones began anew."""

    def end(self, reason: str, utc: float, events: Sequence[Event]) -> None:
        """Every track was ended."""

    def leave(self) -> None:
        """Begin to leave, at once; `__exit__` waits for it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
