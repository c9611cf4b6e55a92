"""docs/following.md says what is true."""

import re
import subprocess
import sys
from pathlib import Path

from edgetrack.configfile import load
from tests.parts import blob_detector, walking_square, write_clip

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "following.md").read_text()


def test_the_example_runs_as_it_is_written_and_is_short(tmp_path: Path) -> None:
    [example] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "models").symlink_to(ROOT / "models")
    write_clip(tmp_path / "video.mp4", walking_square(5, size=(320, 240)))
    run = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) == 4
    assert len([line for line in example.splitlines() if line]) <= 10


def test_the_configurations_are_good(tmp_path: Path) -> None:
    """With a camera and a detector before them."""
    (tmp_path / "models").symlink_to(ROOT / "models")
    write_clip(tmp_path / "video.mp4", walking_square(2))
    blob_detector(tmp_path / "detector.onnx")
    examples = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert examples
    for example in examples:
        detect = "" if "detect:" in example else "detect: {model: detector.onnx}\n"
        (tmp_path / "a.yaml").write_text(f"capture: {{kind: file, path: video.mp4}}\n{detect}{example}")
        assert load(tmp_path / "a.yaml").refine.__struct_config__.tag == "goturn"
