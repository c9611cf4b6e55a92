"""What leaves the device is what the configuration names."""

import os
import subprocess
import sys
from pathlib import Path

from tests.parts import blob_detector

CODE = """
import os, sys
from edgetrack.config import RuntimeConfig
from edgetrack.runtime import OnnxModel
OnnxModel(sys.argv[1], RuntimeConfig(threads=1))
print(len(os.listdir("/proc/self/task")))
"""


def test_onnx_runtime_keeps_no_device_id_and_runs_no_thread_that_would_report(tmp_path: Path) -> None:
    """Release 1.31 does both unless it is told not to before it is imported."""
    model, home = blob_detector(tmp_path / "blobs.onnx"), tmp_path / "home"
    home.mkdir()
    run = subprocess.run(
        [sys.executable, "-c", CODE, str(model)],
        env={**os.environ, "HOME": str(home), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert list(home.rglob("*")) == []
    assert int(run.stdout) == 1
