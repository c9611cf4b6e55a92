"""Embeddings by small real models whose answer is known: the mean of each channel as the model sees it."""

import logging
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from onnx import TensorProto

from edgetrack.config import InputFormat, NoEmbed, ReidEmbed, RuntimeConfig
from edgetrack.detect import open_embedder
from edgetrack.detect.pixels import pixels_of
from edgetrack.detect.reid import MAX_BATCH, ReidEmbedder
from edgetrack.errors import ModelError
from edgetrack.types import Detections
from tests.detect.models import Shape, constant_detector, mean_embedder

CPU = RuntimeConfig(threads=1)
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
LAYOUTS: dict[str, tuple[Shape, Shape]] = {
    "open batch": (("n", 3, 32, 16), ("n", 3)),
    "batch of one": ((1, 3, 32, 16), (1, 3)),
    "batch of four": ((4, 3, 32, 16), (4, 3)),
    "open size": (("n", 3, "h", "w"), ("n", 3)),
    "output with sides": (("n", 3, 32, 16), ("n", 3, 1, 1)),
}


def at(*boxes: tuple[float, float, float, float]) -> Detections:
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(xyxy, np.ones(len(xyxy), np.float32), np.zeros(len(xyxy), np.int32))


def plain_boxes(n: int) -> tuple[NDArray[np.uint8], Detections, NDArray[np.int64]]:
    """A picture with a box of a plain colour in each of n places, the boxes, and the colours (n, 3) BGR."""
    colours = np.random.default_rng(0).integers(30, 220, (n, 3))
    image = np.zeros((40, 20 * n, 3), np.uint8)
    for i, colour in enumerate(colours):
        image[:, 20 * i : 20 * (i + 1)] = colour
    return image, at(*((20 * i + 2, 3, 20 * i + 17, 38) for i in range(n))), colours


def unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


@pytest.mark.parametrize("n", [0, 1, 3, 4, 9, MAX_BATCH + 3])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_box_gets_the_unit_row_of_its_own_crop(layout: str, n: int, tmp_path: Path) -> None:
    model = mean_embedder(tmp_path / "m.onnx", *LAYOUTS[layout])
    image, detections, colours = plain_boxes(n) if n else (np.zeros((9, 9, 3), np.uint8), at(), np.empty((0, 3), int))
    embedded = open_embedder(ReidEmbed(model=model), CPU).embed(image, detections)
    assert embedded.embedding is not None
    assert embedded.embedding.dtype == np.float32
    assert embedded.embedding.shape == (n, 3)
    assert_allclose(embedded.embedding, unit((colours[:, ::-1] / 255 - MEAN) / STD), rtol=1e-4, atol=1e-4)


def test_only_what_is_wanted_is_embedded_and_the_rest_is_zeros(tmp_path: Path) -> None:
    embedder = ReidEmbedder(ReidEmbed(model=mean_embedder(tmp_path / "m.onnx", *LAYOUTS[next(iter(LAYOUTS))])), CPU)
    image, detections, _ = plain_boxes(9)
    wanted = np.arange(9) % 3 == 1
    whole, part = embedder.embed(image, detections).embedding, embedder.embed(image, detections, wanted).embedding
    assert whole is not None
    assert_allclose(part, np.where(wanted[:, None], whole, 0), atol=1e-6)
    assert not np.any(embedder.embed(image, detections, np.zeros(9, bool)).embedding)


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8])
def test_channels_last_means_bgr_as_it_is(dtype: int, tmp_path: Path) -> None:
    model = mean_embedder(tmp_path / "m.onnx", (1, 256, 128, 3), (1, 3), channels_last=True, dtype=dtype)
    image, detections, colours = plain_boxes(3)
    embedded = ReidEmbedder(ReidEmbed(model=model), CPU).embed(image, detections)
    assert embedded.embedding is not None
    assert_allclose(embedded.embedding, unit(colours.astype(np.float64)), rtol=1e-4)


