"""The real OpenVINO provider, and what happens where it refuses."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgetrack.config import DetectConfig, ProviderOptions, RuntimeConfig
from edgetrack.demo.shipped import shipped_model
from edgetrack.detect.yolo import YoloDetector
from edgetrack.errors import ModelError
from edgetrack.render.scene import Scene
from edgetrack.runtime import OnnxModel

NANO = str(shipped_model("edgetrack-nano.onnx"))
OPENVINO = RuntimeConfig(providers=["openvino", "cpu"], threads=1)


@pytest.fixture
def doubling(tmp_path: Path) -> str:
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "doubling",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
    )
    path = tmp_path / "doubling.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return str(path)


def test_the_detector_runs_on_it_and_finds_what_it_finds_on_the_cpu() -> None:
    image, _ = Scene(3, seconds=8).picture(60)
    here, there = (YoloDetector(DetectConfig(model=NANO), r) for r in (RuntimeConfig(threads=1), OPENVINO))
    assert (here.providers, there.providers[0], there.refused) == (("cpu",), "openvino", {})
    wanted, found = here.detect(image), there.detect(image)
    assert len(wanted) > 3
    np.testing.assert_allclose(found.xyxy, wanted.xyxy, atol=1)


def test_strict_is_content() -> None:
    model = OnnxModel(NANO, RuntimeConfig(providers=["openvino"], strict=True, threads=1))
    assert model.providers[0] == "openvino"


def test_what_stands_before_it_and_is_not_there_is_told(doubling: str, caplog: pytest.LogCaptureFixture) -> None:
    model = OnnxModel(doubling, RuntimeConfig(providers=["tensorrt", "cuda", "openvino", "cpu"]))
    assert (model.providers, list(model.refused)) == (("openvino", "cpu"), ["tensorrt", "cuda"])
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "runs on openvino, cpu; tensorrt: not part of this onnxruntime" in record.getMessage()


def refused(doubling: str, strict: bool) -> OnnxModel:
    """With an option that it does not know."""
    options = ProviderOptions(openvino={"nosuch": "1"})
    return OnnxModel(doubling, RuntimeConfig(providers=["openvino", "cpu"], options=options, strict=strict))


def test_where_it_refuses_one_warning_tells_why_and_the_cpu_takes_over(
    doubling: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = refused(doubling, strict=False)
    assert model.providers == ("cpu",)
    np.testing.assert_allclose(model.run(np.ones((1, 3), np.float32))[0], 2)
    [record] = caplog.records
    assert "runs on cpu; openvino: cannot run it (" in record.getMessage()


def test_where_it_refuses_strict_refuses(doubling: str) -> None:
    with pytest.raises(ModelError, match="would run on cpu instead of openvino"):
        refused(doubling, strict=True)


@pytest.mark.parametrize("device", ["GPU", "NOSUCH"])
def test_a_device_that_is_not_there_is_no_openvino(device: str) -> None:
    options = ProviderOptions(openvino={"device_type": device})
    model = OnnxModel(NANO, RuntimeConfig(providers=["openvino"], options=options))
    assert (model.providers, list(model.refused)) == (("cpu",), ["openvino"])


def test_options_reach_it(doubling: str, tmp_path: Path) -> None:
    options = ProviderOptions(openvino={"cache_dir": str(tmp_path / "compiled")})
    OnnxModel(NANO, RuntimeConfig(providers=["openvino"], options=options))
    assert any((tmp_path / "compiled").iterdir())
