"""Small but real stand-ins: a clip that PyAV wrote, a detector that ONNX Runtime runs."""

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

BLOB_PX = 32  # side of the white squares that `blob_detector` finds


def write_clip(path: Path, pictures: Iterable[NDArray[np.uint8]], fps: int = 10) -> Path:
    """An H.264 file of BGR pictures (H, W, 3), sides even."""
    with av.open(str(path), "w") as container:
        stream = None
        for picture in pictures:
            if stream is None:
                stream = container.add_stream("libx264", rate=fps, options={"crf": "12", "preset": "ultrafast"})
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        assert stream is not None
        container.mux(stream.encode())
    return path


def walking_square(frames: int, size: tuple[int, int] = (320, 192), y: int = 80) -> Iterable[NDArray[np.uint8]]:
    """A white square that walks from the left edge to the right one."""
    width, height = size
    for i in range(frames):
        picture = np.full((height, width, 3), 20, np.uint8)
        x = round(i / (frames - 1) * (width - BLOB_PX))
        picture[y : y + BLOB_PX, x : x + BLOB_PX] = 255
        yield picture


def blob_detector(path: Path, size: tuple[int, int] = (320, 192), names: str = "{0: 'person'}") -> Path:
    """A YOLOv8-form model that finds white squares of 32 px: the score of a window is its mean brightness.

    Windows stand every 8 px; a window half off the square scores 0.5, so min_score 0.8 leaves those that fit.
    """
    width, height = size
    columns, rows = (width - BLOB_PX) // 8 + 1, (height - BLOB_PX) // 8 + 1
    cx, cy = np.meshgrid(np.arange(columns) * 8.0 + BLOB_PX / 2, np.arange(rows) * 8.0 + BLOB_PX / 2)
    n = rows * columns
    boxes = np.stack([cx.ravel(), cy.ravel(), np.full(n, BLOB_PX), np.full(n, BLOB_PX)])[None].astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["images"], ["grey"], axes=[1], keepdims=1),
            helper.make_node("AveragePool", ["grey"], ["means"], kernel_shape=[BLOB_PX, BLOB_PX], strides=[8, 8]),
            helper.make_node("Reshape", ["means", "shape"], ["score"]),
            helper.make_node("Concat", ["boxes", "score"], ["output0"], axis=1),
        ],
        "blobs",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, height, width])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 5, n])],
        [
            helper.make_tensor("boxes", TensorProto.FLOAT, boxes.shape, boxes.ravel()),
            helper.make_tensor("shape", TensorProto.INT64, [3], [1, 1, n]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, {"names": names})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path
