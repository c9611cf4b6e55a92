"""OpenCV's trackers, where it is installed, to compare with: pip install "opencv-contrib-python-headless<5"."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetrack.errors import ConfigError
from edgetrack.registry import load
from edgetrack.types import Image

NEEDS = 'pip install "opencv-contrib-python-headless<5"'


class OpencvFollower:
    """One of `csrt`, `kcf`, `mil`, `medianflow`, `mosse`, `boosting`, `tld`; on one thread.

    Its confidence is 1, or 0 where it says that it lost the target; then the last box stays.
    """

    def __init__(self, name: str) -> None:
        self._create = creator(name)
        self._tracker: Any = None
        self._box = np.zeros(4)

    def start(self, image: Image, xyxy: Any) -> None:
        left, top, right, bottom = (round(float(side)) for side in xyxy)
        self._tracker, self._box = self._create(), np.array(xyxy, np.float64)
        self._tracker.init(image, (left, top, max(1, right - left), max(1, bottom - top)))

    def follow(self, image: Image) -> tuple[NDArray[np.float64], float]:
        found, (left, top, width, height) = self._tracker.update(image)
        if found:
            self._box = np.array([left, top, left + width, top + height], np.float64)
        return self._box, float(found)


def creator(name: str) -> Any:
    """OpenCV's function that makes a tracker.

    Raises:
        ConfigError: OpenCV, or its part `contrib`, is not installed; or it has no such tracker.
    """
    parts: dict[str, Any] = load("cv2:__dict__", NEEDS, ConfigError)
    parts["setNumThreads"](1)
    legacy = vars(parts["legacy"]) if "legacy" in parts else {}
    known = {
        found[1].lower(): create
        for word, create in [*legacy.items(), *parts.items()]
        if (found := re.fullmatch(r"Tracker(\w+)_create", word))
    }
    if name.lower() not in known:
        raise ConfigError(f"--against {name}: OpenCV has {', '.join(sorted(known)) or 'no trackers'}; {NEEDS}")
    return known[name.lower()]
