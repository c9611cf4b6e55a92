"""Pictures in planes: what is scaled and cut from them is what BGR gives, and masks hide as well as ever."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from numpy.testing import assert_array_equal

from edgetrack.capture import open_source
from edgetrack.capture.decode import Pictures
from edgetrack.config import DetectConfig, FileCapture, HistogramEmbed, ReidEmbed, RuntimeConfig
from edgetrack.detect import open_detector, open_embedder
from edgetrack.image import Resizer, crop
from edgetrack.planes import HALVINGS, Bgr, Decoded, copied, rows_of
from edgetrack.types import Frame, Image
from tests.capture import clips

LEFT_HALF = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]
STREET = "data/mot-video/ADL-Rundle-6-a/video.mp4"


def decoded(pixel_format: str = "yuv420p", size: tuple[int, int] = (322, 242)) -> Decoded:
    """A picture of blurred noise, as a decoder would give it; no colour so strong that it would be clipped."""
    random = np.random.default_rng(0)
    small = random.integers(80, 176, (size[1] // 8 + 2, size[0] // 8 + 2, 3)).astype(np.uint8)
    image = Resizer()(small, *size)
    return Decoded(av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format=pixel_format), Bgr())


@pytest.mark.parametrize("pixel_format", HALVINGS)
@pytest.mark.parametrize("size", [(322, 242), (64, 2), (2, 2)])
def test_a_part_is_cut_as_from_the_whole_to_the_bit(pixel_format: str, size: tuple[int, int]) -> None:
    whole = decoded(pixel_format, size).image
    random = np.random.default_rng(1)
    for _ in range(20):
        left, right = sorted(random.integers(0, size[0] + 1, 2).tolist())
        top, bottom = sorted(random.integers(0, size[1] + 1, 2).tolist())
        part = decoded(pixel_format, size).crop(left, top, right, bottom)
        assert_array_equal(part, whole[top:bottom, left:right])


@pytest.mark.parametrize("box", [(-5, -3, 40, 40), (300, 200, 330, 260), (-9, -9, 400, 300), (500, 500, 510, 510)])
def test_a_crop_beyond_the_edges_is_filled_as_in_bgr(box: tuple[int, int, int, int]) -> None:
    picture = decoded()
    assert_array_equal(crop(decoded(), box, 114), crop(picture.image, box, 114))


@pytest.mark.parametrize("pixel_format", HALVINGS)
@pytest.mark.parametrize("target", [(104, 78), (160, 120), (33, 80)])
def test_scaled_from_planes_is_scaled_from_bgr_to_four_levels(pixel_format: str, target: tuple[int, int]) -> None:
    """On the way through BGR a picture gets 1.1 levels darker, since each pixel is rounded down."""
    picture = decoded(pixel_format)
    straight = np.stack(Resizer().planes(picture, *target)).astype(int)
    by_bgr = np.stack(Resizer().planes(picture.image, *target)).astype(int)
    assert 0 < (straight - by_bgr).mean() < 2
    assert np.abs(straight - by_bgr).max() <= 4


def test_bgr_is_made_once() -> None:
    picture = decoded()
    assert picture.image is picture.image


def test_bgr_may_be_asked_for_by_many_threads() -> None:
    pictures = [decoded(size=(322 + 2 * i, 242)) for i in range(8)]
    wanted = [decoded(size=(322 + 2 * i, 242)).image for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            for image, right in zip(pool.map(lambda picture: picture.image, pictures), wanted, strict=True):
                assert_array_equal(image, right)


@pytest.mark.parametrize("stride", [322, 384, 512])
def test_planes_are_copied_out_of_a_buffer_without_its_padding(stride: int) -> None:
    picture = decoded(size=(322, 242))
    memory = np.full(stride * 242 * 3 // 2 + 100, 0xA5, np.uint8)
    begin = 0
    for plane, halved in zip(picture.frame.planes, (0, 1, 1), strict=True):
        width, height, row = 322 >> halved, 242 >> halved, stride >> halved
        memory[begin : begin + row * height].reshape(height, row)[:, :width] = rows_of(plane)[:height, :width]
        begin += row * height
    frame = copied(memory, (322, 242), stride, Colorspace.DEFAULT, ColorRange.UNSPECIFIED)
    memory[:] = 0  # the camera uses it again
    assert_array_equal(Decoded(frame, Bgr()).image, picture.image)


@pytest.mark.parametrize(
    ("matrix", "colour_range", "yuv"),
    [
        (Colorspace.ITU601, ColorRange.JPEG, (109, 78, 179)),
        (Colorspace.ITU601, ColorRange.MPEG, (110, 84, 173)),
        (Colorspace.ITU709, ColorRange.JPEG, (104, 83, 176)),
        (Colorspace.ITU709, ColorRange.MPEG, (105, 88, 170)),
    ],
)
def test_an_orange_is_that_orange_by_every_matrix_and_range(
    matrix: Colorspace, colour_range: ColorRange, yuv: tuple[int, int, int]
) -> None:
    """R, G, B = 180, 90, 20, worked out by hand; as BGR, as a part, and scaled."""
    memory = np.repeat(np.array(yuv, np.uint8), [64 * 64, 32 * 32, 32 * 32])
    picture = Decoded(copied(memory, (64, 64), 64, matrix, colour_range), Bgr())
    part = picture.crop(3, 3, 9, 9)
    for image in (part, picture.image, np.stack(Resizer().planes(picture, 16, 16), axis=-1)):
        assert np.abs(image.astype(int) - (20, 90, 180)).max() <= 3


def frames_of(path: Path, **options: object) -> list[Frame]:
    with open_source(FileCapture(path=str(path), **options)) as source:  # type: ignore[arg-type]
        return [frame for frame in source if frame is not None]


def test_a_film_comes_in_planes(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "clip.mp4", clips.pictures(3))
    frame = frames_of(path)[0]
    assert isinstance(frame.picture, Decoded)
    assert frame.size == (128, 96)
    assert frame.image.shape == (96, 128, 3)


@pytest.mark.parametrize(
    ("size", "pixel_format"), [((128, 96), "yuyv422"), ((127, 96), "yuv420p"), ((128, 95), "yuv420p")]
)
def test_a_picture_without_planes_that_can_be_cut_comes_in_bgr(size: tuple[int, int], pixel_format: str) -> None:
    frame = av.VideoFrame.from_ndarray(clips.picture(0, size), format="bgr24").reformat(format=pixel_format)
    assert isinstance(Pictures()(frame), np.ndarray)


@pytest.mark.parametrize("options", [{"masks": [LEFT_HALF]}, {"rotate": 90}, {"mirror": True}])
def test_what_is_masked_or_turned_is_so_before_anybody_sees_it(tmp_path: Path, options: dict[str, object]) -> None:
    """The picture that leaves the camera has no planes any more in which something could be left."""
    path = clips.write(tmp_path / "clip.mp4", clips.pictures(3))
    plain, changed = frames_of(path)[1], frames_of(path, **options)[1]
    assert isinstance(changed.picture, np.ndarray)
    wanted: Image = plain.image.copy()
    if "masks" in options:
        wanted[:, :64] = 0
    wanted = np.rot90(wanted, k=-1) if "rotate" in options else wanted
    wanted = wanted[:, ::-1] if "mirror" in options else wanted
    assert_array_equal(changed.image, wanted)


GUARDED = """
import ctypes, mmap
import av, numpy as np
from av.video.reformatter import VideoReformatter
for width, height in ((64, 4), (128, 64), (192, 32), (640, 8)):
    length = width * height * 3 // 2
    pages = -(-length // mmap.PAGESIZE) + 1
    memory = mmap.mmap(-1, pages * mmap.PAGESIZE)
    array = np.frombuffer(memory, np.uint8)
    end = (pages - 1) * mmap.PAGESIZE
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(array.ctypes.data + end), mmap.PAGESIZE, 0) == 0
    picture = array[end - length : end].reshape(height * 3 // 2, width)
    frame = av.VideoFrame.from_numpy_buffer(picture, "yuv420p")
    VideoReformatter().reformat(frame, format="bgr24")
print("whole")
"""


def test_a_part_of_an_aligned_width_is_converted_without_reading_beyond_it() -> None:
    ran = subprocess.run([sys.executable, "-c", GUARDED], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout) == (0, "whole\n"), ran.stderr


@pytest.mark.parametrize("name", ["yolox_nano_416", "picodet_s_416_coco"])
def test_planes_and_bgr_give_the_same_people_in_the_street(shared: Path, name: str) -> None:
    """Boxes of score 0.4 or more within 6 px of 1920, scores within 0.06; seen: 3.6 px and 0.04."""
    model = DetectConfig(model=str(shared / "models" / f"{name}.onnx"), classes=["person"], min_score=0.25)
    detector = open_detector(model, RuntimeConfig(threads=1))
    with open_source(FileCapture(path=str(shared / STREET))) as source:
        frames = [frame for frame, _ in zip((f for f in source if f is not None), range(8), strict=False)]
    for frame in frames[::2]:
        planes, bgr = detector.detect(frame.picture), detector.detect(frame.image)
        for one, other in ((planes, bgr), (bgr, planes)):
            for xyxy, score in zip(one.xyxy[one.score > 0.4], one.score[one.score > 0.4], strict=True):
                off = np.abs(other.xyxy - xyxy).max(axis=1)
                assert off.min() < 6
                assert abs(other.score[off.argmin()] - score) < 0.06


def test_appearance_is_the_same_from_planes_to_the_bit(shared: Path) -> None:
    reid = ReidEmbed(model=str(shared / "models/osnet_x0_25_market1501.onnx"))
    model = DetectConfig(model=str(shared / "models/yolox_nano_416.onnx"), classes=["person"])
    detector = open_detector(model, RuntimeConfig(threads=1))
    with open_source(FileCapture(path=str(shared / STREET))) as source:
        frame = next(frame for frame in source if frame is not None)
    people = detector.detect(frame.picture)
    assert len(people) > 3
    for config in (reid, HistogramEmbed()):
        embedder = open_embedder(config, RuntimeConfig(threads=1))
        assert_array_equal(
            embedder.embed(frame.picture, people).embedding, embedder.embed(frame.image, people).embedding
        )
