"""From a trained embedder to ONNX: float, and int8 with the statistics of drawn crops."""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from edgetrack.train.crops import Feed
from edgetrack.train.export import fused
from edgetrack.train.looks import HEIGHT, WIDTH, Wardrobe
from edgetrack.train.reidnet import Deployed, Reid

log = logging.getLogger(__name__)

OPSET = 17
CALIBRATED_ON = 4  # batches
CALIBRATION_SEED = 999


class Drawn(CalibrationDataReader):  # type: ignore[misc]
    """Crops, eight at a time."""

    def __init__(self, wardrobe: Wardrobe, identities: int) -> None:
        self._parts = self._prepared(Feed(wardrobe, CALIBRATION_SEED, identities))

    @staticmethod
    def _prepared(feed: Feed) -> Iterator[dict[str, NDArray[Any]]]:
        for crops, _ in feed.batches(CALIBRATED_ON):
            yield from ({"crops": part.numpy()} for part in crops.split(8))

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._parts, None)


def export(net: Reid, folder: Path, wardrobe: Wardrobe, command: str, identities: int = 32) -> None:
    """Write edgetrack-reid.onnx and edgetrack-reid-int8.onnx."""
    folder.mkdir(parents=True, exist_ok=True)
    plain, small = folder / "edgetrack-reid.onnx", folder / "edgetrack-reid-int8.onnx"
    buffer = io.BytesIO()
    torch.onnx.export(
        Deployed(fused(net)).eval(),
        (torch.zeros(2, 3, HEIGHT, WIDTH),),
        buffer,
        opset_version=OPSET,
        input_names=["crops"],
        output_names=["embedding"],
        dynamic_axes={"crops": {0: "crops"}, "embedding": {0: "crops"}},
        dynamo=False,
    )
    model = onnx.load_from_string(buffer.getvalue())
    _describe(model, command)
    onnx.save(model, plain)
    quantize(plain, small, wardrobe, command, identities)
    log.info("%s, %s: %d and %d KB", plain, small, plain.stat().st_size >> 10, small.stat().st_size >> 10)


def quantize(plain: Path, small: Path, wardrobe: Wardrobe, command: str, identities: int = 32) -> None:
    """Static QDQ of the convolutions, 7 bits of weights; the last one and the length stay in float.

    The eighth bit would overflow the 16-bit sums of x86 processors without VNNI, silently.
    """
    with tempfile.TemporaryDirectory() as folder:
        shaped = Path(folder) / "shaped.onnx"
        quant_pre_process(plain, shaped, skip_symbolic_shape=True)
        last = [node.name for node in onnx.load(shaped).graph.node if node.op_type == "Conv"][-1]
        quantize_static(
            shaped,
            small,
            Drawn(wardrobe, identities),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Relu", "Add"],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[last],
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"CalibMovingAverage": True},
        )
    model = onnx.load(small)
    _describe(model, command)
    onnx.save(model, small)


def _describe(model: Any, command: str) -> None:
    del model.metadata_props[:]
    facts = {
        "task": "embed",
        "licence": "Apache-2.0",
        "author": "the edgetrack project",
        "trained_on": "people, cars, cyclists and things drawn by edgetrack.train and edgetrack.render; no photographs",
        "command": command,
    }
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value)
