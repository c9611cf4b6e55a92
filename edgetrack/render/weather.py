"""Light, rain and what a small camera does to a picture; integer arithmetic throughout."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgetrack.render.dice import Dice
from edgetrack.types import Image


@dataclass(frozen=True, slots=True)
class Weather:
    """How it looks out there, and through which camera."""

    night: bool = False
    rain: bool = False
    sun: tuple[float, float] | None = (
        0.8,
        0.5,
    )  # shadow on the ground, m a metre of height; None: overcast
    gain: float = 1.0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    flicker: float = 0.06  # of the light, as clouds come and go
    noise: float = 2.0  # standard deviation
    blocks: int = 0  # step of the block quantiser; 0: none
    soft: bool = False
    shake_px: float = 0.0  # at a picture width of 640


def easy_weather(dice: Dice) -> Weather:
    angle, long = dice.between(0.3, 2.8), dice.between(0.4, 1.3)
    sun = (long * math.cos(angle), long * math.sin(angle)) if dice.chance(0.75) else None
    warm = dice.between(-0.04, 0.04)
    return Weather(sun=sun, gain=dice.between(0.92, 1.08), tint=(1 - warm, 1.0, 1 + warm), noise=dice.between(1.0, 2.5))


def hard_weather(dice: Dice) -> Weather:
    night = dice.chance(0.5)
    rain = dice.chance(0.6) if night else dice.chance(0.85)
    return Weather(
        night=night, rain=rain, sun=None, gain=dice.between(0.8, 1.0), tint=(1.06, 1.0, 0.95), flicker=0.15,
        noise=dice.between(4, 8) if night else dice.between(2, 5), blocks=dice.pick((6, 10, 14)), soft=dice.chance(0.4),
        shake_px=dice.between(1.0, 3.0),
    )  # fmt: skip


class Air:
    """Everything between the street and the file, for pictures of one size."""

    def __init__(self, dice: Dice, weather: Weather, width: int, height: int) -> None:
        self._weather = weather
        shape = (height + 64, width + 64)
        raw = dice.bytes(shape[0] * shape[1] * 4).reshape(*shape, 4).astype(np.int16).sum(axis=2, dtype=np.int16) - 510
        scale = round(weather.noise * 4096 / 147.8)  # 147.8: standard deviation of four bytes' sum
        self._noise: NDArray[np.int16] = (raw.astype(np.int32) * scale >> 12).astype(np.int16)
        self._streaks = _streaks(dice, width, height) if weather.rain else None

    def light(self, t: float) -> NDArray[np.uint8]:
        """(256, 3) what becomes of each level of each channel."""
        w = self._weather
        gain = w.gain * (1 + w.flicker * (math.sin(t * 0.41) + 0.5 * math.sin(t * 1.13 + 1)))
        levels = np.arange(256, dtype=np.float64)[:, None] * np.array(w.tint) * gain
        if w.rain:
            levels = levels * 0.82 + (14 if w.night else 30)
        return np.asarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8))

    def apply(self, image: Image, t: float, dice: Dice) -> Image:
        """The picture as the file has it; `dice` is the frame's own."""
        table = self.light(t)
        out = np.empty_like(image)
        for c in range(3):
            out[..., c] = table[:, c][image[..., c]]
        h, w = image.shape[:2]
        wide = out.astype(np.int16)
        if self._streaks is not None:
            top = dice.whole(0, h - 1)
            wide += self._streaks[top : top + h, :, None]
        if self._weather.soft:
            wide = _soften(wide)
        x, y = dice.whole(0, 63), dice.whole(0, 63)
        wide += self._noise[y : y + h, x : x + w, None]
        if self._weather.blocks:
            wide = block_quantise(wide, self._weather.blocks)
        return np.clip(wide, 0, 255).astype(np.uint8)


def _streaks(dice: Dice, width: int, height: int) -> NDArray[np.int16]:
    """(2 H, W) added brightness of falling drops; any H rows of it are one moment."""
    tile = np.zeros((2 * height, width), np.int16)
    for _ in range(round(width * height / 500)):
        x, y, long = dice.whole(0, width - 1), dice.whole(0, height - 1), dice.whole(height // 60, height // 14)
        tile[y : y + long, x] += dice.whole(14, 44)
    tile[height:] = tile[:height]
    return tile


def _soften(wide: NDArray[np.int16]) -> NDArray[np.int16]:
    wide[:, 1:-1] = (wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:] + 2) >> 2
    wide[1:-1] = (wide[:-2] + 2 * wide[1:-1] + wide[2:] + 2) >> 2
    return wide


def block_quantise(wide: NDArray[np.int16], step: int) -> NDArray[np.int16]:
    """Blocks of 8 x 8 keep their mean, what differs from it is kept in steps, little differences not at all."""
    h, w = wide.shape[0] // 8 * 8, wide.shape[1] // 8 * 8
    blocks = wide[:h, :w].reshape(h // 8, 8, w // 8, 8, 3)
    mean = (blocks.sum(axis=(1, 3), keepdims=True, dtype=np.int32) >> 6).astype(np.int16)
    rest = blocks - mean
    sign = np.sign(rest)
    kept = (np.abs(rest) + (step >> 2)) // np.int16(step) * np.int16(step)
    wide[:h, :w] = (mean + sign * kept).reshape(h, w, 3)
    return wide
