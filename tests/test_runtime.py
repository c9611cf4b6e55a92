"""Loading and running real ONNX files, good and broken ones."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgetrack.config import RuntimeConfig
from edgetrack.errors import ConfigError, ModelError
from edgetrack.runtime import OnnxModel, default_threads

CPU = RuntimeConfig()


def doubling(opset: int = 17, ir_version: int = 8) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "doubling",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)


def changed(change: Callable[[onnx.ModelProto], object]) -> bytes:
    model = doubling()
    change(model)
    return bytes(model.SerializeToString())


def with_weights_elsewhere(model: onnx.ModelProto) -> None:
    weights = numpy_helper.from_array(np.ones((1, 3), np.float32), "w")
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="weights.bin")
    model.graph.initializer.append(weights)
    model.graph.node[0].input[1] = "w"


def with_custom_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "com.acme"
    model.opset_import.append(helper.make_opsetid("com.acme", 1))


GOOD = doubling().SerializeToString()
BROKEN = {  # name -> content, part of the message
    "empty": (b"", "is empty (0 bytes)"),
    "text": (b"hello world, this is no model\n", "truncated or no ONNX model"),
    "zeros": (bytes(1000), "truncated or no ONNX model"),
    "noise": (np.random.default_rng(0).bytes(5000), "cannot be loaded"),
    "cut in the middle": (GOOD[: len(GOOD) // 2], "cannot be loaded"),
    "cut near the end": (GOOD[:-3], "cannot be loaded"),
    "jpeg": (b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(50), "is a JPEG picture"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(50), "is a PNG picture"),
    "pytorch": (b"PK\x03\x04" + bytes(50), "export the model to ONNX"),
    "gzip": (b"\x1f\x8b\x08" + bytes(50), "unpack it"),
    "keras": (b"\x89HDF\r\n\x1a\n" + bytes(50), "export the model to ONNX"),
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(50), "is a TensorFlow Lite model"),
    "openvino": (b"<?xml version='1.0'?><net name='x'>", "take the ONNX original"),
    "web page": (b"<!DOCTYPE html><title>404</title>", "download the file itself"),
    "video": (b"\0\0\0\x20ftypisom" + bytes(50), "is a video"),
    "lfs pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "run git lfs pull"),
    "future opset": (doubling(opset=99).SerializeToString(), "update onnxruntime"),
    "future format": (doubling(ir_version=99).SerializeToString(), "update onnxruntime"),
    "unknown operator": (changed(lambda m: setattr(m.graph.node[0], "op_type", "Frobnicate")), "Frobnicate"),
    "custom operator": (changed(with_custom_operator), "export without custom operators"),
    "weights elsewhere": (changed(with_weights_elsewhere), "put the file with its weights beside it"),
    "loose end": (changed(lambda m: m.graph.node[0].input.__setitem__(0, "z")), "export it again"),
    "no nodes": (changed(lambda m: m.graph.ClearField("node")), "export it again"),
    "no graph": (changed(lambda m: m.ClearField("graph")), "export it again"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_model_is_one_line_with_file_and_remedy(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content, told = BROKEN[name]
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        OnnxModel(str(path), CPU)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert told in message
    assert "; " in message  # what is wrong; what to do
    assert "\n" not in message
    assert len(message) < 500 + len(str(path))
    assert capfd.readouterr() == ("", "")


def test_a_model_that_is_not_there_names_the_one_that_is(tmp_path: Path) -> None:
    (tmp_path / "yolox_nano.onnx").write_bytes(GOOD)
    with pytest.raises(ModelError, match=r"yolox-nano\.onnx: no such file; did you mean yolox_nano\.onnx\?"):
        OnnxModel(str(tmp_path / "yolox-nano.onnx"), CPU)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"there is no folder .*modles either"):
        OnnxModel(str(tmp_path / "modles" / "a.onnx"), CPU)


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is a folder, expected an ONNX file"):
        OnnxModel(str(tmp_path), CPU)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.symlink_to(path)
    with pytest.raises(ModelError, match="cannot be read: Too many levels of symbolic links; mend its permissions"):
        OnnxModel(str(path), CPU)


@pytest.fixture
def doubler(tmp_path: Path) -> OnnxModel:
    path = tmp_path / "doubling.onnx"
    model = doubling()
    helper.set_model_props(model, {"names": "['a']"})
    path.write_bytes(model.SerializeToString())
    return OnnxModel(str(path), CPU)


def test_a_good_model_tells_what_it_is_and_runs(doubler: OnnxModel) -> None:
    assert [(t.name, t.shape, t.dtype) for t in doubler.inputs] == [("x", (None, 3), np.float32)]
    assert [str(t) for t in doubler.outputs] == ["y (?, 3) float32"]
    assert doubler.metadata["names"] == "['a']"
    assert doubler.providers == ("cpu",)
    assert_allclose(doubler.run(np.array([[1, 2, 3]], np.float32))[0], [[2, 4, 6]])


def test_a_warm_up_takes_one_for_what_is_open(doubler: OnnxModel) -> None:
    assert doubler.warm_up()[0].shape == (1, 3)
    assert doubler.warm_up((5, 3))[0].shape == (5, 3)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((1, 4), np.float32), np.zeros((1, 3), np.float64), np.zeros(3, np.float32)],
    ids=["shape", "type", "rank"],
)
def test_an_input_that_does_not_fit_is_one_line_with_both_shapes(
    wrong: NDArray[np.floating], doubler: OnnxModel, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ModelError, match=r"cannot run: .*; given .*inputs are x \(\?, 3\) float32") as caught:
        doubler.run(wrong)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_provider_that_is_not_there_is_one_warning_and_cpu(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "doubling.onnx"
    path.write_bytes(GOOD)
    model = OnnxModel(str(path), RuntimeConfig(providers=["tensorrt", "cpu"]))
    assert model.providers == ("cpu",)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "runs on cpu; tensorrt: not part of this onnxruntime; install onnxruntime-gpu" in record.getMessage()
    assert list(model.refused) == ["tensorrt"]


def test_strict_refuses_where_the_first_provider_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "doubling.onnx"
    path.write_bytes(GOOD)
    with pytest.raises(ModelError, match=r"would run on cpu instead of tensorrt .*; mend that, name another first in"):
        OnnxModel(str(path), RuntimeConfig(providers=["tensorrt", "cpu"], strict=True))


def test_strict_is_content_with_the_first_provider(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "doubling.onnx"
    path.write_bytes(GOOD)
    model = OnnxModel(str(path), RuntimeConfig(providers=["cpu", "tensorrt"], strict=True))
    assert model.providers == ("cpu",)


def test_a_provider_that_does_not_exist_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "doubling.onnx"
    path.write_bytes(GOOD)
    with pytest.raises(ConfigError, match=r"runtime\.providers: 'tensort' is unknown; did you mean tensorrt\?"):
        OnnxModel(str(path), RuntimeConfig(providers=["tensort"]))


def test_threads_leave_a_core_of_those_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, threads in ((1, 1), (2, 1), (4, 3)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, n=cores: set(range(n)))
        assert default_threads() == threads


def test_loading_a_model_prints_nothing(tmp_path: Path) -> None:
    path = tmp_path / "doubling.onnx"
    path.write_bytes(GOOD)
    code = (
        "from edgetrack.config import RuntimeConfig\n"
        "from edgetrack.runtime import OnnxModel\n"
        f"OnnxModel({str(path)!r}, RuntimeConfig()).warm_up()\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
