"""What is in a picture: object detectors and appearance descriptors."""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgetrack.config import DetectConfig, Embed, RuntimeConfig, TrackConfig
from edgetrack.errors import ModelError
from edgetrack.registry import load
from edgetrack.types import Detections, Picture

Mask = NDArray[np.bool_]


class Detector(Protocol):
    """Finds objects; boxes are pixels of the picture given, clipped to it."""

    @property
    def names(self) -> tuple[str, ...]:
        """Class names by class_id."""

    @property
    def head(self) -> str:
        """Form of the model's outputs, as in `detect.head`."""

    @property
    def providers(self) -> tuple[str, ...]:
        """Where the model really runs, as in `runtime.providers`."""

    @property
    def refused(self) -> Mapping[str, str]:
        """Those of `runtime.providers` that it does not run on, and why."""

    def begin(self, picture: Picture, done: Callable[[], None]) -> object:
        """Look at a picture beside the caller, which goes on; for one other thread than that of `detect`.

        `done` is called when the look is over, by any thread; not where None is returned: nothing was begun.
        """

    def detect(self, picture: Picture, begun: object = None) -> Detections:
        """`begun`: what `begin` gave for this picture, if it was called."""


class Embedder(Protocol):
    """Gives detections an appearance: unit rows, one call a picture; rows of zeros where it is not `wanted`, (N,)."""

    def embed(self, picture: Picture, detections: Detections, wanted: Mask | None = None) -> Detections: ...


class Motion:
    """No appearance: detections pass as they are, and tracks are matched by motion alone."""

    def embed(self, picture: Picture, detections: Detections, wanted: Mask | None = None) -> Detections:
        return detections


class Camera(Protocol):
    """Tells how the scene moves in the picture because the camera does."""

    def shift(self, picture: Picture) -> tuple[float, float]:
        """Since the last picture, px right and down."""


def open_camera(config: TrackConfig) -> Camera:
    """What `track.camera_motion` asks for."""
    kind = "CameraMotion" if config.camera_motion else "FixedCamera"
    camera: Camera = load(f"edgetrack.detect.camera_motion:{kind}", "pip install av", ModelError)()
    return camera


def open_detector(config: DetectConfig, runtime: RuntimeConfig) -> Detector:
    """The detector that the configuration names, loaded and run once.

    Raises:
        ModelError: the file cannot be loaded, or its inputs and outputs are none of the known forms.
        ConfigError: `detect.classes` or `detect.min_scores` names a class that the model does not have.
    """
    detector: Detector = load("edgetrack.detect.yolo:YoloDetector", "pip install onnxruntime av", ModelError)(
        config, runtime
    )
    return detector


def open_embedder(config: Embed, runtime: RuntimeConfig) -> Embedder:
    """The appearance descriptor that the configuration names; a model is loaded and run once.

    Raises:
        ModelError: the file cannot be loaded, or is no embedder.
    """
    kind = config.__struct_config__.tag
    embedder: Embedder = Motion()
    if kind == "reid":
        place = "edgetrack.detect.reid:ReidEmbedder"
        embedder = load(place, "pip install onnxruntime av", ModelError)(config, runtime)
    elif kind == "histogram":
        embedder = load("edgetrack.detect.histogram:HistogramEmbedder", "pip install numpy", ModelError)(config)
    return embedder
