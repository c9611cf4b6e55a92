"""From a trained net to ONNX: float, and int8 with the statistics of rendered pictures."""

from __future__ import annotations

import copy
import io
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from edgetrack.image import Blob, Fit, PixelFormat
from edgetrack.render import CLASSES
from edgetrack.train.net import Deployed, Nano
from edgetrack.train.pictures import street_pictures

log = logging.getLogger(__name__)

Net = TypeVar("Net", bound=nn.Module)

OPSET = 17
SIZES = {"": (320, 192), "-square": (320, 320)}  # suffix of the file: width, height
FIRST_CALIBRATED = 5_000_000  # street
UNIT_RGB = PixelFormat("rgb", 1 / 255, (0, 0, 0), (1, 1, 1))


def fused(net: Net) -> Net:
    """The same net with every batch normalisation folded into its convolution."""
    net = copy.deepcopy(net).eval()
    for module in list(net.modules()):
        if isinstance(module, nn.Sequential):
            for k in range(len(module) - 1):
                if isinstance(module[k], nn.Conv2d) and isinstance(module[k + 1], nn.BatchNorm2d):
                    module[k], module[k + 1] = fuse_conv_bn_eval(module[k], module[k + 1]), nn.Identity()
    return net


class Streets(CalibrationDataReader):  # type: ignore[misc]
    """Rendered pictures, prepared as the detector prepares them."""

    def __init__(self, size: tuple[int, int], streets: range, per_street: int = 5) -> None:
        self._blobs = self._prepared(size, streets, per_street)

    @staticmethod
    def _prepared(size: tuple[int, int], streets: range, per_street: int) -> Iterator[dict[str, NDArray[np.float32]]]:
        for street in streets:
            for picture in street_pictures(street, per_street):
                blob = Blob(1, size, UNIT_RGB, np.float32, False, 114)
                height, width = picture.image.shape[:2]
                blob.put(0, picture.image, Fit.of((width, height), size, "centre"))
                yield {"images": blob.array}

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._blobs, None)


def export(net: Nano, folder: Path, command: str, streets: range) -> None:
    """Write float and int8 files for every size, the ranges of the latter from pictures of `streets`."""
    folder.mkdir(parents=True, exist_ok=True)
    ready = fused(net)
    for suffix, size in SIZES.items():
        plain = folder / f"edgetrack-nano{suffix}.onnx"
        model = _onnx(ready, size)
        _describe(model, command)
        onnx.save(model, plain)
        small = folder / f"edgetrack-nano{suffix}-int8.onnx"
        quantize(plain, small, size, command, streets)
        log.info("%s, %s: %d and %d KB", plain, small, plain.stat().st_size >> 10, small.stat().st_size >> 10)


def _onnx(net: Nano, size: tuple[int, int]) -> Any:
    buffer = io.BytesIO()
    picture = torch.zeros(1, 3, size[1], size[0])
    deployed = Deployed(net, *size).eval()
    torch.onnx.export(
        deployed, (picture,), buffer, opset_version=OPSET, input_names=["images"], output_names=["output"], dynamo=False
    )
    return onnx.load_from_string(buffer.getvalue())


def _describe(model: Any, command: str) -> None:
    del model.metadata_props[:]
    facts = {
        "names": str(dict(enumerate(CLASSES))),
        "task": "detect",
        "licence": "Apache-2.0",
        "author": "the edgetrack project",
        "trained_on": "streets rendered by edgetrack.render; no photographs",
        "command": command,
    }
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value)


def tail(model: Any) -> list[str]:
    """Names of the nodes behind the last convolutions: what turns their answers into boxes stays in float."""
    makers = {output: node for node in model.graph.node for output in node.output}
    todo, found = [output.name for output in model.graph.output], []
    while todo:
        node = makers.get(todo.pop())
        if node is not None and node.op_type != "Conv" and node.name not in found:
            found.append(node.name)
            todo += node.input
    return found


def quantize(plain: Path, small: Path, size: tuple[int, int], command: str, streets: range) -> None:
    """Static QDQ, unsigned activations and signed weights per channel, 7 bits of them.

    The eighth bit would overflow the 16-bit sums of x86 processors without VNNI, silently.
    """
    with tempfile.TemporaryDirectory() as folder:
        shaped = Path(folder) / "shaped.onnx"
        quant_pre_process(plain, shaped, skip_symbolic_shape=True)
        quantize_static(
            shaped,
            small,
            Streets(size, streets),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Relu", "Add", "Resize"],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=tail(onnx.load(shaped)),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"CalibMovingAverage": True},
        )
    model = onnx.load(small)
    _describe(model, command)
    onnx.save(model, small)
