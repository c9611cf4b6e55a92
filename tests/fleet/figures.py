"""The figures of docs/fleet.md, measured here.

python -m tests.fleet.figures says MODEL VIDEO ...   what one camera says: messages and bytes by topic
python -m tests.fleet.figures broker [MESSAGES]      what a message costs mosquitto, in at QoS 1 and out to a group
python -m tests.fleet.figures store [MESSAGES]       what it costs to_postgres.py and PostgreSQL, and its bytes
    python -m tests.fleet.figures connections [NUMBER]   what an idle connection costs mosquitto's memory
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import yaml
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edgetrack.publish.encoder import Encoder
from tests.fleet.postgres import Postgres
from tests.publish.broker import Broker
from tests.publish.parts import NAMES, crossing, health, line_count, occupancy, track_event

FLEET = Path(__file__).parents[2] / "configs" / "fleet"
TICKS = os.sysconf("SC_CLK_TCK")
INFLIGHT = 500


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def kind_of(topic: str) -> str:
    """Below device and camera, names left out."""
    parts = topic.split("/")[4:]
    return "/".join(part for k, part in enumerate(parts) if k != 1 or parts[0] == "event")


def says(folder: Path, model: str, *videos: str) -> None:
    print("video                          topic              messages/s   bytes each, topic included   bytes/s")
    for k, video in enumerate(videos):
        place = folder / str(k)
        place.mkdir()
        config = {
            "device": "gate-0001",
            "camera": "north",
            "capture": {"kind": "file", "path": str(Path(video).resolve())},
            "detect": {"model": str(Path(model).resolve()), "classes": ["person", "car"]},
            "lines": [{"name": "middle", "start": [0.5, 1.0], "end": [0.5, 0.0]}],
            "zones": [{"name": "lower", "polygon": [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]}],
            "publish": [{"kind": "jsonl", "path": str(place / "events")}],
            "state_dir": str(place),
        }
        (place / "run.yaml").write_text(yaml.safe_dump(config))
        subprocess.run(
            [sys.executable, "-m", "edgetrack", "--log-level", "error", "run", place / "run.yaml"], check=True
        )
        lines = [json.loads(line) for line in (place / "events").read_text().splitlines()]
        stamps = [line["payload"]["ts"] for line in lines if "frame" in line["payload"]]
        frames = [line["payload"]["frame"] for line in lines if "frame" in line["payload"]]
        fps = rate(video)
        seconds = (max(frames) + 1) / fps
        number: Counter[str] = Counter()
        size: dict[str, int] = defaultdict(int)
        for line in lines:
            kind = kind_of(
                f"edgetrack/v1/{line['topic']}" if not line["topic"].startswith("edgetrack") else line["topic"]
            )
            number[kind] += 1
            size[kind] += len(json.dumps(line["payload"], separators=(",", ":"))) + len(line["topic"])
        for kind in sorted(number):
            print(f"{Path(video).name:30} {kind:18} {number[kind] / seconds:10.2f} {size[kind] / number[kind]:20.0f}"
                  f" {size[kind] / seconds:20.0f}")  # fmt: skip
        print(f"{'':30} {f'all, in {seconds:.0f} s':18} {sum(number.values()) / seconds:10.2f} {'':20}"
              f" {sum(size.values()) / seconds:20.0f}  ({len(stamps)} with a picture)")  # fmt: skip


def rate(video: str) -> float:
    import av

    with av.open(video) as container:
        return float(container.streams.video[0].average_rate or 25)


def traffic(number: int) -> list[tuple[str, bytes]]:
    """As a busy street says it: mostly updates of tracks, some crossings with their counts, a report now and then."""
    found: list[tuple[str, bytes]] = []
    encoders = [Encoder(f"gate-{k:04}", "north", NAMES) for k in range(100)]
    while len(found) < number:
        for k, encoder in enumerate(encoders):
            n = len(found)
            events: list[Any] = [track_event("update", n + 1) for _ in range(10)]
            events += [
                track_event("start", n + 1),
                crossing(n + 1),
                line_count(n),
                occupancy(),
                track_event("end", n + 1),
            ]
            if k % 10 == 0:
                events.append(replace(health(), utc=time.time() + n))
            found += [(f"edgetrack/v1/{m.topic}", m.payload) for event in events for m in encoder.encode(event)]
    return found[:number]


def pump(port: int, messages: list[tuple[str, bytes]]) -> float:
    """Publish all of them with QoS 1; seconds until the last is acknowledged."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(INFLIGHT)
    client.connect("127.0.0.1", port)
    client.loop_start()
    began = time.monotonic()
    infos = [client.publish(topic, payload, qos=1) for topic, payload in messages]
    for info in infos:
        info.wait_for_publish(600)
    took = time.monotonic() - began
    client.disconnect()
    client.loop_stop()
    return took


