"""The motion gate: what is news in a picture, and what is not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgetrack.pace.gate import STILL_S, MotionGate
from edgetrack.types import Frame, Tracks

FPS = 10.0
SIZES = [(1920, 1080), (640, 360), (100, 60)]
Picture = NDArray[np.uint8]


def street(size: tuple[int, int] = (320, 180), seed: int = 0) -> Picture:
    """Walls and windows: brightness that changes from place to place."""
    width, height = size
    blocks = np.random.default_rng(seed).integers(30, 160, (height // 12 + 1, width // 12 + 1, 1), np.uint8)
    return blocks.repeat(12, 0).repeat(12, 1).repeat(3, 2)[:height, :width]


def noisy(picture: Picture, k: int, sigma: float) -> Picture:
    """As a sensor gives it; another draw for every k."""
    noise = np.random.default_rng(1000 + k).normal(0, sigma, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def nobody() -> Tracks:
    return Tracks.empty()


def somebody(confirmed: bool = True, missed: int = 0) -> Tracks:
    one = np.ones(1, np.int64)
    return Tracks(one, np.array([[0.0, 0, 30, 60]]), one.astype(np.int32), one.astype(np.float32), one == confirmed,
                  one * missed, one == 1)  # fmt: skip


class Watch:
    """A gate and the pictures that it is shown."""

    def __init__(self, look_s: float = 1000.0) -> None:
        self.gate, self.k = MotionGate(look_s), 0

    def opens(self, picture: Picture, tracks: Tracks | None = None) -> bool:
        self.k += 1
        time = self.k / FPS
        return self.gate.opens(Frame(picture, self.k, time, time, time), nobody() if tracks is None else tracks)

    def settled(self, picture: Picture, sigma: float = 0.0) -> Watch:
        for k in range(20):
            self.opens(noisy(picture, -k - 1, sigma) if sigma else picture)
        return self


@pytest.mark.parametrize("size", SIZES)
def test_a_picture_that_stays_the_same_is_looked_at_once(size: tuple[int, int]) -> None:
    watch = Watch()
    assert [watch.opens(street(size)) for _ in range(5)] == [True, False, False, False, False]


@pytest.mark.parametrize("size", SIZES)
def test_who_appears_is_looked_at_in_the_same_picture(size: tuple[int, int]) -> None:
    """A person of a twelfth of the picture's height."""
    watch = Watch().settled(street(size))
    picture, height = street(size), max(8, size[1] // 12)
    picture[size[1] // 2 :][:height, size[0] // 2 :][:, : height // 2] = 230
    assert watch.opens(picture)


@pytest.mark.parametrize("sigma", [2.0, 6.0, 12.0])
def test_noise_is_no_news(sigma: float) -> None:
    watch = Watch().settled(street(), sigma)
    assert not any(watch.opens(noisy(street(), k, sigma)) for k in range(30))


def test_a_person_is_news_in_noise() -> None:
    watch = Watch().settled(street(), 6.0)
    picture = street()
    picture[90:105, 160:168] = 230
    assert watch.opens(noisy(picture, 0, 6.0))


def test_a_cloud_is_no_news() -> None:
    watch = Watch().settled(street())
    darker = [(street() * (1 - 0.004 * k)).astype(np.uint8) for k in range(1, 60)]
    assert not any(watch.opens(picture) for picture in darker)


def test_a_lamp_that_is_switched_on_is_looked_at_once() -> None:
    watch = Watch().settled(street())
    bright = street()
    bright[:, :160] += 60
    assert [watch.opens(bright) for _ in range(4)] == [True, False, False, False]


def test_slow_movement_adds_up() -> None:
    """A pixel in two pictures; no two of them differ by much."""
    watch, opened = Watch().settled(street()), 0
    for k in range(40):
        picture = street()
        picture[100:160, 200 + k // 2 : 230 + k // 2] = 200
        opened += watch.opens(picture)
    assert opened >= 5


def test_a_single_cell_is_no_news() -> None:
    """A hot pixel, or an insect far away."""
    watch = Watch().settled(street())
    picture = street()
    picture[90:92, 160:162] = 255
    assert not watch.opens(picture)


def test_every_so_often_it_looks_though_nothing_moves() -> None:
    watch = Watch(look_s=2.0)
    opened = [watch.opens(street()) for _ in range(60)]
    assert [k for k, was in enumerate(opened) if was] == pytest.approx([0, 20, 40], abs=1)


@pytest.mark.parametrize("doubtful", [somebody(confirmed=False), somebody(missed=1)], ids=["new", "missed"])
def test_a_track_that_is_new_or_was_missed_is_looked_at(doubtful: Tracks) -> None:
    watch = Watch().settled(street())
    assert all(watch.opens(street(), doubtful) for _ in range(5))


def test_one_who_stands_still_is_looked_at_once_a_second() -> None:
    watch = Watch().settled(street())
    opened = [watch.opens(street(), somebody()) for _ in range(40)]
    assert sum(opened) == pytest.approx(40 / FPS / STILL_S, abs=1)


def test_the_same_pictures_are_judged_alike_every_time() -> None:
    pictures = [noisy(street(), k, 8.0) for k in range(30)]
    judged = [[watch.opens(picture) for picture in pictures] for watch in (Watch(), Watch())]
    assert judged[0] == judged[1]


def test_a_camera_that_changes_its_size_is_looked_at() -> None:
    watch = Watch().settled(street((640, 360)))
    assert watch.opens(street((1280, 720)))


def test_a_black_picture_is_no_fault() -> None:
    watch = Watch()
    black = np.zeros((360, 640, 3), np.uint8)
    assert [watch.opens(black) for _ in range(3)] == [True, False, False]
