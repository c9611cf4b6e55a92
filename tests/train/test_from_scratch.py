"""The commands that make the weights, from nothing to files that the daemon runs; tiny, so the weights are no good."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from edgetrack.cli import main
from edgetrack.config import DetectConfig, ReidEmbed, RuntimeConfig
from edgetrack.detect import open_detector, open_embedder
from edgetrack.render import CLASSES
from edgetrack.types import Detections

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's exporter tells of its successor
ONE = RuntimeConfig(threads=1)
FEW = ("--pictures", "10", "--near", "10", "--steps", "1", "--finish", "1", "--batch", "2", "--calibrate", "1")


def told(path: Path) -> str:
    metadata = {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}
    return metadata["command"]


def test_train_detector_makes_files_that_detect(tmp_path: Path) -> None:
    out = tmp_path / "models"
    assert main(["train", "detector", "--out", str(out), "--work", str(tmp_path / "work"), *FEW, "--seed", "3"]) == 0
    assert len(list(out.glob("*.onnx"))) == 4
    detector = open_detector(DetectConfig(model=str(out / "edgetrack-nano-int8.onnx")), ONE)
    assert (detector.names, detector.head) == (CLASSES, "yolov8")
    assert told(out / "edgetrack-nano-int8.onnx") == "edgetrack train detector --steps 1 --finish 1 --batch 2 --seed 3"


def test_train_embedder_makes_files_that_embed(tmp_path: Path) -> None:
    few = ("--drawn", "6", "4", "4", "4", "--backs", "4", "--steps", "2", "--identities", "8", "--seed", "3")
    out = tmp_path / "models"
    assert main(["train", "embedder", "--out", str(out), "--work", str(tmp_path / "work"), *few]) == 0
    for name in ("edgetrack-reid", "edgetrack-reid-int8"):
        embedder = open_embedder(ReidEmbed(model=str(out / f"{name}.onnx")), ONE)
        boxes = Detections(np.array([[5, 5, 45, 90]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int32))
        found = embedder.embed(np.zeros((100, 60, 3), np.uint8), boxes).embedding
        assert found is not None
        assert found.shape == (1, 128)
    assert told(out / "edgetrack-reid-int8.onnx").endswith("--steps 2 --identities 8 --seed 3")
