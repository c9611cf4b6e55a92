"""From a trained follower to ONNX: float, and int8 with the statistics of drawn examples."""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from edgetrack.refine.crops import SEARCH_PX, TEMPLATE_PX
from edgetrack.train.concatnet import Concat, DeployedConcat
from edgetrack.train.export import fused
from edgetrack.train.follow import stored
from edgetrack.train.follownet import Deployed, Goturn

log = logging.getLogger(__name__)

OPSET = 17
CALIBRATED_ON = 512  # examples


class Drawn(CalibrationDataReader):  # type: ignore[misc]
    """Examples, eight at a time."""

    def __init__(self, folder: Path, inputs: Sequence[str]) -> None:
        self._parts = self._prepared(folder, inputs)

    @staticmethod
    def _prepared(folder: Path, inputs: Sequence[str]) -> Iterator[dict[str, NDArray[Any]]]:
        shard = stored(folder)[0]
        for k in range(0, CALIBRATED_ON, 8):
            yield {name: np.array(getattr(shard, name)[k : k + 8]) for name in inputs}

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._parts, None)


def export(net: Goturn | Concat, folder: Path, examples: Path, name: str, command: str) -> None:
    """Write NAME.onnx and NAME-int8.onnx."""
    folder.mkdir(parents=True, exist_ok=True)
    plain, small = folder / f"{name}.onnx", folder / f"{name}-int8.onnx"
    buffer = io.BytesIO()
    template = torch.zeros(2, 3, TEMPLATE_PX, TEMPLATE_PX, dtype=torch.uint8)
    search = torch.zeros(2, 3, SEARCH_PX, SEARCH_PX, dtype=torch.uint8)
    inputs = {"first": template, "recent": template, "search": search, "shape": torch.full((2, 6), 0.5)}
    if isinstance(net, Concat):
        del inputs["first"]
    deployed = DeployedConcat(fused(net)) if isinstance(net, Concat) else Deployed(fused(net))
    torch.onnx.export(
        deployed.eval(),
        tuple(inputs.values()),
        buffer,
        opset_version=OPSET,
        input_names=list(inputs),
        output_names=["xyxy", "confidence"],
        dynamic_axes={name: {0: "targets"} for name in (*inputs, "xyxy", "confidence")},
        dynamo=False,
    )
    model = onnx.load_from_string(buffer.getvalue())
    _describe(model, command)
    onnx.save(model, plain)
    quantize(plain, small, Drawn(examples, list(inputs)), command)
    log.info("%s, %s: %d and %d KB", plain, small, plain.stat().st_size >> 10, small.stat().st_size >> 10)


def quantize(plain: Path, small: Path, examples: CalibrationDataReader, command: str) -> None:
    """Static QDQ of the convolutions, 7 bits of weights; comparison and vote stay in float.

    The eighth bit would overflow the 16-bit sums of x86 processors without VNNI, silently.
    """
    with tempfile.TemporaryDirectory() as folder:
        shaped = Path(folder) / "shaped.onnx"
        quant_pre_process(plain, shaped, skip_symbolic_shape=True)
        graph = onnx.load(shaped).graph
        last = [node.name for node in graph.node if node.op_type == "Conv"][-1]
        quantize_static(
            shaped,
            small,
            examples,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Add"],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[last, *(n.name for n in graph.node if n.op_type == "Add" and not _residual(graph, n))],
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"CalibMovingAverage": True},
        )
    model = onnx.load(small)
    _describe(model, command)
    onnx.save(model, small)


def _residual(graph: Any, node: Any) -> bool:
    """Whether an addition joins two feature maps."""
    makers = {output: n.op_type for n in graph.node for output in n.output}
    return all(makers.get(name) in ("Relu", "Conv") for name in node.input)


def _describe(model: Any, command: str) -> None:
    del model.metadata_props[:]
    facts = {
        "task": "follow",
        "licence": "Apache-2.0",
        "author": "the edgetrack project",
        "trained_on": "things drawn and streets rendered by edgetrack.train and edgetrack.render; no photographs",
        "command": command,
    }
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value)
