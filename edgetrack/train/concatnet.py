"""The paper's form of the follower (Held et al. 2016, section 3.3), in small: for comparison.

Features of the previous crop and of the window, one behind the other, into fully connected layers that say where the
box is. It has no first picture to go back to, so that its errors add up.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgetrack.train.loss import overlap
from edgetrack.train.net import Residual, conv

TIMES = 10.0  # the output's scale; the paper's
NODES = 512  # of each fully connected layer, 4096 in the paper
CELLS = 7 * 7


class Concat(nn.Module):
    """
    Inputs: recent (B, 3, 56, 56), search (B, 3, 112, 112), BGR 0..255; shape (B, 6), of which the expected box's width
    and height as fractions of the search crop are used.

    Outputs: (B, 4) xyxy as fractions of the search crop, (B,) logit of the expected IoU.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.eyes = nn.Sequential(conv(3, 16, stride=2), conv(16, 32, stride=2), conv(32, 32))
        self.near = nn.Sequential(conv(32, width, stride=2), Residual(width))  # of the previous crop
        self.wide = nn.Sequential(conv(32, width, stride=2), Residual(width), conv(width, width, stride=2))
        self.compare = nn.Sequential(
            nn.Linear(2 * CELLS * width + 2, NODES),
            nn.ReLU(),
            nn.Linear(NODES, NODES),
            nn.ReLU(),
            nn.Linear(NODES, NODES),
            nn.ReLU(),
        )
        self.answer = nn.Linear(NODES, 5)
        nn.init.normal_(self.answer.weight, std=0.001)

    def forward(self, recent: Tensor, search: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
        seen = [self.near(self.eyes(recent / 64 - 2)), self.wide(self.eyes(search / 64 - 2))]
        size = shape[:, 4:6]
        found = self.answer(self.compare(torch.cat([*(x.flatten(1).float() for x in seen), size], dim=1)))
        expected = torch.cat([0.5 - size / 2, 0.5 + size / 2], dim=1)
        return expected + found[:, :4] * TIMES * size.repeat(1, 2), found[:, 4]


def concat_loss(outputs: tuple[Tensor, ...], shape: Tensor, target: Tensor, present: Tensor) -> list[Tensor]:
    """Cost of the box (L1, as in the paper), twice nothing, of the confidence, and the IoU reached."""
    box, trust = outputs
    there = (present > 0).float()
    total = there.sum().clamp(min=1)
    iou = overlap(box, target)
    scale = shape[:, 4:6].repeat(1, 2)
    where = (((box - target) / scale).abs().mean(1) * there).sum() / total
    sure = functional.binary_cross_entropy_with_logits(trust, iou.detach().clamp(0, 1) * there)
    nothing = torch.zeros(())
    return [where, nothing, nothing, sure * 0.5, ((iou * there).sum() / total).detach()]


class DeployedConcat(nn.Module):
    """The net as it is exported: pictures uint8."""

    def __init__(self, net: Concat) -> None:
        super().__init__()
        self.net = net

    def forward(self, recent: Tensor, search: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
        box, trust = self.net(recent.float(), search.float(), shape)
        return box, torch.sigmoid(trust)