def test_the_input_format_can_be_set(tmp_path: Path) -> None:
    model = mean_embedder(tmp_path / "m.onnx", ("n", 3, 32, 16), ("n", 3))
    own = InputFormat(colour="bgr", scale=1.0, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    image, detections, colours = plain_boxes(3)
    embedded = ReidEmbedder(ReidEmbed(model=model, input=own), CPU).embed(image, detections)
    assert embedded.embedding is not None
    assert_allclose(embedded.embedding, unit(colours.astype(np.float64)), rtol=1e-4)


def test_boxes_partly_or_wholly_outside_are_embedded_by_what_is_left(tmp_path: Path) -> None:
    model = mean_embedder(tmp_path / "m.onnx", ("n", 3, 32, 16), ("n", 3))
    image = np.full((40, 60, 3), (50, 100, 150), np.uint8)
    boxes = at((-20, -20, 10, 10), (50, 30, 90, 90), (-50, -50, -10, -10), (70, 5, 90, 30), (10, 10, 10, 10))
    embedded = ReidEmbedder(ReidEmbed(model=model), CPU).embed(image, boxes)
    assert embedded.embedding is not None
    expected = unit(((np.array([[150, 100, 50]]) / 255) - MEAN) / STD)
    assert_allclose(embedded.embedding, np.repeat(expected, 5, axis=0), rtol=1e-4)


def test_an_embedder_serves_pictures_one_after_the_other(tmp_path: Path) -> None:
    embedder = ReidEmbedder(ReidEmbed(model=mean_embedder(tmp_path / "m.onnx", *LAYOUTS["open batch"])), CPU)
    for n in (5, 2, 40, 1):
        image, detections, colours = plain_boxes(n)
        embedded = embedder.embed(image, detections)
        assert embedded.embedding is not None
        assert_allclose(embedded.embedding, unit((colours[:, ::-1] / 255 - MEAN) / STD), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("value", [np.nan, 0.0, np.inf])
def test_an_embedding_without_direction_is_told_of_once_and_still_a_unit_row(
    value: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = constant_detector(tmp_path / "m.onnx", [np.full((1, 8), value, np.float32)], (1, 3, 32, 16))
    embedder = ReidEmbedder(ReidEmbed(model=model), CPU)
    image, detections, _ = plain_boxes(2)
    for _ in range(2):
        embedded = embedder.embed(image, detections)
    assert embedded.embedding is not None
    assert_allclose(np.linalg.norm(embedded.embedding, axis=1), 1, rtol=1e-6)
    [record] = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert "embeddings are zero, NaN or infinite" in record.getMessage()


def test_a_detector_is_no_embedder(tmp_path: Path) -> None:
    model = constant_detector(tmp_path / "m.onnx", [np.zeros((1, 3549, 85), np.float32)], (1, 3, 416, 416))
    with pytest.raises(ModelError, match=r"output for 1 crops of 416 x 416 px is \(1, 3549, 85\), expected \(1, D\)"):
        ReidEmbedder(ReidEmbed(model=model), CPU)


def test_an_input_that_is_no_picture_is_an_error_with_its_shape(tmp_path: Path) -> None:
    model = constant_detector(tmp_path / "m.onnx", [np.zeros((1, 8), np.float32)], (1, 10))
    with pytest.raises(ModelError, match=r"inputs are images \(1, 10\) float32, expected crops as"):
        ReidEmbedder(ReidEmbed(model=model), CPU)


def test_no_embedder_leaves_detections_as_they_are() -> None:
    detections = at((1, 2, 3, 4))
    assert open_embedder(NoEmbed(), CPU).embed(np.zeros((9, 9, 3), np.uint8), detections) is detections


def test_pixels_of_a_box_are_rounded_outwards_and_inside_the_picture() -> None:
    xyxy = np.array([[1.2, 2.7, 5.1, 6.0], [-3, -3, 2, 2], [200, 50, 300, 60], [4, 4, 4, 4], [np.nan, 0, 5, 5]])
    expected = [[1, 2, 6, 6], [0, 0, 2, 2], [99, 50, 100, 60], [4, 4, 5, 5], [0, 0, 5, 5]]
    assert pixels_of(xyxy, 100, 80).tolist() == expected
