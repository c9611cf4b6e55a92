"""The motion of the camera, told from pictures whose motion is known."""

import numpy as np
import pytest

from edgetrack.config import TrackConfig
from edgetrack.detect import open_camera
from edgetrack.detect.camera_motion import CameraMotion
from edgetrack.image import resize


@pytest.fixture(scope="module")
def wall() -> np.ndarray:
    """(480, 800, 3): something to see everywhere, in large and small."""
    rng = np.random.default_rng(0)
    parts = [rng.integers(0, 255, (480 // n, 800 // n, 3)).astype(np.uint8) for n in (16, 4)]
    return sum(resize(part, 800, 480) // 2 for part in parts)


def window(wall: np.ndarray, left: int, top: int) -> np.ndarray:
    return np.ascontiguousarray(wall[top : top + 360, left : left + 640])


def told(*pictures: np.ndarray) -> tuple[float, float]:
    """By the last of these pictures."""
    camera = CameraMotion()
    return [camera.shift(picture) for picture in pictures][-1]


@pytest.mark.parametrize(("right", "down"), [(10, 0), (-25, 15), (4, -30)])
def test_the_scene_goes_against_the_camera(wall: np.ndarray, right: int, down: int):
    shift = told(window(wall, 60, 60), window(wall, 60 + right, 60 + down))
    assert shift == pytest.approx((-right, -down), abs=1)


def test_somebody_large_who_walks_is_not_the_camera(wall: np.ndarray):
    pictures = [window(wall, 60, 60), window(wall, 70, 60)]
    for picture, left in zip(pictures, (200, 180), strict=True):
        picture[:, left : left + 160] = wall[60:420, 600:760]
    assert told(*pictures) == pytest.approx((-10, 0), abs=1)


def test_a_camera_at_rest_does_not_move_whoever_walks(wall: np.ndarray):
    pictures = [window(wall, 60, 60) for _ in range(5)]
    for k, picture in enumerate(pictures):
        picture[:, 100 + 20 * k : 260 + 20 * k] = wall[60:420, 600:760]
    assert told(*pictures) == (0, 0)


def test_a_cut_is_no_motion(wall: np.ndarray):
    assert told(window(wall, 0, 0), window(wall[::-1, ::-1], 0, 0)) == (0, 0)


def test_the_dark_is_no_motion():
    assert told(*np.zeros((2, 360, 640, 3), np.uint8)) == (0, 0)


def test_another_size_begins_anew(wall: np.ndarray):
    assert told(window(wall, 60, 60), wall) == (0, 0)


def test_a_camera_is_taken_for_fixed_unless_configured(wall: np.ndarray):
    for moves in (False, True):
        camera = open_camera(TrackConfig(camera_motion=moves))
        camera.shift(window(wall, 60, 60))
        assert (camera.shift(window(wall, 70, 60)) != (0, 0)) == moves
