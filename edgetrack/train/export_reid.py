"""From a trained embedder to ONNX: float, and int8 with the statistics of drawn crops."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from edgetrack.train.crops import Feed
from edgetrack.train.looks import HEIGHT, WIDTH, Wardrobe
from edgetrack.train.onnxfile import fused, quantize, write
from edgetrack.train.reidnet import Deployed, Reid

CALIBRATED_ON = 4  # batches
CALIBRATION_SEED = 999


def export(net: Reid, folder: Path, wardrobe: Wardrobe, command: str, identities: int) -> None:
    """Write edgetrack-reid.onnx and edgetrack-reid-int8.onnx; the last convolution and the length stay in float."""
    facts = {
        "task": "embed",
        "trained_on": "people, cars, cyclists and things drawn by edgetrack.train and edgetrack.render; no photographs",
        "command": command,
    }
    plain = folder / "edgetrack-reid.onnx"
    crops = {"crops": torch.zeros(2, 3, HEIGHT, WIDTH)}
    write(Deployed(fused(net)), plain, crops, ["embedding"], facts, rows="crops")
    quantize(plain, examples(Feed(wardrobe, CALIBRATION_SEED, identities)), ["Conv", "Relu", "Add"], last)


def examples(feed: Feed) -> Iterator[dict[str, NDArray[Any]]]:
    """Crops, eight at a time."""
    for crops, _ in feed.batches(CALIBRATED_ON):
        yield from ({"crops": part.numpy()} for part in crops.split(8))


def last(graph: Any) -> list[str]:
    return [node.name for node in graph.node if node.op_type == "Conv"][-1:]
