"""Small real videos and pictures: a white square that walks to the right over grey."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from edgetrack.types import Image

GREY = 60
STEP_PX = 4
SQUARE_PX = 16


def picture(number: int, size: tuple[int, int] = (128, 96)) -> Image:
    """The square's left edge is at number * STEP_PX, from the left again when it has left the picture."""
    width, height = size
    image = np.full((height, width, 3), GREY, np.uint8)
    left = number * STEP_PX % max(1, width - SQUARE_PX)
    image[height // 4 : height // 4 + SQUARE_PX, left : left + SQUARE_PX] = 255
    return image


def square_left(image: Image) -> int:
    """Where the square begins; within a pixel or two after compression."""
    return int(np.flatnonzero((image[..., 1] > 160).any(axis=0))[0])


def pictures(count: int, size: tuple[int, int] = (128, 96)) -> Iterator[Image]:
    return (picture(number, size) for number in range(count))


def write(
    path: Path,
    images: Iterable[Image],
    *,
    fps: int = 25,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    stamps: list[int] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode pictures of one size; the container follows from the suffix.

    Args:
        stamps: presentation times in frames; without them 0, 1, 2 ...
    """
    images = list(images)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = Fraction(1, fps)
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts = stamps[number] if stamps else number
            frame.time_base = Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_picture(path: Path, image: Image) -> Path:
    """A JPEG or PNG file, as the suffix says."""
    codec, pix_fmt = ("png", "rgb24") if path.suffix.lower() == ".png" else ("mjpeg", "yuvj420p")
    context = av.CodecContext.create(codec, "w")
    context.height, context.width = image.shape[:2]  # type: ignore[attr-defined]
    context.pix_fmt = pix_fmt  # type: ignore[attr-defined]
    context.time_base = Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format=pix_fmt)
    path.write_bytes(b"".join(bytes(packet) for packet in context.encode(frame)))  # type: ignore[attr-defined]
    return path
