"""A camera whose resolution is changed while the daemon runs, in its menu or by itself on a poor link."""

import json
from pathlib import Path

import pytest

from edgetrack.cli import main
from edgetrack.image import jpeg, resize
from tests.parts import blob_detector, walking_square

CONFIG = """
capture: {{kind: images, path: pictures, fps: 10}}
detect: {{model: blob.onnx, min_score: 0.75, ahead: {ahead}}}
lines: [{{name: door, start: [0.5, 0.9], end: [0.5, 0.1]}}]
events: {{update_every_s: 0}}
publish: [{{kind: jsonl, path: events.jsonl}}]
state_dir: {state}
"""
WALKING = 40  # pictures
SIZES = [(320, 192), (160, 96), (288, 192)]


@pytest.mark.parametrize("ahead", [0, 2])
def test_who_is_followed_is_the_same_in_pictures_of_another_size(
    ahead: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pictures").mkdir()
    for number, picture in enumerate(walking_square(WALKING)):
        file = tmp_path / "pictures" / f"{number:03}.jpg"
        file.write_bytes(jpeg(resize(picture, *SIZES[number // 7 % len(SIZES)]), 2))
    blob_detector(tmp_path / "blob.onnx")
    config = tmp_path / "edgetrack.yaml"
    config.write_text(CONFIG.format(ahead=ahead, state=tmp_path / "state"))
    assert main(["run", str(config), "--record", str(tmp_path / "walk.rec")]) == 0
    said = [json.loads(line)["payload"] for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    tracks = [payload for payload in said if payload.get("type") in ("start", "update")]
    assert {tuple(payload["size"]) for payload in tracks} == set(SIZES)
    assert {payload["track"] for payload in tracks} == {1}
    assert [payload["direction"] for payload in said if payload.get("type") == "line_crossed"] == ["in"]
    assert main(["replay", str(tmp_path / "walk.rec")]) == 0
    assert "the same events as when it was recorded" in capsys.readouterr().out
