"""The rendered street as a camera: for the demo, for tests, and for trying a configuration without any hardware."""

from __future__ import annotations

from collections.abc import Generator
from typing import Literal

from edgetrack.capture.orient import Orient
from edgetrack.capture.recording import Timed
from edgetrack.config import SceneCapture
from edgetrack.render.scene import Scene


class RenderedStreet:
    """Renders ahead of the loop, in the reader's thread."""

    def __init__(self, config: SceneCapture) -> None:
        self._config = config
        self._orient = Orient(config)
        self.pace: Literal["realtime", "fast"] = config.pace

    @property
    def place(self) -> str:
        return f"scene {self._config.seed}"

    def check(self) -> None:
        """Nothing can be wrong that the configuration's ranges do not exclude."""

    def pictures(self) -> Generator[Timed, None, None]:
        config = self._config
        scene = Scene(config.seed, config.hard, config.width, config.height, config.fps, config.seconds)
        for index in range(len(scene)):
            image, _ = scene.picture(index)
            yield Timed(self._orient(image), index / config.fps)
