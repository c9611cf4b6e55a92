"""Appearance by a re-identification network: one unit row for each box, one run a picture."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetrack.config import InputFormat, ReidEmbed, RuntimeConfig
from edgetrack.detect.pixels import pixels_of
from edgetrack.errors import ModelError
from edgetrack.image import Blob, Fit, Fitting, PixelFormat, crop
from edgetrack.runtime import OnnxModel
from edgetrack.types import Detections, Picture, size_of

log = logging.getLogger(__name__)

MAX_WIDTH = 8192  # values of an embedding; networks give 128 to 4096, and a detector's outputs are more
MAX_BATCH = 32  # of models that leave it open; a buffer for 32 crops of 128 x 256 px takes 13 MB
CPU_BATCH = 2  # on a CPU: with 10 people in view 44 MB less than all at once, for 6 to 9 % more time; equal rows
OPEN_SIZE = (128, 256)  # px, width and height, where a model leaves them open; people stand
# Channels first: as torchreid exports. Channels last: as OpenVINO's person-reidentification models want it.
RGB = PixelFormat("rgb", 1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
BGR = PixelFormat("bgr", 1, (0, 0, 0), (1, 1, 1))


class ReidEmbedder:
    """Embeds the crops of all boxes with an ONNX model of any input size and layout, fixed or open batch.

    Attributes:
        width: D, of an embedding.
        providers: what the model really runs on.

    Raises:
        ModelError: the file cannot be loaded or run, or is no embedder.
    """

    def __init__(self, config: ReidEmbed, runtime: RuntimeConfig) -> None:
        self._model = OnnxModel(config.model, runtime)
        size, fixed, channels_last = _input(self._model)
        pixels, self._fitting = _format(config.input, channels_last)
        self._blob = Blob(fixed or 1, size, pixels, self._model.inputs[0].dtype, channels_last)
        self._renew = (size, pixels, self._model.inputs[0].dtype, channels_last)
        self._fixed = fixed is not None
        outputs = self._model.warm_up(self._blob.array.shape)
        self.providers = self._model.providers
        self._most = CPU_BATCH if self.providers == ("cpu",) else MAX_BATCH
        self._warned = False
        crops, shape = len(self._blob.array), outputs[0].shape
        self.width = outputs[0].size // crops
        if shape[:1] != (crops,) or not 1 < self.width <= MAX_WIDTH:
            raise ModelError(
                f"{config.model}: output for {crops} crops of {size[0]} x {size[1]} px is {shape}, "
                f"expected ({crops}, D); choose a re-identification model"
            )
        form = f"{self.width} values from {size[0]} x {size[1]} px"
        log.info("%s: %s, on %s", config.model, form, ", ".join(self.providers))

    def embed(self, picture: Picture, detections: Detections, wanted: NDArray[np.bool_] | None = None) -> Detections:
        """The detections with `embedding`, (N, D) float32 unit rows; zeros in those that are not `wanted`, (N,).

        Args:
            picture: the one that the boxes are of; what of a box lies outside it is left out.
        """
        chosen = slice(None) if wanted is None else wanted
        boxes = pixels_of(detections.xyxy[chosen], *size_of(picture))
        batch = self._batch(len(boxes))
        rows = [self._run(picture, boxes[start : start + batch]) for start in range(0, len(boxes), batch)]
        embedding = np.zeros((len(detections), self.width), np.float32)
        embedding[chosen] = self._unit(np.concatenate([np.empty((0, self.width), np.float32), *rows]))
        return replace(detections, embedding=embedding)

    def _batch(self, wanted: int) -> int:
        """Crops a run; the buffer grows with the need, and stays."""
        room = len(self._blob.array)
        if not self._fixed and room < min(wanted, self._most):
            room = min(max(wanted, 2 * room), self._most)
            self._blob = Blob(room, *self._renew)
        return room

    def prepare(self, picture: Picture, boxes: NDArray[np.int64]) -> NDArray[Any]:
        """The model's input for crops, as many rows as boxes or as the model's fixed batch; valid until the next call.

        Args:
            boxes: (N, 4) whole pixels inside the picture, no more than fit into one run.
        """
        for row, box in enumerate(boxes):
            part = crop(picture, box)
            self._blob.put(row, part, Fit.of((part.shape[1], part.shape[0]), self._blob.size, self._fitting))
        return self._blob.array if self._fixed else self._blob.array[: len(boxes)]

    def _run(self, picture: Picture, boxes: NDArray[np.int64]) -> NDArray[np.float32]:
        output = self._model.run(self.prepare(picture, boxes))[0]
        return np.asarray(output.reshape(len(output), -1)[: len(boxes)], np.float32)

    def _unit(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        length: NDArray[np.float32] = np.linalg.norm(embedding, axis=1, keepdims=True)
        bad = ~(np.isfinite(length) & (length > 0))[:, 0]
        if bad.any():
            if not self._warned:
                log.warning(
                    "%s: embeddings are zero, NaN or infinite; the model is damaged or gets a wrong input format",
                    self._model.path,
                )
                self._warned = True
            embedding = np.where(bad[:, None], np.float32(1), embedding)  # like each other, and like no one
            length[bad] = self.width**0.5
        return embedding / length


def _input(model: OnnxModel) -> tuple[tuple[int, int], int | None, bool]:
    """Width and height in px, batch (None: open), and whether channels come last."""
    tensor = model.inputs[0]
    shape = tensor.shape
    kinds = (np.float32, np.float16, np.uint8)
    if len(model.inputs) != 1 or len(shape) != 4 or 3 not in (shape[1], shape[3]) or tensor.dtype not in kinds:
        raise ModelError(
            f"{model.path}: inputs are {', '.join(map(str, model.inputs))}, expected crops as (N, 3, height, width) or "
            "(N, height, width, 3) in float32, float16 or uint8; choose a re-identification model"
        )
    channels_last = shape[1] != 3
    height, width = (shape[1], shape[2]) if channels_last else (shape[2], shape[3])
    return (width or OPEN_SIZE[0], height or OPEN_SIZE[1]), shape[0], channels_last


def _format(own: InputFormat, channels_last: bool) -> tuple[PixelFormat, Fitting]:
    given = {key: value for key in ("colour", "scale", "mean", "std") if (value := getattr(own, key)) is not None}
    return replace(BGR if channels_last else RGB, **given), own.fit or "stretch"
