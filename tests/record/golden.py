"""The golden recording: 20 s of the rendered street, int8 detector on every second picture, histograms, GOTURN between.

Its events are to be the same under every Python and on every processor. Who changes on purpose what tracker or scene
make of it writes the new expectation down: python -m tests.record.golden
"""

from __future__ import annotations

import json
from pathlib import Path

from edgetrack.record.replay import Story, replay

RECORDING = Path(__file__).with_name("golden.rec")
EXPECTED = Path(__file__).with_name("golden.json")


def outcome(story: Story) -> dict[str, object]:
    return {"events": story.events, "sha256": story.sha256, "replayed": dict(sorted(story.replayed.items()))}


def main() -> None:
    EXPECTED.write_text(json.dumps(outcome(replay(RECORDING)), indent=2) + "\n")


if __name__ == "__main__":
    main()
