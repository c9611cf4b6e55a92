"""The file of events that are owed: transactions, bounds, faults."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path

import pytest

from edgetrack.publish import outbox as module
from edgetrack.publish.message import Message, Worth
from edgetrack.publish.outbox import Outbox, OutboxError
from edgetrack.publish.wreck import Wreck, set_aside

NOW = 1.8e9


def event(seq: int, size: int = 10) -> Message:
    return Message("a", b"x" * size, Worth.EVENT, seq)


def opened(path: Path, max_mb: float = 64, max_age_h: float = 168) -> Outbox:
    return Outbox(path / "box.db", max_mb, max_age_h)


def numbers(outbox: Outbox, outlet: int = 1, after: int = 0) -> list[int]:
    return [message.seq for message in outbox.read(outlet, after, 1_000_000)]


def test_what_is_committed_is_there_after_opening_again(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.commit([event(1), event(2)], 1, [], {"seq": b"2"}, NOW)
    first.close()
    second = opened(tmp_path)
    assert numbers(second) == [1, 2]
    assert (second.state(), second.rows) == ({"seq": b"2"}, 2)
    second.close()


def test_an_event_goes_when_every_outlet_has_delivered_it(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    outbox.commit([event(1), event(2)], 0b11, [], {}, NOW)
    outbox.commit([], 0, [(0b01, 1), (0b10, 2)], {}, NOW)
    assert (numbers(outbox, 0b01), numbers(outbox, 0b10), outbox.rows) == ([2], [1], 2)
    outbox.commit([], 0, [(0b10, 1), (0b01, 2)], {}, NOW)
    assert (numbers(outbox, 0b01), numbers(outbox, 0b10), outbox.rows) == ([], [], 0)
    outbox.close()


def test_updates_and_states_are_not_kept(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    outbox.commit([Message("a", b"x", Worth.UPDATE, 1), Message("a", b"x", Worth.STATE, 1)], 1, [], {}, NOW)
    assert outbox.rows == 0
    outbox.close()


def test_an_outlet_that_is_no_more_owes_nothing_and_a_moved_one_owes_the_same(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    outbox.commit([event(1)], 0b01, [], {}, NOW)
    outbox.commit([event(2)], 0b10, [], {}, NOW)
    outbox.hand_over([1, None])  # what was second is first, a new one is second
    assert (numbers(outbox, 0b01), numbers(outbox, 0b10), outbox.rows) == ([2], [], 1)
    outbox.close()


def test_a_file_that_is_too_big_loses_the_oldest_events_and_counts_them(tmp_path: Path) -> None:
    outbox = opened(tmp_path, max_mb=1)
    for start in range(1, 10_001, 100):
        outbox.commit([event(seq, 400) for seq in range(start, start + 100)], 1, [], {}, NOW)
    left = numbers(outbox)
    assert left == list(range(10_001 - len(left), 10_001))
    assert outbox.dropped == 10_000 - len(left) == 10_000 - outbox.rows
    assert os.path.getsize(outbox.path) < 1.3 * 2**20
    outbox.close()


def test_events_that_are_too_old_go_but_not_those_of_a_clock_that_was_not_set(tmp_path: Path) -> None:
    outbox = opened(tmp_path, max_age_h=1)
    outbox.commit([event(1)], 1, [], {}, 1000.0)
    outbox.commit([event(2)], 1, [], {}, NOW - 7200)
    outbox.commit([event(seq) for seq in range(3, 3 + module.CHECK_EVERY)], 1, [], {}, NOW)
    assert numbers(outbox)[:2] == [1, 3]
    assert outbox.dropped == 1
    outbox.close()


def test_a_deleted_file_is_noticed(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    assert not outbox.gone
    outbox.path.unlink()
    assert outbox.gone
    outbox.close()


@pytest.mark.parametrize("damage", ["text", "zeros", "header", "cut"])
def test_a_broken_file_is_told_from_other_troubles(tmp_path: Path, damage: str) -> None:
    outbox = opened(tmp_path)
    outbox.commit([event(seq, 400) for seq in range(1, 500)], 1, [], {}, NOW)
    outbox.close()
    content = bytearray(outbox.path.read_bytes())
    if damage == "text":
        content[:] = b"no database" * 1000
    elif damage == "zeros":
        content[4096:40960] = bytes(36864)
    elif damage == "header":
        content[:100] = os.urandom(100)
    else:
        del content[len(content) // 2 + 300 :]
    outbox.path.write_bytes(content)
    with pytest.raises(OutboxError) as raised:
        opened(tmp_path)
    assert raised.value.broken
    assert set_aside(outbox.path).name == "box.db.broken"
    new = opened(tmp_path)
    assert new.rows == 0
    new.close()


@pytest.mark.parametrize("damage", ["", "a page", "all"])
def test_what_can_be_read_of_a_broken_file_goes_into_the_new_one(tmp_path: Path, damage: str) -> None:
    outbox = opened(tmp_path)
    outbox.commit([event(seq, 400) for seq in range(1, 501)], 1, [], {"seq": b"500"}, NOW)
    outbox.close()
    with outbox.path.open("r+b") as file:
        size = outbox.path.stat().st_size
        first, last = {"": (0, 0), "a page": (100 * 1024, 101 * 1024), "all": (0, size)}[damage]
        file.seek(first)
        file.write(b"\xff" * (last - first))
    wreck = Wreck(set_aside(outbox.path))
    new = opened(tmp_path)
    new.adopt(wreck.events())
    seqs = [message.seq for message in new.read(1, 0, 1000)]
    new.close()
    lost = sorted(set(range(1, 501)) - set(seqs))
    if damage == "a page":
        assert 1 <= len(lost) <= 4
        assert 1 < lost[0] < lost[-1] < 500
    else:
        assert len(lost) == {"": 0, "all": 500}[damage]


def test_of_a_file_whose_columns_are_spoilt_nothing_is_read(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "box.db.broken")) as db:
        db.execute("CREATE TABLE event (seq INTEGER PRIMARY KEY, utc REAL, pendinf INTEGER, payload BLOB)")
        db.execute("INSERT INTO event VALUES (1, 1.7e9, 1, 'x')")
        db.commit()
    wreck = Wreck(tmp_path / "box.db.broken")
    assert (list(wreck.events()), wreck.state()) == ([], {})


def test_a_commit_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    outbox.commit([event(1)], 1, [], {"seq": b"1"}, NOW)
    with pytest.raises(OutboxError):
        outbox.commit([event(2)], 1, [], {"seq": b"2", "bad": object()}, NOW)  # type: ignore[dict-item]
    assert (numbers(outbox), outbox.state()) == ([1], {"seq": b"1"})
    outbox.close()


def test_a_commit_is_quick_enough_for_a_busy_street(tmp_path: Path) -> None:
    """Bytes go to disk in whole pages; docs/mqtt.md states the figure."""
    outbox = opened(tmp_path)
    began = time.monotonic()
    for seq in range(1, 101):
        outbox.commit([event(seq, 450)], 1, [(1, seq - 1)], {"seq": b"%d" % seq, "line/door/count": b"x" * 300}, NOW)
    assert time.monotonic() - began < 10
    outbox.close()
