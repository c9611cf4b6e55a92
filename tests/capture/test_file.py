"""Video files: all of their pictures, their times, and what is wrong with those that cannot be read."""

import logging
import struct
import threading
import time
import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from edgetrack.capture import open_source
from edgetrack.capture.file import MediaClock
from edgetrack.config import FileCapture
from edgetrack.errors import CaptureError
from edgetrack.types import Frame, Image
from tests.capture import clips


def frames_of(path: Path, **options: object) -> list[Frame]:
    with open_source(FileCapture(path=str(path), **options)) as source:  # type: ignore[arg-type]
        return [frame for frame in source if frame is not None]


def noisy(count: int) -> list[Image]:
    """Pictures that compress badly, so that a part of the file is a part of the pictures."""
    random = np.random.default_rng(0)
    return [random.integers(0, 255, (120, 160, 3)).astype(np.uint8) for _ in range(count)]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("clip.mp4", {}),
        ("clip.mkv", {}),
        ("clip.ts", {}),
        ("clip.avi", {"codec": "mpeg4"}),
        ("clip.mov", {"codec": "mjpeg", "pix_fmt": "yuvj422p"}),
        ("reordered.mp4", {"options": {"bf": "3"}}),
    ],
)
def test_every_picture_is_handed_out_in_order(tmp_path: Path, name: str, options: dict[str, object]) -> None:
    path = clips.write(tmp_path / name, clips.pictures(20), **options)  # type: ignore[arg-type]
    frames = frames_of(path)
    assert [frame.index for frame in frames] == list(range(20))
    assert np.allclose([clips.square_left(frame.image) for frame in frames], np.arange(20) * clips.STEP_PX, atol=2)


def test_time_is_media_time_from_zero(tmp_path: Path) -> None:
    """A transport stream begins at 1.4 s and more."""
    path = clips.write(tmp_path / "clip.ts", clips.pictures(10), fps=10)
    assert np.allclose([frame.time for frame in frames_of(path)], np.arange(10) / 10)


def test_time_follows_an_uneven_frame_rate(tmp_path: Path) -> None:
    stamps = [0, 1, 2, 10, 11, 30]
    path = clips.write(tmp_path / "clip.mkv", clips.pictures(6), fps=10, stamps=stamps)
    assert np.allclose([frame.time for frame in frames_of(path)], np.array(stamps) / 10, atol=1e-3)


def test_utc_is_the_wall_clock_plus_media_time(tmp_path: Path) -> None:
    before = time.time()
    first, *_, last = frames_of(clips.write(tmp_path / "clip.mp4", clips.pictures(25)))
    assert before <= first.utc <= time.time()
    assert last.utc - first.utc == pytest.approx(24 / 25)


@pytest.mark.parametrize(
    ("stamps", "times"),
    [
        ([5.0, 5.1, 5.2], [0, 0.1, 0.2]),
        ([None, None, None], [0, 0.1, 0.2]),
        ([3.0, None, 3.2], [0, 0.1, 0.2]),
        ([8.0, 8.1, 0.0, 0.1], [0, 0.1, 0.2, 0.3]),
        ([1.0, 1.0, 1.1], [0, 0.1, 0.2]),
    ],
    ids=["late start", "no stamps", "one is missing", "starts again", "twice the same"],
)
def test_media_time_never_goes_back(stamps: list[float | None], times: list[float]) -> None:
    clock = MediaClock(step_s=0.1)
    assert [clock(stamp) for stamp in stamps] == pytest.approx(times)


def test_time_goes_on_when_the_file_starts_again(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "clip.mp4", clips.pictures(5))
    times: list[float] = []
    with open_source(FileCapture(path=str(path), loop=True)) as source:
        for frame in source:
            times += [frame.time] if frame is not None else []
            if len(times) == 12:
                break
    assert np.allclose(times, np.arange(12) / 25)


def test_a_joined_file_is_read_to_its_end(tmp_path: Path) -> None:
    part = clips.write(tmp_path / "part.ts", clips.pictures(10)).read_bytes()
    joined = tmp_path / "joined.ts"
    joined.write_bytes(part + part)
    times = [frame.time for frame in frames_of(joined)]
    assert len(times) == 20
    assert all(later > earlier for earlier, later in pairwise(times))


