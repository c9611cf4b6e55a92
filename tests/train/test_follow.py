"""Examples for the follower show what they say; needs PyTorch."""

import numpy as np
import torch

from edgetrack.train.follow import Studio
from edgetrack.train.follownet import Deployed, Goturn
from edgetrack.train.sprites import DIRECTIONS, SIDE, Bank


def white_discs() -> Bank:
    """White targets, black backgrounds without objects but one."""
    line = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    disc = (np.hypot(line[:, None], line) < 0.98) * 255
    turns = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS
    return Bank(
        np.stack([np.stack([np.full_like(disc, 255)] * 3 + [disc])]).astype(np.uint8),
        np.stack([np.stack([np.cos(turns), np.sin(turns)], axis=1)]).astype(np.float32) * np.float32(0.98),
        np.zeros((1, 3, 256, 256), np.uint8),
        np.array([[0, -0.2, -0.2, 0.2, 0.2]], np.float32),
    )


def test_examples_have_the_shapes_of_the_net_s_inputs() -> None:
    made = Studio(white_discs(), 1).examples(4)
    inputs = (torch.from_numpy(array) for array in (made.first, made.recent, made.search, made.shape))
    box, confidence = Deployed(Goturn().eval())(*inputs)
    assert (box.shape, confidence.shape) == ((4, 4), (4,))


def test_the_target_is_where_the_example_says() -> None:
    """White on black: the middle of a present target's box is bright, unless something black hides it."""
    made = Studio(white_discs(), 2).examples(64)
    middle = (made.target[:, :2] + made.target[:, 2:]) / 2
    inside = (made.present > 0.9) & (np.abs(middle - 0.5) < 0.45).all(1)
    x, y = (middle * 112).astype(int).T
    bright = made.search[np.arange(64), :, y.clip(0, 111), x.clip(0, 111)].mean(1)
    drawn = made.first[:, :, 24:32, 24:32].mean((1, 2, 3)) > 90  # a patch of the black background is no disc
    assert (bright[inside & drawn] > 60).mean() > 0.9


def test_templates_hold_their_box() -> None:
    shape = Studio(white_discs(), 3).examples(32).shape
    assert ((shape[:, :4] > 0.1) & (shape[:, :4] <= 1.01)).all()


def test_the_same_seed_draws_the_same() -> None:
    first, again = (Studio(white_discs(), 4).examples(4) for _ in range(2))
    assert np.array_equal(first.target, again.target)
    assert np.array_equal(first.shape, again.shape)
