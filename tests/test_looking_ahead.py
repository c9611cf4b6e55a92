"""The daemon with its detector's model beside the loop: on a recording, and on a camera whose pictures get stuck."""

import json
import subprocess
import sys
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


STUCK = """
import threading, time
import numpy as np
from edgetrack import capture, cli
from edgetrack.capture import ahead
from edgetrack.capture.latest import Shot

class Stuck:
    place, lost, open_s = "camera", (OSError,), 5.0

    def __init__(self, config): pass
    def check(self): pass

    def shots(self):
        for number in range(10_000):
            time.sleep(0.02)
            yield Shot(self.picture if number < 10 else threading.Event().wait, time.monotonic())

    def picture(self):
        return np.zeros((64, 64, 3), np.uint8)

ahead.HUNG_S = 1.0
capture.PLACES["v4l2"] = ("__main__:Stuck", "")
cli.main()
raise SystemExit("went on")
"""


def test_a_camera_whose_pictures_get_stuck_before_the_loop_ends_the_daemon_with_code_3(tmp_path: Path) -> None:
    """The camera goes on, the loop too, and feeds the watchdog: nobody else would ever restart it."""
    blob_detector(tmp_path / "blob.onnx")
    config = tmp_path / "edgetrack.yaml"
    config.write_text(
        "capture: {kind: v4l2, device: camera}\n"
        "detect: {model: blob.onnx, ahead: 1}\n"
        f"publish: [{{kind: jsonl, path: events.jsonl}}]\nstate_dir: {tmp_path / 'state'}\n"
    )
    command = [sys.executable, "-c", STUCK, "run", str(config)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 3, ran.stderr
    assert "camera: a picture has been stuck for 1 s" in ran.stderr
