"""A camera that delivers but does not see, told from nights, static scenes and light that is switched."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from edgetrack.capture.eye import Eye

FPS = 10
Image = NDArray[np.uint8]
DRAW = np.random.default_rng(1)
STREET = DRAW.integers(40, 220, (9, 16, 3)).repeat(4, axis=0).repeat(4, axis=1)  # blocks of all brightnesses


def street(light: float = 1.0, noise: float = 3.0) -> Image:
    """A still scene as a sensor sees it."""
    return np.clip(STREET * light + DRAW.normal(0, noise, STREET.shape), 0, 255).astype(np.uint8)


class Watch:
    """An eye, and the time of its last picture."""

    def __init__(self, tamper_s: float = 10) -> None:
        self.eye = Eye(tamper_s)
        self.time = 100.0

    def see(self, seconds: float, picture: Callable[[], Image]) -> str:
        """A picture every 1 / FPS s; the fault then."""
        for _ in range(round(seconds * FPS)):
            self.time += 1 / FPS
            self.eye.look(picture(), self.time)
        return self.eye.fault


@pytest.fixture
def watch() -> Watch:
    watch = Watch()
    assert watch.see(20, street) == ""
    return watch


def black(noise: float = 0.0) -> Callable[[], Image]:
    return lambda: street(0.0, noise)


def still() -> Callable[[], Image]:
    picture = street()
    return lambda: picture


def test_a_picture_that_stands_still_is_frozen(watch: Watch) -> None:
    frozen = still()
    assert watch.see(9, frozen) == ""
    assert watch.see(2, frozen) == "frozen"
    assert "stood still, to the last bit, for over 10 s" in watch.eye.reason


def test_a_scene_in_which_nothing_moves_is_not_frozen(watch: Watch) -> None:
    """The noise of a sensor is enough, at night's little light too."""
    assert watch.see(60, street) == ""
    assert watch.see(60, lambda: street(noise=0.5)) == ""


def test_a_decoder_that_repeats_pictures_up_to_the_next_whole_one_is_not_frozen(watch: Watch) -> None:
    """Where nothing changes, H.264 skips: pictures are alike to the bit for seconds."""
    for _ in range(10):
        assert watch.see(8, still()) == ""


def test_it_is_well_again_by_itself(watch: Watch) -> None:
    watch.see(15, still())
    assert watch.see(1, street) == "frozen"  # one new picture proves little
    assert watch.see(2, street) == ""
    assert watch.eye.reason == ""


def test_a_camera_that_moves_once_in_a_while_stays_frozen(watch: Watch) -> None:
    assert watch.see(15, still()) == "frozen"
    for _ in range(5):
        assert watch.see(4, still()) == "frozen"


def test_a_lens_that_is_covered_is_blank(watch: Watch) -> None:
    """With the noise that a dark sensor has."""
    assert watch.see(9, black(noise=2)) == ""
    assert watch.see(2, black(noise=2)) == "blank"
    assert "is the lens covered" in watch.eye.reason


@pytest.mark.parametrize("grey", [0, 16, 128, 255])
def test_one_colour_without_noise_is_blank_too(watch: Watch, grey: int) -> None:
    """As a camera sends it that has lost its sensor."""
    assert watch.see(12, lambda: np.full_like(street(), grey)) == "blank"


def test_nightfall_is_no_fault(watch: Watch) -> None:
    """In five minutes to complete darkness, and a night of it."""
    for part in np.linspace(1, 0, 3000):
        assert watch.see(1 / FPS, lambda light=part: street(light, noise=2)) == ""
    assert watch.see(300, black(noise=2)) == ""


def test_a_dark_street_with_one_lamp_is_no_fault(watch: Watch) -> None:
    def night() -> Image:
        picture = street(0.0, noise=2)
        picture[8:12, 20:24] = 200
        return picture

    assert watch.see(60, night) == ""


def test_a_light_that_is_switched_off_leaves_something_to_see(watch: Watch) -> None:
    """A tenth of the light is enough."""
    assert watch.see(60, lambda: street(0.1)) == ""


def test_darkness_from_the_start_is_no_fault() -> None:
    assert Watch().see(60, black(noise=2)) == ""


def test_a_second_of_nothing_is_no_fault(watch: Watch) -> None:
    for _ in range(20):
        assert watch.see(1, black(noise=2)) == ""
        assert watch.see(1, street) == ""


def test_time_without_pictures_is_another_trouble(watch: Watch) -> None:
    frozen = still()
    watch.see(1, frozen)
    watch.time += 600
    assert watch.see(5, frozen) == ""


def test_blind_time_is_that_of_the_fault_from_its_beginning(watch: Watch) -> None:
    watch.see(5, still())
    assert watch.eye.blind_s == 0
    watch.see(30, still())
    assert watch.eye.blind_s == pytest.approx(30, abs=0.3)
    watch.see(60, street)
    assert watch.eye.blind_s == pytest.approx(32, abs=0.5)


def test_blind_time_only_grows(watch: Watch) -> None:
    told = [0.0]
    for _ in range(4):
        for picture in (still(), street):
            for _ in range(150):
                watch.see(1 / FPS, picture)
                told.append(watch.eye.blind_s)
    assert told == sorted(told)


def test_zero_looks_at_nothing() -> None:
    watch = Watch(tamper_s=0)
    watch.see(10, street)
    assert watch.see(100, still()) == ""


@pytest.mark.parametrize("shape", [(1, 1, 3), (4, 6, 3), (37, 65, 3), (2, 4000, 3), (1080, 1920, 3)])
def test_every_size_of_picture_can_be_looked_at(shape: tuple[int, int, int]) -> None:
    eye = Eye(1)
    for time in range(5):
        eye.look(np.full(shape, 7, np.uint8), float(time))
    assert eye.fault in ("", "frozen")
