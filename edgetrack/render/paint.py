"""Strokes and faces, anti-aliased by their distance to the pixel's middle; integer blending, so the same everywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetrack.render.camera import Pixel
from edgetrack.types import Image

Colour = tuple[int, int, int]  # BGR
Box = tuple[float, float, float, float]  # xyxy, pixels
OPAQUE = 256  # full cover in integer blending
LIGHT = (-0.5, -0.85)  # where light comes from in the picture: from above, a little from the left


@dataclass(frozen=True, slots=True)
class Stroke:
    """A limb: a line from a to b with round ends, whose radius may change along the way."""

    a: Pixel
    b: Pixel
    radius_a: float
    radius_b: float
    colour: Colour
    round: float = 0.25  # how strongly light from the side models it

    @property
    def box(self) -> Box:
        (ax, ay), (bx, by), ra, rb = self.a, self.b, self.radius_a, self.radius_b
        return min(ax - ra, bx - rb), min(ay - ra, by - rb), max(ax + ra, bx + rb), max(ay + ra, by + rb)


@dataclass(frozen=True, slots=True)
class Face:
    """A convex polygon of one colour, corners in either order."""

    corners: Sequence[Pixel]
    colour: Colour
    swell: float = 0.5  # px outwards, so that no background shines through between neighbours

    @property
    def box(self) -> Box:
        xs, ys = [x for x, _ in self.corners], [y for _, y in self.corners]
        return min(xs), min(ys), max(xs), max(ys)


Part = Stroke | Face


def shade(colour: Colour, gain: float) -> Colour:
    b, g, r = (min(255, max(0, round(c * gain))) for c in colour)
    return b, g, r


def mix(a: Colour, b: Colour, share: float) -> Colour:
    x, y, z = (round(p + (q - p) * share) for p, q in zip(a, b, strict=True))
    return x, y, z


def outline(parts: Sequence[Part]) -> Box:
    """The box round all parts."""
    boxes = [part.box for part in parts]
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )


class Sprite:
    """A transparent patch of a picture: colour times cover, and cover 0..256."""

    def __init__(self, box: Box, limit: tuple[int, int, int, int]) -> None:
        """`box` plus a pixel round it, but not beyond `limit`."""
        self.left = max(math.floor(box[0]) - 1, limit[0])
        self.top = max(math.floor(box[1]) - 1, limit[1])
        self.right = max(min(math.ceil(box[2]) + 1, limit[2]), self.left)
        self.bottom = max(min(math.ceil(box[3]) + 1, limit[3]), self.top)
        shape = (self.bottom - self.top, self.right - self.left)
        self.colour: NDArray[np.uint16] = np.zeros((*shape, 3), np.uint16)
        self.cover: NDArray[np.uint16] = np.zeros(shape, np.uint16)

    def draw(self, parts: Sequence[Part]) -> Sprite:
        for part in parts:
            if isinstance(part, Stroke):
                self._stroke(part)
            else:
                self._face(part)
        return self

    def _window(self, box: Box) -> tuple[slice, slice, NDArray[Any], NDArray[Any]] | None:
        x0, y0 = max(math.floor(box[0]) - 1, self.left), max(math.floor(box[1]) - 1, self.top)
        x1, y1 = min(math.ceil(box[2]) + 1, self.right), min(math.ceil(box[3]) + 1, self.bottom)
        if x0 >= x1 or y0 >= y1:
            return None
        xs = np.arange(x0, x1, dtype=np.float32)[None, :] + np.float32(0.5)
        ys = np.arange(y0, y1, dtype=np.float32)[:, None] + np.float32(0.5)
        return slice(y0 - self.top, y1 - self.top), slice(x0 - self.left, x1 - self.left), xs, ys

    def _stroke(self, s: Stroke) -> None:
        window = self._window(s.box)
        if window is None:
            return
        rows, columns, xs, ys = window
        f = np.float32
        px, py = xs - f(s.a[0]), ys - f(s.a[1])
        vx, vy = s.b[0] - s.a[0], s.b[1] - s.a[1]
        length2 = max(vx * vx + vy * vy, 1e-4)
        t = np.clip(px * f(vx / length2) + py * f(vy / length2), f(0), f(1))
        qx, qy = px - t * f(vx), py - t * f(vy)
        radius = f(s.radius_a) + t * f(s.radius_b - s.radius_a)
        distance = np.sqrt(qx * qx + qy * qy)
        cover = np.clip((radius - distance + f(0.5)) * f(OPAQUE), f(0), f(OPAQUE)).astype(np.uint16)
        side = (qx * f(LIGHT[0]) + qy * f(LIGHT[1])) / np.maximum(radius, f(0.5))
        gain = np.clip(f(256) + side * f(256 * s.round), f(0), f(510)).astype(np.uint16)
        for c in range(3):
            shaded = np.minimum(gain * np.uint16(s.colour[c] >> 1) >> 7, 255).astype(np.uint16)
            self._blend(rows, columns, c, shaded, cover)
        self._cover(rows, columns, cover)

    def _face(self, face: Face) -> None:
        box = face.box
        window = self._window((box[0] - face.swell, box[1] - face.swell, box[2] + face.swell, box[3] + face.swell))
        if window is None:
            return
        rows, columns, xs, ys = window
        f = np.float32
        n = len(face.corners)
        turn = sum(
            face.corners[i][0] * face.corners[(i + 1) % n][1] - face.corners[(i + 1) % n][0] * face.corners[i][1]
            for i in range(n)
        )
        inside: NDArray[Any] | None = None
        for i in range(n):
            (ax, ay), (bx, by) = face.corners[i], face.corners[(i + 1) % n]
            length = math.sqrt((bx - ax) ** 2 + (by - ay) ** 2)
            if length < 1e-3:
                continue
            k = (1 if turn > 0 else -1) / length
            depth = (ys - f(ay)) * f((bx - ax) * k) - (xs - f(ax)) * f((by - ay) * k)
            inside = depth if inside is None else np.minimum(inside, depth)
        if inside is None:
            return
        cover = np.clip((inside + f(0.5 + face.swell)) * f(OPAQUE), f(0), f(OPAQUE)).astype(np.uint16)
        for c in range(3):
            self._blend(rows, columns, c, np.uint16(face.colour[c]), cover)
        self._cover(rows, columns, cover)

    def _blend(
        self,
        rows: slice,
        columns: slice,
        channel: int,
        colour: NDArray[np.uint16] | np.uint16,
        cover: NDArray[np.uint16],
    ) -> None:
        under = self.colour[rows, columns, channel]
        self.colour[rows, columns, channel] = (under * (OPAQUE - cover) + colour * cover + 128) >> 8

    def _cover(self, rows: slice, columns: slice, cover: NDArray[np.uint16]) -> None:
        under = self.cover[rows, columns]
        self.cover[rows, columns] = cover + (under.astype(np.uint32) * (OPAQUE - cover) >> 8).astype(np.uint16)

    def put(self, image: Image, dx: int = 0, dy: int = 0) -> tuple[slice, slice, NDArray[np.bool_]] | None:
        """Lay it on a picture, moved by whole pixels; returns where, and which pixels it mostly covers."""
        height, width = image.shape[:2]
        x0, y0 = max(self.left + dx, 0), max(self.top + dy, 0)
        x1, y1 = min(self.right + dx, width), min(self.bottom + dy, height)
        if x0 >= x1 or y0 >= y1:
            return None
        own = (slice(y0 - dy - self.top, y1 - dy - self.top), slice(x0 - dx - self.left, x1 - dx - self.left))
        rows, columns = slice(y0, y1), slice(x0, x1)
        cover = self.cover[own]
        under = image[rows, columns].astype(np.uint16)
        under *= (OPAQUE - cover)[:, :, None]
        under += 128
        under >>= 8
        under += self.colour[own]
        image[rows, columns] = np.minimum(under, 255)
        return rows, columns, cover > OPAQUE // 2
