"""Counting what a model costs, against sums done by hand."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from edgetrack.modelling.graph import anatomy
from tests.detect.models import save
from tests.modelling.nets import SIDE, SQUARE, STEP, square_net

SHAPE = {"images": (1, 3, SIDE, SIDE)}
CELLS = ((SIDE - SQUARE) // STEP + 1) ** 2


def test_multiply_adds_and_parameters_of_convolutions(tmp_path: Path) -> None:
    found = anatomy(str(square_net(tmp_path / "net.onnx")), SHAPE)
    assert found.multiply_adds == SIDE**2 * (2 * 3 + 1 * 2) + CELLS * SQUARE**2
    assert found.parameters == 2 * 3 + 1 * 2 + SQUARE**2 + 1
    assert (found.quantized, found.quantized_share, found.uncounted, found.opset) == ("no", 0, 0, 13)


def test_groups_divide_the_work(tmp_path: Path) -> None:
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], group=4)]
    ends = [("x", TensorProto.FLOAT, (1, 4, 8, 8))], [("y", TensorProto.FLOAT, (1, 4, 6, 6))]
    file = save(tmp_path / "net.onnx", nodes, *ends, {"w": np.ones((4, 1, 3, 3), np.float32)})
    assert anatomy(file, {"x": (1, 4, 8, 8)}).multiply_adds == 4 * 6 * 6 * 9


@pytest.mark.parametrize(("turned", "shape"), [(0, (5, 7)), (1, (7, 5))])
def test_matrix_products(tmp_path: Path, turned: int, shape: tuple[int, int]) -> None:
    nodes = [helper.make_node("Gemm", ["x", "w"], ["y"], transB=turned), helper.make_node("MatMul", ["y", "v"], ["z"])]
    ends = [("x", TensorProto.FLOAT, ("batch", 5))], [("z", TensorProto.FLOAT, ("batch", 3))]
    weights = {"w": np.ones(shape, np.float32), "v": np.ones((7, 3), np.float32)}
    file = save(tmp_path / "net.onnx", nodes, *ends, weights)
    assert anatomy(file, {"x": (1, 5)}).multiply_adds == 35 + 21
    assert anatomy(file, {"x": (1, 5)}).parameters == 35 + 21


def test_a_product_of_two_computed_values_is_counted(tmp_path: Path) -> None:
    nodes = [helper.make_node("Transpose", ["x"], ["t"]), helper.make_node("MatMul", ["x", "t"], ["y"])]
    file = save(tmp_path / "net.onnx", nodes, [("x", TensorProto.FLOAT, (4, 6))], [("y", TensorProto.FLOAT, (4, 4))])
    assert (anatomy(file, {"x": (4, 6)}).multiply_adds, anatomy(file, {"x": (4, 6)}).parameters) == (96, 0)


def test_a_transposed_convolution_is_counted_by_its_input(tmp_path: Path) -> None:
    nodes = [helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])]
    ends = [("x", TensorProto.FLOAT, (1, 3, 4, 4))], [("y", TensorProto.FLOAT, (1, 5, 8, 8))]
    file = save(tmp_path / "net.onnx", nodes, *ends, {"w": np.ones((3, 5, 2, 2), np.float32)})
    assert anatomy(file, {"x": (1, 3, 4, 4)}).multiply_adds == 3 * 16 * 5 * 4


def test_without_a_size_the_rest_is_told(tmp_path: Path) -> None:
    found = anatomy(str(square_net(tmp_path / "net.onnx")), {})
    assert (found.multiply_adds, found.uncounted) == (0, 3)
    assert found.parameters == 2 * 3 + 1 * 2 + SQUARE**2 + 1


def test_dynamic_quantization_is_recognised(tmp_path: Path) -> None:
    small = tmp_path / "small.onnx"
    quantize_dynamic(square_net(tmp_path / "net.onnx"), small, weight_type=QuantType.QUInt8)
    found = anatomy(str(small), SHAPE)
    assert found.quantized.startswith("dynamic")
    assert found.multiply_adds == anatomy(str(tmp_path / "net.onnx"), SHAPE).multiply_adds


def test_weights_that_are_only_stored_small_are_recognised(tmp_path: Path) -> None:
    model = onnx.load(str(square_net(tmp_path / "net.onnx")))
    model.graph.initializer.append(numpy_helper.from_array(np.ones((2, 3, 1, 1), np.int8), "small"))
    model.graph.initializer.append(numpy_helper.from_array(np.float32(1 / 3), "step"))
    model.graph.node.insert(0, helper.make_node("DequantizeLinear", ["small", "step"], ["large"]))
    model.graph.node[1].input[1] = "large"
    onnx.save(model, str(tmp_path / "net.onnx"))
    assert anatomy(str(tmp_path / "net.onnx"), SHAPE).quantized.startswith("weights only")


@pytest.mark.parametrize(
    ("name", "shape", "millions"),
    [
        ("yolox_nano_416", (1, 3, 416, 416), (0.904, 522.6)),
        ("osnet_x0_25_msmt17", (1, 3, 256, 128), (0.200, 82.3)),
    ],
)
def test_real_models_cost_about_what_their_authors_say(
    shared: Path, name: str, shape: tuple[int, ...], millions: tuple[float, float]
) -> None:
    """YOLOX-nano: 0.91 M parameters, 1.08 GFLOP at 416 px; OSNet x0.25: 0.2 M parameters, 82.3 M multiply-adds."""
    file = shared / "models" / f"{name}.onnx"
    source = onnx.load(str(file)).graph.input[0].name
    found = anatomy(str(file), {source: shape})
    assert (found.parameters / 1e6, found.multiply_adds / 1e6) == pytest.approx(millions, rel=1e-3)
