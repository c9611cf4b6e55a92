"""The object detector: any YOLO-like ONNX model, prepared, run and decoded."""

from __future__ import annotations

import ast
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from edgetrack import boxes
from edgetrack.config import DetectConfig, InputFormat, RuntimeConfig
from edgetrack.detect.beside import Begun, Beside, Outputs
from edgetrack.detect.forms import KNOWN, recognise
from edgetrack.detect.heads import Array, Candidates, Head, Rows, Size
from edgetrack.detect.labels import floor_of, from_metadata, names_of
from edgetrack.errors import ModelError
from edgetrack.image import Blob, Fit, Fitting, PixelFormat
from edgetrack.runtime import OnnxModel
from edgetrack.types import Detections, Picture, size_of

log = logging.getLogger(__name__)

FILL = 114  # grey round a letterboxed picture; YOLOv5 and YOLOX, in training
FARTHEST = 1e6  # px from the picture's corner; a box beyond is as good as infinite, and its area overflows
MAX_CANDIDATES = 1000  # the best of more are kept before suppression, whose time and memory grow with the square


class YoloDetector:
    """Finds objects with a model whose outputs have one of the forms in `heads`.

    Attributes:
        model: what runs the graph.
        form: decodes its outputs.
        names: of the classes, by class_id.
        size: width and height of the model's input, px.
        fitting: how a picture is laid into it.
        providers: what the model really runs on.
        refused: those of the configuration that it does not run on, and why.

    Raises:
        ModelError: the file cannot be loaded or run, or no form fits.
        ConfigError: a class is named that the model does not have.
    """

    def __init__(self, config: DetectConfig, runtime: RuntimeConfig) -> None:
        self.model = OnnxModel(config.model, runtime)
        self.size, channels_last = _input_size(self.model, config.size)
        shape = (1, *self.size[::-1], 3) if channels_last else (1, 3, *self.size[::-1])
        outputs = self.model.warm_up(shape)
        self.providers, self.refused = self.model.providers, self.model.refused
        own = from_metadata(config.model, self.model.metadata)
        self.form = _head(self.model, config.head, self.size, outputs, None if own is None else len(own))
        self.names = names_of(config, own, self.form.classes)
        self._floor = floor_of(config, self.names)
        self._config = config
        dtype = self.model.inputs[0].dtype
        pixels, self.fitting = _format(config.input, self.form, raw=dtype == np.uint8)
        blob = partial(Blob, 1, self.size, pixels, dtype, channels_last, FILL)
        self._blob = blob()
        models = [self.model, *(OnnxModel(config.model, runtime) for _ in range(config.ahead - 1))][: config.ahead]
        for model in models[1:]:
            model.warm_up(shape)
        self._beside = Beside(models, blob, self.decode) if models else None
        self._warned: set[str] = set()
        form = f"{self.head}, {self.size[0]} x {self.size[1]} px, {len(self.names)} classes"
        log.info("%s: %s, on %s", config.model, form, ", ".join(self.providers))

    @property
    def head(self) -> str:
        """Form of the outputs, as in `detect.head`."""
        return self.form.name

    def detect(self, picture: Picture, begun: object = None) -> Detections:
        """Objects in a picture, best first; boxes in its pixels, clipped to it.

        Args:
            picture: of any size.
            begun: what `begin` gave for it.
        """
        candidates, fit = self.candidates(picture, begun)
        xyxy, score, class_id = self._suppress(*self._finite(*candidates))
        xyxy = boxes.clip(fit.to_picture(xyxy), *fit.source)
        whole = np.flatnonzero((xyxy[:, 2:] > xyxy[:, :2]).all(axis=1))[: self._config.max_detections]
        return Detections(xyxy[whole], score[whole], class_id[whole].astype(np.int32))

    def begin(self, picture: Picture, done: Callable[[], None] = lambda: None) -> Begun | None:
        """Look at a picture beside the caller, which goes on; for one other thread than that of `detect`.

        Args:
            done: called when the look is over, by any thread; not where None is returned.
        """
        if self._beside is None:
            return None
        return self._beside.begin(picture, Fit.of(size_of(picture), self.size, self.fitting), done)

    def candidates(self, picture: Picture, begun: object = None) -> tuple[Candidates, Fit]:
        """What the model found, in pixels of its input, and where the picture lay in that."""
        if isinstance(begun, Begun):
            return begun.candidates.result(), begun.fit
        blob, fit = self.prepare(picture)
        return self.decode(self.model.run(blob)), fit

    def decode(self, outputs: Outputs) -> Candidates:
        """The model's outputs, as they come, to all rows that reach their floor."""
        with np.errstate(over="ignore", invalid="ignore"):  # NaN and infinity are dropped next, and told
            return self.form.decode([output.astype(np.float32, copy=False) for output in outputs], self._floor)

    def prepare(self, picture: Picture) -> tuple[Array, Fit]:
        """The model's input for a picture, valid until the next call, and where the picture lies in it."""
        fit = Fit.of(size_of(picture), self.size, self.fitting)
        self._blob.put(0, picture, fit)
        return self._blob.array, fit

    def _finite(self, xyxy: Array, score: Array, class_id: Rows) -> Candidates:
        good = np.isfinite(score) & (np.abs(xyxy) < FARTHEST).all(axis=1)
        if not good.all():
            self._warn(
                "%s: NaN or infinite outputs are dropped (%d of %d); the model is damaged or overflows in its "
                "number type",
                self.model.path,
                np.count_nonzero(~good),
                len(good),
            )
            xyxy, score, class_id = xyxy[good], score[good], class_id[good]
        if len(score) and score.max() > 1:
            self._warn(
                "%s: scores up to %.3g, expected 0 to 1; is detect.head right? It is %s",
                self.model.path,
                score.max(),
                self.head,
            )
            score = np.minimum(score, 1)
        return xyxy, score, class_id

    def _suppress(self, xyxy: Array, score: Array, class_id: Rows) -> Candidates:
        if len(score) > MAX_CANDIDATES:
            best = np.sort(np.argpartition(-score, MAX_CANDIDATES)[:MAX_CANDIDATES])
            xyxy, score, class_id = xyxy[best], score[best], class_id[best]
        if self.form.nms:
            order = boxes.nms(xyxy, score, self._config.nms_iou, class_id)
        else:
            order = np.argsort(-score, kind="stable")
        return xyxy[order], score[order], class_id[order]

    def _warn(self, message: str, *details: object) -> None:
        """Each kind of warning once, or a broken model would fill the journal."""
        if message not in self._warned:
            self._warned.add(message)
            log.warning(message, *details)


