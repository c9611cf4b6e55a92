"""What nets that follow want to see, and how their answers are read: three forms, told apart by their inputs.

`correlate` is edgetrack-goturn: the first crop, a recent one and the window. `concat` is the paper's form in small: the
previous crop and the window. `goturn-caffe` is the original net (Held et al. 2016), converted by `edgetrack model
convert`: two crops of 227 px, twice as wide and high as the box, bent into squares, black beyond the picture's edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from edgetrack.boxes import Boxes
from edgetrack.image import Resizer, crop
from edgetrack.refine.crops import SEARCH_PX, TEMPLATE_PX, cut, squares
from edgetrack.runtime import Tensor
from edgetrack.types import Image

Crop = NDArray[np.uint8]  # (3, side, side) BGR
Box = NDArray[np.float64]  # (4,) xyxy, pixels
Answer = tuple[NDArray[np.float32], NDArray[np.float32]]  # (N, 4) fractions of the windows, (N,) confidence


@dataclass
class Template:
    """What a target looks like: a crop round it, and its box's width and height as fractions of that crop."""

    crop: Crop
    shape: NDArray[np.float64]


class Head(Protocol):
    """How one form of net is asked.

    Attributes:
        inputs: names of the model's inputs, by which it is known.
        growth: share of a change of size that is believed in one picture.
        renew: confidence from which the recent template is replaced.
    """

    name: ClassVar[str]
    inputs: ClassVar[tuple[str, ...]]
    growth: ClassVar[float]
    renew: ClassVar[float]

    def template(self, image: Image, xyxy: Box) -> Template: ...

    def windows(self, xyxy: Boxes) -> Boxes:
        """(N, 4) what is searched for targets expected at boxes (N, 4)."""

    def feed(
        self, image: Image, first: Sequence[Template], recent: Sequence[Template], expected: Boxes, window: Boxes
    ) -> tuple[NDArray[Any], ...]:
        """The model's inputs."""

    def read(self, outputs: Sequence[NDArray[Any]]) -> Answer: ...


class Correlate:
    """edgetrack-goturn: `first` never changes, so that errors do not add up; `recent` follows pose and light."""

    name: ClassVar[str] = "correlate"
    inputs: ClassVar[tuple[str, ...]] = ("first", "recent", "search", "shape")
    growth: ClassVar[float] = 0.2  # more lets errors of single pictures add up
    renew: ClassVar[float] = 0.6

    def __init__(self) -> None:
        self._resizers = Resizer(), Resizer()

    def template(self, image: Image, xyxy: Box) -> Template:
        square = squares(xyxy[None])[0]
        pixels = cut(image, square, TEMPLATE_PX, self._resizers[0])
        return Template(pixels, (xyxy[2:] - xyxy[:2]) / (square[2:] - square[:2]))

    def windows(self, xyxy: Boxes) -> Boxes:
        return squares(xyxy, zoom=2.0)

    def feed(
        self, image: Image, first: Sequence[Template], recent: Sequence[Template], expected: Boxes, window: Boxes
    ) -> tuple[NDArray[Any], ...]:
        search = np.stack([cut(image, square, SEARCH_PX, self._resizers[1]) for square in window])
        spans = (expected[:, 2:] - expected[:, :2]) / (window[:, 2:] - window[:, :2])
        shape = np.concatenate([[t.shape for t in first], [t.shape for t in recent], spans], axis=1)
        looks = {"first": first, "recent": recent}
        crops = (np.stack([t.crop for t in looks[name]]) for name in self.inputs if name in looks)
        return (*crops, search, shape.astype(np.float32))

    def read(self, outputs: Sequence[NDArray[Any]]) -> Answer:
        return outputs[0], outputs[1]


class Concat(Correlate):
    """The paper's form with a confidence: the previous crop is all that it knows of the target."""

    name: ClassVar[str] = "concat"
    inputs: ClassVar[tuple[str, ...]] = ("recent", "search", "shape")
    renew: ClassVar[float] = 0.0


class GoturnCaffe:
    """The original GOTURN. It has no confidence: 1, so that it never knows that it is lost."""

    name: ClassVar[str] = "goturn-caffe"
    inputs: ClassVar[tuple[str, ...]] = ("target", "image")
    growth: ClassVar[float] = 1.0
    renew: ClassVar[float] = 0.0

    SIDE_PX = 227
    CONTEXT = 2.0  # the crop's sides in sides of the box: k1 and k2 of the paper
    MEAN_BGR = np.array([104, 117, 123], np.float32)[:, None, None]  # of ImageNet, as Caffe's models subtract it
    TIMES = 10.0  # of the net's answer

    def __init__(self) -> None:
        self._resizer = Resizer()

    def template(self, image: Image, xyxy: Box) -> Template:
        window = self.windows(xyxy[None])[0]
        return Template(self._bent(image, window), (xyxy[2:] - xyxy[:2]) / (window[2:] - window[:2]))

    def windows(self, xyxy: Boxes) -> Boxes:
        """On whole pixels, at least one wide."""
        middle, half = (xyxy[:, :2] + xyxy[:, 2:]) / 2, (xyxy[:, 2:] - xyxy[:, :2]) * self.CONTEXT / 2
        low = np.floor(middle - half + 0.5)
        return np.concatenate([low, np.maximum(np.floor(middle + half + 0.5), low + 1)], axis=1)

    def feed(
        self, image: Image, first: Sequence[Template], recent: Sequence[Template], expected: Boxes, window: Boxes
    ) -> tuple[NDArray[Any], ...]:
        search = np.stack([self._bent(image, each) for each in window])
        return np.stack([t.crop for t in recent]) - self.MEAN_BGR, search - self.MEAN_BGR

    def read(self, outputs: Sequence[NDArray[Any]]) -> Answer:
        return np.asarray(outputs[0] / np.float32(self.TIMES)), np.ones(len(outputs[0]), np.float32)

    def _bent(self, image: Image, window: Box) -> Crop:
        return np.stack(self._resizer.planes(crop(image, window), self.SIDE_PX, self.SIDE_PX))


HEADS: tuple[type[Correlate] | type[Concat] | type[GoturnCaffe], ...] = (Correlate, Concat, GoturnCaffe)


def head_of(inputs: Sequence[Tensor]) -> Head | None:
    """The form that a model's inputs show, None where they are no follower's."""
    shapes: dict[str, tuple[tuple[int | None, ...], type[np.generic]]] = {
        "first": ((3, TEMPLATE_PX, TEMPLATE_PX), np.uint8),
        "recent": ((3, TEMPLATE_PX, TEMPLATE_PX), np.uint8),
        "search": ((3, SEARCH_PX, SEARCH_PX), np.uint8),
        "shape": ((6,), np.float32),
        "target": ((3, GoturnCaffe.SIDE_PX, GoturnCaffe.SIDE_PX), np.float32),
        "image": ((3, GoturnCaffe.SIDE_PX, GoturnCaffe.SIDE_PX), np.float32),
    }
    for kind in HEADS:
        wanted = [(name, (None, *shapes[name][0]), np.dtype(shapes[name][1])) for name in kind.inputs]
        if [(t.name, t.shape, t.dtype) for t in inputs] == wanted:
            return kind()
    return None