def broker(folder: Path, number: int = 50000) -> None:
    messages = traffic(number)
    with Broker(folder / "broker") as server:
        assert server._process is not None
        command = [
            "mosquitto_sub",
            "-p",
            str(server.port),
            "-V",
            "5",
            "-q",
            "1",
            "-t",
            "$share/g/edgetrack/#",
            "-F",
            "%l",
        ]
        readers = [subprocess.Popen(command, stdout=(folder / f"heard{k}").open("wb")) for k in range(2)]
        time.sleep(1)
        before = cpu_s(server._process.pid)
        took = pump(server.port, messages)
        heard = 0
        while heard < number:
            heard = sum(len((folder / f"heard{k}").read_bytes().splitlines()) for k in range(2))
            time.sleep(0.2)
        spent = cpu_s(server._process.pid) - before
        for reader in readers:
            reader.send_signal(signal.SIGTERM)
        size = sum(len(topic) + len(payload) for topic, payload in messages) / number
    print(f"{number} messages of {size:.0f} bytes (topic and payload): {number / took:.0f} messages/s in,"
          f" {spent / number * 1e6:.0f} us of mosquitto's CPU each, in and out once")  # fmt: skip


def store(folder: Path, number: int = 50000) -> None:
    messages = traffic(number)
    wanted = sum(b'"type":"' in payload and b'"type":"update"' not in payload for _, payload in messages)
    with Broker(folder / "broker") as server, Postgres() as postgres, psycopg.connect(postgres.url) as database:
        database.autocommit = True
        database.execute((FLEET / "tables.sql").read_text())
        command = [sys.executable, str(FLEET / "to_postgres.py"), "--broker", server.url, "--database", postgres.url]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(2)
        began = time.monotonic()
        pump(server.port, messages)
        while database.execute("SELECT count(*) FROM edgetrack.events").fetchone() != (wanted,):
            time.sleep(0.2)
        took, spent = time.monotonic() - began, cpu_s(process.pid)
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        print(f"{number} messages in {took:.1f} s: {number / took:.0f} messages/s,"
              f" {spent / number * 1e6:.0f} us of to_postgres.py's CPU each")  # fmt: skip
        for table in ("events", "counts", "occupancy", "health", "events without payload"):
            table, _, less = table.partition(" without ")
            if less:
                database.execute(f"ALTER TABLE edgetrack.{table} DROP COLUMN {less}")
            database.execute(f"VACUUM FULL edgetrack.{table}")
            rows, size = database.execute(
                f"SELECT count(*), pg_total_relation_size('edgetrack.{table}') FROM edgetrack.{table}"
            ).fetchone() or (0, 0)
            print(f"{table:9} {rows:7} rows, {size / rows:5.0f} bytes a row with its indexes")


def connections(folder: Path, number: int = 800) -> None:
    with Broker(folder / "broker") as server, ExitStack() as opened:
        assert server._process is not None
        status = Path(f"/proc/{server._process.pid}/smaps_rollup")
        before = rss_kb(status)
        for k in range(number):
            name = f"edgetrack-gate-{k:04}-north".encode()
            rest = b"\x00\x04MQTT\x05\x02\x00\x1e\x00" + len(name).to_bytes(2, "big") + name
            line = opened.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            line.sendall(b"\x10" + bytes([len(rest)]) + rest)
            assert line.recv(64)[:1] == b"\x20"
        print(f"{number} connections: {(rss_kb(status) - before) / number:.1f} kB each")


def rss_kb(status: Path) -> int:
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("Rss:"))


if __name__ == "__main__":
    with TemporaryDirectory() as name:
        what, *rest = sys.argv[1:]
        if what == "says":
            says(Path(name), *rest)
        else:
            {"broker": broker, "store": store, "connections": connections}[what](Path(name), *map(int, rest))
