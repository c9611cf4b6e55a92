"""Recordings in the first format are read as well as they ever could be."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from edgetrack.config import LineConfig
from edgetrack.errors import CaptureError
from edgetrack.record.entries import Anything, End, Head, Mark, Meaning, Picture
from edgetrack.record.format1 import MAGIC, Head1
from edgetrack.record.replay import replay
from edgetrack.record.tape import MAGIC as NEW
from edgetrack.record.tape import pack, read
from tests.record.parts import NAMES, record

CUT = 150  # pictures in the first file


class Old(NamedTuple):
    """A recording of two files in the first format, and the events of that run."""

    path: Path
    lines: list[bytes]
    first: list[bytes]  # those of the first file


@pytest.fixture
def old(tmp_path: Path) -> Old:
    record(tmp_path / "new.rec", 300)
    entries = [entry for block in read(tmp_path / "new.rec") for entry in block]
    [head] = (entry for entry in entries if isinstance(entry, Head))
    story = [entry for entry in entries if isinstance(entry, (Picture, End))]
    first, whole = (marked(tmp_path / "part.rec", head, story[:end]) for end in (CUT, None))
    about = True, head.device, head.camera, head.names, head.standing.meaning
    counts = {
        class_id: tuple(first.mark.tallies.get(f"line/door/{name}/{way}", 0) for way in ("in", "out"))
        for class_id, name in enumerate(head.names)
    }
    path = tmp_path / "old.rec"
    start = Head1("0.0.9", "b007", 0, *about, (("door", {}),), {})
    path.with_name("old.rec.1").write_bytes(MAGIC + pack([start, *story[:CUT], first.mark]))
    later = Head1("0.0.9", "b007", 1, *about, (("door", counts),), first.mark.tallies)
    path.write_bytes(MAGIC + pack([later, *story[CUT:], whole.mark]))
    return Old(path, whole.lines, first.lines)


class Marked(NamedTuple):
    mark: Mark
    lines: list[bytes]


def marked(path: Path, head: Head, story: Sequence[Anything]) -> Marked:
    """What had become of these entries, as format 1 told it: since the start."""
    path.write_bytes(NEW + pack([head, *story]))
    lines: list[bytes] = []
    tallies = dict(replay(path, emit=lines.extend).replayed)
    return Marked(Mark(len(lines), hashlib.sha256(b"".join(lines)).digest(), tallies), lines)


def test_it_gives_the_same_events(old: Old) -> None:
    lines: list[bytes] = []
    story = replay(old.path, emit=lines.extend)
    assert lines == old.lines
    assert (story.same, story.begins, story.starts, story.damage) == (True, "start", 1, "")
    assert story.recorded == story.replayed


def test_without_its_first_file_tracks_are_new_and_counts_go_on(old: Old) -> None:
    old.path.with_name("old.rec.1").unlink()
    lines: list[bytes] = []
    story = replay(old.path, emit=lines.extend)
    assert (story.same, story.begins, story.damage) == (None, "cold", "")
    counts = [[line for line in told if b'"type":"count"' in line] for told in (lines, old.lines[len(old.first) :])]
    assert counts[0][-1] == counts[1][-1]
    told = [line for line in old.lines[len(old.first) :] if b"line_crossed" in line or b"zone_entered" in line]
    assert story.recorded.total() == len(told)


def test_whoever_records_on_leaves_it_as_it_is(old: Old) -> None:
    """Its files become older ones of the same recording."""
    before = old.path.read_bytes()
    daemon = record(old.path, 100)
    assert old.path.with_name("old.rec.1").read_bytes() == before
    assert old.path.read_bytes().startswith(NEW)
    lines: list[bytes] = []
    story = replay(old.path, emit=lines.extend)
    assert lines == old.lines + daemon.lines
    assert (story.same, story.starts) == (True, 2)


def test_a_head_that_makes_no_sense_is_damage(tmp_path: Path) -> None:
    point = LineConfig(name="door", start=(0.5, 0.5), end=(0.5, 0.5))
    head = Head1("0.0.9", "b007", 0, True, "gate-01", "north", NAMES, Meaning(lines=[point]), (), {})
    (tmp_path / "old.rec").write_bytes(MAGIC + pack([head]))
    with pytest.raises(CaptureError, match=r"old.rec: holds something unknown .*: lines: door: start and end are both"):
        replay(tmp_path / "old.rec")
