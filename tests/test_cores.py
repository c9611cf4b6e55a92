"""Cores and priority of the process, tried in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgetrack import cores
from edgetrack.config import RuntimeConfig
from edgetrack.errors import ConfigError
from tests.daemon import running, write_config
from tests.parts import blob_detector, walking_square, write_clip

MINE = sorted(os.sched_getaffinity(0))
CODE = """
import os, threading
from edgetrack import cores
from edgetrack.config import RuntimeConfig
go, seen = threading.Event(), []
def look(): go.wait(); seen.append((sorted(os.sched_getaffinity(0)), os.getpriority(os.PRIO_PROCESS, 0)))
before = threading.Thread(target=look); before.start()
cores.take(RuntimeConfig({settings}))
after = threading.Thread(target=look); after.start()
go.set(); before.join(); after.join(); look()
print(seen)
"""


def seen_by_threads(**settings: object) -> str:
    """(cores, nice) of a thread that was there before, of one that came after, and of the main one."""
    code = CODE.format(settings=", ".join(f"{name}={value!r}" for name, value in settings.items()))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_every_thread_keeps_to_the_cores_and_gives_way() -> None:
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    assert seen_by_threads(cores=MINE[:1], nice=19) == str([(MINE[:1], max(nice, 19))] * 3)


def test_unasked_nothing_changes() -> None:
    assert seen_by_threads() == str([(MINE, os.getpriority(os.PRIO_PROCESS, 0))] * 3)


def test_a_core_that_is_not_there_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match=r"runtime\.cores: 1023 cannot be used here, 0.* can"):
        cores.take(RuntimeConfig(cores=[1023]))


def test_the_daemon_runs_where_it_is_told(tmp_path: Path) -> None:
    settings = {
        "capture": {"kind": "file", "path": str(write_clip(tmp_path / "walk.mp4", walking_square(10)))},
        "detect": {"model": str(blob_detector(tmp_path / "blobs.onnx"))},
        "runtime": {"cores": MINE[-1:], "nice": 19},
        "publish": [{"kind": "jsonl", "path": str(tmp_path / "events.jsonl")}],
    }
    with running(write_config(tmp_path / "run.yaml", **settings)) as daemon:
        assert daemon.wait() == 0
    assert f"on cores {MINE[-1]}, nice 19" in daemon.log.read_text()
