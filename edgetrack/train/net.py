"""edgetrack-nano: an anchor-free detector of dense 3 x 3 convolutions with ReLU, because int8 pays for those.

Depthwise convolutions and SiLU gain little from int8 on a CPU and lose accuracy; dense ones run two to three times as
fast and lose next to nothing. Three levels of 8, 16 and 32 pixels, a top-down pyramid, a head with one branch for the
class and one for the box (Ge et al. 2021). No objectness: a class score is trained to be the box's IoU.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDES = (8, 16, 32)


def conv(before: int, after: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(after, eps=1e-3, momentum=0.03),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(width, width), conv(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Level(nn.Module):
    """The head of one level: what it is, and where."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.what = nn.Sequential(conv(width, width), nn.Conv2d(width, classes, 1))
        self.where = nn.Sequential(conv(width, width), nn.Conv2d(width, 4, 1))
        nn.init.constant_(self.what[1].bias, -math.log(99))  # a score of 0.01 everywhere to begin with

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.where(x), self.what(x)], dim=1).flatten(2)


class Nano(nn.Module):
    """(B, 3, H, W) RGB 0..1, H and W multiples of 32 -> (B, 4 + classes, N): raw offsets and sizes, logits."""

    def __init__(self, classes: int = 3, width: int = 48) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 16, stride=2), conv(16, 24, stride=2))
        self.eighth = nn.Sequential(conv(24, 48, stride=2), Residual(48), Residual(48))
        self.sixteenth = nn.Sequential(conv(48, 96, stride=2), Residual(96), Residual(96))
        self.deep = nn.Sequential(conv(96, 128, stride=2), Residual(128))
        self.lateral = nn.ModuleList([conv(c, width, 1) for c in (48, 96, 128)])
        self.smooth = nn.ModuleList([conv(width, width) for _ in STRIDES])
        self.levels = nn.ModuleList([Level(width, classes) for _ in STRIDES])

    def forward(self, x: Tensor) -> Tensor:
        eighth = self.eighth(self.stem(x))
        sixteenth = self.sixteenth(eighth)
        high = self.lateral[2](self.deep(sixteenth))
        middle = self.lateral[1](sixteenth) + functional.interpolate(high, scale_factor=2.0, mode="nearest")
        low = self.lateral[0](eighth) + functional.interpolate(middle, scale_factor=2.0, mode="nearest")
        maps = (low, middle, high)
        raw = [level(smooth(x)) for level, smooth, x in zip(self.levels, self.smooth, maps, strict=True)]
        return torch.cat(raw, dim=2)


def cells(width: int, height: int) -> tuple[Tensor, Tensor]:
    """(N, 2) middles of all cells in pixels of the input, and (N,) their strides."""
    middles, steps = [], []
    for stride in STRIDES:
        ys, xs = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        middles.append((torch.stack([xs, ys], dim=-1).reshape(-1, 2) + 0.5) * stride)
        steps.append(torch.full((len(middles[-1]),), float(stride)))
    return torch.cat(middles), torch.cat(steps)


def boxes(raw: Tensor, middles: Tensor, strides: Tensor) -> Tensor:
    """(B, 4 + classes, N) raw -> (B, 4, N) cxcywh, pixels of the input."""
    centre = middles.T + raw[:, :2] * strides
    size = torch.exp(torch.clamp(raw[:, 2:4], max=6.0)) * strides
    return torch.cat([centre, size], dim=1)


class Deployed(nn.Module):
    """The net as it is exported: (B, 4 + classes, N) boxes cxcywh in pixels and scores."""

    def __init__(self, net: Nano, width: int, height: int) -> None:
        super().__init__()
        self.net = net
        middles, strides = cells(width, height)
        self.register_buffer("middles", middles)
        self.register_buffer("strides", strides)

    def forward(self, x: Tensor) -> Tensor:
        raw = self.net(x)
        return torch.cat([boxes(raw, self.middles, self.strides), torch.sigmoid(raw[:, 4:])], dim=1)
