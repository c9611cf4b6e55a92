"""A device that starts without the right date, and learns it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from edgetrack.config import JsonlPublish, LineConfig, OutboxConfig
from edgetrack.publish import clock as clocks
from edgetrack.publish import open_publisher
from edgetrack.publish.clock import Clock, Reading
from edgetrack.publish.encoder import Encoder
from edgetrack.publish.journal import Journal
from edgetrack.publish.message import Message, Worth
from edgetrack.publish.periods import utc_seconds
from edgetrack.scene import Scene
from tests.publish.broker import Broker, Gate, Subscriber, until
from tests.publish.parts import NAMES, config, info, numbers, publisher, track_event, wait_sent, wait_state

YEAR_S = 365 * 86400.0


class Machine:
    """The clocks of a machine, as a test sets them."""

    def __init__(self, utc: float = 1.7e9, synced: bool = False) -> None:
        self.utc, self.running, self.synced = utc, 50.0, synced
        self.clock = Clock("0000abcd", lambda: Reading(self.utc, self.running, self.running), lambda utc: self.synced)

    def go_on(self, seconds: float = 1.0, step_s: float = 0.0) -> None:
        self.running += seconds
        self.utc += seconds + step_s
        self.clock.look()

    def event(self) -> Message:
        encoder = Encoder("gate-01", "north", NAMES, boot="0000abcd")
        encoder.clock = self.clock
        [message] = encoder.encode(track_event("start", utc=self.utc, captured=self.running))
        return message


def told(message: Message) -> tuple[str, float]:
    import msgspec

    payload = msgspec.json.decode(message.payload)
    return payload.get("clock", "synced"), utc_seconds(payload["ts"])


def test_what_is_told_before_the_clock_is_synchronised_says_so() -> None:
    machine = Machine(synced=False)
    assert told(machine.event())[0] == "unsynced"
    machine.synced = True
    machine.go_on(2)
    assert told(machine.event())[0] == "synced"


def test_a_step_of_a_year_corrects_what_was_told_before_it() -> None:
    machine = Machine()
    early = machine.event()
    right = machine.utc + YEAR_S
    machine.synced = True
    machine.go_on(step_s=YEAR_S)
    assert told(machine.clock.corrected(early)) == ("corrected", pytest.approx(right, abs=1e-3))


def test_what_is_told_after_the_step_is_left_alone() -> None:
    machine = Machine()
    machine.go_on(step_s=YEAR_S)
    late = machine.event()
    assert machine.clock.corrected(late) is late


def test_two_steps_add_up() -> None:
    machine = Machine()
    early, right = machine.event(), machine.utc + YEAR_S - 7
    machine.go_on(step_s=YEAR_S)
    machine.go_on(step_s=-7)
    assert told(machine.clock.corrected(early)) == ("corrected", pytest.approx(right, abs=1e-3))


def test_a_step_of_a_synchronised_clock_corrects_nothing() -> None:
    """What was told was right when it was told."""
    machine = Machine(synced=True)
    early = machine.event()
    machine.go_on(step_s=-3600)
    assert machine.clock.corrected(early) is early


def test_what_an_earlier_start_told_is_left_alone() -> None:
    """Its monotonic clock was another one."""
    machine = Machine()
    early = machine.event()
    other = Message(early.topic, early.payload.replace(b"0000abcd", b"0000ffff"), Worth.EVENT, 1)
    machine.go_on(step_s=YEAR_S)
    assert machine.clock.corrected(other) is other


def test_a_clock_that_is_slewed_does_not_step() -> None:
    machine = Machine()
    early = machine.event()
    for _ in range(100):
        machine.go_on(1, step_s=0.05)
    assert machine.clock.corrected(early) is early


def test_a_clock_that_was_not_held_for_right_tells_once_by_how_much_it_was_put_right() -> None:
    machine = Machine(synced=False)
    machine.go_on(step_s=YEAR_S)
    machine.synced = True
    machine.go_on(step_s=-7)
    machine.go_on(2)
    told = machine.clock.put_right(), machine.clock.put_right()
    assert told == (pytest.approx(YEAR_S - 7, abs=1e-3), 0.0)


def test_a_step_of_a_synchronised_clock_puts_nothing_right() -> None:
    machine = Machine(synced=True)
    machine.go_on(step_s=-3600)
    assert machine.clock.put_right() == 0.0


@pytest.mark.parametrize("kernel", [True, False])
def test_the_kernel_is_asked_where_timesyncd_says_nothing(
    kernel: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks, "TIMESYNC", tmp_path)
    monkeypatch.setattr(clocks, "_kernel", lambda: kernel)
    assert clocks.synchronised(1.8e9) is kernel
    (tmp_path / "synchronized").touch()
    assert clocks.synchronised(1.8e9) is True


def test_where_a_sandbox_forbids_to_ask_the_date_must_be_plausible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks, "TIMESYNC", tmp_path / "none")
    monkeypatch.setattr(clocks, "_kernel", lambda: None)
    assert not clocks.synchronised(1.6e9)
    assert clocks.synchronised(1.8e9)
    (tmp_path / "none").mkdir()  # timesyncd runs, and is not done
    assert not clocks.synchronised(1.8e9)


def test_events_kept_since_the_start_are_delivered_with_the_right_time(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker is away, the clock a year late; then the clock steps, and the broker comes back."""
    real, late_s = time.time, [YEAR_S]
    monkeypatch.setattr(time, "time", lambda: real() - late_s[0])
    monkeypatch.setattr(clocks, "_kernel", lambda: not late_s[0])
    monkeypatch.setattr(clocks, "TIMESYNC", Path("/none"))
    with Gate(broker) as gate, Subscriber(broker) as subscriber:
        gate.shut()
        with publisher(gate.url) as outlet:
            wait_state(outlet, "degraded")
            for track_id in range(1, 21):
                outlet.publish([track_event("start", track_id, utc=time.time())])
            until(lambda: outlet.states[-1].queued == 20, 60, lambda: str(outlet.states))
            late_s[0] = 0.0
            outlet.publish([track_event("start", 21, utc=time.time())])
            gate.open()
            wait_sent(outlet, 40)
        subscriber.settle()
        events = [m.json for m in subscriber.messages if "/track/" in m.topic]
        assert numbers(subscriber.messages) == list(range(1, 22))
    assert all(abs(utc_seconds(event["ts"]) - real()) < 60 for event in events)
    assert [event.get("clock") for event in events[:20]] == ["corrected"] * 20


