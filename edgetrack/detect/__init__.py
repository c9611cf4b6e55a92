"""What is in a picture: object detectors and appearance descriptors."""

from typing import Protocol

from edgetrack.types import Detections, Image


class Detector(Protocol):
    """Finds objects; boxes are pixels of the picture given, clipped to it."""

    @property
    def names(self) -> tuple[str, ...]:
        """Class names by class_id."""

    def detect(self, image: Image) -> Detections: ...


class Embedder(Protocol):
    """Gives every detection an appearance: unit rows, one call a picture."""

    def embed(self, image: Image, detections: Detections) -> Detections: ...
