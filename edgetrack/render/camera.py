"""A camera on a pole over flat ground: metres to pixels and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ground = tuple[float, float]  # x to the right, z away from the pole, metres
Point = tuple[float, float, float]  # x right, y up, z away, metres
Pixel = tuple[float, float]
NEAREST_M = 0.3  # nothing is drawn nearer than this


@dataclass(frozen=True, slots=True)
class View:
    """Where a camera hangs and how it looks, whatever its resolution."""

    height_m: float = 4.7
    pitch_deg: float = 25.0  # downwards
    yaw_deg: float = 0.0  # to the right
    focal: float = 0.84  # of the picture's width; 61 degrees across


class Camera:
    """Projects points of one view to pixels of one resolution.

    Pixels are rounded to 1/16, so that the last bit of a platform's sine never shows in a picture.
    """

    def __init__(self, view: View, width: int, height: int) -> None:
        self.view, self.width, self.height = view, width, height
        pitch, yaw = math.radians(view.pitch_deg), math.radians(view.yaw_deg)
        self._sin, self._cos = math.sin(pitch), math.cos(pitch)
        self._yaw_sin, self._yaw_cos = math.sin(yaw), math.cos(yaw)
        self.focal_px = view.focal * width

    def depth(self, point: Point) -> float:
        """Metres along the line of sight."""
        x, y, z = point
        ahead = x * self._yaw_sin + z * self._yaw_cos
        return (self.view.height_m - y) * self._sin + ahead * self._cos

    def scale(self, point: Point) -> float:
        """Pixels of a metre held across the line of sight there."""
        return self.focal_px / max(self.depth(point), NEAREST_M)

    def project(self, point: Point) -> Pixel:
        x, y, z = point
        aside = x * self._yaw_cos - z * self._yaw_sin
        ahead = x * self._yaw_sin + z * self._yaw_cos
        drop = self.view.height_m - y
        scale = self.focal_px / max(drop * self._sin + ahead * self._cos, NEAREST_M)
        px = self.width / 2 + scale * aside
        py = self.height / 2 + scale * (drop * self._cos - ahead * self._sin)
        return round(px * 16) / 16, round(py * 16) / 16

    def rays(self, margin: int, fine: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Directions (x, y, z) through the middles of all 1/fine pixels of the picture and a margin round it."""
        px = (np.arange((self.width + 2 * margin) * fine) + 0.5) / fine - margin
        py = (np.arange((self.height + 2 * margin) * fine) + 0.5) / fine - margin
        aside = ((px - self.width / 2) / self.focal_px)[None, :]
        down = ((py - self.height / 2) / self.focal_px)[:, None]
        ahead = self._cos - down * self._sin
        y = -self._sin - down * self._cos
        x = aside * self._yaw_cos + ahead * self._yaw_sin
        z = ahead * self._yaw_cos - aside * self._yaw_sin
        return x, np.broadcast_to(y, x.shape), z
