"""The daemon follows what its resting detector does not look at."""

import json
from pathlib import Path

from edgetrack.cli import main
from tests.parts import blob_detector, walking_square, write_clip
from tests.refine.white_follower import white_follower

CONFIG = """
capture: {{kind: file, path: clip.mp4, pace: fast}}
detect: {{model: blob.onnx, min_score: 0.8, every: 3}}
refine: {{kind: goturn, mode: bridge, model: white.onnx}}
events: {{update_every_s: 0}}
publish: [{{kind: jsonl, path: events.jsonl}}]
state_dir: {state}
"""


def test_a_walker_is_one_track_though_the_detector_looks_at_every_third_frame(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", walking_square(120))
    blob_detector(tmp_path / "blob.onnx")
    white_follower(tmp_path / "white.onnx")
    (tmp_path / "edgetrack.yaml").write_text(CONFIG.format(state=tmp_path))
    assert main(["run", str(tmp_path / "edgetrack.yaml")]) == 0
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    tracks = [e["payload"]["track"] for e in events if "/track/" in e["topic"]]
    assert len(tracks) > 100  # on every frame, not every third
    assert set(tracks) == {1}


FOLLOWS = """
capture: {{kind: file, path: clip.mp4, pace: fast}}
detect: {{model: blob.onnx, min_score: 0.8}}
refine: {{kind: goturn, model: white.onnx, lost_after_s: 0.5, targets: [{{name: bag, box: [0.0, 0.41, 0.1, 0.59]}}]}}
publish: [{{kind: jsonl, path: events.jsonl}}]
state_dir: {state}
"""


def test_a_target_of_the_configuration_is_told_of_through_loss_and_return(tmp_path: Path) -> None:
    """The square walks, is gone for two seconds, and is back where it began."""
    walk = list(walking_square(40))
    gone = [walk[0] * 0 + 20] * 20
    write_clip(tmp_path / "clip.mp4", [*walk, *gone, *walk[:20]])
    blob_detector(tmp_path / "blob.onnx")
    white_follower(tmp_path / "white.onnx")
    (tmp_path / "edgetrack.yaml").write_text(FOLLOWS.format(state=tmp_path))
    assert main(["run", str(tmp_path / "edgetrack.yaml")]) == 0
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    told = [line["payload"] for line in lines if line["topic"].endswith("/event/follow")]
    assert {payload["follow"] for payload in told} == {1}
    assert {payload["name"] for payload in told} == {"bag"}
    changes = [payload["state"] for payload in told if payload["type"] != "update"]
    assert changes == ["following", "searching", "lost", "following", "ended"]
    numbered = [line["payload"]["seq"] for line in lines if line["payload"].get("type") not in (None, "update")]
    assert numbered == list(range(1, len(numbered) + 1))
