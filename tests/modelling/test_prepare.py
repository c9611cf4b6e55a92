"""Graphs made lean, on small ones made by the test, and on real detectors where they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgetrack.config import DetectConfig, RuntimeConfig
from edgetrack.detect.yolo import YoloDetector
from edgetrack.errors import ConfigError, ModelError
from edgetrack.modelling import lean
from edgetrack.modelling.pictures import Album
from edgetrack.modelling.prepare import prepare
from edgetrack.runtime import OnnxModel
from tests.detect.real import load
from tests.modelling.nets import square_net, square_pictures
from tests.modelling.test_verbs import model as verb

SIDE = 64
CELLS = 64 + 16 + 4  # of strides 8, 16, 32
NAMES = ("person", "car", "dog")
Array = NDArray[Any]


def small_yolox(path: Path, ends: int = 1 << 30) -> Path:
    """Focus, a convolution with HardSwish, and a YOLOX head of three classes at strides 8, 16 and 32; random weights,
    all of them listed as inputs."""
    random = np.random.default_rng(1)
    constants: dict[str, Array] = {
        "zero": np.array([0]),
        "one": np.array([1]),
        "two": np.array([2]),
        "rows": np.array([2]),
        "columns": np.array([3]),
        "end": np.array([ends]),
        "three": np.array(3, np.float32),
        "low": np.array(0, np.float32),
        "six": np.array(6, np.float32),
        "flat": np.array([1, 8, -1]),
        "stem": random.normal(0, 0.01, (8, 12, 3, 3)).astype(np.float32),
        "stem_bias": random.normal(0, 0.1, 8).astype(np.float32),
    }
    nodes = []
    for name, row, column in (("a", "zero", "zero"), ("b", "one", "zero"), ("c", "zero", "one"), ("d", "one", "one")):
        nodes.append(helper.make_node("Slice", ["images", row, "end", "rows", "two"], [f"{name}_rows"]))
        nodes.append(helper.make_node("Slice", [f"{name}_rows", column, "end", "columns", "two"], [name]))
    nodes += [
        helper.make_node("Concat", ["a", "b", "c", "d"], ["focus"], axis=1),
        helper.make_node("Conv", ["focus", "stem", "stem_bias"], ["x"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["x", "three"], ["x3"]),
        helper.make_node("Clip", ["x3", "low", "six"], ["x6"]),
        helper.make_node("Mul", ["x", "x6"], ["xx"]),
        helper.make_node("Div", ["xx", "six"], ["swish"]),
    ]
    for stride in (8, 16, 32):
        k = stride // 2
        for part, width in (("box", 4), ("object", 1), ("class", len(NAMES))):
            constants[f"{part}{k}"] = random.normal(0, 0.5 / k, (width, 8, k, k)).astype(np.float32)
            nodes.append(helper.make_node("Conv", ["swish", f"{part}{k}"], [f"{part}{k}_raw"], strides=[k, k]))
        for part in ("object", "class"):
            nodes.append(helper.make_node("Sigmoid", [f"{part}{k}_raw"], [f"{part}{k}_score"]))
        nodes.append(
            helper.make_node("Concat", [f"box{k}_raw", f"object{k}_score", f"class{k}_score"], [f"level{k}"], axis=1)
        )
        nodes.append(helper.make_node("Reshape", [f"level{k}", "flat"], [f"flat{k}"]))
    nodes.append(helper.make_node("Concat", ["flat4", "flat8", "flat16"], ["all"], axis=2))
    nodes.append(helper.make_node("Transpose", ["all"], ["output"], perm=[0, 2, 1]))
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])]
    inputs += [helper.make_tensor_value_info(w.name, w.data_type, list(w.dims)) for w in weights]
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, CELLS, 5 + len(NAMES)])
    graph = helper.make_graph(nodes, "small", inputs, [output], weights)
    net = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    helper.set_model_props(net, {"names": str(dict(enumerate(NAMES))), "license": "CC0-1.0"})
    onnx.save(net, str(path))
    return path


def answers(path: Path) -> Array:
    picture = np.random.default_rng(2).uniform(0, 255, (1, 3, SIDE, SIDE)).astype(np.float32)
    return OnnxModel(str(path), RuntimeConfig(threads=1)).run(picture)[0]


def operators(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(str(path)).graph.node]


@pytest.fixture
def net(tmp_path: Path) -> Path:
    return small_yolox(tmp_path / "net.onnx")


@pytest.fixture
def album(tmp_path_factory: pytest.TempPathFactory) -> Album:
    return Album(square_pictures(tmp_path_factory.mktemp("pictures"), 2)[0])


def test_the_lean_copy_answers_the_same(net: Path, album: Album, tmp_path: Path) -> None:
    prepare(str(net), tmp_path / "lean.onnx", [], album)
    np.testing.assert_allclose(answers(tmp_path / "lean.onnx"), answers(net), atol=1e-3)


def test_focus_becomes_part_of_the_first_convolution(net: Path, album: Album, tmp_path: Path) -> None:
    prepare(str(net), tmp_path / "lean.onnx", [], album)
    assert "Slice" in operators(net)
    assert operators(tmp_path / "lean.onnx")[0] == "Conv"
    assert "Slice" not in operators(tmp_path / "lean.onnx")


def test_slices_that_stop_short_are_no_focus(tmp_path: Path) -> None:
    net = onnx.load(str(small_yolox(tmp_path / "net.onnx", ends=SIDE - 2)))
    assert lean.fold_focus(net) == ""


def test_four_operators_of_hard_swish_become_two(net: Path, album: Album, tmp_path: Path) -> None:
    prepare(str(net), tmp_path / "lean.onnx", [], album)
    kinds = operators(tmp_path / "lean.onnx")
    assert (kinds.count("HardSigmoid"), kinds.count("Mul"), kinds.count("Div"), kinds.count("Clip")) == (1, 1, 0, 0)


def test_weights_are_no_inputs_any_more(net: Path, album: Album, tmp_path: Path) -> None:
    prepare(str(net), tmp_path / "lean.onnx", [], album)
    assert [value.name for value in onnx.load(str(tmp_path / "lean.onnx")).graph.input] == ["images"]


def test_only_the_wanted_classes_are_computed(net: Path, album: Album, tmp_path: Path) -> None:
    prepare(str(net), tmp_path / "lean.onnx", ["dog", "person"], album)
    kept = answers(tmp_path / "lean.onnx")
    np.testing.assert_allclose(kept, answers(net)[..., [0, 1, 2, 3, 4, 5, 7]], atol=1e-3)


def test_the_detector_knows_the_names_that_remain(net: Path, album: Album, tmp_path: Path) -> None:
    prepare(str(net), tmp_path / "lean.onnx", ["dog", "person"], album)
    detector = YoloDetector(DetectConfig(model=str(tmp_path / "lean.onnx")), RuntimeConfig(threads=1))
    assert (detector.names, detector.head) == (("person", "dog"), "yolox")


def test_the_lean_copy_still_follows_the_picture(net: Path, album: Album, tmp_path: Path) -> None:
    prepare(str(net), tmp_path / "lean.onnx", ["person"], album)
    detector = YoloDetector(DetectConfig(model=str(tmp_path / "lean.onnx")), RuntimeConfig(threads=1))
    assert detector.fit((400, 200)).target == (SIDE, SIDE // 2)


def test_what_the_file_says_of_its_licence_stays(net: Path, album: Album, tmp_path: Path) -> None:
    prepare(str(net), tmp_path / "lean.onnx", ["dog"], album)
    metadata = {entry.key: entry.value for entry in onnx.load(str(tmp_path / "lean.onnx")).metadata_props}
    assert metadata["license"] == "CC0-1.0"


def test_a_class_that_it_lacks_is_refused_with_the_nearest(net: Path, album: Album, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no class 'persn'; did you mean 'person'"):
        prepare(str(net), tmp_path / "lean.onnx", ["persn"], album)


def test_a_graph_that_cannot_be_followed_is_refused_and_nothing_is_written(
    net: Path, album: Album, tmp_path: Path
) -> None:
    graph = onnx.load(str(net))
    for node in graph.graph.node:
        if node.op_type == "Sigmoid" and node.input[0].startswith("class"):
            node.op_type = "Softsign"
    onnx.save(graph, str(net))
    with pytest.raises(ModelError, match="cannot be left out: class4_score comes from Softsign; leave --classes away"):
        prepare(str(net), tmp_path / "lean.onnx", ["dog"], album)
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_a_step_that_changes_answers_is_left_out_and_told(
    net: Path, album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ruin(graph: Any) -> str:
        del graph.graph.node[-2].input[0]
        graph.graph.node[-2].input.insert(0, "flat8")
        return "levels in another order"

    monkeypatch.setattr(lean, "hard_swish", ruin)
    found = prepare(str(net), tmp_path / "lean.onnx", [], album)
    assert len(found.left) == 1
    assert found.left[0].startswith("levels in another order: that changes answers")


def test_the_verb_writes_beside_the_model_and_tells_the_speed(
    net: Path, album: Album, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verb("prepare", net, "--classes", "person,car", "--images", album.images) == 0
    assert "scores of 2 of 3 classes computed" in (text := capsys.readouterr().out)
    assert "times as fast" in text
    verb("prepare", net, "--json", "--output", tmp_path / "other.onnx", "--images", album.images)
    assert json.loads(capsys.readouterr().out)["difference"] < 1e-3
    assert {path.name for path in tmp_path.glob("*.onnx")} == {"net.onnx", "net-lean.onnx", "other.onnx"}


def test_a_model_of_yolov8_form_loses_nothing(album: Album, tmp_path: Path) -> None:
    found = prepare(str(square_net(tmp_path / "squares.onnx")), tmp_path / "lean.onnx", ["square"], album)
    assert (found.classes, found.left) == (["square"], [])


@pytest.mark.parametrize("name", ["yolox_nano_416", "picodet_s_416_coco", "yolov8n_int8_agpl"])
def test_real_detectors_find_the_same_people(name: str, shared: Path, album: Album, tmp_path: Path) -> None:
    source, target = shared / "models" / f"{name}.onnx", tmp_path / "lean.onnx"
    prepare(str(source), target, ["person"], album)
    before, after = (
        YoloDetector(DetectConfig(model=str(path), classes=["person"], min_score=0.5), RuntimeConfig(threads=1))
        for path in (source, target)
    )
    image = load(shared / "data" / "mot-frames" / "MOT17-04" / "img1" / "000001.jpg")
    seen, kept = before.detect(image), after.detect(image)
    assert len(seen) > 0
    np.testing.assert_allclose(kept.xyxy, seen.xyxy, atol=0.1)
