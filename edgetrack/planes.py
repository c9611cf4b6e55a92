"""A picture as it came, in planes of brightness and colour: scaled and cut from there, BGR for those who ask.

Of 1080p, planes are 3 MB where BGR is 6, and a model that wants 416 px never needs the latter.
"""

from __future__ import annotations

import threading
from typing import Any

import av
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from edgetrack.types import Image

Plane = NDArray[np.uint8]  # (H, W)

PYAV = int(av.__version__.partition(".")[0])
# Threads made for each new size cost three times the work on a small crop; before PyAV 17 there were none.
ONE_THREAD: dict[str, Any] = {"threads": 1} if PYAV >= 17 else {}
HALVINGS = {  # pixel format -> of width and height in the two planes of colour; of these swscale mixes no neighbours
    "yuv420p": (1, 1),
    "yuvj420p": (1, 1),
    "yuv422p": (1, 0),
    "yuvj422p": (1, 0),
}
ALIGNED = 64  # px; widths that swscale's SIMD neither overruns nor finishes in another way


def planar(frame: av.VideoFrame) -> bool:
    """Whether `Decoded` takes it: a format of HALVINGS, with sides that can be halved."""
    return frame.format.name in HALVINGS and frame.width % 2 == 0 and frame.height % 2 == 0


def colours_of(frame: av.VideoFrame) -> dict[str, Any]:
    """For `reformat`: what PyAV before 17 must be told, which takes every frame for BT.601 with black at 16."""
    if PYAV >= 17 or frame.format.is_rgb:
        return {}
    full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    return {
        "src_colorspace": frame.colorspace,
        "dst_colorspace": Colorspace.DEFAULT,
        "src_color_range": ColorRange.JPEG if full else ColorRange.MPEG,
    }


def rows_of(plane: VideoPlane) -> Plane:
    """Its memory, (rows, bytes in a row); what follows the pixels of a row is padding."""
    rows: Plane = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows


def copied(
    memory: NDArray[np.uint8], size: tuple[int, int], stride: int, matrix: Colorspace, colour_range: ColorRange
) -> av.VideoFrame:
    """A frame of its own, of a 4:2:0 picture as cameras lay it into their buffers.

    Args:
        memory: (at least stride * height * 3 / 2,) the plane of brightness, then the two of colour, of half its stride.
        size: width and height, px, even.
        stride: bytes from one row to the next, even.
        matrix: of the colours.
        colour_range: whether black is 0 or 16.
    """
    width, height = size
    frame = av.VideoFrame(width, height, "yuv420p")
    frame.colorspace, frame.color_range = matrix, colour_range
    begin = 0
    for plane, halved in zip(frame.planes, (0, 1, 1), strict=True):
        across, down, row = width >> halved, height >> halved, stride >> halved
        rows_of(plane)[:down, :across] = memory[begin : begin + row * down].reshape(down, row)[:, :across]
        begin += row * down
    return frame


class Bgr:
    """Decoded frames as BGR arrays, by scalers that are kept: 1080p takes 0.6 ms instead of 2.0. For any thread."""

    def __init__(self) -> None:
        self._whole, self._parts = VideoReformatter(), VideoReformatter()
        self._turn = threading.Lock()

    def __call__(self, frame: av.VideoFrame) -> Image:
        """(H, W, 3) uint8, the caller's own; by the frame's own matrix and range of colours, else by BT.601."""
        with self._turn:
            converted = self._whole.reformat(frame, format="bgr24", **colours_of(frame))
        image = np.asarray(converted.to_ndarray(), np.uint8)
        return image.copy() if frame.format.name == "bgr24" else image  # not converted: still the decoder's own

    def part(self, frame: av.VideoFrame, left: int, top: int, right: int, bottom: int) -> Image:
        """The same pixels as in the whole picture's BGR, for the cost of the part; of a planar frame."""
        x, y = left & ~1, top & ~1  # where a sample of colour begins
        width, height = -(-(right - x) // ALIGNED) * ALIGNED, -(-(bottom - y) // 2) * 2
        part = av.VideoFrame(width, height, frame.format.name)
        part.colorspace, part.color_range = frame.colorspace, frame.color_range
        halved = HALVINGS[frame.format.name]
        for source, target, (across, down) in zip(frame.planes, part.planes, ((0, 0), halved, halved), strict=True):
            rows, columns = slice(y >> down, (y + height) >> down), slice(x >> across, (x + width) >> across)
            found = rows_of(source)[rows, columns]
            rows_of(target)[: found.shape[0], : found.shape[1]] = found
        with self._turn:
            plane = self._parts.reformat(part, format="bgr24", **ONE_THREAD, **colours_of(part)).planes[0]
        pixels = rows_of(plane)[:height, : 3 * width].reshape(height, width, 3)
        image: Image = pixels[top - y : bottom - y, left - x : right - x]
        return image


class Decoded:
    """One decoded picture that is `planar`. Nobody writes to it: the decoder itself may still read it.

    Attributes:
        frame: as FFmpeg decoded it.
        size: width and height, px.
    """

    def __init__(self, frame: av.VideoFrame, bgr: Bgr) -> None:
        self.frame = frame
        self.size = frame.width, frame.height
        self._bgr = bgr
        self._image: Image | None = None

    @property
    def image(self) -> Image:
        """(H, W, 3) uint8 BGR; made by the first who asks. Two who ask at once make it twice, and get the same."""
        if self._image is None:
            self._image = self._bgr(self.frame)
        return self._image

    @property
    def luma(self) -> Plane:
        """(H, W) brightness, as it was encoded; a view."""
        luma: Plane = rows_of(self.frame.planes[0])[: self.size[1], : self.size[0]]
        return luma

    def crop(self, left: int, top: int, right: int, bottom: int) -> Image:
        """`image[top:bottom, left:right]`, to the bit, without the rest of it; a box inside the picture."""
        if self._image is not None or right <= left or bottom <= top:
            return self.image[top:bottom, left:right]
        return self._bgr.part(self.frame, left, top, right, bottom)
