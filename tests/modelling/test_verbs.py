"""The commands, on a detector of squares made by the test."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import Any

import onnx
import pytest

from edgetrack.configfile import resolve_model
from edgetrack.errors import ConfigError, EdgetrackError, ModelError
from edgetrack.modelling.options import add_verbs
from edgetrack.modelling.qdq import sums_overflow
from tests.detect.models import mean_embedder
from tests.modelling.nets import square_net, square_pictures


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGETRACK_MODELS", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "own"


@pytest.fixture
def net(tmp_path: Path) -> Path:
    return square_net(tmp_path / "squares.onnx")


def model(*words: object) -> int:
    parser = argparse.ArgumentParser()
    add_verbs(parser.add_subparsers(required=True))
    arguments = parser.parse_args([str(word) for word in words])
    code: int = arguments.verb(arguments)
    return code


def answer(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    """What a verb with --json prints, also where it refuses."""
    try:
        model(*words, "--json")
    except ModelError as error:
        logging.getLogger(__name__).info("%s", error)
    return json.loads(capsys.readouterr().out)


# --- list, add, info -------------------------------------------------------------------------------------------------


def test_list_shows_what_is_here_and_what_can_be_fetched(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model("add", net)
    capsys.readouterr()
    rows = {row["name"]: row for row in answer(capsys, "list")}
    assert rows["squares"]["file"].endswith("own/squares.onnx")
    assert (rows["yolox-tiny"]["file"], rows["yolox-tiny"]["licence"]) == (None, "Apache-2.0")
    model("list")
    assert "not fetched  20.2 MB, Apache-2.0, yolox" in capsys.readouterr().out


def test_fetch_knows_the_names_of_the_catalogue() -> None:
    with pytest.raises(ModelError, match="yolox-tini: is not in the catalogue; did you mean 'yolox-tiny'"):
        model("fetch", "yolox-tini")


def test_an_added_model_is_found_by_its_name(net: Path, own_models: Path) -> None:
    assert model("add", net, "--name", "my-squares", "--licence", "MIT") == 0
    assert resolve_model("my-squares") == own_models / "my-squares.onnx"
    note = json.loads((own_models / "my-squares.json").read_text())
    assert (note["kind"], note["head"], note["licence"]) == ("detector", "yolov8", "MIT")
    assert sorted(path.name for path in own_models.iterdir()) == ["my-squares.json", "my-squares.onnx"]


def test_adding_the_same_model_again_is_good_and_another_is_not(net: Path, tmp_path: Path) -> None:
    model("add", net)
    model("add", net)
    with pytest.raises(ModelError, match="is another model already"):
        model("add", square_net(tmp_path / "other.onnx", noise=0.1), "--name", "squares")


@pytest.mark.parametrize("name", ["../up", "A", ".hidden", "a b"])
def test_a_name_that_is_none_is_refused(net: Path, name: str) -> None:
    with pytest.raises(ModelError, match="is no name"):
        model("add", net, "--name", name)


def test_what_is_no_model_is_not_added(tmp_path: Path, own_models: Path) -> None:
    (tmp_path / "page.onnx").write_text("<html>")
    with pytest.raises(ModelError, match="is a web page"):
        model("add", tmp_path / "page.onnx")
    assert not own_models.exists()


def test_info_tells_a_detector(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "info", net)
    assert (found["kind"], found["head"], found["classes"]) == ("detector", "yolov8", ["square"])
    assert (found["licence"], found["quantized"], found["unknown"]) == ("CC0-1.0", "no", [])
    model("info", net)
    assert "detector, head yolov8, 96 x 96 px" in capsys.readouterr().out


def test_info_tells_an_embedder_and_what_is_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "info", mean_embedder(tmp_path / "mean.onnx", ("N", 3, 64, 32), ("N", 3)))
    assert (found["kind"], found["embedding"], found["head"]) == ("embedder", 3, "")
    assert found["unknown"] == ["licence: the file does not say; ask where it came from"]


# --- quantize, check -------------------------------------------------------------------------------------------------


def quantize(net: Path, tmp_path: Path, *more: object) -> int:
    images, labels = square_pictures(tmp_path / "album")
    return model("quantize", net, "--calibrate", images, "--labels", labels, "--min-speedup", 0, *more)


def test_a_good_model_becomes_int8(net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert quantize(net, tmp_path) == 0
    assert "good: AP50 1.000 -> 1.000" in capsys.readouterr().out
    found = answer(capsys, "info", tmp_path / "squares-int8.onnx")
    assert found["quantized"].startswith("QDQ, static, activations ")
    assert found["quantized"].endswith("weights int8 per channel")
    assert (found["quantized_share"], found["classes"]) == (1, ["square"])
    assert "of 6 pictures" in found["metadata"]["edgetrack_int8"]


def test_fragile_blocks_stay_in_float(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A channel 10000 times as loud leaves no level of int8 for the one that matters."""
    net = square_net(tmp_path / "loud.onnx", outlier=1e4)
    assert quantize(net, tmp_path) == 0
    out = capsys.readouterr().out
    assert "all in int8, ranges by minmax: AP50 0.000 (1.000)" in out
    assert "blocks in float" in out
    found = answer(capsys, "info", tmp_path / "loud-int8.onnx")
    assert 0 < found["quantized_share"] < 1


