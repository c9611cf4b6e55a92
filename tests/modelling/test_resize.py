"""A model for pictures of another size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgetrack.config import DetectConfig, RuntimeConfig
from edgetrack.detect.yolo import YoloDetector
from edgetrack.errors import ModelError
from edgetrack.modelling.resize import filled, resize
from edgetrack.runtime import OnnxModel
from tests.detect.models import mean_embedder
from tests.modelling.nets import square_pictures
from tests.modelling.test_prepare import SIDE, small_yolox
from tests.modelling.test_verbs import model as verb

Array = NDArray[Any]
HALF = (SIDE, SIDE // 2)


@pytest.fixture
def net(tmp_path: Path) -> Path:
    return small_yolox(tmp_path / "net.onnx")


def answers(path: Path, height: int) -> list[Array]:
    """The maps of strides 8, 16 and 32, (rows, columns, values), of the upper part of one picture."""
    model = OnnxModel(str(path), RuntimeConfig(threads=1))
    picture = np.random.default_rng(2).integers(0, 256, (1, 3, SIDE, SIDE))[:, :, :height]
    if model.inputs[0].shape[1] != 3:
        picture = picture.transpose(0, 2, 3, 1)
    found = model.run(np.ascontiguousarray(picture, model.inputs[0].dtype))[0][0]
    maps, first = [], 0
    for stride in (8, 16, 32):
        rows, columns = height // stride, SIDE // stride
        maps.append(found[first : first + rows * columns].reshape(rows, columns, -1))
        first += rows * columns
    assert first == len(found)
    return maps


def changed(path: Path, change: Any) -> Path:
    model = onnx.load(str(path))
    change(model.graph)
    onnx.save(model, str(path))
    return path


def counted(graph: Any) -> None:
    """As some exporters write it: every map flattened to the number of its cells."""
    for stride, node in zip((8, 16, 32), [n for n in graph.node if n.op_type == "Reshape"], strict=True):
        cells = (SIDE // stride) ** 2
        node.input[1] = f"cells{stride}"
        graph.initializer.append(numpy_helper.from_array(np.array([1, 8, cells]), f"cells{stride}"))


def gridded(graph: Any) -> None:
    """As models do that decode in the graph: something is added to every cell, and their number is known."""
    grid = np.random.default_rng(4).normal(0, 1, (1, 84, 8)).astype(np.float32)
    graph.initializer.append(numpy_helper.from_array(grid, "grid"))
    graph.initializer.append(numpy_helper.from_array(np.array([1, 84, 8]), "all_cells"))
    last = graph.node[-1]
    last.output[0] = "plain"
    graph.node.append(helper.make_node("Reshape", ["plain", "all_cells"], ["shaped"]))
    graph.node.append(helper.make_node("Add", ["shaped", "grid"], ["output"]))


def attending(graph: Any) -> None:
    """As attention does: the coarsest map becomes rows of a batch and a map again."""
    coarse = next(node for node in graph.node if node.output[0] == "level16")
    coarse.output[0] = "map16"
    for name, shape in (("as_rows", [1, 2, 4, 4]), ("as_map", [1, 8, 2, 2])):
        graph.initializer.append(numpy_helper.from_array(np.array(shape), name))
    place = list(graph.node).index(coarse) + 1
    graph.node.insert(place, helper.make_node("Reshape", ["map16", "as_rows"], ["rows16"]))
    graph.node.insert(place + 1, helper.make_node("Reshape", ["rows16", "as_map"], ["level16"]))


def mapped(graph: Any) -> None:
    """Something is added to every place of a map: where it stands on its sides, nobody can tell."""
    graph.initializer.append(numpy_helper.from_array(np.zeros((1, 8, 8, 8), np.float32), "places"))
    fine = next(node for node in graph.node if node.output[0] == "level4")
    fine.output[0] = "bare4"
    added = helper.make_node("Add", ["bare4", "places"], ["level4"])
    graph.node.insert(list(graph.node).index(fine) + 1, added)


def maps_last(graph: Any) -> None:
    """As what comes from TensorFlow: channels of a map are its last axis when its cells become rows."""
    for stride, node in zip((8, 16, 32), [n for n in graph.node if n.op_type == "Reshape"], strict=True):
        turned = helper.make_node("Transpose", [node.input[0]], [f"turned{stride}"], perm=[0, 2, 3, 1])
        graph.node.insert(list(graph.node).index(node), turned)
        node.input[0], node.input[1] = f"turned{stride}", f"rows{stride}"
        cells = np.array([1, (SIDE // stride) ** 2, 8])
        graph.initializer.append(numpy_helper.from_array(cells, f"rows{stride}"))
    joined, last = graph.node[-2:]
    joined.attribute[0].i = 1  # the axis
    joined.output[0] = last.output[0]
    graph.node.remove(last)


def channels_last(graph: Any) -> None:
    dims = graph.input[0].type.tensor_type.shape.dim
    for dim, value in zip(dims, (1, SIDE, SIDE, 3), strict=True):
        dim.dim_value = value
    _before_all(graph, helper.make_node("Transpose", ["photo"], ["images"], perm=[0, 3, 1, 2]))


def of_bytes(graph: Any) -> None:
    graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    _before_all(graph, helper.make_node("Cast", ["photo"], ["images"], to=TensorProto.FLOAT))


def _before_all(graph: Any, node: Any) -> None:
    """The input is called after the last such node."""
    given = graph.input[0].name
    node.input[0], node.output[0] = f"{given}_{node.op_type}", given
    graph.input[0].name = node.input[0]
    graph.node.insert(0, node)


@pytest.mark.parametrize(
    "pictures",
    [(), (channels_last,), (of_bytes,), (channels_last, of_bytes)],
    ids=["channels first", "channels last", "bytes", "bytes, channels last"],
)
@pytest.mark.parametrize(
    "change",
    [lambda graph: None, counted, gridded, attending, maps_last],
    ids=["as it is", "with its cells counted", "with a grid of its cells", "with rows of a map", "with maps last"],
)
def test_what_the_picture_fills_is_answered_as_before(net: Path, tmp_path: Path, change: Any, pictures: Any) -> None:
    for each in (change, *pictures):
        changed(net, each)
    resize(str(net), tmp_path / "half.onnx", HALF)
    for whole, half in zip(answers(net, SIDE), answers(tmp_path / "half.onnx", SIDE // 2), strict=True):
        inner = max(len(half) - 1, 0)  # the last row sees what lies below
        np.testing.assert_allclose(half[:inner], whole[:inner], atol=1e-4)


def test_a_detector_of_another_size_finds_its_boxes_in_pixels_of_the_picture(net: Path, tmp_path: Path) -> None:
    resize(str(net), tmp_path / "half.onnx", HALF)
    detector = YoloDetector(DetectConfig(model=str(tmp_path / "half.onnx"), min_score=0.01), RuntimeConfig(threads=1))
    assert detector.size == HALF
    assert detector.detect(np.full((320, 640, 3), 90, np.uint8)).xyxy[:, 2].max() > 320


def test_a_grid_tells_nothing_of_a_larger_input(net: Path, tmp_path: Path) -> None:
    changed(net, gridded)
    with pytest.raises(ModelError, match="cannot take 96 x 64 px instead of 64 x 64"):
        resize(str(net), tmp_path / "large.onnx", (96, SIDE))


def test_what_is_made_for_one_size_is_refused_and_nothing_is_written(net: Path, tmp_path: Path) -> None:
    changed(net, mapped)
    with pytest.raises(ModelError, match=r"cannot take 64 x 32 px instead of 64 x 64 \(.*\); export it again at that"):
        resize(str(net), tmp_path / "half.onnx", HALF)
    assert not (tmp_path / "half.onnx").exists()


def test_sides_that_a_detectors_maps_do_not_divide_are_told_to_be_multiples(net: Path, tmp_path: Path) -> None:
    changed(net, mapped)
    with pytest.raises(ModelError, match=r"cannot take 50 x 40 px .*; choose multiples of 32, or export it again"):
        resize(str(net), tmp_path / "odd.onnx", (50, 40))


def test_an_open_size_is_settled(tmp_path: Path) -> None:
    source = mean_embedder(tmp_path / "mean.onnx", ("N", 3, "H", "W"), ("N", 3))
    resize(source, tmp_path / "small.onnx", (32, 64))
    assert OnnxModel(str(tmp_path / "small.onnx"), RuntimeConfig(threads=1)).inputs[0].shape == (None, 3, 64, 32)


@pytest.mark.parametrize(
    ("camera", "size"),
    [((1920, 540), (64, 32)), ((500, 1000), (32, 64)), ((16, 8), (64, 32))],
)
def test_the_part_that_a_camera_fills(net: Path, camera: tuple[int, int], size: tuple[int, int]) -> None:
    assert filled(str(net), camera) == size


@pytest.mark.parametrize("camera", [(1920, 1080), (640, 640)])
def test_a_camera_that_fills_all_leaves_nothing_out(net: Path, camera: tuple[int, int]) -> None:
    told = rf"pictures of {camera[0]} x {camera[1]} px fill all of its 64 x 64; there is nothing to leave out\. Give --"
    with pytest.raises(ModelError, match=told):
        filled(str(net), camera)


def test_the_verb_judges_and_writes(net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = square_pictures(tmp_path / "pictures", 2)[0]
    options = "--images", str(images), "--max-loss", "1", "--min-speedup", "0"
    assert verb("resize", str(net), "--camera", "1920x540", *options) == 0
    assert "objects in common" in capsys.readouterr().out
    assert (tmp_path / "net-64x32.onnx").exists()


def test_a_copy_that_costs_too_much_is_not_written(net: Path, tmp_path: Path) -> None:
    images = square_pictures(tmp_path / "pictures", 2)[0]
    with pytest.raises(ModelError, match="refused"):
        verb("resize", str(net), "--size", "64x32", "--images", str(images), "--min-speedup", "1000")
    assert not (tmp_path / "net-64x32.onnx").exists()


def test_yolox_sees_the_same_in_two_thirds_of_the_time(shared: Path, tmp_path: Path) -> None:
    """Where pictures are 16:9, two fifths of a square input are fill."""
    source = str(shared / "models" / "yolox_nano_416.onnx")
    assert filled(source, (1920, 1080)) == (416, 256)
    frames, truth = shared / "data" / "mot-frames", shared / "data" / "mot-gt" / "MOT17"
    options = "--images", str(frames), "--labels", str(truth), "--limit", "8", "--output", str(tmp_path / "wide.onnx")
    assert verb("resize", source, "--camera", "1920x1080", *options, "--min-speedup", "0") == 0
