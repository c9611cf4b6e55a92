"""The original GOTURN from Caffe to ONNX: every layer computes what numpy computes; in full size, see `full_size`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from edgetrack.cli import main
from edgetrack.config import RuntimeConfig
from edgetrack.errors import ModelError
from edgetrack.modelling.caffe import read
from edgetrack.modelling.convert import convert, to_onnx
from edgetrack.refine import Goturn
from edgetrack.refine.heads import GoturnCaffe
from edgetrack.runtime import OnnxModel
from tests.modelling.caffe_files import Made, compute, goturn, message, text, write

NARROW = ((8, 12, 12, 16, 8), 32)
ONE = RuntimeConfig(threads=1)
NODES = {"Convolution": "Conv", "Pooling": "MaxPool", "ReLU": "Relu", "InnerProduct": "Add"}


@pytest.fixture(scope="module")
def layers() -> list[Made]:
    return goturn(*NARROW)


@pytest.fixture
def caffemodel(tmp_path: Path, layers: list[Made]) -> Path:
    return write(tmp_path / "goturn.caffemodel", layers)


def crops(count: int = 2) -> dict[str, NDArray[np.float32]]:
    chance = np.random.default_rng(5)
    shape = (count, 3, 227, 227)
    return {name: chance.uniform(-120, 130, shape).astype(np.float32) for name in ("target", "image")}


def layer_by_layer(
    source: Path, folder: Path, inputs: dict[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """What ONNX Runtime makes of every node, by its name."""
    model = to_onnx(read(source), str(source))
    known = {output.name for output in model.graph.output}
    names = [name for node in model.graph.node for name in node.output]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    onnx.save(model, str(folder / "open.onnx"))
    opened = OnnxModel(str(folder / "open.onnx"), ONE)
    outputs = dict(zip([t.name for t in opened.outputs], opened.run(*inputs.values()), strict=True))
    return {node.name: outputs[node.output[0]] for node in model.graph.node}


def assert_same(
    layers: list[Made], made: dict[str, NDArray[np.float32]], inputs: dict[str, NDArray[np.float32]]
) -> None:
    for name, wanted in compute(layers, inputs).items():
        [layer] = [layer for layer in layers if layer.name == name]
        if layer.type == "Dropout":  # nothing is left of it
            continue
        found = made[f"{name}:{NODES.get(layer.type, layer.type)}"]
        assert_allclose(found, wanted, rtol=1e-4, atol=1e-4 * float(np.abs(wanted).max()), err_msg=name)


def test_every_layer_computes_what_numpy_does(caffemodel: Path, tmp_path: Path, layers: list[Made]) -> None:
    inputs = crops()
    assert_same(layers, layer_by_layer(caffemodel, tmp_path, inputs), inputs)


def test_blobs_of_the_old_form_are_read_alike(tmp_path: Path, layers: list[Made]) -> None:
    source = write(tmp_path / "old.caffemodel", layers, legacy_blobs=True)
    inputs = crops(1)
    assert_same(layers, layer_by_layer(source, tmp_path, inputs), inputs)


def test_the_command_writes_what_the_follower_runs(caffemodel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "convert", str(caffemodel)]) == 0
    assert "head: goturn-caffe" in capsys.readouterr().out
    follower = Goturn(str(caffemodel.with_suffix(".onnx")), ONE, head="goturn-caffe")
    picture = np.random.default_rng(1).integers(0, 256, (240, 320, 3), np.uint8)
    follower.start(picture, [100, 80, 150, 140])
    xyxy, confidence = follower.follow(picture)
    assert np.isfinite(xyxy).all()
    assert confidence == 1


def test_the_dense_layers_in_8_bits_answer_nearly_alike(caffemodel: Path, tmp_path: Path) -> None:
    convert(caffemodel, tmp_path / "plain.onnx")
    convert(caffemodel, tmp_path / "small.onnx", int8=True)
    inputs = crops(4)
    plain, small = (OnnxModel(str(tmp_path / f"{n}.onnx"), ONE).run(*inputs.values())[0] for n in ("plain", "small"))
    assert np.abs(small - plain).max() < 0.1 * np.abs(plain).max()
    assert (tmp_path / "small.onnx").stat().st_size < 0.6 * (tmp_path / "plain.onnx").stat().st_size


def test_inputs_of_other_names_are_taken_in_their_order(tmp_path: Path, layers: list[Made]) -> None:
    rename = {"target": "data1", "image": "data2"}
    other = [replace(layer, bottoms=[rename.get(name, name) for name in layer.bottoms]) for layer in layers]
    source, inputs = write(tmp_path / "other.caffemodel", other), crops(1)
    assert_same(layers, layer_by_layer(source, tmp_path, inputs), inputs)


# --- the paper's crops -----------------------------------------------------------------------------------------------


def test_the_window_is_twice_as_wide_and_high_as_the_box() -> None:
    assert GoturnCaffe().windows(np.array([[100.0, 80, 140, 100]])).tolist() == [[80, 70, 160, 110]]


def test_beyond_the_edge_is_black_before_the_mean_is_taken_off() -> None:
    head, picture = GoturnCaffe(), np.full((100, 100, 3), 200, np.uint8)
    look = head.template(picture, np.array([-20.0, 20, 20, 60]))
    box = np.array([[-20.0, 20, 20, 60]])
    target, image = head.feed(picture, [look], [look], box, head.windows(box))
    assert_allclose(target[0, :, 100, 20], [-104, -117, -123])
    assert_allclose(image[0, :, 100, 200], [200 - 104, 200 - 117, 200 - 123])


def test_answers_are_tenths_of_the_window() -> None:
    fractions, confidence = GoturnCaffe().read([np.array([[2.5, 2.5, 7.5, 7.5]], np.float32)])
    assert_allclose(fractions, [[0.25, 0.25, 0.75, 0.75]])
    assert confidence.tolist() == [1]


# --- what cannot be converted ----------------------------------------------------------------------------------------


def broken(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "broken.caffemodel"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(
            b'name: "TRACKER"\nlayer {\n  name: "conv1"\n}\n' * 9, "is text; give the .caffemodel", id="prototxt"
        ),
        pytest.param(bytes(range(256)) * 4, "no .caffemodel", id="anything"),
        pytest.param(text(1, "net"), "there are no layers", id="no layers"),
        pytest.param(message(2, text(4, "conv1")), "upgrade_net_proto_binary", id="before 2014"),
        pytest.param(message(100, text(1, "relu") + text(2, "ReLU")), "no dense layer with 4 answers", id="no weights"),
    ],
)
def test_what_is_no_model_is_told(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        convert(broken(tmp_path, content), tmp_path / "made.onnx")
    assert not (tmp_path / "made.onnx").exists()


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_told(tmp_path: Path, caffemodel: Path, share: float) -> None:
    content = caffemodel.read_bytes()
    with pytest.raises(ModelError, match="truncated"):
        convert(broken(tmp_path, content[: int(len(content) * share)]), tmp_path / "made.onnx")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert main(["model", "convert", str(tmp_path / "gone.caffemodel")]) == 4


def test_a_layer_that_goturn_does_not_have_is_named(tmp_path: Path, layers: list[Made]) -> None:
    odd = [replace(layer, type="Sigmoid") if layer.name == "relu3" else layer for layer in layers]
    with pytest.raises(ModelError, match="layer relu3: is a Sigmoid; expected one of"):
        convert(write(tmp_path / "odd.caffemodel", odd), tmp_path / "made.onnx")


def test_weights_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    bad = goturn(*NARROW)
    bad[0].blobs[0][0, 0, 0, 0] = np.nan
    with pytest.raises(ModelError, match="layer conv1: its weight hold NaN"):
        convert(write(tmp_path / "nan.caffemodel", bad), tmp_path / "made.onnx")


def test_layers_of_sizes_that_do_not_fit_are_told(tmp_path: Path) -> None:
    bad = goturn(*NARROW)
    [fc6] = [layer for layer in bad if layer.name == "fc6-new"]
    fc6.blobs[0] = fc6.blobs[0][:, :-5]
    with pytest.raises(ModelError, match="its layers do not fit together"):
        convert(write(tmp_path / "odd.caffemodel", bad), tmp_path / "made.onnx")
    assert not (tmp_path / "made.onnx").exists()


def test_a_model_of_another_head_than_is_set_is_refused(caffemodel: Path, tmp_path: Path) -> None:
    convert(caffemodel, tmp_path / "made.onnx")
    with pytest.raises(ModelError, match=r"form goturn-caffe, refine\.head is correlate"):
        Goturn(str(tmp_path / "made.onnx"), ONE, head="correlate")
