"""python -m edgetrack.modelling.footprint MODEL: the memory of one model, alone in its process, as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edgetrack.config import RuntimeConfig
from edgetrack.runtime import OnnxModel

RUNS = 3


def main(path: str) -> None:
    before = _kilobytes("VmRSS")
    model = OnnxModel(path, RuntimeConfig(threads=1))
    for _ in range(RUNS):
        model.warm_up()
    sys.stdout.write(json.dumps({"mb": (_kilobytes("VmHWM") - before) / 1024}))


def _kilobytes(key: str) -> int:
    """From proc(5); getrusage would count what the parent had before it started this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{key}:")).split()[1])


if __name__ == "__main__":
    main(sys.argv[1])
