"""From a trained detector to ONNX: float, and int8 with the statistics of rendered pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgetrack.image import Blob, Fit, PixelFormat
from edgetrack.render import CLASSES
from edgetrack.train.net import Deployed, Nano
from edgetrack.train.onnxfile import fused, quantize, write
from edgetrack.train.pictures import street_pictures

SIZES = {"": (320, 192), "-square": (320, 320)}  # suffix of the file: width, height
FIRST_CALIBRATED = 5_000_000  # street
PER_STREET = 5  # pictures
UNIT_RGB = PixelFormat("rgb", 1 / 255, (0, 0, 0), (1, 1, 1))


def export(net: Nano, folder: Path, command: str, streets: range) -> None:
    """Write float and int8 files for every size, the ranges of the latter from pictures of `streets`."""
    facts = {
        "names": str(dict(enumerate(CLASSES))),
        "task": "detect",
        "trained_on": "streets rendered by edgetrack.render; no photographs",
        "command": command,
    }
    ready = fused(net)
    for suffix, (width, height) in SIZES.items():
        plain = folder / f"edgetrack-nano{suffix}.onnx"
        picture = {"images": torch.zeros(1, 3, height, width)}
        write(Deployed(ready, width, height), plain, picture, ["output"], facts)
        quantize(plain, examples((width, height), streets), ["Conv", "Relu", "Add", "Resize"], tail)


def examples(size: tuple[int, int], streets: range) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Rendered pictures, prepared as the detector prepares them."""
    for street in streets:
        for picture in street_pictures(street, PER_STREET):
            blob = Blob(1, size, UNIT_RGB, np.float32, False, 114)
            height, width = picture.image.shape[:2]
            blob.put(0, picture.image, Fit.of((width, height), size, "centre"))
            yield {"images": blob.array}


def tail(graph: Any) -> list[str]:
    """Names of the nodes behind the last convolutions: what turns their answers into boxes stays in float."""
    makers = {output: node for node in graph.node for output in node.output}
    todo, found = [output.name for output in graph.output], []
    while todo:
        node = makers.get(todo.pop())
        if node is not None and node.op_type != "Conv" and node.name not in found:
            found.append(node.name)
            todo += node.input
    return found
