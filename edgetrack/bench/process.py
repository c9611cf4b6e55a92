"""The daemon as a process of its own, as a user starts it: memory, the time to its first word, latency."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from edgetrack.config import Config, HealthConfig, JsonlPublish
from edgetrack.errors import CaptureError
from edgetrack.health import percentiles

POLL_S = 0.02
GRACE_S = 30.0  # for its start before, and its end after the time that it is given
READ = 1 << 16  # bytes


@dataclass(slots=True)
class Alone:
    """What one process needed."""

    peak_mb: float = 0.0  # resident, the most there ever was
    resident_mb: float = 0.0  # the median of the second half
    cores: float = 0.0  # CPU time over time on the clock, from the first message on
    first_message_s: float | None = None  # from the start of the process
    first_track_s: float | None = None
    frames_before_track: int | None = None
    latency_ms: dict[str, float] = field(default_factory=dict)  # capture to hand-over: p50, p95, p99, max
    arrival_ms: dict[str, float] = field(default_factory=dict)  # capture to standard output, the outbox between them


def run_alone(config: Config, folder: Path, seconds: float) -> Alone:
    """Run `edgetrack run` for `seconds` after its first message, or until its source ends.

    Args:
        config: its own outlets stay, and standard output hears the same.
        folder: for its configuration.

    Raises:
        CaptureError: it failed; its own message is on standard error.
    """
    told = msgspec.structs.replace(
        config,
        health=HealthConfig(every_s=3600),  # the last report covers everything
        publish=[*config.publish, JsonlPublish(path="-")],
    )
    path = folder / "bench.yaml"
    path.write_bytes(msgspec.json.encode(told))  # JSON is YAML
    command = [sys.executable, "-m", "edgetrack", "--log-level", "error", "run", str(path)]
    alone, asked = Alone(), False
    memory: list[tuple[float, float]] = []
    busy: list[tuple[float, float]] = []  # s, on the clock and of CPU
    arrival_ms: list[float] = []
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603
        until = started + GRACE_S + seconds
        for line in lines(process):
            now = time.monotonic()
            memory.append(status_mb(process.pid))
            if alone.first_message_s is not None and not asked:
                busy.append((now, cpu_s(process.pid)))
            if line is not None:
                if alone.first_message_s is None:
                    until = now + seconds
                payload = json.loads(line)["payload"]
                note(alone, payload, now - started)
                if "frame" in payload:
                    arrival_ms.append(now * 1e3 - payload["mono_ns"] / 1e6)
            if now > until + GRACE_S:
                process.kill()
            elif now > until and not asked:
                process.send_signal(signal.SIGTERM)
                asked = True
    if process.returncode or alone.first_message_s is None:
        raise CaptureError(
            f"bench: the daemon ended with {process.returncode}; `edgetrack run` with this file tells why"
        )
    alone.arrival_ms = percentiles(arrival_ms)
    if len(busy) > 1:
        alone.cores = (busy[-1][1] - busy[0][1]) / (busy[-1][0] - busy[0][0])
    known = [both for both in memory if both[0]]
    alone.peak_mb = max(peak for peak, _ in known)
    alone.resident_mb = median(resident for _, resident in known[len(known) // 2 :])
    return alone


def lines(process: subprocess.Popen[bytes]) -> Iterator[bytes | None]:
    """What it writes, line by line as it comes; None when it has been silent for POLL_S."""
    assert process.stdout is not None
    rest = b""
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not ready.select(POLL_S):
                yield None
                continue
            read = os.read(process.stdout.fileno(), READ)
            if not read:
                return
            *whole, rest = (rest + read).split(b"\n")
            yield from whole


def note(alone: Alone, payload: dict[str, Any], after_s: float) -> None:
    """Learn from a message that came `after_s` after the start."""
    kind = payload["schema"].partition("/")[0]
    if alone.first_message_s is None:
        alone.first_message_s = after_s
    if kind == "edgetrack.track" and alone.first_track_s is None:
        alone.first_track_s, alone.frames_before_track = after_s, payload["frame"] + 1
    if kind == "edgetrack.health":
        alone.latency_ms = payload["delays_ms"] or alone.latency_ms


def cpu_s(pid: int) -> float:
    """CPU time of a process so far (proc(5), stat): utime and stime, counted behind the name in brackets."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def status_mb(pid: int) -> tuple[float, float]:
    """Peak and present resident set of a process (proc(5), status); 0 for one that has ended."""
    found = {"VmHWM": 0.0, "VmRSS": 0.0}
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in found:
                found[name] = int(value.split()[0]) / 1024
    return found["VmHWM"], found["VmRSS"]
