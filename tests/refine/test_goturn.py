from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from edgetrack.config import RuntimeConfig
from edgetrack.errors import ModelError
from edgetrack.refine import Goturn
from edgetrack.refine.goturn import Regressor
from tests.parts import blob_detector
from tests.refine.white_follower import square, white_follower

ONE = RuntimeConfig(threads=1)


@pytest.fixture
def goturn(tmp_path: Path) -> Goturn:
    return Goturn(str(white_follower(tmp_path / "white.onnx")), ONE)


def test_a_target_is_followed(goturn: Goturn):
    goturn.start(square(100, 80), [100, 80, 132, 112])
    for step in range(1, 20):
        xyxy, confidence = goturn.follow(square(100 + 5 * step, 80 + 3 * step))
    assert_allclose(xyxy, [195, 137, 227, 169], atol=1.5)
    assert confidence == 1


@pytest.mark.parametrize(
    "xyxy",
    [
        pytest.param([400, 10, 440, 50], id="outside the picture"),
        pytest.param([10, 10, 10, 50], id="no width"),
        pytest.param([10, 10, 11, 11], id="one pixel"),
        pytest.param([50, 50, 10, 10], id="right before left"),
        pytest.param([np.nan, 10, 50, 50], id="NaN"),
        pytest.param([0, 0, np.inf, 50], id="infinite"),
        pytest.param([10, 10, 50], id="three numbers"),
    ],
)
def test_a_box_that_cannot_be_followed_is_refused(goturn: Goturn, xyxy: list[float]):
    with pytest.raises(ValueError, match="xyxy"):
        goturn.start(square(100, 80), xyxy)


@pytest.mark.parametrize("shape", [(240, 320), (240, 320, 4), (0, 320, 3)])
def test_what_is_no_picture_is_refused(goturn: Goturn, shape: tuple[int, ...]):
    with pytest.raises(ValueError, match="image"):
        goturn.start(np.zeros(shape, np.uint8), [10, 10, 50, 50])


def test_following_nothing_is_refused(goturn: Goturn):
    with pytest.raises(ValueError, match="start"):
        goturn.follow(square(100, 80))


def test_a_box_larger_than_the_picture_is_cut_to_it(goturn: Goturn):
    goturn.start(square(100, 80), [-500, -500, 900, 900])
    xyxy, _ = goturn.follow(square(100, 80))
    assert_allclose(xyxy[2:] - xyxy[:2], [320, 240], atol=1)


def test_a_picture_of_another_size_carries_the_box_over(goturn: Goturn):
    goturn.start(square(100, 80), [100, 80, 132, 112])
    xyxy, _ = goturn.follow(square(200, 160, size=(640, 480), side=64))
    assert_allclose(xyxy, [200, 160, 264, 224], atol=1.5)


def test_nan_from_the_model_leaves_the_box_with_confidence_0(goturn: Goturn, caplog: pytest.LogCaptureFixture):
    """Told of once, not on every picture."""
    goturn.start(square(100, 80), [100, 80, 132, 112])
    for _ in range(3):
        xyxy, confidence = goturn.follow(np.zeros((240, 320, 3), np.uint8))
    assert confidence == 0
    assert_allclose(xyxy, [100, 80, 132, 112])
    assert caplog.text.count("NaN") == 1


def test_a_target_of_two_pixels_is_followed_without_complaint(goturn: Goturn):
    goturn.start(square(100, 80, side=2), [100, 80, 102, 82])
    xyxy, _ = goturn.follow(square(101, 80, side=2))
    assert np.isfinite(xyxy).all()


def test_a_box_stays_with_its_middle_in_the_picture(goturn: Goturn):
    goturn.start(square(0, 80), [0, 80, 32, 112])
    for x in range(0, 40, 4):
        picture = np.full((240, 320, 3), 40, np.uint8)
        picture[80:112, : max(32 - x, 1)] = 255
        xyxy, _ = goturn.follow(picture)
    assert (xyxy[:2] + xyxy[2:] >= 0).all()


def test_fifty_targets_in_one_call_are_as_good_as_one_by_one(tmp_path: Path):
    net = Regressor(str(white_follower(tmp_path / "white.onnx")), ONE)
    pictures = square(100, 80), square(104, 83)
    together = [net.start(pictures[0], [90 + k / 5, 75, 130 + k / 5, 115]) for k in range(50)]
    alone = [net.start(pictures[0], [90 + k / 5, 75, 130 + k / 5, 115]) for k in range(50)]
    net.follow(pictures[1], together)
    for target in alone:
        net.follow(pictures[1], [target])
    assert_allclose([t.xyxy for t in together], [t.xyxy for t in alone], atol=1e-3)


def test_a_model_that_is_no_follower_is_named(tmp_path: Path):
    path = blob_detector(tmp_path / "blob.onnx")
    with pytest.raises(ModelError, match=r"blob\.onnx: inputs are images.*expected first"):
        Goturn(str(path))
