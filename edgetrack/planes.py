"""A picture as it was decoded, in planes of brightness and colour: scaled and cut from there, BGR for those who ask.

Of 1080p, planes are 3 MB where BGR is 6, and a model that wants 416 px never needs the latter.
"""

from __future__ import annotations

import threading
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from edgetrack.types import Image

# Threads made for each new size cost three times the work on a small crop; before PyAV 17 there were none.
ONE_THREAD: dict[str, Any] = {"threads": 1} if int(av.__version__.partition(".")[0]) >= 17 else {}
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


class Bgr:
    """Decoded frames as BGR arrays, by scalers that are kept: 1080p takes 0.6 ms instead of 2.0. For any thread."""

    def __init__(self) -> None:
        self._whole, self._parts = VideoReformatter(), VideoReformatter()
        self._turn = threading.Lock()

    def __call__(self, frame: av.VideoFrame) -> Image:
        """(H, W, 3) uint8, the caller's own; by the frame's own matrix and range of colours, else by BT.601."""
        with self._turn:
            image = np.asarray(self._whole.reformat(frame, format="bgr24").to_ndarray(), np.uint8)
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
            found = np.frombuffer(source, np.uint8).reshape(-1, source.line_size)[rows, columns]  # type: ignore[call-overload]
            place = np.frombuffer(target, np.uint8).reshape(-1, target.line_size)  # type: ignore[call-overload]
            place[: found.shape[0], : found.shape[1]] = found
        with self._turn:
            plane = self._parts.reformat(part, format="bgr24", **ONE_THREAD).planes[0]
        pixels = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:height, : 3 * width]  # type: ignore[call-overload]
        image: Image = pixels.reshape(height, width, 3)[top - y : bottom - y, left - x : right - x]
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
    def luma(self) -> NDArray[np.uint8]:
        """(H, W) brightness, as it was encoded; a view."""
        plane = self.frame.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
        luma: NDArray[np.uint8] = rows[: self.size[1], : self.size[0]]
        return luma

    def crop(self, left: int, top: int, right: int, bottom: int) -> Image:
        """`image[top:bottom, left:right]`, to the bit, without the rest of it; a box inside the picture."""
        if self._image is not None or right <= left or bottom <= top:
            return self.image[top:bottom, left:right]
        return self._bgr.part(self.frame, left, top, right, bottom)
