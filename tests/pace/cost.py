"""What the motion gate saves, and what each further camera costs, on this machine.

    python -m tests.pace.cost gate MODEL VIDEO ...       each video as fast as it goes, without the gate and with it
    python -m tests.pace.cost cameras MODEL VIDEO 1 2 4  so many daemons at once on one video at its own pace

CPU is that of the whole process, from the kernel, its start left out where rates are told.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

SECONDS = 30.0
SETTLE_S = 8.0
TICKS = os.sysconf("SC_CLK_TCK")


def settings(folder: Path, model: str, video: str, **changes: Any) -> dict[str, Any]:
    """A line across the middle of the picture; one thread, events into a file."""
    return {
        "capture": {"kind": "file", "path": video},
        "detect": {"model": model, "classes": ["person", "car"]},
        "lines": [{"name": "middle", "start": [0.5, 1.0], "end": [0.5, 0.0]}],
        "runtime": {"threads": 1},
        "health": {"every_s": 5},
        "publish": [{"kind": "jsonl", "path": str(folder / "events")}],
        "state_dir": str(folder),
        **changes,
    }


def start(folder: Path, config: dict[str, Any]) -> subprocess.Popen[bytes]:
    folder.mkdir()
    (folder / "run.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "edgetrack", "--log-level", "error", "run", str(folder / "run.yaml")]
    return subprocess.Popen(command, env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"})


def payloads(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line)["payload"] for line in (folder / "events").read_text().splitlines()]


def cpu_s(pid: int) -> float:
    """User and system time (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mb(pid: int, of: str = "Rss") -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{of}:"))


def gate(folder: Path, model: str, videos: list[str]) -> None:
    print("video                          pictures    looks   CPU ms a picture   counts  events")
    for k, video in enumerate(videos):
        for gated in (False, True):
            place = folder / f"{k}-{gated}"
            process = start(place, settings(place, model, video, pace={"motion_gate": gated}))
            _, status, usage = os.wait4(process.pid, 0)
            assert status == 0
            told = payloads(place)
            pictures = told[-1]["capture"]["frames"]
            counts = [payload["total"] for payload in told if payload["schema"] == "edgetrack.count/1"][-1]
            kinds = Counter(payload.get("type", "") for payload in told)
            looks = told[-1]["pace"]["looks"]
            spent_ms = (usage.ru_utime + usage.ru_stime) / pictures * 1e3
            name = Path(video).name
            print(f"{name:30} {pictures:8} {looks:8} {spent_ms:12.1f}   {'gate' if gated else '':5}"
                  f" {counts}  {kinds['start']} tracks, {kinds['line_crossed']} crossings")  # fmt: skip


def cameras(folder: Path, model: str, video: str, numbers: list[int]) -> None:
    print("cameras   pictures/s each   CPU ms a picture   resident MB each   its own MB each")
    for number in numbers:
        places = [folder / f"{number}-{k}" for k in range(number)]
        capture = {"kind": "file", "path": video, "loop": True, "pace": "realtime"}
        running = [
            start(place, settings(place, model, video, camera=f"c{k}", capture=capture))
            for k, place in enumerate(places)
        ]
        time.sleep(SETTLE_S)
        before, began = [cpu_s(process.pid) for process in running], time.monotonic()
        time.sleep(SECONDS)
        share = [(cpu_s(p.pid) - spent) / (time.monotonic() - began) for p, spent in zip(running, before, strict=True)]
        memory = [(resident_mb(process.pid), resident_mb(process.pid, "Private_Dirty")) for process in running]
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait(20)
        fps = [statistics.median([p["fps"] for p in payloads(place) if "fps" in p][2:-1]) for place in places]
        spent_ms = [part / rate * 1e3 for part, rate in zip(share, fps, strict=True)]
        mean = statistics.mean
        print(f"{number:7} {mean(fps):14.1f} {mean(spent_ms):17.1f} {mean(m for m, _ in memory):16.0f}"
              f" {mean(m for _, m in memory):17.0f}")  # fmt: skip


def main(what: str, model: str, *rest: str) -> None:
    model, (first, *others) = str(Path(model).resolve()), rest
    with TemporaryDirectory() as folder:
        if what == "gate":
            gate(Path(folder), model, [str(Path(video).resolve()) for video in rest])
        else:
            cameras(Path(folder), model, str(Path(first).resolve()), [int(number) for number in others])


if __name__ == "__main__":
    main(*sys.argv[1:])
