"""The daemon on a recording, its detector's model beside the loop."""

import json
from pathlib import Path

import pytest

from edgetrack.cli import main
from tests.parts import blob_detector, walking_square, write_clip

CONFIG = """
capture: {{kind: file, path: clip.mp4, pace: fast}}
detect: {{model: blob.onnx, min_score: 0.8, ahead: {ahead}, every: {every}}}
embed: {{kind: histogram}}
events: {{update_every_s: 0}}
publish: [{{kind: jsonl, path: events-{ahead}.jsonl}}]
state_dir: {state}
"""


@pytest.mark.parametrize("every", ["1", "3", "auto"])
def test_the_daemon_says_the_same_with_any_number_of_sessions(every: str, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", walking_square(60))
    blob_detector(tmp_path / "blob.onnx")
    said = []
    for ahead in (0, 1, 3):
        config = tmp_path / f"edgetrack-{ahead}.yaml"
        config.write_text(CONFIG.format(ahead=ahead, every=every, state=tmp_path / f"state-{ahead}"))
        assert main(["run", str(config)]) == 0
        events = [json.loads(line) for line in (tmp_path / f"events-{ahead}.jsonl").read_text().splitlines()]
        tracks = [event["payload"] for event in events if "/track/" in event["topic"]]
        said.append([(track["type"], track["track"], track["frame"], track["box"]) for track in tracks])
    assert len(said[0]) > 50
    assert said[0] == said[1] == said[2]
