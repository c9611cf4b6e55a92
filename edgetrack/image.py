"""Pictures for models: resized within one grey level of the exact filter, at swscale's speed, and boxes mapped back.

Geometry: a pixel is a square of side 1, pixel (0, 0) covers [0, 1) x [0, 1), and a resize maps [0, width] onto
[0, new width] (pixel centres at halves), so that boxes scale by new width / width and nothing else.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, Literal

import numpy as np
from av import VideoFrame
from av.codec.context import CodecContext
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import DTypeLike, NDArray

from edgetrack.boxes import Boxes
from edgetrack.planes import ONE_THREAD, Decoded, Plane, colours_of, rows_of
from edgetrack.types import Image, Picture, image_of, size_of

Fitting = Literal["centre", "top_left", "stretch"]

# Flags of FFmpeg's swscale.h, which PyAV names only in part. Without the first two it halves the colours' width.
SWS_FULL_CHR_H_INT, SWS_FULL_CHR_H_INP, SWS_ACCURATE_RND = 0x2000, 0x4000, 0x40000
EXACT = SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_ACCURATE_RND
SHRINK = int(Interpolation.AREA) | EXACT  # the mean of the pixels covered; nothing aliases
ENLARGE = int(Interpolation.BILINEAR) | EXACT  # between pixel centres; along a side that shrinks, a wider triangle
OVERREAD = 96  # bytes past the end that swscale's SIMD may read, and throw away; 49 were seen


@dataclass(frozen=True, slots=True)
class Fit:
    """Where a picture of `source` (width, height) lies in a model's input of `target`: `inner` (width, height) px
    from `left`, `top`; the rest is fill."""

    source: tuple[int, int]
    target: tuple[int, int]
    inner: tuple[int, int]
    left: int
    top: int

    @classmethod
    def of(cls, source: tuple[int, int], target: tuple[int, int], fitting: Fitting) -> Fit:
        """The letterbox centred or at the top left, with the picture's shape kept to the pixel, or the whole input."""
        if fitting == "stretch":
            return cls(source, target, target, 0, 0)
        scale = min(target[0] / source[0], target[1] / source[1])
        width, height = (
            max(1, min(room, math.floor(side * scale + 0.5))) for side, room in zip(source, target, strict=True)
        )
        spare = (target[0] - width, target[1] - height) if fitting == "centre" else (0, 0)
        return cls(source, target, (width, height), spare[0] // 2, spare[1] // 2)

    def _scale_offset(self, like: Boxes) -> tuple[Boxes, Boxes]:
        scale = [self.inner[0] / self.source[0], self.inner[1] / self.source[1]] * 2
        return np.array(scale, like.dtype), np.array([self.left, self.top] * 2, like.dtype)

    def to_input(self, xyxy: Boxes) -> Boxes:
        """(N, 4) boxes in pixels of the picture -> pixels of the model's input."""
        scale, offset = self._scale_offset(xyxy)
        return xyxy * scale + offset

    def to_picture(self, xyxy: Boxes) -> Boxes:
        """The inverse of `to_input`."""
        scale, offset = self._scale_offset(xyxy)
        return (xyxy - offset) / scale


class Resizer:
    """Resizes pictures; keeps what it learned for the next one of the same size. One thread at a time."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def planes(self, picture: Picture, width: int, height: int) -> tuple[Plane, Plane, Plane]:
        """The blue, green and red plane, each (height, width); of a decoded picture straight from what was decoded.

        Args:
            picture: of any size from 1 x 1; BGR may be a view, such as a crop of a picture.
        """
        own = size_of(picture)
        if isinstance(picture, Decoded):
            frame = picture.frame
        elif own == (width, height):
            image = image_of(picture)
            return image[..., 0], image[..., 1], image[..., 2]
        else:
            frame = VideoFrame.from_numpy_buffer(_readable(image_of(picture)), "bgr24")
        shrinks = width <= own[0] and height <= own[1]
        flags = SHRINK if shrinks else ENLARGE
        told = {**ONE_THREAD, **colours_of(frame)}
        resized = self._reformatter.reformat(frame, width, height, "gbrp", interpolation=flags, **told)
        green, blue, red = (rows_of(plane)[:height, :width] for plane in resized.planes)
        return blue, green, red

    def grey(self, picture: Picture, width: int, height: int) -> Plane:
        """(height, width) brightness; of a decoded picture without ever making its colours."""
        if isinstance(picture, Decoded):
            frame = picture.frame
        else:
            frame = VideoFrame.from_numpy_buffer(_readable(image_of(picture)), "bgr24")
        small = self._reformatter.reformat(frame, width, height, "gray", interpolation=SHRINK, **ONE_THREAD)
        return rows_of(small.planes[0])[:height, :width]

    def __call__(self, image: Image, width: int, height: int) -> Image:
        """(height, width, 3) uint8 BGR; the picture itself where it has that size already."""
        if image.shape[:2] == (height, width):
            return image
        return np.stack(self.planes(image, width, height), axis=-1)


def resize(image: Image, width: int, height: int) -> Image:
    """(height, width, 3) uint8 BGR; for many pictures of one size keep a `Resizer`."""
    return Resizer()(image, width, height)


def cut(picture: Picture, left: int, top: int, right: int, bottom: int) -> Image:
    """`image[top:bottom, left:right]` of a box inside the picture."""
    return (
        picture[top:bottom, left:right] if isinstance(picture, np.ndarray) else picture.crop(left, top, right, bottom)
    )


def crop(picture: Picture, xyxy: Sequence[float] | NDArray[np.floating[Any]], fill: int = 0) -> Image:
    """The part of a picture in a box, as BGR, its edges rounded to pixels, `fill` where it lies outside the picture.

    At least 1 x 1; of a BGR picture a view where the box lies inside it.
    """
    left, top, right, bottom = (math.floor(float(side) + 0.5) for side in xyxy)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    width, height = size_of(picture)
    edges = min(max(left, 0), width), min(max(top, 0), height), min(max(right, 0), width), min(max(bottom, 0), height)
    inside = cut(picture, *edges)
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        return inside
    padded = np.full((bottom - top, right - left, 3), fill, np.uint8)
    y, x = max(-top, 0), max(-left, 0)
    padded[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return padded


def jpeg(image: Image, quality: int) -> bytes:
    """A JPEG file.

    Args:
        image: (H, W, 3) uint8 BGR.
        quality: quantizer of FFmpeg, from 2, the best, to 31.
    """
    encoder: Any = CodecContext.create("mjpeg", "w")
    encoder.height, encoder.width = image.shape[:2]
    encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 1)
    encoder.qmin = encoder.qmax = quality
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
    frame = VideoReformatter().reformat(frame, format="yuvj420p", dst_color_range="JPEG", **ONE_THREAD)
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def outline(picture: Image, xyxy: Sequence[float] | NDArray[Any], bgr: tuple[int, int, int], thick: int) -> None:
    """Draw the edges of a box into a picture; `thick` px, inwards."""
    height, width = picture.shape[:2]
    x0, x1 = (int(min(max(v, 0), width)) for v in (xyxy[0], xyxy[2]))
    y0, y1 = (int(min(max(v, 0), height)) for v in (xyxy[1], xyxy[3]))
    for part in (np.s_[y0 : y0 + thick, x0:x1], np.s_[max(y1 - thick, 0) : y1, x0:x1]):
        picture[part] = bgr
    for part in (np.s_[y0:y1, x0 : x0 + thick], np.s_[y0:y1, max(x1 - thick, 0) : x1]):
        picture[part] = bgr


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How a model wants its pixels: (value * scale - mean) / std, in this order of channels."""

    colour: Literal["bgr", "rgb"]
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Blob:
    """The input of a model, filled from pictures in one pass, in a buffer that is kept between calls.

    Attributes:
        array: (N, 3, H, W), or (N, H, W, 3) where `channels_last`; what the model is to be run on.
        size: (W, H) px; that of the fit of the last picture, whose rows are the only ones then.
    """

    def __init__(
        self,
        batch: int,
        size: tuple[int, int],
        pixels: PixelFormat,
        dtype: DTypeLike = np.float32,
        channels_last: bool = False,
        fill: int = 0,
    ) -> None:
        """Args: batch pictures of size (width, height) px; `fill`, 0 to 255, lies round letterboxed pictures."""
        self._new = partial(np.zeros, dtype=dtype)
        self._channels_last = channels_last
        self._lay(batch, size)
        self._order = (0, 1, 2) if pixels.colour == "bgr" else (2, 1, 0)
        self._factor = np.array([pixels.scale / std for std in pixels.std], np.float32)
        self._shift = np.array([mean / std for mean, std in zip(pixels.mean, pixels.std, strict=True)], np.float32)
        self._fill = fill
        self._resizer = Resizer()

    def put(self, row: int, picture: Picture, fit: Fit) -> None:
        """Write a picture into one row of the batch, where `fit` says, and the fill round it."""
        self.fill(row, self._resizer.planes(picture, *fit.inner), fit)

    def fill(self, row: int, planes: tuple[Plane, Plane, Plane], fit: Fit) -> None:
        """The same with a picture that is resized already: blue, green and red, each of `fit.inner`."""
        if fit.target != self.size:
            self._lay(len(self.array), fit.target)
        if fit != self._fits[row]:
            self._fits[row] = fit
            if fit.inner != fit.target:
                every = np.full((1, 1), self._fill, np.uint8)
                self._write((every, every, every), self._planar[row])
        inner = self._planar[row, :, fit.top : fit.top + fit.inner[1], fit.left : fit.left + fit.inner[0]]
        self._write(planes, inner)

    def _lay(self, batch: int, size: tuple[int, int]) -> None:
        """A new buffer, of zeros."""
        self.size = size
        shape = (batch, size[1], size[0], 3) if self._channels_last else (batch, 3, size[1], size[0])
        self.array: NDArray[Any] = self._new(shape)
        self._planar = self.array.transpose(0, 3, 1, 2) if self._channels_last else self.array  # a view
        self._fits: list[Fit | None] = [None] * batch

    def _write(self, planes: tuple[Plane, Plane, Plane], place: NDArray[Any]) -> None:
        for channel, plane in enumerate(self._order):
            factor, shift, out = self._factor[channel], self._shift[channel], place[channel]
            if factor == 1 and shift == 0:
                out[:] = planes[plane]
            elif out.dtype == np.float32:
                np.multiply(planes[plane], factor, out=out)
                if shift != 0:
                    out -= shift
            else:
                out[:] = planes[plane] * factor - shift


def _readable(image: Image) -> Image:
    """The picture itself, or a copy with room behind it where reading a little past its end could be a crash.

    Memory is mapped in pages: what lies behind the picture on its last page can be read, whatever it is.
    """
    if image.strides[1:] == (3, 1) and image.strides[0] >= 3 * image.shape[1]:
        end = image.ctypes.data + (image.shape[0] - 1) * image.strides[0] + 3 * image.shape[1]
        if -end % mmap.PAGESIZE >= OVERREAD:
            return image
    room = np.empty(image.size + OVERREAD, np.uint8)
    padded = room[: image.size].reshape(image.shape)
    padded[:] = image
    return padded
