"""Small real ONNX models, of a few nodes each."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str]


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[tuple[str, int, Shape]],
    outputs: Sequence[tuple[str, int, Shape]],
    constants: dict[str, NDArray[np.generic]] | None = None,
    metadata: dict[str, str] | None = None,
) -> str:
    """Write a graph; inputs and outputs are (name, element type, shape). Returns the path as the settings want it."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(*entry) for entry in inputs],
        [helper.make_tensor_value_info(*entry) for entry in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return str(path)


def constant_detector(
    path: Path,
    outputs: Sequence[NDArray[np.generic]],
    shape: Shape = (1, 3, 64, 64),
    dtype: int = TensorProto.FLOAT,
    metadata: dict[str, str] | None = None,
) -> str:
    """Answers every picture with the same outputs; what it does with the picture is to take its mean, times 0."""
    nodes, infos, constants = [], [], {"nought": np.zeros((1,), np.float32)}
    nodes.append(helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT))
    nodes.append(helper.make_node("ReduceMean", ["float"], ["mean"], keepdims=0))
    nodes.append(helper.make_node("Mul", ["mean", "nought"], ["nothing"]))
    for i, output in enumerate(outputs):
        kind = helper.np_dtype_to_tensor_dtype(output.dtype)
        constants[f"given{i}"] = output
        nodes.append(helper.make_node("Cast", ["nothing"], [f"nothing{i}"], to=kind))
        nodes.append(helper.make_node("Add", [f"given{i}", f"nothing{i}"], [f"output{i}"]))
        infos.append((f"output{i}", kind, output.shape))
    return save(path, nodes, [("images", dtype, shape)], infos, constants, metadata)


def mean_embedder(
    path: Path, shape: Shape, output: Shape, channels_last: bool = False, dtype: int = TensorProto.FLOAT
) -> str:
    """The mean of each channel, as it comes in, of each crop."""
    axes = [1, 2] if channels_last else [2, 3]
    nodes = [
        helper.make_node("Cast", ["input"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["output"], axes=axes, keepdims=int(len(output) == 4)),
    ]
    return save(path, nodes, [("input", dtype, shape)], [("output", TensorProto.FLOAT, output)])


def rewired(source: Path, path: Path, kind: str) -> str:
    """A detector of squares (tests.parts.blob_detector) as "float16", as "uint8" with channels last, or "int8" QDQ."""
    model = onnx.load(str(source))
    graph = model.graph
    shape = [d.dim_value for d in graph.input[0].type.tensor_type.shape.dim]
    if kind == "int8":
        graph.initializer.append(numpy_helper.from_array(np.float32(1 / 255), "step"))
        graph.initializer.append(numpy_helper.from_array(np.uint8(0), "zero"))
        grey, means = "grey", "means"
        for node in graph.node:
            node.input[:] = [f"{name}_" if name in (grey, means) else name for name in node.input]
        for place, name in ((1, grey), (4, means)):
            graph.node.insert(place, helper.make_node("QuantizeLinear", [name, "step", "zero"], [f"{name}8"]))
            back = helper.make_node("DequantizeLinear", [f"{name}8", "step", "zero"], [f"{name}_"])
            graph.node.insert(place + 1, back)
    else:
        graph.node[0].input[0] = "pixels"
        kinds = {"float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}
        if kind == "uint8":
            shape = [1, *shape[2:], 3]
            graph.initializer.append(numpy_helper.from_array(np.float32(1 / 255), "step"))
            graph.node.insert(0, helper.make_node("Transpose", ["scaled"], ["pixels"], perm=[0, 3, 1, 2]))
            graph.node.insert(0, helper.make_node("Mul", ["cast", "step"], ["scaled"]))
        graph.node.insert(0, helper.make_node("Cast", ["images"], ["cast"], to=TensorProto.FLOAT))
        if kind == "float16":
            graph.node[1].input[0] = "cast"
            graph.node[-1].output[0] = "output32"
            graph.node.append(helper.make_node("Cast", ["output32"], ["output0"], to=TensorProto.FLOAT16))
            graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
        graph.input[0].CopyFrom(helper.make_tensor_value_info("images", kinds[kind], shape))
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return str(path)
