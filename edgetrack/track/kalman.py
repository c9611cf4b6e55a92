"""DeepSORT's Kalman filter with constant velocity, for all tracks at once.

The measurement is a box as centre x, centre y, aspect ratio and height (cxcyah). Its noise and the process noise are
diagonal, and so is the first covariance: the four axes never couple. The 8x8 filter of the paper is therefore four 2x2
filters per track, each held by five numbers; there is no matrix to invert and none that could lose its symmetry.

A `state` is an array (22, T), float64, a track in each column:

    0:4    position: cx, cy, a, h
    4:8    its change per frame
    8:12   variance of the position
    12:16  covariance of position and change
    16:20  variance of the change
    20     square of the height: the noise grows with it
    21     1

With the last two, all that a step adds is a linear map of the column, and one product moves every track.

Wojke et al. 2017, section 2.1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CHI2_95 = 9.4877  # 0.95 quantile of the chi-square distribution with 4 degrees of freedom
ROWS = 22
HEIGHT, SQUARE, ONE = 3, 20, 21


@dataclass(frozen=True)
class Noise:
    """Standard deviations; those of cx, cy and h are shares of the box height, those of the aspect ratio have no unit.

    The figures are the reference implementation's, chosen on MOT16.
    """

    position: float = 1 / 20  # per frame
    velocity: float = 1 / 160  # per frame
    aspect: float = 1e-2  # per frame
    aspect_velocity: float = 1e-5  # per frame
    measured: float = 1 / 20
    measured_aspect: float = 1e-1
    first_position: float = 2 / 20
    first_velocity: float = 10 / 160


class Filter:
    """What one set of noises makes of states."""

    def __init__(self, noise: Noise) -> None:
        position, velocity = _by_axis(noise.position, noise.aspect), _by_axis(noise.velocity, noise.aspect_velocity)
        change = np.zeros((20, ROWS))
        change[0:4, 4:8] = np.eye(4)  # x + v dt
        change[8:12, 12:16] = 2 * np.eye(4)  # P + 2 C dt + V dt**2 + Q dt
        change[12:16, 16:20] = np.eye(4)  # C + V dt
        change[8:12, SQUARE:] = position
        change[16:20, SQUARE:] = velocity  # a random walk adds its noise in proportion to the time
        square = np.zeros((20, ROWS))
        square[8:12, 16:20] = np.eye(4)
        self._change, self._square = change, square
        self._by_one = self._transition(1.0)
        self._measured = _by_axis(noise.measured, noise.measured_aspect)
        self._first_position = _by_axis(noise.first_position, noise.aspect)
        self._first_velocity = _by_axis(noise.first_velocity, noise.aspect_velocity)

    def initiate(self, cxcyah: Array) -> Array:
        """States (22, N) of tracks that begin at rest, at the boxes cxcyah (4, N)."""
        state = np.zeros((ROWS, cxcyah.shape[1]))
        state[0:4] = cxcyah
        state[SQUARE] = cxcyah[HEIGHT] ** 2
        state[ONE] = 1
        state[8:12] = self._first_position @ state[SQUARE:]
        state[16:20] = self._first_velocity @ state[SQUARE:]
        return state

    def predict(self, state: Array, dt: float = 1.0) -> None:
        """Move a state on by `dt` frames, in place."""
        np.square(state[HEIGHT], out=state[SQUARE])
        state[:20] = (self._by_one if dt == 1 else self._transition(dt)) @ state

    def measurement_variance(self, state: Array) -> Array:
        """(4, T): how far a detection may lie from the true box, by axis."""
        np.square(state[HEIGHT], out=state[SQUARE])
        return np.asarray(self._measured @ state[SQUARE:])

    def _transition(self, dt: float) -> Array:
        """(20, 22): F x and F P F' + Q of every axis, written for the numbers of a state."""
        return np.asarray(np.eye(20, ROWS) + dt * self._change + dt * dt * self._square)


def _by_axis(of_height: float, aspect: float) -> Array:
    """Variance by axis (4, 2), in units of the squared height and of 1."""
    return np.array([[of_height**2, 0], [of_height**2, 0], [0, aspect**2], [of_height**2, 0]])


def xyxy(state: Array) -> Array:
    """(4, T): the boxes left, top, right, bottom."""
    centre, half = state[0:2], state[2:4] / 2
    half[0] *= state[HEIGHT]
    return np.concatenate((centre - half, centre + half))


def scale(state: Array, across: float, down: float) -> None:
    """The same boxes in a picture that is so many times as wide and as high, in place."""
    by = np.array([[across], [down], [across / down], [down]])
    state[:20] *= np.concatenate([by, by, by**2, by**2, by**2])


def mahalanobis(innovation: Array, variance: Array) -> Array:
    """Squared Mahalanobis distance of boxes from predictions; compare with CHI2_95. Wojke et al. 2017, eq. 1.

    Args:
        innovation: (4, P) measured minus predicted cxcyah.
        variance: (4, P) of both together: state[8:12] + measurement_variance.

    Returns:
        (P,)
    """
    return np.asarray(np.add.reduce(innovation * innovation / variance, axis=0))


def update(state: Array, tracks: NDArray[np.intp], measured: Array, cxcyah: Array) -> None:
    """Correct some tracks by a box each, in place.

    Args:
        state: (22, T) as predicted.
        tracks: (M,) columns of the state.
        measured: (4, M) variances of the boxes.
        cxcyah: (4, M) the boxes.
    """
    part = state[:20].take(tracks, axis=1).reshape(5, 4, -1)
    gain = part[2:4] / (part[2] + measured)  # of the position and of its change
    part[:2] += gain * (cxcyah - part[0])
    part[4] -= gain[1] * part[3]
    part[2:4] -= gain[0] * part[2:4]
    state[:20, tracks] = part.reshape(20, -1)
