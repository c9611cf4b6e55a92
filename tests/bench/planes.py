"""What a picture costs between a camera's buffer and the model's input, in planes and as BGR.

    python -m tests.bench.planes [--size 1920 1080] [--rounds 200]

CPU ms a picture, medians; both take turns, picture by picture. The picture is copied out of a buffer as
`capture/picamera.py` does it, scaled as for a model of 416 px, one part of it is cut, and BGR is made where asked for.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from statistics import median

import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from edgetrack.image import Fit, Resizer, cut
from edgetrack.planes import Bgr, Decoded, copied
from edgetrack.types import Picture, image_of

MODEL_PX = 416
STRIDE_ALIGN = 128  # bytes; of YUV420 on a Pi 5
STEPS = ("copy", "scale", "cut 128 x 256", "BGR")


def planes(buffer: NDArray[np.uint8], size: tuple[int, int], stride: int, bgr: Bgr) -> Picture:
    return Decoded(copied(buffer, size, stride, Colorspace.ITU601, ColorRange.JPEG), bgr)


def packed(buffer: NDArray[np.uint8], size: tuple[int, int], stride: int) -> Picture:
    """picamera2's make_array of RGB888."""
    rows = buffer.reshape(size[1], stride)[:, : size[0] * 3].reshape(size[1], size[0], 3)
    return np.copy(rows) if rows.flags.c_contiguous else np.ascontiguousarray(rows)


def steps(copy: Callable[[], Picture], size: tuple[int, int], resizer: Resizer) -> list[float]:
    """CPU ms of each of STEPS."""
    inner = Fit.of(size, (MODEL_PX, MODEL_PX), "top_left").inner
    left, top = size[0] // 3, size[1] // 3
    clock = [time.process_time()]
    picture = copy()
    clock.append(time.process_time())
    resizer.planes(picture, *inner)
    clock.append(time.process_time())
    np.ascontiguousarray(cut(picture, left, top, left + 128, top + 256))
    clock.append(time.process_time())
    image_of(picture)
    clock.append(time.process_time())
    return [(after - before) * 1e3 for before, after in pairwise(clock)]


def aligned(row: int) -> int:
    return -(-row // STRIDE_ALIGN) * STRIDE_ALIGN


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=(1920, 1080), help="px, even")
    parser.add_argument("--rounds", type=int, default=200)
    asked = parser.parse_args()
    size = width, height = tuple(asked.size)
    random = np.random.default_rng(0)
    luma, rgb = aligned(width), aligned(3 * width)
    ways = {
        "YUV420": partial(planes, random.integers(0, 256, luma * height * 3 // 2, np.uint8), size, luma, Bgr()),
        "RGB888": partial(packed, random.integers(0, 256, rgb * height, np.uint8), size, rgb),
    }
    resizers = {name: Resizer() for name in ways}
    taken: dict[str, list[list[float]]] = {name: [] for name in ways}
    for _ in range(asked.rounds):
        for name, copy in ways.items():
            taken[name].append(steps(copy, size, resizers[name]))
    print(f"{width} x {height}, CPU ms a picture{''.join(f'{step:>15}' for step in STEPS)}{'copy and scale':>17}")
    for name, rounds in taken.items():
        each = [median(step) for step in zip(*rounds, strict=True)]
        print(f"{name:<28}{''.join(f'{ms:15.2f}' for ms in each)}{each[0] + each[1]:17.2f}")


if __name__ == "__main__":
    main()