def test_realtime_takes_as_long_as_the_recording(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "clip.mp4", clips.pictures(11), fps=20)
    frames = frames_of(path, pace="realtime")
    assert len(frames) == 11
    assert frames[-1].captured - frames[0].captured == pytest.approx(0.5, abs=0.2)


def test_realtime_drops_nothing_for_a_slow_loop(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "clip.mp4", clips.pictures(10), fps=100)
    with open_source(FileCapture(path=str(path), pace="realtime")) as source:
        seen = []
        for frame in source:
            time.sleep(0.02)
            seen += [frame.index] if frame is not None else []
    assert seen == list(range(10))


def test_a_picture_that_is_not_due_does_not_hold_the_loop(tmp_path: Path) -> None:
    """Ten seconds lie between the pictures; the daemon must be able to stop and to feed its watchdog."""
    path = clips.write(tmp_path / "lapse.mkv", clips.pictures(3), fps=10, stamps=[0, 100, 200])
    with open_source(FileCapture(path=str(path), pace="realtime")) as source:
        frames = iter(source)
        while next(frames) is None:
            pass
        began = time.monotonic()
        assert next(frames) is None
        assert time.monotonic() - began < 1


def test_a_rest_in_the_middle_loses_no_picture(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "clip.mp4", clips.pictures(10))
    seen: list[int] = []
    with open_source(FileCapture(path=str(path))) as source:
        for _ in range(3):
            for frame in source:
                if frame is not None:
                    seen.append(frame.index)
                    break
        seen += [frame.index for frame in source if frame is not None]
    assert seen == list(range(10))


def test_leaving_early_ends_the_reader(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "clip.mp4", clips.pictures(60))
    with open_source(FileCapture(path=str(path))) as source:
        next(iter(source))
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("capture")]


@pytest.mark.parametrize(("codec", "pix_fmt"), [("libx264", "yuv444p"), ("ffv1", "yuv420p"), ("ffv1", "gray")])
def test_odd_sizes_keep_their_size(tmp_path: Path, codec: str, pix_fmt: str) -> None:
    path = clips.write(tmp_path / "odd.mkv", clips.pictures(3, (101, 75)), codec=codec, pix_fmt=pix_fmt)
    assert {frame.image.shape for frame in frames_of(path)} == {(75, 101, 3)}


def test_a_single_picture_is_a_video_too(tmp_path: Path) -> None:
    assert len(frames_of(clips.write(tmp_path / "one.mp4", clips.pictures(1)))) == 1


def test_a_size_that_changes_midway_goes_through(tmp_path: Path) -> None:
    small = clips.write(tmp_path / "small.ts", clips.pictures(5, (64, 48))).read_bytes()
    large = clips.write(tmp_path / "large.ts", clips.pictures(5, (128, 96))).read_bytes()
    both = tmp_path / "both.ts"
    both.write_bytes(small + large)
    assert [frame.size for frame in frames_of(both)] == [(64, 48)] * 5 + [(128, 96)] * 5


def test_colours_survive(tmp_path: Path) -> None:
    image = np.full((48, 64, 3), (200, 60, 30), np.uint8)
    for codec, pix_fmt, name in (
        ("libx264", "yuv420p", "a.mp4"),
        ("mjpeg", "yuvj444p", "b.avi"),
        ("png", "rgb24", "c.mov"),
    ):
        frame = frames_of(clips.write(tmp_path / name, [image], codec=codec, pix_fmt=pix_fmt))[0]
        assert np.allclose(frame.image.mean(axis=(0, 1)), (200, 60, 30), atol=3), codec


@pytest.mark.parametrize(
    ("matrix", "corner"),
    [((0, 1, -1, 0), (0, -1)), ((-1, 0, 0, -1), (-1, -1)), ((0, -1, 1, 0), (-1, 0))],
    ids=["90 clockwise", "180", "270 clockwise"],
)
def test_a_phone_held_upright_is_turned_upright(
    tmp_path: Path, matrix: tuple[int, int, int, int], corner: tuple[int, int]
) -> None:
    """The top left corner of the stored picture is white; the track header says where it belongs."""
    image = np.zeros((48, 64, 3), np.uint8)
    image[:24, :32] = 255
    path = clips.write(tmp_path / "phone.mp4", [image])
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 44  # ISO 14496-12, 8.3.2: a, b, u, c, d, v as 16.16 numbers
    for position, value in zip((0, 4, 12, 16), matrix, strict=True):
        struct.pack_into(">i", content, at + position, value << 16)
    path.write_bytes(content)
    turned = frames_of(path)[0].image
    assert turned[corner].mean() > 200
    assert turned.mean() == pytest.approx(64, abs=8)


