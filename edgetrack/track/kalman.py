"""DeepSORT's Kalman filter with constant velocity, for all tracks at once.

The measurement is a box as centre x, centre y, aspect ratio and height (cxcyah). Its noise and the process noise are
diagonal, and so is the first covariance: the four axes never couple. The 8x8 filter of the paper is therefore four 2x2
filters per track, each held by five numbers, and its matrix algebra becomes a few multiplications over arrays; there
is no matrix to invert and none that could lose its symmetry.

A `state` is an array (5, 4, T), float64: position, change per frame, variance of the position, covariance of both,
variance of the change; by axis (cx, cy, a, h); by track. Only `predict` changes one in place.

Wojke et al. 2017, section 2.1; the figures are those of the reference implementation.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]

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
    """States (5, 4, N) of tracks that begin at rest, at the boxes (4, N)."""
    height2 = cxcyah[3] ** 2
    state = np.zeros((5, *cxcyah.shape))
    state[0] = cxcyah
    state[2] = FIRST_POSITION[0] * height2 + FIRST_POSITION[1]
    state[4] = FIRST_VELOCITY[0] * height2 + FIRST_VELOCITY[1]
    return state


def predict(state: Array, dt: float = 1.0) -> None:
    """Move a state on by `dt` frames, in place; a random walk adds its noise in proportion to the time."""
    position, change, variance, covariance, change_variance = state
    position_noise, change_noise = (PROCESS[0] * position[3] ** 2 + PROCESS[1]) * dt
    position += change * dt
    variance += (2 * covariance + change_variance * dt) * dt + position_noise
    covariance += change_variance * dt
    change_variance += change_noise


def innovation_variance(state: Array) -> Array:
    """(4, T): how far a measurement may lie from the predicted one, by axis."""
    return np.asarray(state[2] + (MEASUREMENT[0] * state[0, 3] ** 2 + MEASUREMENT[1]))


def mahalanobis(state: Array, variance: Array, tracks: Index, cxcyah: Array) -> Array:
    """Squared Mahalanobis distance of pairs; compare with CHI2_95. Wojke et al. 2017, eq. 1.

    Args:
        state: (5, 4, T).
        variance: (4, T) from `innovation_variance`.
        tracks: (P,) the track of every pair.
        cxcyah: (4, P) the box of every pair.
    """
    return np.asarray(((cxcyah - state[0, :, tracks].T) ** 2 / variance[:, tracks]).sum(axis=0))


def update(state: Array, cxcyah: Array) -> Array:
    """The predicted states (5, 4, M) corrected by one box each (4, M)."""
    position, change, variance, covariance, change_variance = state
    innovation = cxcyah - position
    total = innovation_variance(state)
    gain, change_gain = variance / total, covariance / total
    return np.stack(
        [
            position + gain * innovation,
            change + change_gain * innovation,
            variance - gain * variance,
            covariance - gain * covariance,
            change_variance - change_gain * covariance,
        ]
    )
