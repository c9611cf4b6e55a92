"""A follower that ONNX Runtime runs: it finds the middle of what is white in the window; brighter is surer."""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper, parser

GRAPH = """
<ir_version: 8, opset_import: ["" : 17]>
follower (uint8[N,3,56,56] first, uint8[N,3,56,56] recent, uint8[N,3,112,112] search, float[N,6] shape)
    => (float[N,4] xyxy, float[N] confidence)
{
    pixels = Cast <to = 1> (search)
    grey = ReduceMean <axes = [1], keepdims = 0> (pixels)
    over = Sub (grey, threshold)
    white = Relu (over)
    columns = ReduceMean <axes = [1], keepdims = 0> (white)
    rows = ReduceMean <axes = [2], keepdims = 0> (white)
    whole = ReduceMean <axes = [1], keepdims = 1> (columns)
    cx0 = Mul (columns, places)
    cx1 = ReduceMean <axes = [1], keepdims = 1> (cx0)
    cx = Div (cx1, whole)
    cy0 = Mul (rows, places)
    cy1 = ReduceMean <axes = [1], keepdims = 1> (cy0)
    cy = Div (cy1, whole)
    size = Slice (shape, four, six, one)
    half = Mul (size, a_half)
    middle = Concat <axis = 1> (cx, cy)
    low = Sub (middle, half)
    high = Add (middle, half)
    xyxy = Concat <axis = 1> (low, high)
    brightest = ReduceMax <axes = [1, 2], keepdims = 0> (grey)
    confidence = Div (brightest, full)
}
"""


def white_follower(path: Path) -> Path:
    """Where nothing is white, it answers with NaN."""
    model = parser.parse_model(GRAPH)
    constants: dict[str, NDArray[np.generic]] = {
        "threshold": np.array(200, np.float32),
        "places": ((np.arange(112) + 0.5) / 112).astype(np.float32),
        "four": np.array([4]),
        "six": np.array([6]),
        "one": np.array([1]),
        "a_half": np.array(0.5, np.float32),
        "full": np.array(255, np.float32),
    }
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in constants.items())
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def square(x: float, y: float, size: tuple[int, int] = (320, 240), side: int = 32) -> NDArray[np.uint8]:
    """A dark picture with a white square whose left top corner is at x, y."""
    picture = np.full((size[1], size[0], 3), 40, np.uint8)
    picture[round(y) : round(y) + side, round(x) : round(x) + side] = 255
    return picture
