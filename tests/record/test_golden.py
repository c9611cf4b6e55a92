"""One recording, one hash: whatever Python, processor and release of numpy."""

from __future__ import annotations

import json

from edgetrack.record.replay import replay
from tests.record.golden import EXPECTED, RECORDING, outcome


def test_the_golden_recording_gives_the_same_events_everywhere() -> None:
    """On purpose? `python -m tests.record.golden` writes down what comes of it now."""
    assert outcome(replay(RECORDING)) == json.loads(EXPECTED.read_text())
