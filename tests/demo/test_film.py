"""The annotated video."""

from pathlib import Path

import av
import numpy as np
import pytest

from edgetrack.config import Config, DetectConfig, LineConfig, SceneCapture, ZoneConfig
from edgetrack.demo.film import LINE, Film
from edgetrack.demo.letters import ADVANCE, stencil
from edgetrack.errors import PublishError
from edgetrack.types import Frame, Tracks


def config() -> Config:
    return Config(
        capture=SceneCapture(),
        detect=DetectConfig(model="none.onnx"),
        lines=[LineConfig(name="door", start=(0.5, 0.9), end=(0.5, 0.1))],
        zones=[ZoneConfig(name="porch", polygon=[(0.1, 0.1), (0.4, 0.1), (0.4, 0.9), (0.1, 0.9)])],
    )


def frame(index: int) -> Frame:
    return Frame(np.full((96, 160, 3), 90, np.uint8), index, index / 10, 0.0, 0.0)


def one_track(left: float) -> Tracks:
    one = np.ones(1)
    return Tracks(
        np.array([7]), np.array([[left, 20.0, left + 20, 70.0]]), np.zeros(1, np.int32), one.astype(np.float32),
        one.astype(bool), np.zeros(1, np.int64), one.astype(bool),
    )  # fmt: skip


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [picture.to_ndarray(format="bgr24") for picture in container.decode(video=0)]


def test_a_film_has_every_picture_at_twice_the_size(tmp_path: Path) -> None:
    with Film(tmp_path / "film.mp4", config(), ("person",), fps=10) as film:
        for index in range(5):
            film.add(frame(index), one_track(100 + index), [])
    found = pictures(tmp_path / "film.mp4")
    assert [picture.shape for picture in found] == [(192, 320, 3)] * 5


def test_lines_are_drawn_where_they_count(tmp_path: Path) -> None:
    with Film(tmp_path / "film.mp4", config(), ("person",), fps=10) as film:
        film.add(frame(0), Tracks.empty(), [])
    picture = pictures(tmp_path / "film.mp4")[0]
    assert np.abs(picture[40, 160].astype(int) - LINE).max() < 80
    assert np.abs(picture[40, 220].astype(int) - 90).max() < 20


def test_pictures_of_the_source_are_not_written_to(tmp_path: Path) -> None:
    shown = frame(0)
    with Film(tmp_path / "film.mp4", config(), ("person",), fps=10, zoom=1) as film:
        film.add(shown, one_track(100), [])
    assert (shown.image == 90).all()


def test_letters_have_their_width_and_unknown_ones_are_blank() -> None:
    assert stencil("ab", 2).shape == (14, 4 * ADVANCE)
    assert not stencil("§", 1).any()


def test_a_film_that_cannot_be_written_says_so_before_anything_is_shown(tmp_path: Path) -> None:
    with pytest.raises(PublishError, match=r"none/film\.mp4: No such file or directory; name a file .* --no-video"):
        Film(tmp_path / "none" / "film.mp4", config(), ("person",), fps=10).__enter__()


def test_a_disk_that_fills_up_ends_the_film_and_nothing_else() -> None:
    with Film(Path("/dev/full"), config(), ("person",), fps=10) as film:
        for index in range(40):
            film.add(frame(index), one_track(100 + index), [])
    assert film.fault
