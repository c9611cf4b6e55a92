"""Hours of traffic through the whole daemon, faster than life: python -m tests.soak --hours 8

A film of people who cross a line and a zone runs again and again through `edgetrack run`: its own process, a model in
ONNX Runtime, the outbox on disk, a mosquitto. Memory, descriptors and threads are read from /proc meanwhile; at the
end stand their slope and range, and whether every event arrived.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.daemon import Daemon, running, write_config
from tests.parts import BLOB_PX, blob_detector, write_clip
from tests.publish.broker import Broker
from tests.publish.outage import Audit

FPS = 15
ROUND_S = 16  # after which the same people come again
ROUNDS = 40  # in the film: at its end file and decoder are opened anew, which no camera is
SIZE = (320, 192)
WARM_UP = 0.3  # of the run: until every buffer has been as full as it will be


@dataclass
class Sample:
    frames: int
    memory_mb: float
    descriptors: int
    threads: int


def traffic() -> Iterator[NDArray[np.uint8]]:
    """Up to five walk at once, at three heights and speeds, to the right and to the left; one ends in the middle."""
    width, height = SIZE
    walks = [(0, 60, 16, 1, 1.0), (30, 90, 80, -1, 1.0), (70, 70, 144, 1, 1.0), (110, 100, 16, -1, 1.0)]
    walks += [(140, 60, 80, 1, 0.55), (165, 60, 144, -1, 1.0)]  # first picture, pictures, y, way, how far
    for i in [*range(FPS * ROUND_S)] * ROUNDS:
        picture = np.full((height, width, 3), 20, np.uint8)
        for first, count, y, way, far in walks:
            if first <= i < first + count:
                part = (i - first) / (count - 1) * far
                x = round((part if way > 0 else 1 - part) * (width - BLOB_PX))
                picture[y : y + BLOB_PX, x : x + BLOB_PX] = 255
        yield picture


def sample(daemon: Daemon, frames: int) -> Sample:
    proc = Path(f"/proc/{daemon.process.pid}")
    memory_mb = int((proc / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return Sample(frames, memory_mb, len(os.listdir(proc / "fd")), len(os.listdir(proc / "task")))


def frames_of(health: Path) -> int:
    """Pictures so far, from the newest health report that a subscriber wrote down."""
    with health.open("rb") as file:
        file.seek(max(0, health.stat().st_size - 4096))
        _, _, told = file.read().rpartition(b'"capture":')
    return int(told.partition(b'"frames":')[2].partition(b",")[0] or 0)


def verdict(samples: list[Sample], hours: float, took_s: float) -> tuple[str, float]:
    """In words, and the slope in MiB a day of traffic."""
    steady = samples[int(len(samples) * WARM_UP) :]
    days = np.array([s.frames for s in steady]) / (FPS * 86400)
    slope = float(np.polyfit(days, [s.memory_mb for s in steady], 1)[0])
    ranges = ", ".join(
        f"{name} {min(getattr(s, name) for s in steady)} to {max(getattr(s, name) for s in steady)}"
        for name in ("descriptors", "threads")
    )
    text = (
        f"{hours:g} h of traffic at {FPS} pictures/s in {took_s / 60:.1f} min "
        f"({hours * 3600 / took_s:.1f} times life): "
        f"memory {steady[0].memory_mb:.1f} to {steady[-1].memory_mb:.1f} MiB, slope {slope:+.2f} MiB a day of traffic; "
        f"{ranges}"
    )
    return text, slope


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=8.0, help="of traffic")
    parser.add_argument("--every", type=float, default=2.0, help="s between samples")
    hours, every_s = (arguments := parser.parse_args()).hours, arguments.every
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name, Broker(Path(name) / "broker") as broker:
        folder = Path(name)
        config = write_config(
            folder / "run.yaml",
            device="gate-01",
            camera="north",
            capture={"kind": "file", "path": str(write_clip(folder / "film.mp4", traffic(), FPS)), "loop": True},
            detect={"model": str(blob_detector(folder / "blobs.onnx", SIZE)), "min_score": 0.75},
            embed={"kind": "histogram"},
            lines=[{"name": "door", "start": [0.5, 1.0], "end": [0.5, 0.0]}],
            zones=[{"name": "right", "polygon": [[0.6, 0.0], [0.9, 0.0], [0.9, 1.0], [0.6, 1.0]], "dwell_s": [1]}],
            health={"every_s": 1},
            publish=[{"kind": "mqtt", "url": broker.url}],
            runtime={"threads": 1},
        )
        health = folder / "health.txt"
        with health.open("wb") as out:
            reader = subprocess.Popen(
                ["mosquitto_sub", "-p", str(broker.port), "-t", "edgetrack/v1/+/+/health"], stdout=out
            )
        audit = Audit(broker)
        samples: list[Sample] = []
        with running(config, STATE_DIRECTORY=str(folder / "state"), OMP_NUM_THREADS="1") as daemon:
            began = time.monotonic()
            tenth = 0
            while (frames := frames_of(health)) < hours * 3600 * FPS:
                assert daemon.process.poll() is None, daemon.log.read_text()[-2000:]
                if frames:
                    samples.append(sample(daemon, frames))
                if frames > tenth * hours * 360 * FPS:
                    sys.stdout.write(f"{frames / FPS / 3600:.2f} h: {samples[-1].memory_mb:.2f} MiB\n")
                    sys.stdout.flush()
                    tenth += 1
                time.sleep(every_s)
            took_s = time.monotonic() - began
            daemon.stop()
            warnings = daemon.warnings
        time.sleep(2)
        audit.stop()
        reader.terminate()
        reader.wait(10)
        text, slope = verdict(samples, hours, took_s)
    sys.stdout.write(
        f"{text}; {audit.last} events, {audit.gaps} gaps, {audit.repeats} repeats; {len(warnings)} warnings\n"
    )
    sys.stdout.write("".join(f"{line}\n" for line in warnings[:20]))
    return bool(abs(slope) > 0.5 or audit.gaps or warnings)


if __name__ == "__main__":
    sys.exit(main())
