"""Following by regression: what a target looked like and where it was, in; where it is now, out (Held et al. 2016).

Nothing is learned at run time. The net sees three crops: the target in the first picture, a recent one, and the window
round the place where it is expected. The first never changes, so that errors do not add up; the recent one follows the
target's changes of pose and light.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetrack.config import RuntimeConfig
from edgetrack.errors import ModelError
from edgetrack.image import Resizer
from edgetrack.refine.crops import LEAST_PX, SEARCH_PX, TEMPLATE_PX, cut, into, out_of, squares
from edgetrack.runtime import OnnxModel
from edgetrack.types import Image

log = logging.getLogger(__name__)

GROWTH = 0.2  # share of a change of size that is believed in one picture; more lets errors of single pictures add up
RENEW = 0.6  # confidence from which the recent crop is replaced
INPUTS = (  # name, shape, type
    ("first", (None, 3, TEMPLATE_PX, TEMPLATE_PX), np.dtype(np.uint8)),
    ("recent", (None, 3, TEMPLATE_PX, TEMPLATE_PX), np.dtype(np.uint8)),
    ("search", (None, 3, SEARCH_PX, SEARCH_PX), np.dtype(np.uint8)),
    ("shape", (None, 6), np.dtype(np.float32)),
)

Box = NDArray[np.float64]  # (4,) xyxy, pixels
Crop = NDArray[np.uint8]  # (3, side, side) BGR


@dataclass
class Target:
    """One thing that is followed; changed by `Regressor.follow`.

    Attributes:
        first, recent: the target's crops.
        first_shape, recent_shape: (2,) width and height of its box as fractions of them.
        xyxy: where it was last.
        confidence: the IoU that the net expects of that box, 0..1.
        picture: width and height of the picture that `xyxy` belongs to.
    """

    first: Crop
    first_shape: NDArray[np.float64]
    recent: Crop
    recent_shape: NDArray[np.float64]
    xyxy: Box
    confidence: float
    picture: tuple[int, int]


class Regressor:
    """The net, for any number of targets in one call.

    Raises:
        ModelError: the file cannot be loaded, or is no follower.
    """

    def __init__(self, model: str, runtime: RuntimeConfig) -> None:
        self._model, self._resizers = OnnxModel(model, runtime), (Resizer(), Resizer())
        found = [(t.name, t.shape, t.dtype) for t in self._model.inputs]
        if found != list(INPUTS) or len(self._model.outputs) != 2:
            raise ModelError(
                f"{model}: inputs are {', '.join(map(str, self._model.inputs))}; expected first, recent, search and "
                "shape of a follower; choose models/edgetrack-goturn.onnx"
            )
        self._model.warm_up()
        self._told = False

    def start(self, image: Image, xyxy: Sequence[float] | NDArray[Any]) -> Target:
        """A target from its box in a picture; what of the box lies outside the picture is cut off.

        Raises:
            ValueError: no picture, or less than 2 x 2 pixels of the box lie in it.
        """
        picture = _size(image)
        box = np.asarray(xyxy, np.float64)
        if box.shape != (4,) or not np.isfinite(box).all():
            raise ValueError(f"xyxy: is {xyxy}, expected four finite pixels: left, top, right, bottom")
        inside = np.clip(box, 0, np.tile(picture, 2))
        if (inside[2:] - inside[:2] < LEAST_PX).any():
            raise ValueError(
                f"xyxy: {box.round(1).tolist()} has less than {LEAST_PX:g} x {LEAST_PX:g} pixels in the picture of "
                f"{picture[0]} x {picture[1]}; expected left, top, right, bottom of what is to be followed"
            )
        pixels, shape = self._template(image, inside)
        return Target(pixels, shape, pixels, shape, inside, 1.0, picture)

    def follow(self, image: Image, targets: Sequence[Target], expected: NDArray[np.float64] | None = None) -> None:
        """Find the targets in the next picture and move them there, in place.

        A picture of another size carries the boxes over in proportion. Where the net's answer is no number, the
        target stays where it was expected, with confidence 0.

        Args:
            expected: (N, 4) xyxy where they should be by now; None: where they were.
        """
        picture = _size(image)
        for target in targets:
            _rescale(target, picture)
        if not targets:
            return
        before = np.stack([t.xyxy for t in targets]) if expected is None else expected
        square = squares(before, zoom=2.0)
        search = np.stack([self._cut(image, s, SEARCH_PX) for s in square])
        spans = (before[:, 2:] - before[:, :2]) / (square[:, 2:] - square[:, :2])
        shape = np.concatenate([[t.first_shape for t in targets], [t.recent_shape for t in targets], spans], axis=1)
        fractions, confidence = self._model.run(
            np.stack([t.first for t in targets]),
            np.stack([t.recent for t in targets]),
            search,
            shape.astype(np.float32),
        )
        good = np.isfinite(fractions).all(axis=1) & np.isfinite(confidence)
        self._tell(good)
        found = out_of(square, np.where(good[:, None], fractions, into(square, before)).astype(np.float64))
        sure = np.where(good, confidence, 0).astype(np.float64)
        for target, old, new, trust in zip(targets, before, found, sure, strict=True):
            target.xyxy, target.confidence = _calm(old, new, picture), float(trust)
            if trust >= RENEW:
                target.recent, target.recent_shape = self._template(image, target.xyxy)

    def _template(self, image: Image, xyxy: Box) -> tuple[Crop, NDArray[np.float64]]:
        square = squares(xyxy[None])[0]
        return self._cut(image, square, TEMPLATE_PX), (xyxy[2:] - xyxy[:2]) / (square[2:] - square[:2])

    def _cut(self, image: Image, square: Box, side_px: int) -> Crop:
        return cut(image, square, side_px, self._resizers[side_px == SEARCH_PX])

    def _tell(self, good: NDArray[np.bool_]) -> None:
        if not self._told and not good.all():
            self._told = True
            log.warning("%s: answered with NaN or infinity; such targets count as lost", self._model.path)


class Goturn:
    """Follows one target, without a detector.

    Args:
        model: models/edgetrack-goturn.onnx, or -int8.onnx.
        runtime: how ONNX Runtime runs it.

    Raises:
        ModelError: the file cannot be loaded, or is no follower.
    """

    def __init__(self, model: str, runtime: RuntimeConfig = RuntimeConfig()) -> None:
        self._net = Regressor(model, runtime)
        self._target: Target | None = None

    def start(self, image: Image, xyxy: Sequence[float] | NDArray[Any]) -> None:
        """Begin, or begin anew, with a target's box in a picture; raises ValueError as `Regressor.start` does.

        Args:
            image: (H, W, 3) uint8 BGR.
            xyxy: left, top, right, bottom in its pixels.
        """
        self._target = self._net.start(image, xyxy)

    def follow(self, image: Image) -> tuple[NDArray[np.float64], float]:
        """The box (4,) xyxy in the next picture, and the IoU 0..1 that the net expects of it: below 0.3 it is lost.

        Raises:
            ValueError: nothing was started, or no picture was given.
        """
        if self._target is None:
            raise ValueError("follow: no target; call start(image, xyxy) first")
        self._net.follow(image, [self._target])
        return self._target.xyxy.copy(), self._target.confidence


def _size(image: Image) -> tuple[int, int]:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f"image: is {image.shape} {image.dtype}, expected (H, W, 3) uint8 BGR")
    return image.shape[1], image.shape[0]


def _rescale(target: Target, picture: tuple[int, int]) -> None:
    if target.picture != picture:
        ratio = np.array(picture) / np.array(target.picture)
        target.xyxy, target.picture = target.xyxy * np.tile(ratio, 2), picture


def _calm(old: Box, new: Box, picture: tuple[int, int]) -> Box:
    """The new middle, kept in the picture, and a size between the old and the new one."""
    was, size = np.maximum(old[2:] - old[:2], LEAST_PX), np.maximum(new[2:] - new[:2], LEAST_PX)
    size = np.clip(was * (size / was) ** GROWTH, LEAST_PX, np.maximum(picture, LEAST_PX))
    middle = np.clip((new[:2] + new[2:]) / 2, 0, picture)
    return np.concatenate([middle - size / 2, middle + size / 2])