def _input_size(model: OnnxModel, wanted: Size | None) -> tuple[Size, bool]:
    """Width and height of the input, and whether its channels come last."""
    tensor = model.inputs[0]
    shape = tensor.shape
    if len(model.inputs) != 1 or len(shape) != 4 or shape[0] not in (None, 1) or 3 not in (shape[1], shape[3]):
        raise ModelError(
            f"{model.path}: inputs are {', '.join(map(str, model.inputs))}, expected one picture, "
            "(1, 3, height, width) or (1, height, width, 3); choose a detection model exported with batch 1"
        )
    if tensor.dtype not in (np.float32, np.float16, np.uint8):
        raise ModelError(f"{model.path}: input is {tensor}, expected float32, float16 or uint8; export it again")
    channels_last = shape[1] != 3
    height, width = (shape[1], shape[2]) if channels_last else (shape[2], shape[3])
    own = None if width is None or height is None else (width, height)
    if own is not None and wanted not in (None, own):
        raise ModelError(f"{model.path}: input is {shape}, detect.size is {list(wanted)}; set detect.size: {list(own)}")
    size = own or wanted or _metadata_size(model)
    if size is None:
        raise ModelError(f"{model.path}: input is {tensor}, its size is open; set detect.size: [width, height]")
    return size, channels_last


def _metadata_size(model: OnnxModel) -> Size | None:
    """What Ultralytics writes: imgsz as [height, width]."""
    try:
        height, width = ast.literal_eval(model.metadata.get("imgsz", "")[:100])
    except (ValueError, SyntaxError, TypeError):
        return None
    whole = isinstance(height, int) and isinstance(width, int) and height > 0 and width > 0
    return (width, height) if whole else None


def _head(model: OnnxModel, name: str, size: Size, outputs: Sequence[Array], classes: int | None) -> Head:
    task = model.metadata.get("task", "detect")
    if task != "detect":
        raise ModelError(f"{model.path}: its task is {task}, expected detect; choose a detection model")
    shapes = [output.shape for output in outputs]
    head = recognise(size, shapes, name, classes)
    if head is None:
        asked = "none of the known forms" if name == "auto" else f"not of the form that detect.head names, {name}"
        found = ", ".join(map(str, shapes))
        raise ModelError(
            f"{model.path}: outputs for an input of {size[0]} x {size[1]} px are {found}: {asked}; known are {KNOWN}; "
            "set detect.head, or export the model without post-processing"
        )
    return head


def _format(own: InputFormat, head: Head, raw: bool) -> tuple[PixelFormat, Fitting]:
    """The head's usual input, changed where the configuration says; raw: 0..255 as they are, for uint8 inputs."""
    usual = replace(head.pixels, scale=1.0, mean=(0, 0, 0), std=(1, 1, 1)) if raw else head.pixels
    given = {key: value for key in ("colour", "scale", "mean", "std") if (value := getattr(own, key)) is not None}
    return replace(usual, **given), own.fit or head.fitting
