"""What docs/tracking.md shows works as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from tests.parts import blob_detector, walking_square, write_clip

DOCS = Path(__file__).parents[2] / "docs"


def test_the_example_follows_a_walker(capsys: pytest.CaptureFixture[str]):
    code = re.findall(r"```python\n(.*?)```", (DOCS / "tracking.md").read_text(), re.DOTALL)[0]

    def my_detector():
        for frame in range(10):
            left = 100.0 + 3 * frame
            yield frame / 30, np.array([[left, 100, left + 40, 200]]), np.array([0.9])

    exec(code, {"my_detector": my_detector})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 9  # all but the first, on which the track is tentative
    assert {line.split()[0] for line in lines} == {"1"}


def test_the_video_example_writes_a_film_and_a_picture(tmp_path: Path):
    clip = write_clip(tmp_path / "clip.mp4", walking_square(20))
    model = blob_detector(tmp_path / "blob.onnx")
    command = [sys.executable, str(DOCS / "examples/track_video.py"), str(clip), str(model), str(tmp_path / "out")]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told.startswith("20 pictures, 1.9 s, ")
    with av.open(str(tmp_path / "out/tracks.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 20
    with av.open(str(tmp_path / "out/tracks.jpg")) as sheet:
        assert next(sheet.decode(video=0)).width == 3 * 480
