"""How all the nets learn: AdamW on a rate that rises and falls, and the mean of what it found."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

WEIGHT_DECAY = 0.03  # of kernels; not of what shifts and scales


class Average:
    """The running mean of a net's weights, which generalises better than the last ones."""

    def __init__(self, net: nn.Module, decay: float = 0.998) -> None:
        self.net = copy.deepcopy(net).eval()
        self._decay, self._steps = decay, 0

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        for mine, new in zip(self.net.state_dict().values(), net.state_dict().values(), strict=True):
            if mine.dtype.is_floating_point:
                mine.lerp_(new, 1 - decay)
            else:
                mine.copy_(new)


def rate(step: int, steps: int, warm: int = 150) -> float:
    """Share of the highest learning rate: a linear rise, then half a cosine."""
    if step < warm:
        return (step + 1) / warm
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def optimizer_of(net: nn.Module, highest: float) -> torch.optim.Optimizer:
    """AdamW, at the highest rate."""
    decayed = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=highest)
