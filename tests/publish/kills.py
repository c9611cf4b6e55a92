"""A mosquitto that is killed with -9 at random moments under load: python -m tests.publish.kills --kills 50"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from edgetrack.publish import delivery, owed
from tests.publish.broker import Broker, Gate, Subscriber
from tests.publish.outage import rss_mb
from tests.publish.parts import crossing, line_count, numbers, publisher, wait_sent, without_repeats


def killed_often(broker: Broker, kills: int, seed: int = 1) -> tuple[int, list[int], int]:
    """Events told, numbers that a subscriber got without repeats, and events dropped.

    The gate opens when the subscriber is back, so that a gap in what it got would be ours.
    """
    draw, told = random.Random(seed), 0
    with Gate(broker) as gate, publisher(gate.url) as outlet, Subscriber(broker, qos=0) as subscriber:
        for _ in range(kills):
            for _ in range(draw.randrange(100, 500)):
                outlet.publish([crossing(), line_count()])
                told += 1
            time.sleep(draw.random() * 0.1)
            broker.kill()
            outlet.publish([crossing() for _ in range(30)])
            told += 30
            gate.shut()
            subscriber.wait_lost()
            broker.start()
            subscriber.wait_subscribed()
            gate.open()
        subscriber.wait_for(lambda messages: numbers(messages)[-1:] == [told], 120)
        dropped = wait_sent(outlet, 60).dropped
    return told, without_repeats(numbers(subscriber.messages)), dropped


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    kills = parser.parse_args().kills
    delivery.RETRY_S, owed.REPLAY_PER_S = (0.02, 0.1), 20_000
    before_mb = rss_mb()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        os.environ["STATE_DIRECTORY"] = f"{folder}/state"
        with Broker(Path(folder) / "broker") as broker:
            told, got, dropped = killed_often(broker, kills)
    missing = sorted(set(range(1, told + 1)) - set(got))
    good = got == list(range(1, told + 1))
    verdict = "every one arrived, in order" if good else f"{len(missing)} missing, {missing[:10]}"
    print(
        f"{kills} kills of the broker, {told} events: {verdict}, "
        f"{dropped} dropped; memory {before_mb:.0f} MB before, {rss_mb():.0f} MB after, the subscriber's included"
    )
    return not good


if __name__ == "__main__":
    sys.exit(main())
