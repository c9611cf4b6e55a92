"""Which cell answers for which object, and what it costs to be wrong (task-aligned assignment, Feng et al. 2021)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

TOP = 9  # cells that answer for one object, at most
NEAR = 0.75  # strides round an object's middle in which a cell may answer, however thin the object
BOX_WEIGHT = 5.0


def corners(cxcywh: Tensor) -> Tensor:
    """(..., 4) cxcywh -> xyxy"""
    half = cxcywh[..., 2:] / 2
    return torch.cat([cxcywh[..., :2] - half, cxcywh[..., :2] + half], dim=-1)


def overlap(a: Tensor, b: Tensor, enclosing: bool = False) -> Tensor:
    """IoU of xyxy boxes that broadcast against each other; `enclosing`: generalised IoU (Rezatofighi et al. 2019)."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    both = (high - low).clamp(min=0).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - both + 1e-6
    if not enclosing:
        return both / union
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    around = hull.prod(-1) + 1e-6
    return both / union - (around - union) / around


@torch.no_grad()
def assign(
    scores: Tensor, predicted: Tensor, middles: Tensor, strides: Tensor, truth: Tensor, class_id: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """
    Args:
        scores: (B, N, C) 0..1; predicted: (B, N, 4) xyxy.
        truth: (B, G, 4) xyxy, padded; class_id: (B, G), -1 to be ignored, -2 padding.

    Returns:
        (B, N) index of the object a cell answers for, -1 for none; (B, N) its target score; (B, N) cells to leave out.
    """
    real = class_id >= 0
    middle, size = (truth[..., :2] + truth[..., 2:]) / 2, truth[..., 2:] - truth[..., :2]
    reach = torch.maximum(size[:, :, None] / 2, NEAR * strides[None, None, :, None])
    near = ((middles[None, None] - middle[:, :, None]).abs() < reach).all(-1)  # (B, G, N)
    iou = overlap(predicted[:, None], truth[:, :, None])  # (B, G, N)
    index = class_id.clamp(min=0)[:, None, :].expand(-1, scores.shape[1], -1)
    fit = torch.gather(scores, 2, index).transpose(1, 2).sqrt() * iou.pow(4)
    fit = torch.where(near & real[:, :, None], fit + 1e-9, torch.zeros_like(fit))
    best = fit.topk(TOP, dim=2).indices
    chosen = torch.zeros_like(near).scatter_(2, best, True) & (fit > 0)
    fit = torch.where(chosen, fit, torch.zeros_like(fit))
    owner = torch.where(chosen.any(1), torch.where(chosen, iou + 1e-6, -torch.ones_like(iou)).argmax(1), -1)
    mine = torch.zeros_like(chosen).scatter_(1, owner.clamp(min=0)[:, None], (owner >= 0)[:, None])
    fit, iou = fit * mine, iou * mine
    target = fit / (fit.amax(2, keepdim=True) + 1e-9) * iou.amax(2, keepdim=True).clamp(min=0.05)
    inside = ((middles[None, None] > truth[:, :, None, :2]) & (middles[None, None] < truth[:, :, None, 2:])).all(-1)
    left_out = (inside & (class_id == -1)[:, :, None]).any(1) & (owner < 0)
    return owner, target.amax(1), left_out


def loss(
    raw: Tensor, cxcywh: Tensor, middles: Tensor, strides: Tensor, truth: Tensor, class_id: Tensor
) -> tuple[Tensor, Tensor]:
    """Cost of scores and of boxes, each for one object on average."""
    logits, predicted = raw[:, 4:].transpose(1, 2), corners(cxcywh.transpose(1, 2))
    owner, score, left_out = assign(logits.sigmoid(), predicted, middles, strides, truth, class_id)
    found = owner >= 0
    own = owner.clamp(min=0)
    target = torch.zeros_like(logits)
    target.scatter_(2, torch.gather(class_id.clamp(min=0), 1, own)[:, :, None], (score * found)[:, :, None])
    total = target.sum().clamp(min=1)
    classes = functional.binary_cross_entropy_with_logits(logits, target, reduction="none").sum(-1)
    classes = (classes * ~left_out).sum() / total
    goal = torch.gather(truth, 1, own[:, :, None].expand(-1, -1, 4))
    where = (1 - overlap(predicted, goal, enclosing=True))[found] * score[found]
    return classes, BOX_WEIGHT * where.sum() / total
