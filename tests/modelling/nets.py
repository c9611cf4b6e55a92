"""A detector of white squares made of convolutions, whose int8 form can be good or ruined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgetrack.types import Image
from tests.capture.clips import write_picture

SIDE = 96  # px of pictures and input
SQUARE = 32  # px of what it finds
STEP = 8


def square_net(path: Path, outlier: float = 1.0, opset: int = 13, noise: float = 0.0) -> Path:
    """YOLOv8 form, class "square"; the score of a window is its mean brightness, through three convolutions.

    Args:
        outlier: factor of a channel that nobody reads, but that shares its scale with the one that matters.
        noise: added to that score where the picture is dark, so that two such models disagree.
    """
    cells = (SIDE - SQUARE) // STEP + 1
    x, y = np.meshgrid(np.arange(cells) * STEP + SQUARE / 2, np.arange(cells) * STEP + SQUARE / 2)
    sides = np.full(cells * cells, SQUARE)
    boxes = np.stack([x.ravel(), y.ravel(), sides, sides])[None].astype(np.float32)
    first = np.full((2, 3, 1, 1), 1 / 3, np.float32)
    first[1] *= outlier
    second = np.array([1, 0], np.float32).reshape(1, 2, 1, 1)
    third = np.full((1, 1, SQUARE, SQUARE), (1 - noise) / SQUARE**2, np.float32)
    nodes = [
        helper.make_node("Conv", ["images", "w1"], ["grey"]),
        helper.make_node("Relu", ["grey"], ["bright"]),
        helper.make_node("Conv", ["bright", "w2"], ["one"]),
        helper.make_node("Conv", ["one", "w3", "b3"], ["means"], strides=[STEP, STEP]),
        helper.make_node("Reshape", ["means", "shape"], ["score"]),
        helper.make_node("Concat", ["boxes", "score"], ["output0"], axis=1),
    ]
    constants: dict[str, NDArray[np.generic]] = {
        "w1": first,
        "w2": second,
        "w3": third,
        "b3": np.array([noise], np.float32),
        "shape": np.array([1, 1, cells * cells], np.int64),
        "boxes": boxes,
    }
    graph = helper.make_graph(
        nodes,
        "squares",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 5, cells * cells])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
    helper.set_model_props(model, {"names": "{0: 'square'}", "license": "CC0-1.0"})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def square_pictures(folder: Path, count: int = 6) -> tuple[Path, Path]:
    """Pictures of one white square each, and their labels in YOLO text: the folders of both."""
    images, labels = folder / "images", folder / "labels"
    images.mkdir(parents=True)
    labels.mkdir()
    for number in range(count):
        left, top = number * STEP % (SIDE - SQUARE), number * 3 * STEP % (SIDE - SQUARE)
        write_picture(images / f"{number}.png", square_picture(left, top))
        centre = " ".join(str((edge + SQUARE / 2) / SIDE) for edge in (left, top))
        (labels / f"{number}.txt").write_text(f"0 {centre} {SQUARE / SIDE} {SQUARE / SIDE}\n")
    return images, labels


def square_picture(left: int, top: int) -> Image:
    image = np.full((SIDE, SIDE, 3), 10, np.uint8)
    image[top : top + SQUARE, left : left + SQUARE] = 255
    return image