def test_since_of_a_count_that_began_before_the_clock_was_put_right_is_put_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same epoch, for the next start too; a count of an earlier start keeps its own."""
    real, late_s = time.time, [YEAR_S]
    monkeypatch.setattr(time, "time", lambda: real() - late_s[0])
    monkeypatch.setattr(clocks, "_kernel", lambda: not late_s[0])
    monkeypatch.setattr(clocks, "TIMESYNC", Path("/none"))
    names = ("door", "gate")
    lines = [LineConfig(name=name, start=(0.3, 0.9), end=(0.5, 0.9)) for name in names]
    began = real()
    settings = config(JsonlPublish(path=str(tmp_path / "a.jsonl")), lines=lines, state_dir=str(tmp_path))
    scene = Scene(settings, NAMES)
    with open_publisher(settings, NAMES) as outlet:
        outlet.publish([info(names), *scene.snapshot(time.time(), time.monotonic())])
        late_s[0] = 0.0
        outlet.publish(scene.put_right(outlet.put_right(), time.time(), time.monotonic()))
    told = [json.loads(row)["payload"] for row in (tmp_path / "a.jsonl").read_text().splitlines()]
    before, after = ([p for p in told if p.get("line") == "door"][i] for i in (0, -1))
    assert utc_seconds(before["since"]) == pytest.approx(began - YEAR_S, abs=5)
    assert utc_seconds(after["since"]) == pytest.approx(began, abs=5)
    assert before["epoch"] == after["epoch"]
    with open_publisher(settings, NAMES) as outlet:
        [restored, _] = outlet.restored
        assert restored.since_utc == pytest.approx(utc_seconds(after["since"]), abs=1e-5)


def test_a_step_of_a_year_makes_no_event_too_old_to_keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, late_s = time.time, [YEAR_S]
    monkeypatch.setattr(time, "time", lambda: real() - late_s[0])
    monkeypatch.setattr("edgetrack.publish.outbox.CHECK_EVERY", 1)
    settings = config(state_dir=str(tmp_path), outbox=OutboxConfig(max_age_h=1))
    journal = Journal(settings, ["broker"], lambda messages, kept: None)
    journal.open()
    journal._commit([Message("gate-01/north/event/x", b"{}", Worth.EVENT, 1)])
    late_s[0] = 0.0
    journal._commit([Message("gate-01/north/event/x", b"{}", Worth.EVENT, 2)])
    assert (journal.state.queued, journal.state.dropped) == (2, 0)
    journal.close()
