"""DeepSORT's Kalman filter with constant velocity, for all tracks at once.

The measurement is a box as centre x, centre y, aspect ratio and height (cxcyah). Its noise and the process noise are
diagonal, and so is the first covariance: the four axes never couple. The 8x8 filter of the paper is therefore four 2x2
filters per track, each held by five numbers, and its matrix algebra becomes a few multiplications over arrays; there
is no matrix to invert and none that could lose its symmetry.

A `state` is an array (5, 4, T), float64: position, change per frame, variance of the position, covariance of both,
variance of the change; by axis (cx, cy, a, h); by track. `predict` and `update` change it in place.

Wojke et al. 2017, section 2.1.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CHI2_95 = 9.4877  # 0.95 quantile of the chi-square distribution with 4 degrees of freedom


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

    @cached_property
    def process(self) -> tuple[Array, Array]:
        """(2, 4, 1) of position and change."""
        position, velocity = _by_axis(self.position, self.aspect), _by_axis(self.velocity, self.aspect_velocity)
        return np.stack([position[0], velocity[0]]), np.stack([position[1], velocity[1]])

    @cached_property
    def measurement(self) -> tuple[Array, Array]:
        return _by_axis(self.measured, self.measured_aspect)

    @cached_property
    def first(self) -> tuple[Array, Array]:
        position = _by_axis(self.first_position, self.aspect)
        velocity = _by_axis(self.first_velocity, self.aspect_velocity)
        return np.stack([position[0], velocity[0]]), np.stack([position[1], velocity[1]])


def _by_axis(of_height: float, aspect: float) -> tuple[Array, Array]:
    """Variance (4, 1) by axis as (slope, floor): slope * height**2 + floor."""
    return np.array([[of_height**2], [of_height**2], [0], [of_height**2]]), np.array([[0], [0], [aspect**2], [0]])


def initiate(noise: Noise, cxcyah: Array) -> Array:
    """States (5, 4, N) of tracks that begin at rest, at the boxes cxcyah (4, N)."""
    state = np.zeros((5, *cxcyah.shape))
    state[0] = cxcyah
    state[2::2] = noise.first[0] * cxcyah[3] ** 2 + noise.first[1]
    return state


def predict(noise: Noise, state: Array, dt: float = 1.0) -> None:
    """Move a state on by `dt` frames, in place; a random walk adds its noise in proportion to the time."""
    slope, floor = noise.process
    added = slope * (state[0, 3] ** 2 * dt) + floor * dt
    state[:] = (_transition(dt) @ state.reshape(5, -1)).reshape(state.shape)
    state[2::2] += added


@lru_cache(maxsize=8)
def _transition(dt: float) -> Array:
    """(5, 5): F x and F P F' of one axis, written for the five numbers of a state."""
    return np.array([[1, dt, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 2 * dt, dt * dt], [0, 0, 0, 1, dt], [0, 0, 0, 0, 1]])


def xyxy(state: Array) -> Array:
    """(4, T): the boxes left, top, right, bottom."""
    centre, half = state[0, :2], state[0, 2:] / 2
    half[0] *= state[0, 3]
    return np.concatenate([centre - half, centre + half])


def measurement_variance(noise: Noise, state: Array) -> Array:
    """(4, T): how far a detection may lie from the true box, by axis."""
    slope, floor = noise.measurement
    return np.asarray(slope * state[0, 3] ** 2 + floor)


def mahalanobis(innovation: Array, variance: Array) -> Array:
    """Squared Mahalanobis distance of boxes from predictions; compare with CHI2_95. Wojke et al. 2017, eq. 1.

    Args:
        innovation: (4, P) measured minus predicted cxcyah.
        variance: (4, P) of both together: state[2] + measurement_variance.

    Returns:
        (P,)
    """
    return np.asarray(np.add.reduce(innovation * innovation / variance, axis=0))


def update(state: Array, variance: Array, cxcyah: Array) -> None:
    """Correct every state by one box, in place.

    Args:
        state: (5, 4, T) as predicted.
        variance: (4, T) of the innovation, as for `mahalanobis`; infinite for a track without a box: its gain is 0.
        cxcyah: (4, T) the boxes; anything finite for a track without one.
    """
    gain = state[2:4] / variance  # of the position and of its change
    state[:2] += gain * (cxcyah - state[0])
    state[4] -= gain[1] * state[3]
    state[2:4] -= gain[0] * state[2:4]
