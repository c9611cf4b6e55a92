"""Axis-aligned boxes in the layouts of the field; all functions take and return float arrays of shape (N, 4).

xyxy: left, top, right, bottom. tlwh: left, top, width, height. cxcywh: centre, width, height.
cxcyah: centre, aspect ratio width / height, height (the measurement of DeepSORT's filter).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.floating[Any]]


def xyxy_to_tlwh(xyxy: Boxes) -> Boxes:
    return np.concatenate([xyxy[..., :2], xyxy[..., 2:] - xyxy[..., :2]], axis=-1)


def tlwh_to_xyxy(tlwh: Boxes) -> Boxes:
    return np.concatenate([tlwh[..., :2], tlwh[..., :2] + tlwh[..., 2:]], axis=-1)


def cxcywh_to_xyxy(cxcywh: Boxes) -> Boxes:
    half = cxcywh[..., 2:] / 2
    return np.concatenate([cxcywh[..., :2] - half, cxcywh[..., :2] + half], axis=-1)


def xyxy_to_cxcyah(xyxy: Boxes) -> Boxes:
    size = xyxy[..., 2:] - xyxy[..., :2]
    centre = xyxy[..., :2] + size / 2
    return np.concatenate([centre, size[..., :1] / size[..., 1:], size[..., 1:]], axis=-1)


def cxcyah_to_xyxy(cxcyah: Boxes) -> Boxes:
    half = np.concatenate([cxcyah[..., 2:3] * cxcyah[..., 3:], cxcyah[..., 3:]], axis=-1) / 2
    return np.concatenate([cxcyah[..., :2] - half, cxcyah[..., :2] + half], axis=-1)


def area(xyxy: Boxes) -> NDArray[np.floating[Any]]:
    """(N,) areas; a box whose right or bottom lies before its left or top has none."""
    size = np.maximum(xyxy[..., 2:] - xyxy[..., :2], 0)
    return np.asarray(size[..., 0] * size[..., 1])


def clip(xyxy: Boxes, width_px: float, height_px: float) -> Boxes:
    """Boxes cut at the edges of a picture; one that lies wholly outside keeps a zero area at the edge."""
    return np.clip(xyxy, 0, np.array([width_px, height_px, width_px, height_px], dtype=xyxy.dtype))


def _overlaps(a: Boxes, b: Boxes) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
    """(N, M) areas of intersection and of union; one coordinate at a time, 3 times as fast as pairs of them."""
    width = np.minimum(a[:, None, 2], b[:, 2]) - np.maximum(a[:, None, 0], b[:, 0])
    height = np.minimum(a[:, None, 3], b[:, 3]) - np.maximum(a[:, None, 1], b[:, 1])
    intersection = np.maximum(width, 0, out=width) * np.maximum(height, 0, out=height)
    return intersection, area(a)[:, None] + area(b) - intersection


def iou(a: Boxes, b: Boxes) -> NDArray[np.floating[Any]]:
    """(N, M) intersection over union of every box of a (N, 4) with every box of b (M, 4); 0 where both are empty."""
    intersection, union = _overlaps(a, b)
    return np.asarray(np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0))


def iou_pairs(a: Boxes, b: Boxes) -> NDArray[np.floating[Any]]:
    """(P,) intersection over union of every box of a (P, 4) with the box of b in its row; 0 where both are empty."""
    size = np.maximum(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0)
    intersection = size[:, 0] * size[:, 1]
    union = area(a) + area(b) - intersection
    return np.asarray(np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0))


def nms(
    xyxy: Boxes, score: NDArray[np.floating[Any]], max_iou: float, class_id: NDArray[np.integer[Any]] | None = None
) -> NDArray[np.intp]:
    """Indices of the boxes that no better one overlaps by more than `max_iou`, best first.

    Given `class_id` (N,), only one of the same class counts. Greedy non-maximum suppression over the (N, N) matrix;
    equal scores keep their order. Callers bound N (a thousand candidates are 8 MB of float64).
    """
    order = np.argsort(-score, kind="stable")
    intersection, union = _overlaps(xyxy[order], xyxy[order])
    overlaps = np.triu(intersection > max_iou * union, k=1)
    if class_id is not None:
        overlaps &= class_id[order][:, None] == class_id[order]
    keep = np.ones(len(order), dtype=bool)
    for i in np.flatnonzero(overlaps.any(axis=1)):
        if keep[i]:
            keep &= ~overlaps[i]
    return order[keep]
