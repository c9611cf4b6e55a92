"""An outbox file in which bits have flipped, as on a worn card: python -m tests.publish.flips --flips 2000

The daemon must start on whatever it finds, go on numbering, and say so where it sets the file aside.
"""

from __future__ import annotations

import argparse
import logging
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from edgetrack.config import JsonlPublish, MqttPublish, OutboxConfig
from edgetrack.publish import Publisher, open_publisher
from tests.publish.parts import NAMES, config, crossing, info, line_count, occupancy, track_event

NOBODY = MqttPublish(url="mqtt://127.0.0.1:9")  # owes every event, so that the file is full of them


def opened(folder: Path) -> Publisher:
    settings = config(JsonlPublish(path="/dev/null"), NOBODY, state_dir=str(folder), outbox=OutboxConfig())
    return open_publisher(settings, NAMES)


def written(folder: Path) -> Path:
    """The file of a daemon that was killed with tracks open, and whose broker was away."""
    with opened(folder) as outlet:
        outlet.publish([info()])
        for i in range(1, 60):
            outlet.publish([track_event("start", i), crossing(i), line_count(i), occupancy()])
    return folder / "gate-01-north.db"


def flipped(good: Path, folder: Path, seed: int) -> Path:
    """A copy with one to eight flipped bits."""
    draw = random.Random(seed)
    content = bytearray(good.read_bytes())
    for _ in range(draw.choice([1, 1, 2, 8])):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    folder.mkdir()
    bad = folder / good.name
    bad.write_bytes(content)
    return bad


def survive(good: Path, folder: Path, seed: int) -> str:
    """Start on it, tell something, read it all: what became of the file. Raises what must not happen."""
    bad = flipped(good, folder, seed)
    with opened(folder) as outlet:
        outlet.publish([crossing(1), line_count(100)])
        shelf = outlet._journal.shelf(f"{NOBODY.url} {NOBODY.prefix} gate-01/north")  # type: ignore[union-attr]
        shelf.read(0, 500)
    return "set aside" if bad.with_name(bad.name + ".broken").exists() else "used"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, metavar="SEED")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    became: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        good = written(Path(name) / "good")
        for seed in range(arguments.first, arguments.first + arguments.flips):
            try:
                became[survive(good, Path(name) / "bad", seed)] += 1
            except BaseException:
                sys.stderr.write(f"seed {seed}\n")
                raise
            shutil.rmtree(Path(name) / "bad")
    print(f"{arguments.flips} files with flipped bits: {dict(became)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
