"""A camera that gives fewer pictures than it used to."""

from __future__ import annotations

from edgetrack.capture.pace import Pace


class Camera:
    def __init__(self) -> None:
        self.pace = Pace()
        self.time = 50.0

    def give(self, seconds: float, fps: float, pictures: int = 1) -> str:
        """What is said after so many seconds at so many beats a second."""
        for _ in range(round(seconds * fps)):
            self.time += 1 / fps
            self.pace.beat(self.time, pictures)
        return self.pace.reason


def test_half_the_pictures_are_told_within_half_a_minute() -> None:
    camera = Camera()
    assert camera.give(60, 15) == ""
    assert camera.give(30, 7.5) == "7.5 pictures/s, usually 15; is it night mode, or the network?"


def test_the_words_stay_while_the_rate_wanders() -> None:
    """Each change of the reason is a message to all subscribers."""
    camera = Camera()
    camera.give(60, 15)
    first = camera.give(30, 7.5)
    assert {camera.give(10, fps) for fps in (7, 6, 8, 5)} == {first}


def test_the_full_rate_is_well_again() -> None:
    camera = Camera()
    camera.give(60, 15)
    assert camera.give(40, 7.5)
    assert camera.give(20, 15) == ""


def test_after_a_quarter_of_an_hour_the_new_rate_is_the_usual_one() -> None:
    camera = Camera()
    camera.give(60, 25)
    assert camera.give(60, 12.5)
    assert camera.give(900, 12.5) == ""


def test_a_third_less_is_no_trouble() -> None:
    camera = Camera()
    camera.give(60, 30)
    assert camera.give(120, 20) == ""


def test_one_slow_moment_is_no_trouble() -> None:
    camera = Camera()
    camera.give(60, 30)
    camera.give(9, 5)
    assert camera.give(60, 30) == ""


def test_an_outage_is_another_trouble() -> None:
    camera = Camera()
    camera.give(60, 15)
    for _ in range(5):
        camera.pace.pause()
        camera.time += 60
        assert camera.give(12, 15) == ""


def test_pictures_that_the_loop_did_not_want_count() -> None:
    """A slow loop is no slow camera."""
    camera = Camera()
    camera.give(60, 15)
    assert camera.give(60, 5, pictures=3) == ""