def test_a_file_that_is_cut_off_ends_with_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cut = clips.write(tmp_path / "cut.avi", noisy(40), codec="mjpeg", pix_fmt="yuvj420p")
    content = cut.read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    frames = frames_of(cut)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert 15 < len(frames) < 25
    assert len(warnings) == 1
    assert f"{cut}: ends after {len(frames)} of 40 pictures" in warnings[0]


def test_damage_in_the_middle_is_left_out_with_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = clips.write(tmp_path / "clip.mp4", noisy(40), options={"g": "5"})
    content = path.read_bytes()
    half, tenth = len(content) // 2, len(content) // 10
    path.write_bytes(content[:half] + np.random.default_rng(1).bytes(tenth) + content[half + tenth :])
    frames = frames_of(path)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert 25 < len(frames) < 40
    assert len(warnings) == 1
    assert "packets are damaged" in warnings[0]


def sound_only(path: Path) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))


def test_a_file_without_pictures_is_one_message(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    sound_only(path)
    with pytest.raises(CaptureError, match=r"sound\.wav: no video stream in it, only audio, expected a video"):
        frames_of(path)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("empty.mp4", b"", "the file is empty"),
        ("noise.mp4", np.random.default_rng(0).bytes(50_000), "Invalid data"),
        ("text.txt", b"not a video\n" * 100, "no video stream"),
    ],
)
def test_what_is_no_video_is_one_message(tmp_path: Path, name: str, content: bytes, found: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CaptureError) as error, open_source(FileCapture(path=str(path))):
        pass
    assert str(path) in str(error.value)
    assert found in str(error.value)
    assert "expected a video that FFmpeg reads; give another, or copy it again" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_header_without_its_pictures_is_one_message(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "clip.mkv", clips.pictures(5))
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"\x1f\x43\xb6\x75")])  # Matroska: the first cluster
    with pytest.raises(CaptureError, match="expected a video that FFmpeg reads"):
        frames_of(path)


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("{}/missing.mp4", "no such file; correct capture.path"),
        ("{}", "is a folder, expected a video file; set capture.kind: images"),
        ("rtsp://camera.local/1", "no such file; set capture.kind: rtsp"),
    ],
)
def test_a_wrong_path_names_its_remedy(tmp_path: Path, path: str, remedy: str) -> None:
    with pytest.raises(CaptureError, match=remedy), open_source(FileCapture(path=path.format(tmp_path))):
        pass


def test_a_picture_too_large_for_memory_is_one_message(tmp_path: Path) -> None:
    """A header of a few bytes may claim gigabytes."""
    path = clips.write_picture(tmp_path / "huge.png", clips.picture(0))
    content = bytearray(path.read_bytes())
    struct.pack_into(">II", content, 16, 30_000, 30_000)
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=r"huge\.png: .*expected a video"):
        frames_of(path)


FORMATS: dict[str, dict[str, str]] = {
    "clip.mp4": {},
    "clip.mkv": {},
    "clip.ts": {},
    "clip.avi": {"codec": "mpeg4"},
    "clip.mov": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
}


@pytest.mark.parametrize("name", FORMATS)
def test_damage_anywhere_gives_pictures_or_one_message(tmp_path: Path, name: str) -> None:
    """Cut off, bytes changed, a part overwritten, a part missing; nothing else may be raised, and no reader may die."""
    whole = clips.write(tmp_path / name, clips.pictures(12, (64, 48)), **FORMATS[name]).read_bytes()  # type: ignore[arg-type]
    random = np.random.default_rng(0)
    for case in range(24):
        start, length = int(random.integers(len(whole))), int(random.integers(1, 200))
        end = min(start + length, len(whole))
        damaged = (whole[:start], whole[:start] + random.bytes(end - start) + whole[end:], whole[:start] + whole[end:])
        (tmp_path / name).write_bytes(damaged[case % 3])
        try:
            assert frames_of(tmp_path / name)
        except CaptureError as error:
            message = str(error)
            assert message.startswith(f"{tmp_path / name}: ")
            assert "\n" not in message
            assert "died" not in message
