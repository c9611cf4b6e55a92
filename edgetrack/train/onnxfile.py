"""From a trained net to ONNX: float, and int8 with the statistics of examples."""

from __future__ import annotations

import copy
import io
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

log = logging.getLogger(__name__)

Net = TypeVar("Net", bound=nn.Module)

OPSET = 17


def fused(net: Net) -> Net:
    """The same net with every batch normalisation folded into its convolution."""
    net = copy.deepcopy(net).eval()
    for module in list(net.modules()):
        if isinstance(module, nn.Sequential):
            for k in range(len(module) - 1):
                if isinstance(module[k], nn.Conv2d) and isinstance(module[k + 1], nn.BatchNorm2d):
                    module[k], module[k + 1] = fuse_conv_bn_eval(module[k], module[k + 1]), nn.Identity()
    return net


def write(
    net: nn.Module,
    path: Path,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    facts: Mapping[str, str],
    rows: str | None = None,
) -> None:
    """The float file.

    Args:
        net: as it is deployed.
        inputs: an example of each, by name, in the order of the net's arguments.
        facts: go into the file's metadata, beside licence and author.
        rows: what the first axis of all inputs and outputs counts, where that may be any number.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    torch.onnx.export(
        net.eval(),
        tuple(inputs.values()),
        buffer,
        opset_version=OPSET,
        input_names=list(inputs),
        output_names=list(outputs),
        dynamic_axes={name: {0: rows} for name in (*inputs, *outputs)} if rows else None,
        dynamo=False,
    )
    model = onnx.load_from_string(buffer.getvalue())
    del model.metadata_props[:]
    for key, value in {**facts, "licence": "Apache-2.0", "author": "the edgetrack project"}.items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, path)


class _Examples(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, examples: Iterator[dict[str, NDArray[Any]]]) -> None:
        self._examples = examples

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._examples, None)


def quantize(
    plain: Path,
    examples: Iterator[dict[str, NDArray[Any]]],
    operators: Sequence[str],
    in_float: Callable[[Any], list[str]],
) -> None:
    """Write NAME-int8.onnx beside NAME.onnx: static QDQ, unsigned activations, signed weights per channel of 7 bits.

    The eighth bit would overflow the 16-bit sums of x86 processors without VNNI, silently.

    Args:
        plain: the float file, whose metadata goes over.
        examples: inputs by name, for the ranges of the activations.
        operators: kinds of the nodes in int8.
        in_float: names of those nodes of the graph that stay in float all the same.
    """
    small = plain.with_name(f"{plain.stem}-int8.onnx")
    with tempfile.TemporaryDirectory() as folder:
        shaped = Path(folder) / "shaped.onnx"
        quant_pre_process(plain, shaped, skip_symbolic_shape=True)
        quantize_static(
            shaped,
            small,
            _Examples(examples),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(operators),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=in_float(onnx.load(shaped).graph),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"CalibMovingAverage": True},
        )
    model = onnx.load(small)
    del model.metadata_props[:]
    model.metadata_props.extend(onnx.load(plain).metadata_props)
    onnx.save(model, small)
    log.info("%s, %s: %d and %d KB", plain, small, plain.stat().st_size >> 10, small.stat().st_size >> 10)
