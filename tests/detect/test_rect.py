"""The grey beside a camera's picture is left out of the model's input, where the model lets it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from edgetrack.boxes import iou
from edgetrack.config import DetectConfig, InputFormat, RuntimeConfig
from edgetrack.detect.rect import GRAPH, filled, left_open
from edgetrack.detect.yolo import YoloDetector
from edgetrack.errors import ModelError
from edgetrack.modelling.resize import resize
from edgetrack.protobuf import fields, written
from edgetrack.runtime import OnnxModel
from tests.detect.models import constant_detector, mean_embedder, save
from tests.detect.real import mot_frames
from tests.modelling.test_prepare import SIDE, small_yolox
from tests.modelling.test_resize import changed, gridded

CPU = RuntimeConfig(threads=1)
WIDE = (SIDE, SIDE // 2)


@pytest.fixture
def net(tmp_path: Path) -> str:
    return str(small_yolox(tmp_path / "net.onnx"))


def detector(model: str, **settings: Any) -> YoloDetector:
    return YoloDetector(DetectConfig(model=model, **{"min_score": 0.01, "nms_iou": 1.0, **settings}), CPU)


def noise(width: int, height: int) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("picture", "fitting", "part"),
    [
        ((1920, 1080), "top_left", (416, 256)),
        ((1920, 1080), "centre", (416, 256)),
        ((1080, 1920), "top_left", (256, 416)),
        ((640, 480), "top_left", (416, 320)),
        ((500, 500), "top_left", (416, 416)),
        ((4000, 20), "top_left", (416, 32)),
        ((1920, 1080), "stretch", (416, 416)),
    ],
)
def test_a_picture_fills_so_much_of_a_square_input(
    picture: tuple[int, int], fitting: Any, part: tuple[int, int]
) -> None:
    assert filled(picture, (416, 416), fitting) == part


def test_an_input_that_is_no_multiple_of_the_stride_is_never_exceeded() -> None:
    assert filled((1920, 1180), (416, 250), "top_left") == (416, 250)


def test_the_answers_are_those_of_the_model_made_for_that_size(net: str, tmp_path: Path) -> None:
    resize(net, tmp_path / "wide.onnx", WIDE)
    picture = noise(256, 128)
    here, there = detector(net).detect(picture), detector(str(tmp_path / "wide.onnx"), rect=False).detect(picture)
    assert len(here) > 5
    assert_allclose(here.xyxy, there.xyxy, atol=1e-3)
    assert_allclose(here.score, there.score, atol=1e-5)


def test_the_model_gets_what_the_picture_fills_and_its_size_stays_that_of_the_file(net: str) -> None:
    opened = detector(net)
    assert opened.prepare(noise(256, 128))[0].shape == (1, 3, SIDE // 2, SIDE)
    assert opened.size == (SIDE, SIDE)


def test_a_camera_that_is_turned_is_followed(net: str) -> None:
    opened = detector(net)
    for width, height, shape in ((256, 128, (32, 64)), (128, 256, (64, 32)), (99, 99, (64, 64)), (256, 128, (32, 64))):
        assert opened.prepare(noise(width, height))[0].shape[2:] == shape
        assert len(opened.detect(noise(width, height))) > 0


@pytest.mark.parametrize("sessions", [1, 2])
def test_looks_ahead_at_pictures_of_all_shapes_see_what_the_loop_sees(sessions: int, net: str) -> None:
    opened = detector(net, ahead=sessions)
    pictures = [noise(*size) for size in ((256, 128), (128, 256), (128, 128), (256, 128))]
    looks = [opened.begin(picture) for picture in pictures[: sessions + 1]]
    for picture, look in zip(pictures, looks, strict=False):
        assert_array_equal(opened.detect(picture, look).xyxy, opened.detect(picture).xyxy)


def test_it_can_be_switched_off(net: str) -> None:
    assert detector(net, rect=False).prepare(noise(256, 128))[0].shape == (1, 3, SIDE, SIDE)


def test_a_square_picture_is_answered_to_the_bit_as_without(net: str) -> None:
    picture = noise(100, 100)
    assert_array_equal(detector(net).detect(picture).xyxy, detector(net, rect=False).detect(picture).xyxy)


def stays(opened: YoloDetector) -> bool:
    """Whether a wide picture is given to the whole input."""
    return opened.fit((2000, 500)).target == opened.size


def test_a_model_with_a_grid_of_its_cells_gets_its_whole_input(net: str) -> None:
    changed(Path(net), gridded)
    opened = detector(net)
    assert stays(opened)
    assert len(opened.detect(noise(256, 128))) > 0


def test_the_operator_is_told_once_of_what_such_a_model_wastes(net: str, caplog: pytest.LogCaptureFixture) -> None:
    changed(Path(net), gridded)
    caplog.set_level("INFO", "edgetrack.detect.yolo")
    opened = detector(net)
    for _ in range(2):
        opened.detect(noise(256, 128))
    told = [record.getMessage() for record in caplog.records if "model resize" in record.getMessage()]
    assert told == [
        f"{net}: the picture fills 64 x 32 of 64 x 64 px; a copy without the rest is quicker: "
        f"edgetrack model resize {net} --camera 256x128 --images PICTURES"
    ]


@pytest.mark.parametrize("change", [None, gridded], ids=["follows the picture", "has a grid of its cells"])
def test_a_provider_that_is_not_there_is_one_warning_however_many_sessions(
    change: Callable[[Any], None] | None, net: str, caplog: pytest.LogCaptureFixture
) -> None:
    if change is not None:
        changed(Path(net), change)
    runtime = RuntimeConfig(threads=1, providers=["tensorrt", "cpu"])
    opened = YoloDetector(DetectConfig(model=net, ahead=3), runtime)
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "runs on cpu; tensorrt: not part of this onnxruntime" in warning
    assert list(opened.refused) == ["tensorrt"]


def test_a_model_that_answers_the_same_to_every_size_gets_its_whole_input(tmp_path: Path) -> None:
    rows = np.zeros((1, 6, 300), np.float32)
    assert stays(detector(constant_detector(tmp_path / "same.onnx", [rows.transpose(0, 2, 1)], (1, 3, 640, 640))))


def test_a_model_that_stretches_pictures_has_nothing_to_leave_out(net: str) -> None:
    assert stays(detector(net, input=InputFormat(fit="stretch")))


def test_a_size_that_is_not_the_models_is_still_a_mistake(net: str) -> None:
    with pytest.raises(
        ModelError, match=r"is \(1, 3, 64, 64\), detect\.size is \[64, 32\]; set detect\.size: \[64, 64\]"
    ):
        detector(net, size=(64, 32))


def test_a_model_that_was_exported_with_an_open_size_follows_the_picture(net: str) -> None:
    Path(net).write_bytes(left_open(Path(net).read_bytes()).file)  # type: ignore[union-attr]
    opened = detector(net, size=(SIDE, SIDE))
    assert opened.prepare(noise(256, 128))[0].shape[2:] == (SIDE // 2, SIDE)
    assert stays(detector(net, size=(SIDE, SIDE), rect=False))


def test_a_size_that_fails_after_all_is_told_of_once_and_the_whole_input_taken(
    net: str, caplog: pytest.LogCaptureFixture
) -> None:
    opened = detector(net)
    run = opened.model.run
    opened.model.run = lambda array: broken() if array.shape[2] < array.shape[3] else run(array)  # type: ignore[method-assign]
    assert opened.detect(noise(256, 128)).xyxy.shape[1] == 4
    assert opened.detect(noise(512, 100)).xyxy.shape[1] == 4
    assert [record.getMessage() for record in caplog.records if "looks at its whole input" in record.getMessage()]
    assert stays(opened)


def broken() -> Any:
    raise ModelError("cannot run")


# --- the file ---------------------------------------------------------------------------------------------------------


def run(model: str | bytes, array: NDArray[Any]) -> list[NDArray[Any]]:
    path, graph = (model, b"") if isinstance(model, str) else (__file__, model)
    return OnnxModel(path, CPU, graph).run(array)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_height_and_width_of_either_order_are_left_open(channels_last: bool, dtype: Any, tmp_path: Path) -> None:
    shape = (1, 64, 96, 3) if channels_last else (1, 3, 64, 96)
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    model = mean_embedder(tmp_path / "mean.onnx", shape, (1, 3), channels_last, kind)
    opened = left_open(Path(model).read_bytes())
    assert opened is not None
    assert opened.size == (96, 64)
    part = np.full((1, 40, 32, 3) if channels_last else (1, 3, 40, 32), 7, dtype)
    assert_array_equal(run(opened.file, part)[0], np.full((1, 3), 7, np.float32))


def test_nothing_else_of_the_file_changes(net: str) -> None:
    opened = left_open(Path(net).read_bytes())
    assert opened is not None
    before, after = onnx.load(net), onnx.load_from_string(opened.file)
    sides = [dim.dim_param or dim.dim_value for dim in after.graph.input[0].type.tensor_type.shape.dim]
    assert sides == [1, 3, "height", "width"]
    for model in (before, after):
        model.graph.input[0].type.tensor_type.ClearField("shape")
        model.graph.output[0].type.tensor_type.ClearField("shape")
        del model.graph.value_info[:]
    assert before == after


@pytest.mark.parametrize(
    "shape",
    [(1, 3, "H", "W"), (1, 3, 64, "W"), (1, 4, 64, 64), (3, 64, 64), (1, 64), (3,), ()],
    ids=lambda shape: str(shape),
)
def test_what_is_no_picture_of_a_fixed_size_is_left_alone(shape: tuple[Any, ...], tmp_path: Path) -> None:
    node = onnx.helper.make_node("Identity", ["input"], ["output"])
    entry = ("input", onnx.TensorProto.FLOAT, shape)
    model = save(tmp_path / "other.onnx", [node], [entry], [("output", onnx.TensorProto.FLOAT, shape)])
    assert left_open(Path(model).read_bytes()) is None


def test_a_model_of_two_inputs_is_left_alone(tmp_path: Path) -> None:
    node = onnx.helper.make_node("Add", ["one", "two"], ["output"])
    shape = (1, 3, 32, 32)
    entries = [(name, onnx.TensorProto.FLOAT, shape) for name in ("one", "two", "output")]
    assert left_open(Path(save(tmp_path / "two.onnx", [node], entries[:2], entries[2:])).read_bytes()) is None


@pytest.mark.parametrize("damage", [lambda file, place: file[:place], lambda file, place: flipped(file, place)])
def test_a_damaged_file_is_none_or_still_a_file(damage: Callable[[bytes, int], bytes], net: str) -> None:
    file, choice = Path(net).read_bytes(), random.Random(5)
    for _ in range(200):
        opened = left_open(damage(file, choice.randrange(len(file))))
        assert opened is None or min(opened.size) > 0


def test_a_file_that_was_half_copied_onto_erased_flash_is_damaged_and_not_read_for_ever() -> None:
    """A number that goes on through 4 MB of 0xFF took minutes to read: the work grows with the square."""
    start = written(GRAPH, b"")[:1] + b"\xff" * (1 << 17)
    with pytest.raises(ValueError, match="a number of more than 10 bytes"):
        list(fields(memoryview(start)))
    assert left_open(start) is None


def flipped(file: bytes, place: int) -> bytes:
    return file[:place] + bytes([file[place] ^ 0xFF]) + file[place + 1 :]


# --- the real model ---------------------------------------------------------------------------------------------------


def test_yolox_sees_in_mot17_what_it_sees_with_the_grey(shared: Path) -> None:
    model = str(shared / "models" / "yolox_nano_416.onnx")
    part, whole = (detector(model, min_score=0.4, nms_iou=0.5, rect=rect) for rect in (True, False))
    assert part.fit((1920, 1080)).target == (416, 256)
    found = alike = 0
    for clip in mot_frames(shared, ends_only=True):
        for frame in clip:
            one, other = part.detect(frame.image), whole.detect(frame.image)
            overlap = iou(one.xyxy, other.xyxy)
            found += len(one) + len(other)
            alike += int((overlap.max(axis=0, initial=0) > 0.5).sum() + (overlap.max(axis=1, initial=0) > 0.5).sum())
    assert found > 100
    assert alike / found > 0.95
