"""A broker that is away for a day, at 5 events/s: python -m tests.publish.outage --events 432000

Says what arrived, in which order, and what it cost in memory and on disk.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from edgetrack.config import MqttPublish
from edgetrack.publish import open_publisher
from tests.publish.broker import Broker, Gate, until
from tests.publish.parts import NAMES, config, crossing, line_count, track_event, wait_state


class Audit:
    """A subscriber that keeps nothing but what is wrong."""

    def __init__(self, broker: Broker) -> None:
        self.last = self.repeats = self.gaps = 0
        self._client = client = Client(CallbackAPIVersion.VERSION2)
        client.on_message = lambda _, __, message: self._hear(message.payload)
        client.connect("127.0.0.1", broker.port)
        client.subscribe([("edgetrack/v1/+/+/event/#", 1), ("edgetrack/v1/+/+/track/#", 1)])
        client.loop_start()

    def _hear(self, payload: bytes) -> None:
        if b'"type":"update"' in payload:
            return
        seq = int(payload.partition(b'"seq":')[2].partition(b",")[0])
        self.repeats += seq <= self.last
        self.gaps += seq > self.last + 1
        self.last = max(self.last, seq)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def rss_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=432_000)
    events = parser.parse_args().events
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as folder,
        Broker(Path(folder) / "broker") as broker,
        Gate(broker) as gate,
        open_publisher(config(MqttPublish(url=gate.url), state_dir=folder), NAMES) as outlet,
    ):
        wait_state(outlet, "ok")
        gate.shut()
        before_mb = rss_mb()
        for i in range(events // 10):
            outlet.publish([*(crossing(i + 1) for _ in range(10)), track_event("update"), line_count(i)])
            if i % 100 == 0:
                until(lambda: outlet.states[-1].queued < 1_000_000 and backed_off(outlet), 60, lambda: "stuck")
        until(lambda: outlet.states[-1].queued >= events, 60, lambda: str(outlet.states))
        away_mb, disk_mb = rss_mb(), sum(f.stat().st_size for f in Path(folder).glob("*.db*")) / 2**20
        audit = Audit(broker)
        gate.open()
        began = time.monotonic()
        until(lambda: audit.last >= events, 3600, lambda: f"{audit.last} arrived; {outlet.states}")
        took_s = time.monotonic() - began
        drained_mb = rss_mb()
        audit.stop()
    sys.stdout.write(
        f"{events} events: {audit.gaps} gaps, {audit.repeats} repeats, {disk_mb:.0f} MB on disk, "
        f"drained in {took_s:.0f} s; "
        f"memory {before_mb:.0f} MB before, {away_mb:.0f} MB at the end of the outage, {drained_mb:.0f} MB after\n"
    )
    return bool(audit.gaps)


def backed_off(outlet: object) -> bool:
    """The writer has caught up with the loop, as it does at 5 events/s."""
    return len(outlet._journal._queue) < 50  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
