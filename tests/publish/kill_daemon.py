"""The whole daemon, killed with -9 again and again while it watches a film; what a subscriber got is audited.

python -m tests.publish.kill_daemon --kills 1000 starts a mosquitto, kills a thousand times and says what it found.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.daemon import running, write_config
from tests.parts import blob_detector, walking_square, write_clip
from tests.publish.broker import Broker, Subscriber
from tests.publish.crash import audit

SHORTEST_S, LONGEST_S = 0.4, 1.6  # that a daemon lives; the first event comes after half a second on a quiet machine
AUDITED = ("edgetrack.count/1", "edgetrack.track/1", "edgetrack.crossing/1")


def settings(folder: Path, url: str, loop: bool = True) -> dict[str, Any]:
    """A square walks from left to right over the line, again and again, as fast as the daemon can look."""
    return {
        "device": "gate-01",
        "camera": "north",
        "capture": {"kind": "file", "path": str(folder / "clip.mp4"), "loop": loop, "pace": "fast"},
        "detect": {"model": str(folder / "blobs.onnx"), "min_score": 0.8},
        "lines": [{"name": "door", "start": [0.5, 0.9], "end": [0.5, 0.1]}],
        "track": {"n_init": 3},
        "runtime": {"threads": 1},
        "health": {"every_s": 60},
        "publish": [{"kind": "mqtt", "url": url}],
        "state_dir": str(folder / "state"),
    }


def kill_often(folder: Path, url: str, kills: int, seed: int) -> None:
    draw = random.Random(seed)
    path = write_config(folder / "run.yaml", **settings(folder, url))
    for _ in range(kills):
        with running(path) as daemon:
            time.sleep(draw.uniform(SHORTEST_S, LONGEST_S))
            daemon.process.send_signal(signal.SIGKILL)
            assert daemon.wait() == -signal.SIGKILL, daemon.log.read_text()
    with running(write_config(folder / "run.yaml", **settings(folder, url, loop=False))) as daemon:  # and to the end
        assert daemon.wait() == 0, daemon.log.read_text()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_clip(folder / "clip.mp4", walking_square(60))
        blob_detector(folder / "blobs.onnx")
        with Broker(folder / "broker") as broker, Subscriber(broker) as subscriber:
            kill_often(folder, broker.url, arguments.kills, arguments.seed)
            subscriber.settle()
            heard = [message.json for message in subscriber.messages if b'"seq":' in message.payload]
    payloads = [payload for payload in heard if payload["schema"] in AUDITED]
    wrong = audit(payloads, reset_every=0)
    restarts = sum(payload.get("reason") == "restart" for payload in payloads)
    crossed = sum(payload.get("type") == "line_crossed" for payload in payloads)
    sys.stdout.write(
        f"{arguments.kills} kills, {len(payloads)} payloads, {crossed} crossings, last number {payloads[-1]['seq']}, "
        f"{restarts} ends by restart, {len(wrong)} wrong\n" + "".join(f"{each}\n" for each in wrong[:20])
    )
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