def test_an_old_opset_is_raised_for_scales_per_channel(tmp_path: Path) -> None:
    assert quantize(square_net(tmp_path / "old.onnx", opset=11), tmp_path) == 0
    assert onnx.load(str(tmp_path / "old-int8.onnx")).opset_import[0].version == 13


def test_a_model_that_is_refused_is_not_written(net: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"squares-int8.onnx: refused: B is .* times as fast as A, at least 1000"):
        quantize(net, tmp_path, "--min-speedup", 1000)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "state") == ["album", "squares.onnx"]


def test_what_is_int8_already_is_told(net: Path, tmp_path: Path) -> None:
    quantize(net, tmp_path)
    images = tmp_path / "album" / "images"
    with pytest.raises(ModelError, match="is quantized already"):
        model("quantize", tmp_path / "squares-int8.onnx", "--calibrate", images)


def test_check_of_a_model_with_itself_finds_no_loss(
    net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, labels = square_pictures(tmp_path / "album")
    found = answer(capsys, "check", net, net, "--images", images, "--labels", labels, "--min-speedup", 0)
    assert (found["loss"], found["passed"], found["objects"]) == (0, True, 6)
    assert found["a"]["figures"] == {"AP50": 1, "AP50:95": 1, "agreement": 1}
    assert found["a"]["mb_memory"] > 0


def test_check_refuses_a_loss_with_the_figures(net: Path, tmp_path: Path) -> None:
    images, labels = square_pictures(tmp_path / "album")
    blind = square_net(tmp_path / "blind.onnx", noise=1.0)
    with pytest.raises(ModelError, match=r"refused: AP50 1.000 -> 0.*, a loss of .* where 0.01 is allowed; keep A"):
        model("check", net, blind, "--images", images, "--labels", labels)


def test_check_without_labels_measures_agreement(net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, _ = square_pictures(tmp_path / "album")
    blind = square_net(tmp_path / "blind.onnx", noise=1.0)
    found = answer(capsys, "check", net, blind, "--images", images)
    assert (found["measure"], found["passed"]) == ("agreement", False)
    assert "--labels" in found["verdict"]


def test_check_compares_embedders_by_cosine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, _ = square_pictures(tmp_path / "album")
    embedder = mean_embedder(tmp_path / "mean.onnx", ("N", 3, 64, 32), ("N", 3))
    found = answer(capsys, "check", embedder, embedder, "--images", images, "--min-speedup", 0)
    assert (found["kind"], found["measure"], found["objects"]) == ("embedder", "cosine", 6)
    assert found["loss"] == pytest.approx(0, abs=1e-6)


def test_models_of_two_kinds_are_not_compared(net: Path, tmp_path: Path) -> None:
    images, _ = square_pictures(tmp_path / "album")
    embedder = mean_embedder(tmp_path / "mean.onnx", ("N", 3, 64, 32), ("N", 3))
    with pytest.raises(ModelError, match="A is detector, B is embedder"):
        model("check", net, embedder, "--images", images)


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="edgetrack model fetch yolox-nano"):
        model("info", "yolox-nano")
    with pytest.raises(EdgetrackError, match="no model is called 'yolo-nono'"):
        model("info", "yolo-nono")


@pytest.mark.parametrize(
    ("flags", "overflow"),
    [("flags : sse avx2\n", True), ("flags : avx2 avx512_vnni\n", False), ("Features : asimd\n", False)],
)
def test_weights_keep_to_7_bits_where_sums_would_overflow(tmp_path: Path, flags: str, overflow: bool) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\n{flags}")
    assert sums_overflow(tmp_path / "cpuinfo") is overflow


@pytest.mark.parametrize("verb", ["prepare", "quantize", "resize"])
@pytest.mark.parametrize(("output", "said"), [("squares.onnx", "is the model itself"), ("pictures", "is a folder")])
def test_what_must_not_be_overwritten_is_refused_before_the_work(
    net: Path, tmp_path: Path, verb: str, output: str, said: str
) -> None:
    images = square_pictures(tmp_path / "pictures", 2)[0]
    options = {"prepare": (), "quantize": ("--calibrate", images), "resize": ("--images", images, "--size", "96x64")}
    before = net.read_bytes()
    with pytest.raises(ModelError, match=f"{said}.*--output"):
        model(verb, net, *options[verb], "--output", tmp_path / output)
    assert net.read_bytes() == before


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--max-loss", "nan", "a number from 0 to 1"),
        ("--min-speedup", "inf", "a number from 0 to 1000"),
        ("--size", "100000x100000", "each from 16 to 8192"),
        ("--camera", "1920", "like 1920x1080"),
    ],
)
def test_a_number_that_makes_no_sense_is_told(
    net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, expected: str
) -> None:
    """A limit that is not a number would let everything pass."""
    with pytest.raises(SystemExit):
        model("resize", net, "--images", tmp_path, option, value)
    assert expected in capsys.readouterr().err
