"""A detector's model, loaded, and the input it takes: all that its file says, or as much as a picture fills."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgetrack.config import DetectConfig, RuntimeConfig
from edgetrack.detect.forms import recognise
from edgetrack.detect.heads import Array, Size
from edgetrack.detect.rect import STRIDE, left_open
from edgetrack.errors import ModelError
from edgetrack.runtime import OnnxModel, on_cpu

LARGEST = 1 << 27  # bytes of a file; it is held in memory twice meanwhile, and no CPU keeps up with what is larger


@dataclass(frozen=True, slots=True)
class Network:
    """
    Attributes:
        graph: content of the file as it was changed to follow; b"": it was not.
        size: width and height of its input, px.
        channels_last: the input is (1, H, W, 3), not (1, 3, H, W).
        follows: it takes a smaller input, too, and its outputs become as much less.
    """

    model: OnnxModel
    graph: bytes
    size: Size
    channels_last: bool
    follows: bool

    @property
    def least(self) -> Size:
        """An input that is surely small enough: what is reserved for a run is kept."""
        return _half(self.size) if self.follows else self.size

    def warm_up(self, size: Size, model: OnnxModel | None = None) -> list[Array]:
        """Outputs for an input of this size.

        Args:
            model: another session of it.
        """
        width, height = size
        shape = (1, height, width, 3) if self.channels_last else (1, 3, height, width)
        return (model or self.model).warm_up(shape)


def load(config: DetectConfig, runtime: RuntimeConfig) -> Network:
    """The model, made to follow where `detect.rect` asks for it, nothing but a CPU runs it, and it can.

    Other providers compile for one size, some for minutes; they get what the file says.

    Raises:
        ModelError: the file cannot be loaded, or takes no picture.
    """
    rect = config.rect and on_cpu(runtime)
    network = _left_open(config, runtime) if rect else None
    if network is not None:
        network.model.tell()
    else:
        model = OnnxModel(config.model, runtime)
        size, channels_last = _input_size(model, config.size)
        network = Network(model, b"", size, channels_last, follows=False)
        if rect and None in model.inputs[0].shape[1:]:
            network = replace(network, follows=_follows(network, config.head))
    return network


def _left_open(config: DetectConfig, runtime: RuntimeConfig) -> Network | None:
    """A model of a fixed size with its input left open; None where that cannot be, whatever the reason."""
    try:
        file = Path(config.model)
        opened = left_open(file.read_bytes()) if file.stat().st_size <= LARGEST else None
        if opened is None or config.size not in (None, opened.size):
            return None
        model = OnnxModel(config.model, runtime, opened.file, silent=True)
        size, channels_last = _input_size(model, opened.size)
    except (OSError, ModelError):
        return None
    network = Network(model, opened.file, size, channels_last, follows=True)
    return network if _follows(network, config.head) else None


def _follows(network: Network, head: str) -> bool:
    """Whether it runs at two smaller sizes, all of its outputs differ between them, and they have this form."""
    less = _half(network.size)
    try:
        outputs = network.warm_up((network.size[0], less[1])), network.warm_up(less)
    except ModelError:
        return False
    return all(one.shape != other.shape for one, other in zip(*outputs, strict=True)) and (
        recognise(less, [output.shape for output in outputs[1]], head) is not None
    )


def _half(size: Size) -> Size:
    width, height = (-(-side // (2 * STRIDE)) * STRIDE for side in size)
    return width, height


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
