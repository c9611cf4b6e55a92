"""The object detector: any YOLO-like ONNX model, prepared, run and decoded."""

from __future__ import annotations

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
from edgetrack.detect.network import load
from edgetrack.detect.rect import filled
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
        names: of the classes, by class_id.
        size: width and height of the model's input, px. With `detect.rect` it is given what the picture fills of it.
        fitting: how a picture is laid into it.
        providers: what the model really runs on.
        refused: those of the configuration that it does not run on, and why.

    Raises:
        ModelError: the file cannot be loaded or run, or no form fits.
        ConfigError: a class is named that the model does not have.
    """

    def __init__(self, config: DetectConfig, runtime: RuntimeConfig) -> None:
        network = load(config, runtime)
        self.model, self.size = network.model, network.size
        own = from_metadata(config.model, self.model.metadata)
        self._recognise = partial(_head, self.model, config.head, None if own is None else len(own))
        form = self._recognise(network.least, network.warm_up(network.least))
        self._forms = {network.least: form}
        self.providers, self.refused = self.model.providers, self.model.refused
        self.names = names_of(config, own, form.classes)
        self._floor = floor_of(config, self.names)
        self._config, self._network = config, replace(network, graph=b"")  # megabytes that nobody needs any more
        dtype = self.model.inputs[0].dtype
        pixels, self.fitting = _format(config.input, form, raw=dtype == np.uint8)
        blob = partial(Blob, 1, network.least, pixels, dtype, network.channels_last, FILL)
        self._blob = blob()
        more = [OnnxModel(config.model, runtime, network.graph, silent=True) for _ in range(config.ahead - 1)]
        models = [self.model, *more]
        for model in more:
            network.warm_up(network.least, model)
        self._beside = Beside(models, blob, self.decode) if config.ahead else None
        self._warned: set[str] = set()
        text = f"{self.head}, {self.size[0]} x {self.size[1]} px, {len(self.names)} classes"
        log.info("%s: %s, on %s", config.model, text, ", ".join(self.providers))

    @property
    def head(self) -> str:
        """Form of the outputs, as in `detect.head`."""
        return self.form.name

    @property
    def form(self) -> Head:
        """Decodes outputs, of the least input that it takes."""
        return next(iter(self._forms.values()))

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
        return self._beside.begin(picture, self.fit(size_of(picture)), done)

    def candidates(self, picture: Picture, begun: object = None) -> tuple[Candidates, Fit]:
        """What the model found, in pixels of its input, and where the picture lay in that."""
        if isinstance(begun, Begun):
            return begun.candidates.result(), begun.fit
        blob, fit = self.prepare(picture)
        return self.decode(self.model.run(blob), fit.target), fit

    def decode(self, outputs: Outputs, size: Size) -> Candidates:
        """The model's outputs, as they come, to all rows that reach their floor.

        Args:
            size: of the input that they answer, px.
        """
        form = self._forms[size]
        with np.errstate(over="ignore", invalid="ignore"):  # NaN and infinity are dropped next, and told
            return form.decode([output.astype(np.float32, copy=False) for output in outputs], self._floor)

    def prepare(self, picture: Picture) -> tuple[Array, Fit]:
        """The model's input for a picture, valid until the next call, and where the picture lies in it."""
        fit = self.fit(size_of(picture))
        self._blob.put(0, picture, fit)
        return self._blob.array, fit

    def fit(self, source: Size) -> Fit:
        """Where a picture of this size lies in the input that the model is given for it."""
        size = filled(source, self.size, self.fitting)
        if size != self.size and not self._network.follows:
            self._tell_of_grey(source, size)
            size = self.size
        if size not in self._forms:
            size = self._met(size)
        return Fit.of(source, size, self.fitting)

    def _tell_of_grey(self, source: Size, size: Size) -> None:
        """Once: what the operator could gain by a model for this camera."""
        if self._config.rect and "grey" not in self._warned:
            self._warned.add("grey")
            log.info(
                "%s: the picture fills %d x %d of %d x %d px; a copy without the rest is quicker: "
                "edgetrack model resize %s --camera %dx%d --images PICTURES",
                *(self.model.path, *size, *self.size, self.model.path, *source),
            )

    def _met(self, size: Size) -> Size:
        """Run once for an input of a new size, which is returned; the whole one instead where that fails."""
        try:
            self._forms[size] = self._recognise(size, self._network.warm_up(size))
        except ModelError as error:
            if size == self.size:
                raise
            log.warning("%s: detect.rect: looks at its whole input, grey and all (%s)", self.model.path, error)
            self._network = replace(self._network, follows=False)
            return self._met(self.size)
        log.info("%s: looks at %d x %d of %d x %d px, which the picture fills", self.model.path, *size, *self.size)
        return size

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


def _head(model: OnnxModel, name: str, classes: int | None, size: Size, outputs: Sequence[Array]) -> Head:
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
