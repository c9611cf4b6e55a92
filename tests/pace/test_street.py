"""None of the ladder's rungs changes a count: the rendered street, the shipped int8 models, the whole loop."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgetrack import app
from edgetrack.config import Config, DetectConfig, JsonlPublish, LineConfig, PaceConfig, RuntimeConfig, SceneCapture
from edgetrack.notify import Systemd
from edgetrack.pace.policy import Rung, ladder
from edgetrack.parts import build
from edgetrack.render import CLASSES
from edgetrack.render.counting import totals
from edgetrack.render.scene import COUNTED, LINES, Scene
from edgetrack.types import CaptureState, Frame, Image

MODELS = Path(__file__).parents[2] / "models"
STREET = Scene(seed=5, fps=24, seconds=10)
TRUTH = totals(STREET.crossings())
RUNGS = ladder(STREET.fps, PaceConfig().min_looks_s, lighter=True, slows=True)


class Shown:
    """A source that hands out pictures which are there already, or every `step`th of them."""

    def __init__(self, pictures: Sequence[Image], fps: float, step: int) -> None:
        self._pictures, self._fps, self._step = pictures, fps, step
        self.state = CaptureState("ok")

    def __enter__(self) -> Shown:
        return self

    def __exit__(self, *_: object) -> None: ...

    def __iter__(self) -> Iterator[Frame]:
        for index in range(0, len(self._pictures), self._step):
            time = index / self._fps
            yield Frame(self._pictures[index], index, time, utc=1.7e9 + time, captured=time)


@pytest.fixture(scope="module")
def pictures() -> list[Image]:
    return [STREET.picture(index)[0] for index in range(len(STREET))]


def config(rung: Rung, folder: Path) -> Config:
    """A daemon that stands on that rung all the time."""
    model = ("edgetrack-nano-square-int8.onnx", "edgetrack-nano-int8.onnx")[rung.eye]
    return Config(
        capture=SceneCapture(seed=STREET.seed, fps=STREET.fps, seconds=STREET.seconds),
        detect=DetectConfig(
            model=str(MODELS / model), min_score=0.35, min_scores={"bicycle": 0.65}, every=rung.every
        ),
        lines=[
            LineConfig(name=name, start=STREET.line(name)[0], end=STREET.line(name)[1],
                       classes=[CLASSES[class_id] for class_id in COUNTED[name]])
            for name in LINES
        ],
        runtime=RuntimeConfig(threads=1),
        publish=[JsonlPublish(path=str(folder / "events.jsonl"))],
        state_dir=str(folder),
    )  # fmt: skip


def test_the_street_is_busy_enough_to_tell() -> None:
    assert len(STREET.crossings()) == 7


@pytest.mark.parametrize("rung", RUNGS, ids=str)
def test_counts_equal_the_truth_on_every_rung(rung: Rung, pictures: list[Image], tmp_path: Path) -> None:
    settings = config(rung, tmp_path)
    step = round(STREET.fps / rung.max_fps) if rung.max_fps else 1
    parts = replace(build(settings), source=Shown(pictures, STREET.fps, step))
    app.run(parts, app.Wishes(), Systemd({}), lambda: settings)
    counted: dict[str, dict[str, Any]] = {}
    for line in (tmp_path / "events.jsonl").read_text().splitlines():
        payload = json.loads(line)["payload"]
        if payload["schema"] == "edgetrack.count/1":
            counted[payload["line"]] = {name: (n["in"], n["out"]) for name, n in payload["by_class"].items()}
    assert {line: {name: n for name, n in counts.items() if any(n)} for line, counts in counted.items()} == {
        line: {CLASSES[class_id]: n for class_id, n in TRUTH.get(line, {}).items()} for line in LINES
    }
