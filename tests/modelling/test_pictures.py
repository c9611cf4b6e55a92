"""Albums: pictures, and what is known to be in them."""

from pathlib import Path

import numpy as np
import pytest

from edgetrack.errors import CaptureError, ConfigError
from edgetrack.modelling.pictures import FREE, Album
from tests.capture.clips import picture, write_picture
from tests.modelling.nets import SIDE, SQUARE, square_pictures


def sequence(folder: Path, lines: list[str]) -> Path:
    (folder / "img1").mkdir(parents=True)
    for number in (1, 2):
        write_picture(folder / "img1" / f"{number:06}.png", picture(number))
    (folder / "gt.txt").write_text("\n".join(lines))
    return folder


def test_yolo_labels_become_pixels(tmp_path: Path) -> None:
    first = next(iter(Album(*square_pictures(tmp_path))))
    assert first.truth is not None
    assert first.truth.xyxy.tolist() == [[0, 0, SQUARE, SQUARE]]
    assert (first.name, first.image.shape) == ("0.png", (SIDE, SIDE, 3))


def test_without_labels_nothing_is_known_of_any_picture(tmp_path: Path) -> None:
    images, _ = square_pictures(tmp_path)
    assert [seen.truth for seen in Album(images)] == [None] * 6


def test_a_picture_without_labels_is_left_out(tmp_path: Path) -> None:
    images, labels = square_pictures(tmp_path)
    (labels / "3.txt").unlink()
    (labels / "4.txt").write_text("")
    seen = {seen.name: seen.truth for seen in Album(images, labels)}
    assert "3.png" not in seen
    assert seen["4.png"] is not None
    assert len(seen["4.png"].xyxy) == 0


def test_a_limit_takes_pictures_from_the_whole_folder(tmp_path: Path) -> None:
    images, labels = square_pictures(tmp_path, 11)
    assert [seen.name for seen in Album(images, labels, 3)] == ["0.png", "5.png", "10.png"]
    assert len(list(Album(images, labels, 100))) == 11


def test_motchallenge_sequences_bring_identities_and_free_boxes(tmp_path: Path) -> None:
    lines = ["1,5,10,20,30,40,1,1,0.9", "1,6,1,2,3,4,1,1,0.1", "1,7,1,2,3,4,0,7,1", "2,5,12,20,30,40,1,1,0.9"]
    sequence(tmp_path / "a", lines)
    first, second = Album(tmp_path, tmp_path)
    assert first.truth is not None
    assert second.truth is not None
    assert first.truth.class_id.tolist() == [0, FREE, FREE]
    assert first.truth.xyxy[0].tolist() == [10, 20, 40, 60]
    assert np.array_equal(first.truth.identity if first.truth.identity is not None else [], [5, 6, 7])
    assert (first.sequence, second.truth.xyxy[0, 0]) == ("a", np.float32(12))


def test_one_sequence_alone_is_an_album_too(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "a", ["1,5,10,20,30,40,1,1,0.9"])
    assert len(list(Album(folder, folder))) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 a b c d\n", "cannot be read as numbers"),
        ("0 1 2\n", "3 numbers a line, expected class"),
        ("0 1\n1\n", "numb"),
    ],
)
def test_labels_that_are_none_are_told(tmp_path: Path, text: str, message: str) -> None:
    images, labels = square_pictures(tmp_path)
    (labels / "2.txt").write_text(text)
    with pytest.raises(ConfigError, match=message):
        list(Album(images, labels))


def test_labels_of_other_pictures_are_told(tmp_path: Path) -> None:
    images, _ = square_pictures(tmp_path)
    with pytest.raises(ConfigError, match=r"--labels: .* expected 0.txt \(YOLO text\)"):
        list(Album(images, tmp_path))


def test_a_folder_without_pictures_is_told(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="no pictures in it"):
        list(Album(tmp_path))
