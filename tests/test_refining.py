"""The daemon follows what its resting detector does not look at."""

import json
from pathlib import Path

from edgetrack.cli import main
from tests.parts import blob_detector, walking_square, write_clip
from tests.refine.white_follower import white_follower

CONFIG = """
capture: {{kind: file, path: clip.mp4, pace: fast}}
detect: {{model: blob.onnx, min_score: 0.8, every: 3}}
refine: {{kind: goturn, model: white.onnx}}
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
