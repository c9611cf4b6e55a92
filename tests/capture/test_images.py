"""Folders of pictures, MOTChallenge sequences included."""

import logging
from pathlib import Path

import numpy as np
import pytest

from edgetrack.capture import open_source
from edgetrack.config import ImagesCapture
from edgetrack.errors import CaptureError
from edgetrack.types import Frame
from tests.capture import clips


def folder(path: Path, names: list[str]) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        clips.write_picture(path / name, clips.picture(number))
    return path


def frames_of(path: Path, **options: object) -> list[Frame]:
    with open_source(ImagesCapture(path=str(path), **options)) as source:  # type: ignore[arg-type]
        return [frame for frame in source if frame is not None]


def lefts(frames: list[Frame]) -> list[int]:
    return [round(clips.square_left(frame.image) / clips.STEP_PX) for frame in frames]


def test_pictures_come_in_natural_order_of_name(tmp_path: Path) -> None:
    names = ["cam1-2.jpg", "cam1-10.JPG", "cam1-11.png", "cam2-1.jpeg"]
    assert lefts(frames_of(folder(tmp_path, names))) == [0, 1, 2, 3]


def test_other_files_are_no_pictures(tmp_path: Path) -> None:
    folder(tmp_path, ["1.jpg"])
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "._1.jpg").write_bytes(b"left behind by another system")
    assert len(frames_of(tmp_path)) == 1


@pytest.mark.parametrize(("fps", "step"), [(None, 1 / 25), (10.0, 0.1)])
def test_time_follows_the_frame_rate(tmp_path: Path, fps: float | None, step: float) -> None:
    frames = frames_of(folder(tmp_path, ["1.jpg", "2.jpg", "3.jpg"]), fps=fps)
    assert np.allclose([frame.time for frame in frames], [0, step, 2 * step])


def test_a_motchallenge_sequence_brings_its_folder_and_frame_rate(tmp_path: Path) -> None:
    folder(tmp_path / "pictures", ["000001.png", "000002.png"])
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nname=x\nimDir=pictures\nframeRate=14\nimExt=.png\n")
    frames = frames_of(tmp_path)
    assert lefts(frames) == [0, 1]
    assert frames[1].time == pytest.approx(1 / 14)


def test_a_real_motchallenge_sequence_is_read(shared: Path) -> None:
    frames = frames_of(shared / "data" / "mot-frames" / "MOT17-02")
    assert [frame.size for frame in frames] == [(1920, 1080)] * 4


@pytest.mark.parametrize(
    "ini", ["", "frameRate=1", "[Sequence]\nframeRate=fast", "[Sequence]\nframeRate=0", "\xff\xfe"]
)
def test_a_broken_seqinfo_is_one_message(tmp_path: Path, ini: str) -> None:
    folder(tmp_path / "img1", ["1.jpg"])
    (tmp_path / "seqinfo.ini").write_bytes(ini.encode("latin-1"))
    with pytest.raises(CaptureError, match=r"seqinfo\.ini: .*expected \[Sequence\]") as error:
        frames_of(tmp_path)
    assert "\n" not in str(error.value)


def test_pictures_of_many_sizes_keep_theirs(tmp_path: Path) -> None:
    sizes = [(64, 48), (101, 75), (64, 48)]
    for number, size in enumerate(sizes):
        clips.write_picture(tmp_path / f"{number}.png", clips.picture(0, size))
    assert [frame.size for frame in frames_of(tmp_path)] == sizes


def test_a_broken_picture_is_left_out_with_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its place in time stays empty, however often the folder is run through."""
    folder(tmp_path, ["1.jpg", "2.jpg", "3.jpg"])
    (tmp_path / "2.jpg").write_bytes(b"no picture")
    with open_source(ImagesCapture(path=str(tmp_path), loop=True, fps=10)) as source:
        frames = [frame for _, frame in zip(range(4), (f for f in source if f is not None), strict=False)]
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [frame.time for frame in frames] == pytest.approx([0, 0.2, 0.3, 0.5])
    assert len(warnings) == 1
    assert warnings[0].startswith(str(tmp_path / "2.jpg"))


def test_a_folder_of_broken_pictures_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(b"no picture")
    with pytest.raises(CaptureError, match="none of 1 pictures can be decoded"):
        frames_of(tmp_path)


def test_wrong_paths_name_their_remedies(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    for name, remedy in (
        ("missing", "no such folder; correct the path"),
        ("clip.mp4", "is a file; set capture.kind: file"),
        ("empty", r"no pictures in it, expected \.jpeg, \.jpg, \.png; correct the path"),
    ):
        with pytest.raises(CaptureError, match=remedy):
            frames_of(tmp_path / name)
