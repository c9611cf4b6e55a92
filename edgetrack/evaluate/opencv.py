"""OpenCV's trackers, where it is installed, to compare with: pip install "opencv-contrib-python-headless<5"."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetrack.errors import ConfigError
from edgetrack.evaluate.sot import Floats, Follower
from edgetrack.registry import load
from edgetrack.types import Image

NEEDS = 'pip install "opencv-contrib-python-headless<5"'
NANO = "nano="  # then the files of backbone and head
CORNERS, QUALITY, APART_PX = 50, 0.01, 3  # of the points that the flow follows
BINS = 16  # of hue


class OpencvFollower:
    """One of OpenCV's own classes.

    Its confidence is 1, or 0 where it says that it lost the target; then the last box stays.
    """

    def __init__(self, create: Callable[[], Any]) -> None:
        self._create = create
        self._tracker: Any = None
        self._box = np.zeros(4)

    def start(self, image: Image, xyxy: Any) -> None:
        self._tracker, self._box = self._create(), np.array(xyxy, np.float64)
        self._tracker.init(image, _window(xyxy))

    def follow(self, image: Image) -> tuple[Floats, float]:
        found, (left, top, width, height) = self._tracker.update(image)
        if found:
            self._box = np.array([left, top, left + width, top + height], np.float64)
        return self._box, float(found)


class FlowFollower:
    """`lk`: corners in the box, followed by pyramidal Lucas-Kanade flow; the box moves and grows by their medians."""

    def __init__(self, cv: dict[str, Any]) -> None:
        self._cv = cv
        self._before: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._box = np.zeros(4)

    def start(self, image: Image, xyxy: Any) -> None:
        self._before, self._box = self._grey(image), np.array(xyxy, np.float64)

    def follow(self, image: Image) -> tuple[Floats, float]:
        before, self._before = self._before, self._grey(image)
        mask = np.zeros_like(before)
        left, top, width, height = _window(self._box)
        mask[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)] = 255
        points = self._cv["goodFeaturesToTrack"](before, CORNERS, QUALITY, APART_PX, mask=mask)
        if points is None or len(points) < 3:
            return self._box, 0.0
        moved, there, _ = self._cv["calcOpticalFlowPyrLK"](before, self._before, points, None)
        old, new = points[there[:, 0] == 1, 0], moved[there[:, 0] == 1, 0]
        if len(old) < 3:
            return self._box, 0.0
        apart = [np.linalg.norm(p[:, None] - p[None], axis=2)[np.triu_indices(len(p), 1)] for p in (old, new)]
        growth = float(np.median(apart[1] / np.maximum(apart[0], 1e-3)))
        middle = (self._box[:2] + self._box[2:]) / 2 + np.median(new - old, axis=0)
        half = (self._box[2:] - self._box[:2]) / 2 * min(max(growth, 0.8), 1.25)
        self._box = np.concatenate([middle - half, middle + half])
        return self._box, len(old) / len(points)

    def _grey(self, image: Image) -> NDArray[np.uint8]:
        grey: NDArray[np.uint8] = self._cv["cvtColor"](image, self._cv["COLOR_BGR2GRAY"])
        return grey


class MeanShiftFollower:
    """`meanshift`: the place whose hues are most like those of the first box; the size stays."""

    def __init__(self, cv: dict[str, Any]) -> None:
        self._cv = cv
        self._hues: Any = None
        self._window = (0, 0, 1, 1)

    def start(self, image: Image, xyxy: Any) -> None:
        cv, (left, top, width, height) = self._cv, _window(xyxy)
        hsv = cv["cvtColor"](image, cv["COLOR_BGR2HSV"])
        part = hsv[max(top, 0) : top + height, max(left, 0) : left + width]
        coloured = cv["inRange"](part, (0, 40, 30), (180, 255, 255))
        self._hues = cv["calcHist"]([part], [0], coloured if coloured.any() else None, [BINS], [0, 180])
        cv["normalize"](self._hues, self._hues, 0, 255, cv["NORM_MINMAX"])
        self._window = (left, top, width, height)

    def follow(self, image: Image) -> tuple[Floats, float]:
        cv = self._cv
        hsv = cv["cvtColor"](image, cv["COLOR_BGR2HSV"])
        alike = cv["calcBackProject"]([hsv], [0], self._hues, [0, 180], 1)
        criteria = (cv["TERM_CRITERIA_EPS"] | cv["TERM_CRITERIA_COUNT"], 10, 1)
        _, self._window = cv["meanShift"](alike, self._window, criteria)
        left, top, width, height = self._window
        return np.array([left, top, left + width, top + height], np.float64), 1.0


def maker(name: str) -> Callable[[], Follower]:
    """What makes a follower anew: `lk`, `meanshift`, `nano=BACKBONE.onnx,HEAD.onnx`, or a tracker of OpenCV's by name.

    OpenCV runs on one thread.

    Raises:
        ConfigError: OpenCV, or its part `contrib`, is not installed; it has no such tracker; or a file is not there.
    """
    parts: dict[str, Any] = load("cv2:__dict__", NEEDS, ConfigError)
    parts["setNumThreads"](1)
    if name == "lk":
        return lambda: FlowFollower(parts)
    if name == "meanshift":
        return lambda: MeanShiftFollower(parts)
    if name.startswith(NANO):
        create = _nano(parts, name.removeprefix(NANO).split(","))
        return lambda: OpencvFollower(create)
    legacy = vars(parts["legacy"]) if "legacy" in parts else {}
    known = {
        found[1].lower(): create
        for word, create in [*legacy.items(), *parts.items()]
        if (found := re.fullmatch(r"Tracker(\w+)_create", word))
    }
    if name.lower() not in known:
        there = ", ".join(sorted({*known, "lk", "meanshift"}))
        raise ConfigError(f"--against {name}: there are {there} and {NANO}BACKBONE.onnx,HEAD.onnx; {NEEDS}")
    create = known[name.lower()]
    return lambda: OpencvFollower(create)


def _nano(parts: dict[str, Any], files: list[str]) -> Callable[[], Any]:
    """NanoTrack (SiamTrackers, HonglinChu 2021), as OpenCV runs it."""
    missing = [file for file in files if not Path(file).is_file()]
    if len(files) != 2 or missing:
        raise ConfigError(f"--against {NANO}: {', '.join(missing) or len(files)}; expected the files BACKBONE,HEAD")
    parameters = parts["TrackerNano_Params"]()
    parameters.backbone, parameters.neckhead = files
    return functools.partial(parts["TrackerNano_create"], parameters)


def _window(xyxy: Any) -> tuple[int, int, int, int]:
    """Left, top, width, height, whole pixels, at least one."""
    left, top, right, bottom = (round(float(side)) for side in xyxy)
    return left, top, max(1, right - left), max(1, bottom - top)
