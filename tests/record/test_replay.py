"""A recording gives the same events again, and answers what other lines would have counted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgetrack.config import LineConfig, TrackConfig
from edgetrack.errors import CaptureError, ConfigError
from edgetrack.record import Recorder
from edgetrack.record.entries import Head, Picture
from edgetrack.record.replay import Story, replay
from edgetrack.record.tape import MAGIC, pack, read
from edgetrack.track.tracker import Tracker
from edgetrack.types import LineCount
from tests.record.parts import DOOR, Daemon, record, settings, street


def replayed(path: Path, *args: Any) -> tuple[Story, list[bytes]]:
    lines: list[bytes] = []
    return replay(path, *args, emit=lines.extend), lines


@pytest.mark.parametrize("width", [0, 32], ids=["motion alone", "with embeddings"])
def test_a_replay_gives_the_same_events_byte_for_byte(tmp_path: Path, width: int) -> None:
    daemon = record(tmp_path / "street.rec", width=width)
    story, lines = replayed(tmp_path / "street.rec")
    assert lines == daemon.lines
    assert len(lines) > 100
    assert story.same is True
    assert story.recorded == story.replayed == daemon.told.tallies


def test_frames_without_detection_and_refined_boxes_are_replayed(tmp_path: Path) -> None:
    with Recorder(tmp_path / "street.rec", 100) as recorder:
        daemon = Daemon(recorder, settings(), every=3)
        daemon.see(street(300))
        daemon.stop()
    story, lines = replayed(tmp_path / "street.rec")
    assert lines == daemon.lines
    assert story.same is True


def test_a_reload_is_replayed_where_it_was(tmp_path: Path) -> None:
    gate = LineConfig(name="gate", start=(0.3, 1.0), end=(0.3, 0.0))
    with Recorder(tmp_path / "street.rec", 100) as recorder:
        daemon = Daemon(recorder, settings())
        film = list(street(300))
        daemon.see(film[:150])
        daemon.reload(settings(lines=[gate], zones=[]))
        daemon.see(film[150:])
    story, lines = replayed(tmp_path / "street.rec")
    assert lines == daemon.lines
    assert {key.split("/")[1] for key in story.replayed} == {"door", "porch", "gate"}


def test_a_reset_of_counts_is_replayed_where_it_was(tmp_path: Path) -> None:
    with Recorder(tmp_path / "street.rec", 100) as recorder:
        daemon = Daemon(recorder, settings())
        film = list(street(300))
        daemon.see(film[:150])
        daemon.reset(["door"], ["porch"])
        daemon.see(film[150:])
    story, lines = replayed(tmp_path / "street.rec")
    assert lines == daemon.lines
    assert story.same is True


def test_counts_go_on_from_those_that_were_restored(tmp_path: Path) -> None:
    before = LineCount("door", {0: (40, 2)}, 0.0, 0.0, 0.0)
    with Recorder(tmp_path / "street.rec", 100) as recorder:
        daemon = Daemon(recorder, settings(), [before])
        daemon.see(street(200))
    _, lines = replayed(tmp_path / "street.rec")
    counts = [json.loads(line)["counts"]["person"] for line in lines if b'"type":"count"' in line]
    assert lines == daemon.lines
    assert all(inwards + outwards > 42 for inwards, outwards in counts)


def test_several_runs_of_the_daemon_stand_in_one_recording(tmp_path: Path) -> None:
    first, second = record(tmp_path / "street.rec"), record(tmp_path / "street.rec", 150)
    story, lines = replayed(tmp_path / "street.rec")
    assert lines == first.lines + second.lines
    assert (story.starts, story.same) == (2, True)


def test_other_lines_are_counted_on_the_same_recording(tmp_path: Path) -> None:
    """The same line under another name counts the same; its counter begins at zero."""
    daemon = record(tmp_path / "street.rec")
    twin = LineConfig(name="twin", start=DOOR.start, end=DOOR.end)
    story, _ = replayed(tmp_path / "street.rec", settings(lines=[twin], zones=[]))
    door = {key.removeprefix("line/door/"): n for key, n in daemon.told.tallies.items() if key.startswith("line/")}
    assert {key.removeprefix("line/twin/"): n for key, n in story.replayed.items()} == door
    assert story.recorded == daemon.told.tallies
    assert story.same is None


def test_other_settings_of_the_tracker_leave_refined_boxes_out(tmp_path: Path) -> None:
    """They carry the numbers of other tracks."""
    with Recorder(tmp_path / "street.rec", 100) as recorder:
        daemon = Daemon(recorder, settings(), every=3)
        daemon.see(street(150))
    story, _ = replayed(tmp_path / "street.rec", settings(track=TrackConfig(n_init=5)))
    assert story.pictures == 150
    assert not story.damage


def test_a_class_that_was_not_recorded_is_one_message(tmp_path: Path) -> None:
    record(tmp_path / "street.rec", 10)
    line = LineConfig(name="door", start=DOOR.start, end=DOOR.end, classes=["dragon"])
    with pytest.raises(ConfigError, match=r"lines\[door\].classes: unknown class 'dragon'"):
        replay(tmp_path / "street.rec", settings(lines=[line]))


def test_events_that_differ_are_noticed(tmp_path: Path) -> None:
    """Here because the recorder was told of one event that nobody saw."""
    with Recorder(tmp_path / "street.rec", 100) as recorder:
        daemon = Daemon(recorder, settings())
        daemon.see(street(50))
        recorder.end("shutdown", 0.0, [LineCount("door", {}, 0.0, 0.0, 0.0)])
    assert replay(tmp_path / "street.rec").same is False


# --- damage ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def long_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Daemon]:
    """Of many short blocks."""
    monkeypatch.setattr("edgetrack.record.recorder.BLOCK_BYTES", 1)
    path = tmp_path / "street.rec"
    with Recorder(path, 100) as recorder:
        daemon = Daemon(recorder, settings())
        for picture in street(300):
            daemon.see([picture])
            if daemon._index % 10 == 0:
                settle(recorder)
        daemon.stop()
    return path, daemon


def rewritten(path: Path, change: Callable[[Head], Head]) -> None:
    """With another head, and checksums that are right."""
    blocks = [[change(entry) if isinstance(entry, Head) else entry for entry in block] for block in read(path)]
    path.write_bytes(MAGIC + b"".join(map(pack, blocks)))


def test_a_head_whose_tracker_is_damaged_is_refused_in_words(long_recording: tuple[Path, Daemon]) -> None:
    path, _ = long_recording
    spoilt = msgspec.structs.replace(Tracker().state(), rows=b"torn")

    def damage(head: Head) -> Head:
        return msgspec.structs.replace(head, standing=msgspec.structs.replace(head.standing, tracker=spoilt))

    rewritten(path, damage)
    with pytest.raises(CaptureError, match=r"street.rec: after picture 0: state of the tracker: rows: 4 bytes, expect"):
        replay(path)


def test_a_head_whose_scene_is_of_other_lines_is_refused_in_words(long_recording: tuple[Path, Daemon]) -> None:
    path, _ = long_recording

    def damage(head: Head) -> Head:
        meaning = msgspec.structs.replace(head.standing.meaning, lines=[])
        return msgspec.structs.replace(head, standing=msgspec.structs.replace(head.standing, meaning=meaning))

    rewritten(path, damage)
    with pytest.raises(CaptureError, match="state of the scene: is of other lines or zones than its settings"):
        replay(path)


@pytest.mark.parametrize(
    ("change", "found"),
    [({"index": 2**63}, "a picture of number 9223372036854775808"), ({"width": 2**20}, "a picture of 1048576 x 360")],
)
def test_a_picture_that_no_camera_gives_is_refused_in_words(
    long_recording: tuple[Path, Daemon], change: dict[str, int], found: str
) -> None:
    path, _ = long_recording
    first, *rest = read(path)
    at = next(i for i, entry in enumerate(first) if isinstance(entry, Picture))
    first[at] = msgspec.structs.replace(first[at], **change)
    path.write_bytes(MAGIC + b"".join(map(pack, [first, *rest])))
    story = replay(path)
    assert f"street.rec: after picture 0: {found}" in story.damage


def settle(recorder: Recorder) -> None:
    """Until nothing waits."""
    until = time.monotonic() + 30
    while recorder.states[0].queued:
        assert time.monotonic() < until, recorder.states[0]
        time.sleep(0.001)


@pytest.mark.parametrize("part", [0.3, 0.5, 0.9, 0.999])
def test_all_before_a_cut_is_used(long_recording: tuple[Path, Daemon], part: float) -> None:
    path, daemon = long_recording
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    story, lines = replayed(path)
    assert lines == daemon.lines[: len(lines)]
    assert len(lines) > 0.5 * part * len(daemon.lines)
    assert story.same is True
    assert "is cut off or damaged at byte" in story.damage
    assert "\n" not in story.damage


@pytest.mark.parametrize("part", [0.3, 0.6, 0.99])
def test_all_before_a_flipped_bit_is_used(long_recording: tuple[Path, Daemon], part: float) -> None:
    path, daemon = long_recording
    content = bytearray(path.read_bytes())
    content[int(len(content) * part)] ^= 0x10
    path.write_bytes(content)
    story, lines = replayed(path)
    assert lines == daemon.lines[: len(lines)]
    assert len(lines) > 0.5 * part * len(daemon.lines)
    assert "damaged at byte" in story.damage


def test_a_daemon_that_was_killed_leaves_a_recording_to_go_on_with(long_recording: tuple[Path, Daemon]) -> None:
    """The unfinished block of the one before is cut off, what was good stays."""
    path, first = long_recording
    with path.open("ab") as file:
        file.write(b"\x00\x10\x00\x00torn")
    second = record(path, 100)
    story, lines = replayed(path)
    assert lines == first.lines + second.lines
    assert (story.damage, story.same) == ("", True)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "is no recording of edgetrack; expected a file that `edgetrack run --record` wrote"),
        (b"RIFF....AVI ", "is no recording of edgetrack; expected a file that `edgetrack run --record` wrote"),
        (b"edgetrack recording 1\n", "holds nothing yet"),
        (b"edgetrack recording 2\n", "holds nothing yet"),
        (
            b"edgetrack recording 3\n",
            "is in a later format than this edgetrack reads, 1 and 2; replay it with a newer one",
        ),
    ],
)
def test_what_is_no_recording_is_one_message(tmp_path: Path, content: bytes, found: str) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(CaptureError, match=f"other: {found}"):
        replay(tmp_path / "other")


def test_a_recording_that_is_not_there_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"gone\.rec: No such file or directory"):
        replay(tmp_path / "gone.rec")
