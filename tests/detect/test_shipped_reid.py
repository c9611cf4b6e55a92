"""The shipped embedder, on a street that no training crop shows."""

from __future__ import annotations

import numpy as np
import pytest

from edgetrack.config import ReidEmbed, RuntimeConfig
from edgetrack.configfile import resolve_model
from edgetrack.detect import open_embedder
from edgetrack.detect.reid import ReidEmbedder
from edgetrack.evaluate.reid import Judged, Looks, embedder_of, judge
from edgetrack.render.scene import Scene
from edgetrack.types import Detections

LOOKS_EVERY = 15  # pictures


@pytest.fixture(scope="module")
def street() -> list[Looks]:
    scene, found = Scene(777, seconds=16), []
    for index in range(0, len(scene), LOOKS_EVERY):
        image, truth = scene.picture(index)
        rows = (truth.visibility > 0.6) & (truth.xyxy[:, 0] > 0) & (truth.xyxy[:, 2] < scene.width)
        found.append(
            Looks("street", index, LOOKS_EVERY, image, truth.xyxy[rows], truth.track_id[rows], truth.class_id[rows])
        )
    return found


def judged(word: str, street: list[Looks]) -> Judged:
    return judge(dict([embedder_of(word)]), "street", street)[0]


@pytest.mark.parametrize("name", ["edgetrack-reid", "edgetrack-reid-int8"])
def test_it_tells_people_apart(name: str, street: list[Looks]) -> None:
    found = judged(name, street)
    assert found.rank1 > 0.95
    assert found.equal_error < 0.06


def test_it_does_so_better_than_histograms(street: list[Looks]) -> None:
    assert judged("edgetrack-reid-int8", street).equal_error < judged("histogram", street).equal_error


def test_int8_says_the_same_as_float(street: list[Looks]) -> None:
    boxes = Detections(street[3].xyxy.astype(np.float32), np.ones(len(street[3].xyxy), np.float32), street[3].class_id)
    rows = []
    for name in ("edgetrack-reid", "edgetrack-reid-int8"):
        embedder = open_embedder(ReidEmbed(model=str(resolve_model(name))), RuntimeConfig(threads=1))
        assert isinstance(embedder, ReidEmbedder)
        assert embedder.width == 128
        rows.append(embedder.embed(street[3].picture, boxes).embedding)
    assert ((rows[0] * rows[1]).sum(axis=1) > 0.98).all()
