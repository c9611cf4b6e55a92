"""What the embedder is taught with: drawn looks, crops of them, and what a wrong distance costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from edgetrack.train.crops import MEAN, STD, Feed, compressed
from edgetrack.train.embedder import first_rank, loss
from edgetrack.train.looks import HEIGHT, VIEWS, WIDTH, Wardrobe, identity, load, make_wardrobe, save
from edgetrack.train.reidnet import Reid, gaussian_mask
from edgetrack.types import Image


@pytest.fixture(scope="module")
def wardrobe() -> Wardrobe:
    return make_wardrobe(5, (4, 2, 2, 3), 2, lambda told: None)


def blank() -> list[Image]:
    return [np.full((272, 480, 3), 128, np.uint8)]


def test_an_identity_is_the_same_every_time() -> None:
    first, second = (identity(11, 0, blank()) for _ in range(2))
    assert first.shape == (VIEWS, 4, HEIGHT, WIDTH)
    np.testing.assert_array_equal(first, second)


def test_views_of_one_identity_differ() -> None:
    views = identity(11, 0, blank()).astype(int)
    assert np.abs(views[0] - views[1]).mean() > 3


def test_a_wardrobe_comes_back_from_its_folder(wardrobe: Wardrobe, tmp_path: Path) -> None:
    save(tmp_path, wardrobe)
    for name in ("views", "things", "backs", "kind"):
        np.testing.assert_array_equal(getattr(load(tmp_path), name), getattr(wardrobe, name))


def test_a_batch_shows_each_identity_as_often(wardrobe: Wardrobe) -> None:
    crops, who = Feed(wardrobe, 1, identities=8, looks=3).batch()
    assert crops.shape == (24, 3, HEIGHT, WIDTH)
    assert who.bincount().tolist() == [3] * 8
    shown = crops * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]
    assert float(shown.min()) > -1e-5
    assert float(shown.max()) < 1 + 1e-5


def test_the_same_seed_gives_the_same_batch(wardrobe: Wardrobe) -> None:
    batches = []
    for _ in range(2):
        torch.manual_seed(3)
        batches.append(Feed(wardrobe, 7, identities=4, looks=2).batch()[0])
    torch.testing.assert_close(*batches)


def test_compression_keeps_flat_pictures_and_coarse_ones_lose_detail() -> None:
    flat = torch.full((1, 3, HEIGHT, WIDTH), 0.5)
    noisy = torch.rand(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(compressed(flat, torch.ones(1)), flat, atol=0.01, rtol=0)
    fine, coarse = (float((compressed(noisy, torch.tensor([k])) - noisy).abs().mean()) for k in (0.01, 2.0))
    assert fine < 0.01 < 0.05 < coarse


def test_the_mask_is_one_in_the_middle_and_fades_to_the_sides() -> None:
    mask = gaussian_mask()
    assert float(mask[HEIGHT // 2, WIDTH // 2]) > 0.99
    assert float(mask[HEIGHT // 2, 0]) < 0.3
    assert float(mask[0, WIDTH // 2]) > 0.65


def test_identities_that_are_apart_cost_less_than_mixed_ones() -> None:
    who = torch.arange(4).repeat_interleave(3)
    apart = torch.eye(8)[who]
    mixed = torch.randn(12, 8, generator=torch.Generator().manual_seed(1))
    assert sum(loss(apart, who)) < 0.1 * sum(loss(mixed, who))
    assert first_rank(apart, who) == 1


def test_the_net_has_at_most_half_a_million_parameters() -> None:
    assert sum(p.numel() for p in Reid().parameters()) <= 500_000
