"""edgetrack-reid: a Siamese net of dense 3 x 3 convolutions with ReLU, because int8 pays for those.

It looks through a Gaussian mask: a detector's box shows the background at its edges, and the mask turns that into the
mean colour. What it finds is averaged over four stripes, from head to feet, not over the whole body: a red shirt over
blue trousers is not a blue shirt over red ones.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgetrack.train.looks import HEIGHT, WIDTH
from edgetrack.train.net import Residual, conv

VALUES = 128
SIGMA_X, SIGMA_Y = (
    0.6,
    1.2,
)  # of the mask, in halves of the box's sides: hardly less at head and feet, a quarter at a side
STRIPES = 4


def gaussian_mask() -> Tensor:
    """(HEIGHT, WIDTH) 1 in the middle."""
    x = (torch.arange(WIDTH) + 0.5) / WIDTH * 2 - 1
    y = (torch.arange(HEIGHT) + 0.5) / HEIGHT * 2 - 1
    return torch.exp(-0.5 * ((x[None] / SIGMA_X) ** 2 + (y[:, None] / SIGMA_Y) ** 2))


class Reid(nn.Module):
    """(B, 3, HEIGHT, WIDTH) RGB less the mean, over the deviation -> (B, VALUES), of any length."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", gaussian_mask(), persistent=False)
        self.body = nn.Sequential(
            conv(3, 16, stride=2),
            conv(16, 32, stride=2),
            Residual(32),
            conv(32, 64, stride=2),
            Residual(64),
            Residual(64),
            conv(64, 96, stride=2),
            Residual(96),
        )
        tall, wide = HEIGHT // 16, WIDTH // 16
        self.stripes = nn.AvgPool2d((tall // STRIPES, wide))
        self.last = nn.Sequential(
            nn.Conv2d(96, VALUES, (STRIPES, 1), bias=False), nn.BatchNorm2d(VALUES, affine=False, momentum=0.03)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.stripes(self.body(x * self.mask))).flatten(1)


class Deployed(nn.Module):
    """The net as it is exported: rows of length 1."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return functional.normalize(self.net(x), dim=1)
