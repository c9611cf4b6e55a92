"""What floods of requests and slow readers cost the loop: `python -m tests.request.flood`.

A daemon watches a clip at a camera's pace. In turn, a few times over, it is left alone, flooded with requests over MQTT
as fast as one client can publish, and beset by readers of its Prometheus port that never finish. Prints frames/s and
the 95th percentile of the time from the picture to the hand-over, in each.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.daemon import running, subscribed, write_config
from tests.parts import blob_detector, walking_square, write_clip
from tests.publish.broker import Broker, free_port

TOPIC = "edgetrack/v1/gate-01/north"
PAYLOADS = (b"", b"{", b"[" * 4000, b" " * 60_000, b'{"boxes":true}', b'{"lines":["none"]}')
VERBS = ("snapshot", "reset_counts", "reload", "dance", "follow")


@contextlib.contextmanager
def going_on(once: Callable[[int], None]) -> Iterator[list[int]]:
    """Calls it again and again, with 0, 1, 2 ..., in a thread; the list holds the number of calls."""
    stop, done = threading.Event(), [0]

    def loop() -> None:
        while not stop.is_set():
            once(done[0])
            done[0] += 1

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()


@contextlib.contextmanager
def flooded(broker: Broker) -> Iterator[list[int]]:
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()

    def ask(i: int) -> None:
        client.publish(f"{TOPIC}/request/{VERBS[i % len(VERBS)]}", PAYLOADS[i % len(PAYLOADS)]).wait_for_publish(5)

    with going_on(ask) as asked:
        yield asked
    client.disconnect()
    client.loop_stop()


@contextlib.contextmanager
def beset(port: int) -> Iterator[list[int]]:
    def read(_: int) -> None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as reader:
            reader.sendall(b"GET /metrics")
            time.sleep(0.05)

    with going_on(read) as readers:
        yield readers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each; default: 20")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Broker(Path(folder) / "broker") as broker:
        measure(Path(folder), broker, arguments.seconds, arguments.rounds)


def measure(folder: Path, broker: Broker, seconds: float, rounds: int) -> None:
    port = free_port()
    clip = write_clip(folder / "walk.mp4", walking_square(40), fps=25)
    config = write_config(
        folder / "run.yaml",
        device="gate-01",
        camera="north",
        state_dir=str(folder / "state"),
        capture={"kind": "file", "path": str(clip), "loop": True, "pace": "realtime"},
        detect={"model": str(blob_detector(folder / "blobs.onnx")), "min_score": 0.75},
        lines=[{"name": "door", "start": [0.5, 0.9], "end": [0.5, 0.1]}],
        health={"every_s": 1},
        publish=[
            {"kind": "mqtt", "url": broker.url, "requests": {"allow": ["snapshot", "reset_counts", "reload"]}},
            {"kind": "prometheus", "port": port},
        ],
    )
    trials = {
        "left alone": contextlib.nullcontext,
        "flooded": lambda: flooded(broker),
        "beset": lambda: beset(port),
    }
    fps, delay_ms = defaultdict(list), defaultdict(list)
    with running(config) as daemon, subscribed(broker.port, folder / "health.txt", f"{TOPIC}/health") as heard:
        heard.wait_for("/health", '"state":"ok"')
        for _ in range(rounds):
            for name, trial in trials.items():
                before = len(heard.heard)
                with trial() as count:
                    time.sleep(seconds)
                for message in heard.heard[before + 1 :]:
                    fps[name].append(message.payload["fps"])
                    delay_ms[name].append(message.payload["delays_ms"]["p95"])
                print(f"{name}: {count[0] if count else 0} requests or readers", flush=True)
        memory = [message.payload["memory_mb"] for message in heard.heard]
        assert daemon.process.poll() is None, daemon.log.read_text()
    for name in trials:
        print(
            f"{name:12} {statistics.mean(fps[name]):6.2f} frames/s, p95 {statistics.median(delay_ms[name]):6.1f} ms, "
            f"worst {max(delay_ms[name]):6.1f} ms"
        )
    print(f"memory {memory[2]:.0f} MB at the start, {memory[-1]:.0f} MB at the end")
    print("log:", *daemon.warnings, sep="\n")


if __name__ == "__main__":
    main()
