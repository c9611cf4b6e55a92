"""A publisher that is killed with -9 again and again; what a subscriber got is audited.

python -m tests.publish.crash --kills 1000 starts a mosquitto, kills a thousand times and says what it found.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from edgetrack.config import Config, LineConfig, MqttPublish, OutboxConfig
from edgetrack.publish import open_publisher
from edgetrack.types import LineCount
from tests.publish.broker import Broker, Subscriber
from tests.publish.parts import NAMES, config, crossing, info, track_event, wait_sent

LONGEST_S = 0.12  # that a publisher lives, or lives on once it has told of something: on a busy machine that takes long
DRAINED_S = 900.0  # until the last one has delivered what the others left
RESET_EVERY = 7  # crossings


def settings(url: str, folder: Path) -> Config:
    door = LineConfig(name="door", start=(0.3, 0.9), end=(0.5, 0.9))
    broker = MqttPublish(url=url, max_inflight=10)
    return config(broker, lines=[door], outbox=OutboxConfig(commit_every_s=0), state_dir=str(folder))


def live(url: str, folder: Path, events: int | None = None, begun: int = -1) -> None:
    """Tracks start, cross the line and end, and now and then the count begins anew.

    For ever, or until so many have and all is delivered; `begun` is a pipe's end that hears of the first.
    """
    with open_publisher(settings(url, folder), NAMES) as outlet:
        inwards, since = 0, 1.5e9
        if outlet.restored:
            inwards, since = outlet.restored[0].counts[0][0], outlet.restored[0].since_utc
        outlet.publish([info()])
        track_id = 0
        while events is None or track_id < events:
            track_id += 1
            inwards += 1
            outlet.publish([track_event("start", track_id)])
            if track_id == 1 and begun >= 0:
                os.write(begun, b"!")
            now = time.time()
            outlet.publish([crossing(track_id), LineCount("door", {0: (inwards, 0)}, since, now, time.monotonic())])
            if inwards == RESET_EVERY:
                inwards, since = 0, now
                outlet.publish([LineCount("door", {0: (0, 0)}, since, now, time.monotonic())])
            time.sleep(0.001)
            outlet.publish([track_event("end", track_id, reason="lost")])
        if events is not None:
            wait_sent(outlet, DRAINED_S)


def kill_often(url: str, folder: Path, kills: int, seed: int, longest_s: float = LONGEST_S) -> None:
    """Each publisher is a fork of this process, which has no threads; every second one has begun to publish."""
    draw = random.Random(seed)
    for kill in range(kills):
        heard, begun = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                live(url, folder, begun=begun)
            finally:
                os._exit(1)  # only where it failed: it is killed otherwise
        os.close(begun)
        if kill % 2:
            os.read(heard, 1)
        time.sleep(draw.uniform(0.01, longest_s))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(heard)
        assert os.WIFSIGNALED(status), "the publisher ended by itself"
    live(url, folder, events=1)


def audit(payloads: Sequence[dict[str, object]], reset_every: int) -> list[str]:
    """What is wrong with what a subscriber got, in the order in which it got it; nothing if all is well.

    Args:
        reset_every: crossings after which a count begins anew; 0: never.
    """
    wrong: list[str] = []
    events: dict[int, dict[str, object]] = {}
    for payload in payloads:
        seq = int(str(payload["seq"]))
        if payload["schema"] in ("edgetrack.count/1", "edgetrack.info/1") or payload.get("type") == "update":
            continue
        plain = {key: value for key, value in payload.items() if key != "replayed"}
        if seq not in events and seq != len(events) + 1:
            wrong.append(f"{seq} came after {len(events)}")
        if events.setdefault(seq, plain) != plain:
            wrong.append(f"{seq} came twice and is not the same: {events[seq]} {plain}")
    crossings = sorted(seq for seq, payload in events.items() if payload["type"] == "line_crossed")
    wrong += _miscounted(
        [payload for payload in payloads if payload["schema"] == "edgetrack.count/1"], crossings, reset_every
    )
    tracks = {phase: [_track(p) for p in events.values() if p["type"] == phase] for phase in ("start", "end")}
    if sorted(tracks["start"]) != sorted(tracks["end"]):
        wrong.append(f"{set(tracks['start']) ^ set(tracks['end'])}: not one end for every start")
    return wrong


def _miscounted(counts: Sequence[dict[str, object]], crossings: Sequence[int], reset_every: int) -> list[str]:
    """Where a count is not what its epoch began with and all that has crossed since.

    An epoch begins after so many crossings as make whole epochs. Its first messages may be missing: they were lost with
    the daemon, or a newer one took their place before a broker was there.
    """
    wrong = []
    begun: dict[str, int] = {}  # epoch -> crossings before it
    for payload in counts:
        crossed = sum(seq <= int(str(payload["seq"])) for seq in crossings)
        total: dict[str, int] = payload["total"]  # type: ignore[assignment]
        before = begun.setdefault(str(payload["epoch"]), crossed - total["in"])
        if total != {"in": crossed - before, "out": 0}:
            wrong.append(f"the count after {payload['seq']} is {total}, {crossed - before} have crossed")
    if list(begun.values()) != sorted(begun.values()) or any(
        n % reset_every if reset_every else n for n in begun.values()
    ):
        wrong.append(f"epochs begin after {list(begun.values())} crossings")
    return wrong


def _track(payload: dict[str, object]) -> tuple[str, int]:
    return str(payload["boot"]), int(str(payload["track"]))


def watched(kills: int, seed: int, longest_s: float = LONGEST_S) -> list[dict[str, object]]:
    """All payloads that a subscriber got from publishers that were killed."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Broker(Path(folder) / "broker") as broker,
        Subscriber(broker) as subscriber,
    ):
        command = [sys.executable, "-m", "tests.publish.crash", "--url", broker.url, "--state", folder]
        subprocess.run([*command, "--kills", str(kills), "--seed", str(seed), "--longest", str(longest_s)], check=True)
        subscriber.settle()
        return [message.json for message in subscriber.messages if b'"seq":' in message.payload]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=float, default=LONGEST_S, help="s that a publisher lives, at most")
    parser.add_argument("--url", help="of a broker that somebody else watches; none: start one and audit")
    parser.add_argument("--state", type=Path, help="folder of the outbox")
    arguments = parser.parse_args()
    if arguments.url:
        kill_often(arguments.url, arguments.state, arguments.kills, arguments.seed, arguments.longest)
        return 0
    payloads = watched(arguments.kills, arguments.seed, arguments.longest)
    wrong = audit(payloads, RESET_EVERY)
    restarts = sum(payload.get("reason") == "restart" for payload in payloads)
    sys.stdout.write(
        f"{arguments.kills} kills, {len(payloads)} payloads, last number {payloads[-1]['seq']}, "
        f"{restarts} ends by restart, {len(wrong)} wrong\n" + "".join(f"{each}\n" for each in wrong[:20])
    )
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
