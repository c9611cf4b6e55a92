"""What outlives a restart, a crash and a bad disk."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from edgetrack.config import JsonlPublish, LineConfig, MqttPublish, OutboxConfig
from edgetrack.errors import PublishError
from edgetrack.publish import Publisher, delivery, disk, journal, jsonl, open_publisher, owed
from edgetrack.types import LineCount, PublishState
from tests.publish.broker import Broker, Gate, Subscriber, until
from tests.publish.crash import RESET_EVERY, audit, watched
from tests.publish.parts import (
    NAMES,
    config,
    crossing,
    info,
    line_count,
    numbers,
    publisher,
    track_event,
    wait_sent,
    wait_state,
    without_repeats,
)

DOOR = LineConfig(name="door", start=(0.3, 0.9), end=(0.5, 0.9))
EAGER = OutboxConfig(commit_every_s=0)


def to_file(path: Path, **changes: Any) -> Publisher:
    return open_publisher(config(JsonlPublish(path=str(path)), outbox=EAGER, **changes), NAMES)


def told(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line)["payload"] for line in path.read_text().splitlines()]


def outbox_state(outlet: Publisher) -> PublishState:
    return outlet.states[-1]


def wait_disk(outlet: Publisher, state: str, reason: str = "") -> None:
    until(
        lambda: outbox_state(outlet).state == state and reason in outbox_state(outlet).reason,
        60,
        lambda: str(outbox_state(outlet)),
    )


# --- faults of our own ---


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("kind", "owner", "method"),
    [("mqtt", owed.Owed, "greet"), ("jsonl", jsonl, "line"), ("outbox", disk.Disk, "examine")],
)
def test_a_thread_that_dies_ends_the_daemon_instead_of_publishing_into_nothing(
    kind: str, owner: Any, method: str, tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(owner, method, faulty)
    outlets = MqttPublish(url=broker.url), JsonlPublish(path=str(tmp_path / "events.jsonl"))
    with (
        pytest.raises(PublishError, match=f"publish: the thread of {kind} died, its traceback is in the log; restart"),
        open_publisher(config(*outlets, outbox=EAGER), NAMES) as outlet,
    ):
        until(lambda: outlet.publish([crossing()]) is not None, 60, lambda: "still publishing")


# --- restarts ---


def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    for _ in range(3):
        with to_file(tmp_path / "events.jsonl") as outlet:
            outlet.publish([crossing(), crossing()])
    assert [payload["seq"] for payload in told(tmp_path / "events.jsonl")] == [1, 2, 3, 4, 5, 6]


def test_what_no_broker_took_is_sent_after_a_restart(broker: Broker) -> None:
    broker.kill()
    with publisher(broker.url, EAGER) as outlet:
        outlet.publish([crossing() for _ in range(100)])
    broker.start()
    with Subscriber(broker) as subscriber, publisher(broker.url, EAGER) as outlet:
        outlet.publish([crossing()])
        wait_sent(outlet)
        subscriber.wait_for(lambda messages: b'"seq":101,' in messages[-1].payload if messages else False)
    assert numbers(subscriber.messages) == list(range(1, 102))
    replayed = [message.json.get("replayed", False) for message in subscriber.on("/line_crossed")]
    assert replayed == [True] * 100 + [False]


def test_what_was_delivered_is_not_sent_again(broker: Broker, subscriber: Subscriber) -> None:
    for _ in range(2):
        with publisher(broker.url, EAGER) as outlet:
            outlet.publish([crossing() for _ in range(50)])
            wait_sent(outlet)
    subscriber.wait_topic("/event/line_crossed", b'"seq":100,')
    assert numbers(subscriber.messages) == list(range(1, 101))


def test_counts_are_restored_with_their_epoch(tmp_path: Path) -> None:
    with to_file(tmp_path / "a.jsonl", lines=[DOOR]) as outlet:
        assert outlet.restored == []
        outlet.publish([info(), crossing(), line_count(7)])
    with to_file(tmp_path / "b.jsonl", lines=[DOOR]) as outlet:
        [count] = outlet.restored
        outlet.publish([count])
    before, after = told(tmp_path / "a.jsonl")[-1], told(tmp_path / "b.jsonl")[-1]
    assert isinstance(count, LineCount)
    assert (count.line, dict(count.counts), count.since_utc) == ("door", {0: (7, 1), 1: (2, 0)}, 1.5e9)
    assert (before["epoch"], before["by_class"]) == (after["epoch"], after["by_class"])


def test_counts_of_a_line_that_was_moved_are_not_restored(tmp_path: Path) -> None:
    moved = LineConfig(name="door", start=(0.3, 0.9), end=(0.6, 0.9))
    with to_file(tmp_path / "a.jsonl", lines=[DOOR]) as outlet:
        outlet.publish([info(), crossing(), line_count(7)])
    with to_file(tmp_path / "b.jsonl", lines=[moved]) as outlet:
        assert outlet.restored == []


def test_counting_from_zero_has_a_new_epoch(tmp_path: Path) -> None:
    with to_file(tmp_path / "a.jsonl") as outlet:
        outlet.publish([line_count(), LineCount("door", {}, 1.6e9, 1.6e9, 0.0)])
    first, second = told(tmp_path / "a.jsonl")
    assert first["epoch"] != second["epoch"]


def test_a_line_that_went_between_two_runs_is_taken_from_the_broker(tmp_path: Path) -> None:
    with to_file(tmp_path / "a.jsonl") as outlet:
        outlet.publish([info(), line_count(), crossing()])
    with to_file(tmp_path / "b.jsonl") as outlet:
        outlet.publish([info(lines=())])
    last = json.loads((tmp_path / "b.jsonl").read_text().splitlines()[-1])
    assert (last["topic"], last["payload"]) == ("edgetrack/v1/gate-01/north/line/door/count", None)


def test_tracks_that_a_crash_left_open_are_ended(tmp_path: Path) -> None:
    with to_file(tmp_path / "a.jsonl") as outlet:
        outlet.publish([track_event("start", 1), track_event("start", 2), track_event("end", 1, reason="lost")])
    with to_file(tmp_path / "b.jsonl"):
        pass
    with to_file(tmp_path / "c.jsonl"):
        pass
    started = told(tmp_path / "a.jsonl")[1]
    [ended] = told(tmp_path / "b.jsonl")
    assert (ended["type"], ended["reason"], ended["track"], ended["seq"]) == ("end", "restart", 2, 4)
    assert ended["boot"] == started["boot"]
    assert ended["ts"] >= started["ts"]
    assert told(tmp_path / "c.jsonl") == []


def test_killed_again_and_again_nothing_is_lost_and_nothing_is_counted_twice() -> None:
    """Thirty kill -9 at random moments; `python -m tests.publish.crash --kills 1000` is the longer version."""
    payloads = watched(kills=30, seed=11)
    assert audit(payloads, RESET_EVERY) == []
    assert any(payload.get("reason") == "restart" for payload in payloads)


# --- a broker that is away for long ---


def test_a_day_without_a_broker_costs_disk_and_not_memory(broker: Broker, monkeypatch: Any) -> None:
    """Far more events than memory holds: all arrive, in order, and nothing is dropped but updates."""
    monkeypatch.setattr(delivery, "RETRY_S", (0.05, 0.2))
    monkeypatch.setattr(owed, "REPLAY_PER_S", 20_000)
    total = 8000
    with Gate(broker) as gate, publisher(gate.url, max_queued=1000) as outlet:
        wait_state(outlet, "ok")
        gate.shut()
        wait_state(outlet, "degraded")
        for _ in range(total // 100):
            outlet.publish([*(crossing() for _ in range(100)), track_event("update"), line_count()])
        until(lambda: outbox_state(outlet).queued >= total, 60, lambda: str(outlet.states))
        in_memory = outlet.states[0].queued
        with Subscriber(broker) as subscriber:
            gate.open()
            wait_state(outlet, "ok")
            outlet.publish([crossing()])
            subscriber.wait_for(lambda messages: total + 1 in numbers(messages[-30:]), 60)
            wait_sent(outlet, 60)
            subscriber.wait_topic("/count")
    assert in_memory <= 1000
    assert without_repeats(numbers(subscriber.messages)) == list(range(1, total + 2))
    seqs = [message.json["seq"] for message in subscriber.messages if b'"seq":' in message.payload]
    assert seqs == sorted(seqs)
    assert outbox_state(outlet).dropped <= total // 100  # updates


# --- disks ---


def test_a_deleted_file_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with to_file(path, lines=[DOOR]) as outlet:
        outlet.publish([info(), crossing(), line_count(7)])
        wait_sent(outlet)
        shutil.rmtree(tmp_path / "state")
        outlet.publish([crossing()])
        wait_sent(outlet)
    with to_file(path, lines=[DOOR]) as outlet:
        assert [count.line for count in outlet.restored] == ["door"]
        outlet.publish([crossing()])
    assert [payload["seq"] for payload in told(path) if payload["schema"] == "edgetrack.crossing/1"] == [1, 2, 3]


@pytest.fixture
def watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at the file and tells of it in tenths of a second instead of seconds."""
    monkeypatch.setattr(journal, "IDLE_COMMIT_S", 0.1)
    monkeypatch.setattr(disk, "TOLD_S", 0.3)


