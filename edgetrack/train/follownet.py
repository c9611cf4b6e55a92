"""edgetrack-goturn: template and search window in, a box out, in one pass and without learning at run time.

Features of every template cell are compared with those of every search cell (pixel-wise correlation), for the first
picture of the target and for a recent one; then each cell of the window says where it thinks that the box is, and how
much its word counts. Dense 3 x 3 convolutions with ReLU, because int8 pays for those.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgetrack.refine.crops import SEARCH_PX, TEMPLATE_PX
from edgetrack.train.net import Residual, conv

STRIDE = 8
TEMPLATE, SEARCH = TEMPLATE_PX // STRIDE, SEARCH_PX // STRIDE  # cells along a side
SHARP = 8.0  # of a cosine, so that the head's input has a spread near 1


def _coverage(fraction: Tensor, cells: int) -> Tensor:
    """(B, 1, cells, cells) share of each cell inside a box of (B, 2) width and height in the middle of a crop."""
    edge = torch.arange(cells + 1, dtype=fraction.dtype, device=fraction.device) / cells
    half = fraction[:, :, None] / 2
    inside = torch.minimum(torch.maximum(edge, 0.5 - half), 0.5 + half)
    share = (inside[..., 1:] - inside[..., :-1]) * cells
    return share[:, 1, None, :, None] * share[:, 0, None, None, :]


class Goturn(nn.Module):
    """
    Inputs: first, recent (B, 3, 56, 56), search (B, 3, 112, 112), BGR 0..255; shape (B, 6), width and height of the
    first, the recent and the expected box as fractions of their crops.

    Outputs: (B, 4) xyxy as fractions of the search crop, (B,) logit of the expected IoU, (B, cells) logits of the
    cells' votes, (B, 4, cells) their boxes.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.eyes = nn.Sequential(
            conv(3, 16, stride=2), conv(16, 32, stride=2), conv(32, 32), conv(32, width, stride=2), Residual(width)
        )
        self.features = nn.Conv2d(width, width, 1)
        kernels = TEMPLATE * TEMPLATE
        self.join = conv(2 * kernels + width + 6, width, 1)
        self.head = nn.Sequential(conv(width, width), Residual(width), conv(width, width))
        self.vote = nn.Conv2d(width, 5, 1)
        self.trust = nn.Sequential(nn.Linear(width + 3, 32), nn.ReLU(), nn.Linear(32, 1))
        nn.init.normal_(self.vote.weight, std=0.01)
        line = (torch.arange(SEARCH) + 0.5) / SEARCH - 0.5
        self.register_buffer("x", line[None, :].expand(SEARCH, SEARCH).reshape(-1).clone())
        self.register_buffer("y", line[:, None].expand(SEARCH, SEARCH).reshape(-1).clone())

    def see(self, image: Tensor) -> Tensor:
        return self.features(self.eyes(image / 64 - 2))

    def _compare(self, template: Tensor, search: Tensor, fraction: Tensor) -> Tensor:
        """(B, kernels, SEARCH, SEARCH) cosines of every template cell with every search cell; less outside the box."""
        kernels = functional.normalize(self.see(template).float().flatten(2), dim=1)
        kernels = kernels * (0.25 + 0.75 * _coverage(fraction, TEMPLATE).flatten(2))
        return (kernels.transpose(1, 2) @ search * SHARP).unflatten(2, (SEARCH, SEARCH))

    def forward(self, first: Tensor, recent: Tensor, search: Tensor, shape: Tensor) -> tuple[Tensor, ...]:
        seen = self.see(search)
        unit = functional.normalize(seen.float().flatten(2), dim=1)
        wide, tall = shape[:, 4:5], shape[:, 5:6]
        planes = torch.stack(
            [self.x / wide, self.y / tall, *(s.expand(-1, SEARCH**2) for s in (wide * 3 - 1, tall * 3 - 1))], dim=1
        )
        masks = _coverage(shape[:, 4:6], SEARCH)
        ring = _coverage((shape[:, 4:6] * 2).clamp(max=1), SEARCH)
        joined = torch.cat(
            [
                self._compare(first, unit, shape[:, 0:2]),
                self._compare(recent, unit, shape[:, 2:4]),
                seen.float(),
                planes.unflatten(2, (SEARCH, SEARCH)),
                masks,
                ring,
            ],
            dim=1,
        )
        found = self.head(self.join(joined))
        raw = self.vote(found).float().flatten(2)
        votes = raw[:, 4]
        weight = torch.softmax(votes, dim=1)
        cx, cy = self.x + raw[:, 0] * wide, self.y + raw[:, 1] * tall
        size = torch.exp(raw[:, 2:4].clamp(-1, 1)) * shape[:, 4:6, None]
        each = torch.stack([cx, cy, size[:, 0], size[:, 1]], dim=1)
        mean = (each * weight[:, None]).sum(2)
        middle, half = mean[:, :2] + 0.5, mean[:, 2:] / 2
        spread = ((each[:, :2] - mean[:, :2, None]).pow(2) * weight[:, None]).sum(2) / mean[:, 2:].pow(2)
        what = (found.float().flatten(2) * weight[:, None]).sum(2)
        trust = self.trust(torch.cat([what, weight.amax(1, keepdim=True), torch.sqrt(spread + 1e-6)], dim=1))
        return torch.cat([middle - half, middle + half], dim=1), trust[:, 0], votes, each


class Deployed(nn.Module):
    """The net as it is exported: boxes and confidences alone, pictures uint8."""

    def __init__(self, net: Goturn) -> None:
        super().__init__()
        self.net = net

    def forward(self, first: Tensor, recent: Tensor, search: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
        box, trust, _, _ = self.net(first.float(), recent.float(), search.float(), shape)
        return box, torch.sigmoid(trust)
