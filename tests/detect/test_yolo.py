"""The detector on small real models: what it finds, names, filters, drops, and refuses."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from onnx import TensorProto

from edgetrack.boxes import iou
from edgetrack.config import DetectConfig, InputFormat, RuntimeConfig
from edgetrack.detect import open_detector
from edgetrack.detect.labels import COCO
from edgetrack.detect.yolo import MAX_CANDIDATES, YoloDetector
from edgetrack.errors import ConfigError, ModelError
from tests.detect.models import constant_detector, rewired
from tests.parts import blob_detector

Array = NDArray[np.float32]
CPU = RuntimeConfig(threads=1)
GREY = np.full((64, 64, 3), 128, np.uint8)


def detector(model: str, **settings: object) -> YoloDetector:
    return YoloDetector(DetectConfig(model=model, **settings), CPU)  # type: ignore[arg-type]


def yolov8(rows: Sequence[Sequence[float]], classes: int = 3, cells: int = 84) -> Array:
    """(1, 4 + C, N) with rows of cx, cy, w, h, then the classes' scores; the rest is nothing."""
    output = np.zeros((1, 4 + classes, cells), np.float32)
    for i, row in enumerate(rows):
        output[0, : len(row), i] = row
    return output


NAMES = {"names": "{0: 'person', 1: 'car', 2: 'dog'}"}
THREE = [  # one of each class, well apart
    (10, 10, 10, 10, 0.9, 0.1, 0.0),
    (30, 30, 10, 10, 0.2, 0.6, 0.3),
    (50, 50, 10, 10, 0.0, 0.1, 0.5),
]


@pytest.fixture
def three(tmp_path: Path) -> str:
    return constant_detector(tmp_path / "three.onnx", [yolov8(THREE)], metadata=NAMES)


def picture_with_square(width: int, height: int, xyxy: Sequence[int]) -> NDArray[np.uint8]:
    image = np.full((height, width, 3), 20, np.uint8)
    left, top, right, bottom = xyxy
    image[top:bottom, left:right] = 255
    return image


@pytest.mark.parametrize(
    ("size", "square"),
    [
        ((320, 192), (64, 80, 96, 112)),
        ((640, 384), (160, 80, 224, 144)),  # twice the model's size
        ((640, 640), (320, 200, 426, 306)),  # bars left and right
        ((1280, 384), (512, 96, 640, 224)),  # bars above and below
        ((161, 97), (40, 40, 56, 56)),  # odd, and enlarged
    ],
)
@pytest.mark.parametrize("kind", ["float32", "float16", "uint8", "int8"])
def test_a_square_is_found_where_it_was_drawn(
    size: tuple[int, int], square: tuple[int, int, int, int], kind: str, tmp_path: Path
) -> None:
    model = str(blob_detector(tmp_path / "blobs.onnx"))
    if kind != "float32":
        model = rewired(Path(model), tmp_path / f"{kind}.onnx", kind)
    found = detector(model, min_score=0.8, nms_iou=0.1).detect(picture_with_square(*size, square))
    assert len(found) == 1
    assert iou(found.xyxy, np.array([square], np.float32)) > 0.6  # its windows stand 8 px apart


def test_open_detector_gives_a_detector_that_tells_what_it_is(three: str) -> None:
    opened = open_detector(DetectConfig(model=three), CPU)
    assert (opened.head, opened.names, opened.providers) == ("yolov8", ("person", "car", "dog"), ("cpu",))


def test_detections_come_best_first_with_their_classes(three: str) -> None:
    found = detector(three).detect(GREY)
    assert found.class_id.tolist() == [0, 1, 2]
    assert_allclose(found.score, [0.9, 0.6, 0.5])
    assert_allclose(found.xyxy, [[5, 5, 15, 15], [25, 25, 35, 35], [45, 45, 55, 55]])
    assert (found.xyxy.dtype, found.score.dtype, found.class_id.dtype) == (np.float32, np.float32, np.int32)


def test_only_the_classes_asked_for_are_reported(three: str) -> None:
    assert detector(three, classes=["dog", "car"]).detect(GREY).class_id.tolist() == [1, 2]


