"""DeepSORT's Kalman filter with constant velocity, for all tracks at once.

The measurement is a box as centre x, centre y, aspect ratio and height (cxcyah). Its noise and the process noise are
diagonal, and so is the first covariance: the four axes never couple. The 8x8 filter of the paper is therefore four 2x2
filters per track, each held by five numbers, and its matrix algebra becomes a few multiplications over arrays; there
is no matrix to invert and none that could lose its symmetry.

A `state` is an array (5, 4, T), float64: position, change per frame, variance of the position, covariance of both,
variance of the change; by axis (cx, cy, a, h); by track. `predict` and `update` change it in place.

Wojke et al. 2017, section 2.1; the figures are those of the reference implementation.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CHI2_95 = 9.4877  # 0.95 quantile of the chi-square distribution with 4 degrees of freedom
STD_POSITION = 1 / 20  # of the box height; of cx, cy and h
STD_VELOCITY = 1 / 160  # of the box height per frame


def _noise(of_height: float, aspect: float) -> tuple[Array, Array]:
    """Variance by axis as (slope, floor): slope * height**2 + floor; the noise of the aspect ratio has no unit."""
    return np.array([[of_height**2], [of_height**2], [0], [of_height**2]]), np.array([[0], [0], [aspect**2], [0]])


MEASUREMENT = _noise(STD_POSITION, 1e-1)
POSITION, VELOCITY = _noise(STD_POSITION, 1e-2), _noise(STD_VELOCITY, 1e-5)
PROCESS = np.stack([POSITION[0], VELOCITY[0]]), np.stack([POSITION[1], VELOCITY[1]])
FIRST_POSITION, FIRST_VELOCITY = _noise(2 * STD_POSITION, 1e-2), _noise(10 * STD_VELOCITY, 1e-5)


def initiate(cxcyah: Array) -> Array:
    """States (5, 4, N) of tracks that begin at rest, at the boxes cxcyah (4, N)."""
    height2 = cxcyah[3] ** 2
    state = np.zeros((5, *cxcyah.shape))
    state[0] = cxcyah
    state[2] = FIRST_POSITION[0] * height2 + FIRST_POSITION[1]
    state[4] = FIRST_VELOCITY[0] * height2 + FIRST_VELOCITY[1]
    return state


def predict(state: Array, dt: float = 1.0) -> None:
    """Move a state on by `dt` frames, in place; a random walk adds its noise in proportion to the time."""
    noise = PROCESS[0] * (state[0, 3] ** 2 * dt) + PROCESS[1] * dt
    state[:] = (_transition(dt) @ state.reshape(5, -1)).reshape(state.shape)
    state[2::2] += noise


@lru_cache(maxsize=8)
def _transition(dt: float) -> Array:
    """(5, 5): F x and F P F' of one axis, written for the five numbers of a state."""
    return np.array([[1, dt, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 2 * dt, dt * dt], [0, 0, 0, 1, dt], [0, 0, 0, 0, 1]])


def xyxy(state: Array) -> Array:
    """(4, T): the boxes left, top, right, bottom."""
    centre, half = state[0, :2], state[0, 2:] / 2
    half[0] *= state[0, 3]
    return np.concatenate([centre - half, centre + half])


def innovation_variance(state: Array) -> Array:
    """(4, T): how far a measurement may lie from the predicted one, by axis."""
    return np.asarray(state[2] + (MEASUREMENT[0] * state[0, 3] ** 2 + MEASUREMENT[1]))


def mahalanobis(innovation: Array, variance: Array) -> Array:
    """Squared Mahalanobis distance of boxes from predictions; compare with CHI2_95. Wojke et al. 2017, eq. 1.

    Args:
        innovation: (4, P) measured minus predicted cxcyah.
        variance: (4, P) of `innovation_variance`.

    Returns:
        (P,)
    """
    return np.asarray((innovation * innovation / variance).sum(axis=0))


def update(state: Array, variance: Array, cxcyah: Array) -> None:
    """Correct every state by one box, in place.

    Args:
        state: (5, 4, T) as predicted.
        variance: (4, T) of `innovation_variance`; infinite for a track that has no box: its gain is 0.
        cxcyah: (4, T) the boxes; anything finite for a track that has none.
    """
    gain = state[2:4] / variance  # of the position and of its change
    state[:2] += gain * (cxcyah - state[0])
    state[4] -= gain[1] * state[3]
    state[2:4] -= gain[0] * state[2:4]
