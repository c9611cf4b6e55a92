"""Following by regression: what a target looked like and where it was, in; where it is now, out (Held et al. 2016).

Nothing is learned at run time. The net sees crops of the target, the first and a recent one, and the window round the
place where it is expected: see `heads`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetrack.boxes import Boxes
from edgetrack.config import RuntimeConfig
from edgetrack.errors import ModelError
from edgetrack.refine.crops import LEAST_PX, into, out_of
from edgetrack.refine.heads import Box, Template, head_of
from edgetrack.runtime import OnnxModel
from edgetrack.types import Image

log = logging.getLogger(__name__)


@dataclass
class Target:
    """One thing that is followed; changed by `Regressor.follow` and `Regressor.move`.

    Attributes:
        first, recent: what it looked like.
        xyxy: where it was last.
        confidence: the IoU that the net expects of that box, 0..1.
        picture: width and height of the picture that `xyxy` belongs to.
    """

    first: Template
    recent: Template
    xyxy: Box
    confidence: float
    picture: tuple[int, int]


class Regressor:
    """The net, for any number of targets in one call.

    Attributes:
        head: the form of the net.

    Args:
        model: ONNX file.
        runtime: how ONNX Runtime runs it.
        head: the form that is expected; `auto`: any.

    Raises:
        ModelError: the file cannot be loaded, or is no follower, or one of another form.
    """

    def __init__(self, model: str, runtime: RuntimeConfig, head: str = "auto") -> None:
        self._model = OnnxModel(model, runtime)
        found = head_of(self._model.inputs)
        if found is None:
            raise ModelError(
                f"{model}: inputs are {', '.join(map(str, self._model.inputs))}; expected first, recent, search and "
                "shape of a follower; choose models/edgetrack-goturn.onnx"
            )
        if head not in ("auto", found.name):
            raise ModelError(f"{model}: is a follower of the form {found.name}, refine.head is {head}; set auto")
        self.head = found
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
        template = self.head.template(image, inside)
        return Target(template, template, inside, 1.0, picture)

    def follow(self, image: Image, targets: Sequence[Target], expected: Boxes | None = None) -> None:
        """Find the targets in the next picture and move them there, in place.

        Args:
            expected: (N, 4) xyxy where they should be by now; None: where they were.
        """
        self.rescale(image, targets)
        if not targets:
            return
        before = np.stack([t.xyxy for t in targets]) if expected is None else expected
        for target, xyxy, trust in zip(targets, *self.look(image, targets, before), strict=True):
            self.move(image, target, xyxy, trust)

    def rescale(self, image: Image, targets: Sequence[Target]) -> None:
        """A picture of another size carries the boxes over in proportion."""
        picture = _size(image)
        for target in targets:
            if target.picture != picture:
                ratio = np.array(picture) / np.array(target.picture)
                target.xyxy, target.picture = target.xyxy * np.tile(ratio, 2), picture

    def look(self, image: Image, targets: Sequence[Target], expected: Boxes) -> tuple[list[Box], list[float]]:
        """Where targets are that are expected at boxes (N, 4), and how sure that is; changes nothing.

        The same target may be looked for at several places. Where the net's answer is no number, it is the place
        itself, with confidence 0.
        """
        window = self.head.windows(expected)
        firsts, recents = [t.first for t in targets], [t.recent for t in targets]
        outputs = self._model.run(*self.head.feed(image, firsts, recents, expected, window))
        fractions, confidence = self.head.read(outputs)
        good = np.isfinite(fractions).all(axis=1) & np.isfinite(confidence)
        self._tell(good)
        found = out_of(window, np.where(good[:, None], fractions, into(window, expected)).astype(np.float64))
        sure = np.where(good, confidence, 0).astype(np.float64)
        picture = _size(image)
        calm = [_calm(old, new, picture, self.head.growth) for old, new in zip(expected, found, strict=True)]
        return calm, sure.tolist()

    def move(self, image: Image, target: Target, xyxy: Box, confidence: float) -> None:
        """It is there, with that confidence; what it looks like there is remembered if that is high."""
        target.xyxy, target.confidence = xyxy, confidence
        if confidence >= self.head.renew:
            target.recent = self.head.template(image, xyxy)

    def _tell(self, good: NDArray[np.bool_]) -> None:
        if not self._told and not good.all():
            self._told = True
            log.warning("%s: answered with NaN or infinity; such targets count as lost", self._model.path)


class Goturn:
    """Follows one target, without a detector.

    Args:
        model: models/edgetrack-goturn.onnx, or -int8.onnx, or another follower.
        runtime: how ONNX Runtime runs it.
        head: the form that is expected; `auto`: any of `heads`.

    Raises:
        ModelError: the file cannot be loaded, or is no follower.
    """

    def __init__(self, model: str, runtime: RuntimeConfig = RuntimeConfig(), head: str = "auto") -> None:
        self._net = Regressor(model, runtime, head)
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


def _calm(old: Box, new: Box, picture: tuple[int, int], growth: float) -> Box:
    """The new middle, kept in the picture, and a size between the old and the new one."""
    was, size = np.maximum(old[2:] - old[:2], LEAST_PX), np.maximum(new[2:] - new[:2], LEAST_PX)
    size = np.clip(was * (size / was) ** growth, LEAST_PX, np.maximum(picture, LEAST_PX))
    middle = np.clip((new[:2] + new[2:]) / 2, 0, picture)
    return np.concatenate([middle - size / 2, middle + size / 2])