@pytest.mark.usefixtures("watchful")
@pytest.mark.parametrize("damage", ["text", "cut"])
def test_a_broken_file_is_set_aside_and_the_daemon_goes_on(tmp_path: Path, damage: str) -> None:
    with to_file(tmp_path / "a.jsonl") as outlet:
        outlet.publish([track_event("start", i) for i in range(1, 200)])
    [database] = (tmp_path / "state").glob("*.db")
    content = database.read_bytes()
    database.write_bytes(b"no database" * 100 if damage == "text" else content[: len(content) // 2 + 100])
    with to_file(tmp_path / "b.jsonl") as outlet:
        assert f"set aside as {database.name}.broken" in outbox_state(outlet).reason
        outlet.publish([crossing()])
        wait_sent(outlet)
        wait_disk(outlet, "ok")
    assert database.with_name(database.name + ".broken").exists()
    assert told(tmp_path / "b.jsonl")[-1]["type"] == "line_crossed"


@pytest.mark.usefixtures("watchful")
def test_a_file_that_breaks_while_it_is_used_costs_nothing_that_memory_knows(tmp_path: Path) -> None:
    with to_file(tmp_path / "a.jsonl", lines=[DOOR]) as outlet:
        outlet.publish([info(), track_event("start", 1), crossing(), line_count(7)])
        wait_sent(outlet)
        for file in (tmp_path / "state").glob("*.db*"):
            if file.suffix != ".lock":
                file.write_bytes(os.urandom(file.stat().st_size))
        outlet.publish([crossing()])
        wait_sent(outlet)
        wait_disk(outlet, "ok")
        outlet.publish([crossing()])
        wait_sent(outlet)
    with to_file(tmp_path / "b.jsonl", lines=[DOOR]) as outlet:
        assert [count.counts[0] for count in outlet.restored] == [(7, 1)]
        outlet.publish([crossing()])
    seqs = [payload["seq"] for name in "ab" for payload in told(tmp_path / f"{name}.jsonl") if payload["seq"] > 2]
    assert sorted(set(seqs)) == [3, 4, 5, 6]  # 5 ends the track that was left open


def spoil(folder: Path, first: int = 0, last: int | None = None) -> None:
    """Overwrite these bytes of the database, behind the back of whoever uses it."""
    [database] = folder.glob("*.db")
    content = bytearray(database.read_bytes())
    content[first:last] = b"\xff" * len(content[first:last])
    with database.open("r+b") as file:  # the same file: nothing is cut or replaced
        file.write(content)


def written_back(folder: Path) -> bool:
    """All of SQLite's log is in the database itself."""
    [database] = folder.glob("*.db")
    with contextlib.closing(sqlite3.connect(database)) as db:
        busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


@pytest.mark.usefixtures("watchful")
@pytest.mark.parametrize("first", [0, 1024])
def test_a_file_that_is_overwritten_while_nothing_happens_is_told_and_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    """Its beginning is looked at all the time, the rest is read now and then."""
    monkeypatch.setattr(disk, "CHECK_S", 0.2)
    with to_file(tmp_path / "a.jsonl", lines=[DOOR]) as outlet:
        outlet.publish([info(), *(crossing(i) for i in range(1, 100)), line_count(7)])
        wait_sent(outlet)
    with to_file(tmp_path / "b.jsonl", lines=[DOOR]) as outlet:
        spoil(tmp_path / "state", first)
        wait_disk(outlet, "degraded", "set aside as gate-01-north.db.broken")
        wait_disk(outlet, "ok")
    with to_file(tmp_path / "c.jsonl", lines=[DOOR]) as outlet:
        assert [count.counts[0] for count in outlet.restored] == [(7, 1)]
        outlet.publish([crossing()])
    assert told(tmp_path / "c.jsonl")[-1]["seq"] == 100


def test_what_can_be_read_of_a_broken_file_is_still_delivered(
    tmp_path: Path, broker: Broker, subscriber: Subscriber
) -> None:
    with Gate(broker) as gate:
        gate.shut()
        with publisher(gate.url, EAGER) as outlet:
            outlet.publish([crossing(i) for i in range(1, 400)])
            until(lambda: outbox_state(outlet).queued == 399, 60, lambda: str(outlet.states))
        spoil(tmp_path / "state", 50 * 1024, 51 * 1024)
        gate.open()
        with publisher(gate.url, EAGER) as outlet:
            subscriber.wait_topic("/event/line_crossed", b'"seq":399,')
            wait_sent(outlet)
    seqs = numbers(subscriber.messages)
    assert seqs == sorted(seqs)
    assert 390 < len(seqs) < 399


def test_events_that_cannot_be_read_back_do_not_hold_up_what_follows(
    tmp_path: Path, broker: Broker, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most of them lie on disk alone, since the broker is away, when the disk spoils them."""
    monkeypatch.setattr(delivery, "RETRY_S", (0.05, 0.2))
    with Gate(broker) as gate, publisher(gate.url, EAGER, max_queued=100) as outlet:
        wait_state(outlet, "ok")
        gate.shut()
        wait_state(outlet, "degraded")
        for i in range(1, 400):
            outlet.publish([crossing(i)])
        until(lambda: outbox_state(outlet).queued == 399, 60, lambda: str(outlet.states))
        until(lambda: written_back(tmp_path / "state"), 60, lambda: "its log is in use all the time")
        spoil(tmp_path / "state", 1024)
        gate.open()
        wait_disk(outlet, "degraded", "set aside")
        outlet.publish([crossing(400)])
        subscriber.wait_topic("/event/line_crossed", b'"seq":400,')
    assert numbers(subscriber.messages)[:50] == list(range(1, 51))


def test_a_disk_that_cannot_be_written_is_told_and_used_when_it_can(
    tmp_path: Path, monkeypatch: Any, broker: Broker, subscriber: Subscriber
) -> None:
    """A file stands where the folder should be; later it is taken away."""
    monkeypatch.setattr(disk, "REOPEN_S", 0.1)
    (tmp_path / "state").write_text("in the way")
    with publisher(broker.url, EAGER) as outlet:
        wait_disk(outlet, "degraded", "events are kept in memory only")
        outlet.publish([crossing()])
        subscriber.wait_topic("/event/line_crossed", b'"seq":1,')
        (tmp_path / "state").unlink()
        until(lambda: bool(outlet.publish([crossing()])) or outbox_state(outlet).state == "ok", 60, lambda: "not used")
        wait_sent(outlet)
        subscriber.settle()
        last = numbers(subscriber.messages)[-1]
    with publisher(broker.url, EAGER) as outlet:
        outlet.publish([crossing()])
        wait_sent(outlet)
        subscriber.wait_topic("/event/line_crossed", b'"seq":%d,' % (last + 1))
    seqs = numbers(subscriber.messages)
    assert seqs == list(range(1, len(seqs) + 1))


def test_what_is_delivered_while_the_disk_is_away_costs_no_memory(tmp_path: Path, broker: Broker) -> None:
    """A card may have failed for months: of what never was on it, nothing is to be written down."""
    (tmp_path / "state").write_text("in the way")
    with publisher(broker.url, EAGER) as outlet:
        wait_disk(outlet, "degraded", "events are kept in memory only")
        outlet.publish([crossing() for _ in range(300)])
        assert wait_sent(outlet).sent >= 300
        assert not outlet._journal._delivered  # type: ignore[union-attr]


def test_a_full_disk_is_told_and_nothing_in_memory_is_lost(
    tmp_path: Path, broker: Broker, subscriber: Subscriber
) -> None:
    """The pages that the file may have are limited, which SQLite reports like a full disk."""
    with publisher(broker.url, EAGER) as outlet:
        outlet.publish([crossing()])
        wait_sent(outlet)
        outbox = outlet._journal._disk.outbox  # type: ignore[union-attr]
        outbox._db.execute("PRAGMA max_page_count = 1").fetchone()  # type: ignore[union-attr]
        outlet.publish([crossing() for _ in range(100)])
        wait_disk(outlet, "degraded", "database or disk is full; make room; events are kept in memory only")
        subscriber.wait_topic("/event/line_crossed", b'"seq":101,')
    assert numbers(subscriber.messages) == list(range(1, 102))


def test_two_daemons_of_one_name_do_not_share_a_file(tmp_path: Path) -> None:
    with to_file(tmp_path / "a.jsonl") as one, to_file(tmp_path / "b.jsonl") as two:
        assert outbox_state(one).state == "ok"
        assert "another daemon runs with the same device and camera" in outbox_state(two).reason


def test_they_do_not_share_it_after_the_folder_was_emptied_either(tmp_path: Path) -> None:
    """The lock lies in the folder too."""
    with to_file(tmp_path / "a.jsonl") as one:
        for path in (tmp_path / "state").iterdir():
            path.unlink()
        one.publish([crossing()])
        wait_sent(one)
        with to_file(tmp_path / "b.jsonl") as two:
            assert "another daemon runs with the same device and camera" in outbox_state(two).reason


def test_the_state_folder_is_the_configured_one_else_systemds_else_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [journal.state_folder(config(state_dir=str(tmp_path))), journal.state_folder(config())]
    monkeypatch.delenv("STATE_DIRECTORY")
    monkeypatch.setenv("HOME", "/home/somebody")
    folders.append(journal.state_folder(config()))
    assert folders == [tmp_path, tmp_path / "state", Path("/home/somebody/.local/state/edgetrack")]


def test_without_an_outbox_nothing_is_written(tmp_path: Path) -> None:
    settings = config(JsonlPublish(path=str(tmp_path / "a.jsonl")), outbox=OutboxConfig(enabled=False))
    with open_publisher(settings, NAMES) as outlet:
        outlet.publish([crossing()])
        assert len(outlet.states) == 1
    assert not (tmp_path / "state").exists()


def test_brokers_may_come_and_go_between_runs(tmp_path: Path, broker: Broker) -> None:
    """The second is away and still owed after the first has gone from the configuration."""
    with Broker(tmp_path / "second") as second:
        second.stop()
        both = [MqttPublish(url=broker.url), MqttPublish(url=second.url)]
        with open_publisher(config(*both, outbox=EAGER), NAMES) as outlet:
            outlet.publish([crossing() for _ in range(20)])
            until(lambda: outlet.states[0].sent > 20, 60, lambda: str(outlet.states))
        second.start()
        with Subscriber(second) as subscriber, publisher(second.url, EAGER) as outlet:
            wait_sent(outlet)
            subscriber.wait_topic("/event/line_crossed", b'"seq":20,')
        assert numbers(subscriber.messages) == list(range(1, 21))
    assert os.listdir(tmp_path / "state")