def test_a_class_may_have_its_own_least_score(three: str) -> None:
    strict = detector(three, min_score=0.55, min_scores={"dog": 0.5, "car": 0.7})
    assert strict.detect(GREY).class_id.tolist() == [0, 2]


def test_a_box_belongs_to_its_best_class_even_if_that_is_not_asked_for(tmp_path: Path) -> None:
    model = constant_detector(tmp_path / "m.onnx", [yolov8([(10, 10, 10, 10, 0.5, 0.8)])], metadata=NAMES)
    assert len(detector(model, classes=["person"]).detect(GREY)) == 0


def test_overlapping_boxes_of_one_class_become_one_and_of_two_classes_stay(tmp_path: Path) -> None:
    rows = [(20, 20, 10, 10, 0.9), (21, 20, 10, 10, 0.8), (20, 20, 10, 10, 0, 0.7), (20, 40, 10, 10, 0.6)]
    model = constant_detector(tmp_path / "m.onnx", [yolov8(rows)], metadata=NAMES)
    found = detector(model).detect(GREY)
    assert_allclose(found.score, [0.9, 0.7, 0.6])


def test_at_most_max_detections_come_the_best_of_them(tmp_path: Path) -> None:
    rows = [(6 * (i % 10) + 4, 6 * (i // 10) + 4, 4, 4, 0.5 + i / 200) for i in range(80)]
    model = constant_detector(tmp_path / "m.onnx", [yolov8(rows)], metadata=NAMES)
    found = detector(model, max_detections=5).detect(GREY)
    assert_allclose(found.score, [0.895, 0.89, 0.885, 0.88, 0.875])


def test_boxes_are_clipped_and_what_lies_outside_is_dropped(tmp_path: Path) -> None:
    rows = [(0, 10, 20, 10, 0.9), (-50, 10, 20, 10, 0.8), (64, 64, 30, 30, 0.7), (30, 30, 0, 10, 0.6)]
    model = constant_detector(tmp_path / "m.onnx", [yolov8(rows)], metadata=NAMES)
    assert_allclose(detector(model).detect(GREY).xyxy, [[0, 5, 10, 15], [49, 49, 64, 64]])


def test_what_lies_in_the_bars_of_the_letterbox_is_dropped(tmp_path: Path) -> None:
    model = constant_detector(tmp_path / "m.onnx", [yolov8([(32, 5, 20, 10, 0.9), (32, 32, 64, 64, 0.8)])])
    found = detector(model).detect(np.zeros((36, 72, 3), np.uint8))
    assert_allclose(found.xyxy, [[0, 0, 72, 36]])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_outputs_that_are_not_finite_are_dropped_and_told_of_once(
    value: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [*THREE[:1], (value, 30, 10, 10, 0.8), (40, 40, value, 10, 0.8), (50, 10, 10, 10, abs(value))]
    model = constant_detector(tmp_path / "m.onnx", [yolov8(rows)], metadata=NAMES)
    broken = detector(model)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert_allclose(broken.detect(GREY).score, [0.9])
    [record] = caplog.records
    assert "NaN or infinite outputs are dropped (3 of 4)" in record.getMessage()


def test_scores_beyond_one_are_cut_and_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = constant_detector(tmp_path / "m.onnx", [yolov8([(10, 10, 10, 10, 7.5)])], metadata=NAMES)
    odd = detector(model)
    for _ in range(2):
        assert_array_equal(odd.detect(GREY).score, [1])
    [record] = caplog.records
    assert "scores up to 7.5, expected 0 to 1; is detect.head right? It is yolov8" in record.getMessage()


def test_thousands_of_candidates_are_bounded_before_suppression(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    n = 3 * MAX_CANDIDATES
    rows = np.concatenate([random.uniform(5, 60, (n, 2)), np.full((n, 2), 3), random.uniform(0.5, 1, (n, 1))], axis=1)
    model = constant_detector(tmp_path / "m.onnx", [yolov8(rows.tolist(), 1, n)])
    found = detector(model, max_detections=1000, nms_iou=1).detect(GREY)
    assert len(found) == MAX_CANDIDATES
    assert_allclose(found.score, np.sort(rows[:, 4])[::-1][:MAX_CANDIDATES], rtol=1e-6)


def test_boxes_of_an_end_to_end_model_are_not_suppressed(tmp_path: Path) -> None:
    output = np.zeros((1, 300, 6), np.float32)
    output[0, :2] = [[10, 10, 30, 30, 0.7, 0], [10, 10, 30, 31, 0.9, 0]]
    model = constant_detector(tmp_path / "m.onnx", [output], metadata=NAMES)
    assert_allclose(detector(model).detect(GREY).score, [0.9, 0.7])


def test_an_empty_answer_is_empty_detections(tmp_path: Path) -> None:
    model = constant_detector(tmp_path / "m.onnx", [yolov8([])], metadata=NAMES)
    assert len(detector(model).detect(GREY)) == 0


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_outputs_of_other_number_types_are_the_same(dtype: type[np.floating], tmp_path: Path) -> None:
    model = constant_detector(tmp_path / "m.onnx", [yolov8(THREE).astype(dtype)], metadata=NAMES)
    assert_allclose(detector(model).detect(GREY).score, [0.9, 0.6, 0.5], rtol=1e-3)


# --- size and input --------------------------------------------------------------------------------------------------


OPEN = ("n", 3, "h", "w")


def test_an_open_size_is_that_of_the_configuration(tmp_path: Path) -> None:
    model = constant_detector(tmp_path / "m.onnx", [yolov8(THREE)], OPEN, metadata=NAMES)
    assert detector(model, size=(96, 64)).size == (96, 64)


def test_an_open_size_is_that_of_the_metadata(tmp_path: Path) -> None:
    metadata = {**NAMES, "imgsz": "[64, 96]"}
    model = constant_detector(tmp_path / "m.onnx", [yolov8(THREE)], OPEN, metadata=metadata)
    assert detector(model).size == (96, 64)


def test_an_open_size_without_a_hint_is_an_error_that_says_what_to_set(tmp_path: Path) -> None:
    model = constant_detector(tmp_path / "m.onnx", [yolov8(THREE)], OPEN)
    with pytest.raises(ModelError, match=r"images \(\?, 3, \?, \?\) float32, its size is open; set detect\.size"):
        detector(model)


def test_a_size_that_the_model_does_not_have_is_an_error_with_both(three: str) -> None:
    with pytest.raises(
        ModelError, match=r"is \(1, 3, 64, 64\), detect\.size is \[32, 32\]; set detect\.size: \[64, 64\]"
    ):
        detector(three, size=(32, 32))


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((4, 3, 64, 64), TensorProto.FLOAT),
        ((1, 1, 64, 64), TensorProto.FLOAT),
        ((3, 64, 64), TensorProto.FLOAT),
        ((1, 3, 64, 64), TensorProto.INT8),
    ],
)
def test_an_input_that_is_no_picture_is_an_error_with_its_shape(
    shape: tuple[int, ...], dtype: int, tmp_path: Path
) -> None:
    model = constant_detector(tmp_path / "m.onnx", [yolov8(THREE)], shape, dtype)
    with pytest.raises(ModelError, match=r"input.* images \(.*expected .*; (choose|export)"):
        detector(model)


def test_the_input_format_can_be_set(three: str) -> None:
    own = InputFormat(colour="bgr", scale=1.0, mean=(1.0, 2.0, 3.0), std=(2.0, 2.0, 2.0), fit="top_left")
    blob, fit = detector(three, input=own).prepare(np.full((32, 64, 3), (10, 20, 30), np.uint8))
    assert (fit.left, fit.top, fit.inner) == (0, 0, (64, 32))
    assert_allclose(blob[0, :, 0, 0], [4.5, 9, 13.5])
    assert_allclose(blob[0, :, 63, 0], [56.5, 56, 55.5])  # the fill, 114


# --- heads and names -------------------------------------------------------------------------------------------------


def test_outputs_of_no_known_form_are_an_error_with_shapes_and_forms(tmp_path: Path) -> None:
    outputs = [np.zeros((1, 3, 8, 8, 85), np.float32), np.zeros((1, 3, 4, 4, 85), np.float32)]
    model = constant_detector(tmp_path / "m.onnx", outputs)
    with pytest.raises(ModelError) as caught:
        detector(model)
    for part in ("64 x 64 px", "(1, 3, 8, 8, 85), (1, 3, 4, 4, 85)", "yolox", "nanodet", "set detect.head"):
        assert part in str(caught.value)


def test_a_head_that_does_not_fit_is_an_error_that_names_it(three: str) -> None:
    with pytest.raises(ModelError, match=r"not of the form that detect\.head names, yolox; known are"):
        detector(three, head="yolox")


def test_a_model_for_another_task_is_an_error(tmp_path: Path) -> None:
    model = constant_detector(tmp_path / "m.onnx", [yolov8([], 52)], metadata={"task": "pose"})
    with pytest.raises(ModelError, match="its task is pose, expected detect; choose a detection model"):
        detector(model)


def test_eighty_classes_without_names_are_those_of_coco(tmp_path: Path) -> None:
    model = constant_detector(tmp_path / "m.onnx", [yolov8([], 80)])
    assert detector(model).names == COCO
    assert (len(COCO), COCO[0], COCO[79]) == (80, "person", "toothbrush")


def test_other_classes_without_names_are_numbered_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = constant_detector(tmp_path / "m.onnx", [yolov8([])])
    assert detector(model).names == ("class0", "class1", "class2")
    [record] = caplog.records
    assert "does not name its 3 classes" in record.getMessage()
    assert "set detect.labels" in record.getMessage()


def test_names_may_come_from_a_file(three: str, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("Mensch\n\nAuto \r\nHund\n")
    assert detector(three, labels=str(labels)).names == ("Mensch", "Auto", "Hund")


def test_the_mark_with_which_windows_editors_begin_is_no_part_of_the_first_name(three: str, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_bytes(b"\xef\xbb\xbfMensch\r\nAuto\r\nHund\r\n")
    assert detector(three, labels=str(labels)).names[0] == "Mensch"


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"a\nb\n", "has 2 names, the outputs of .* have 3 classes"), (b"\n", "no names"), (b"\xff\xfe\x00", "cannot be")],
)
def test_a_file_of_labels_that_does_not_fit_is_a_mistake_in_the_configuration(
    content: bytes, told: str, three: str, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"detect\.labels: .*{told}"):
        detector(three, labels=str(labels))


def test_a_file_of_labels_that_is_not_there_is_a_mistake_in_the_configuration(three: str) -> None:
    with pytest.raises(ConfigError, match=r"detect\.labels: nowhere\.txt cannot be read"):
        detector(three, labels="nowhere.txt")


def test_metadata_that_names_another_number_of_classes_is_an_error(tmp_path: Path) -> None:
    model = constant_detector(tmp_path / "m.onnx", [yolov8([])], metadata={"names": "['a', 'b']"})
    with pytest.raises(ModelError, match=r"its outputs have 3 classes, its metadata names 2; set detect\.head"):
        detector(model)


@pytest.mark.parametrize(
    "names", ["{0: 'a'", "{1: 'a', 2: 'b', 3: 'c'}", "[1, 2, 3]", "__import__('os')", "[" * 5000, "{}", "'abc'"]
)
def test_names_that_cannot_be_read_are_told_of_and_numbered(
    names: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = constant_detector(tmp_path / "m.onnx", [yolov8([])], metadata={"names": names})
    assert detector(model).names == ("class0", "class1", "class2")
    assert "its class names cannot be read" in caplog.records[0].getMessage()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"classes": ["persn"]}, r"detect\.classes: .* has no class 'persn'; did you mean 'person'\?"),
        ({"classes": ["zebra"]}, r"has no class 'zebra'; choose of person, car, dog"),
        ({"min_scores": {"cra": 0.5}}, r"detect\.min_scores: .* has no class 'cra'; did you mean 'car'\?"),
    ],
)
def test_a_class_that_the_model_does_not_have_is_a_mistake_with_a_hint(
    settings: dict[str, object], told: str, three: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        detector(three, **settings)
