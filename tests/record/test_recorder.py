"""Recording: bounded on disk and in memory, and never in the loop's way."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from edgetrack.config import TrackConfig, ZoneConfig
from edgetrack.errors import PublishError
from edgetrack.record import Recorder
from edgetrack.record.entries import Head
from edgetrack.record.replay import replay
from edgetrack.record.tape import FILES, MAGIC, files, read
from edgetrack.types import Detections
from tests.record.parts import PORCH, Daemon, record, settings, street

LAWN = ZoneConfig(name="lawn", polygon=[(0.0, 0.0), (0.5, 0.0), (0.5, 1.0)])


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgetrack.record.recorder.BLOCK_BYTES", 1)


def see_slowly(daemon: Daemon, pictures: Iterable[Detections]) -> None:
    """A block for every ten pictures."""
    for n, seen in enumerate(pictures):
        daemon.see([seen])
        while n % 10 == 9 and daemon.recorder.states[0].queued:
            time.sleep(0.001)


def test_files_turn_and_the_oldest_goes(tmp_path: Path, small_blocks: None) -> None:
    most = 100_000
    with Recorder(tmp_path / "street.rec", most / 2**20) as recorder:
        see_slowly(Daemon(recorder, settings()), street(600, width=16))
    kept = files(tmp_path / "street.rec")
    assert [file.suffix for file in kept] == [".3", ".2", ".1", ".rec"]
    assert len(kept) == FILES
    assert sum(file.stat().st_size for file in kept) < most * 1.25


def test_files_that_turned_are_one_recording(tmp_path: Path, small_blocks: None) -> None:
    with Recorder(tmp_path / "street.rec", 0.15) as recorder:
        daemon = Daemon(recorder, settings())
        see_slowly(daemon, street(300, width=16))
        daemon.stop()
    assert 1 < len(files(tmp_path / "street.rec")) <= FILES
    story = replay(tmp_path / "street.rec")
    assert (story.same, story.starts) == (True, 1)


class Turned(NamedTuple):
    """A recording of several files, and what became of the daemon."""

    path: Path
    daemon: Daemon
    lines: list[bytes]


def turned(path: Path, every: int = 1, **track: Any) -> Turned:
    """Reloaded and reset in the middle; longer than its ring."""
    with Recorder(path, 0.1 / every) as recorder:
        daemon = Daemon(recorder, settings(track=TrackConfig(**track)), every=every)
        film = list(street(400, width=16))
        see_slowly(daemon, film[:200])
        daemon.reload(settings(track=TrackConfig(**track), zones=[PORCH, LAWN]))
        daemon.reset(["door"], ["porch"])
        see_slowly(daemon, film[200:])
        daemon.stop()
    assert len(files(path)) == FILES
    return Turned(path, daemon, daemon.lines)


@pytest.mark.parametrize("gone", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "kind", [{}, {"every": 3}, {"exact": True, "gallery": 5}], ids=["default", "refined boxes", "exact"]
)
def test_from_any_file_on_a_recording_gives_the_same_events(
    tmp_path: Path, small_blocks: None, kind: dict[str, Any], gone: int
) -> None:
    """With every track that was open when the file turned, and compared to the last."""
    path, _, told = turned(tmp_path / "street.rec", **kind)
    for file in files(path)[:gone]:
        file.unlink()
    lines: list[bytes] = []
    story = replay(path, emit=lines.extend)
    assert lines == told[-len(lines) :]
    assert (story.same, story.damage, story.starts) == (True, "", 1)
    assert story.begins == "middle"
    assert story.recorded == story.replayed
    assert story.sha256 == hashlib.sha256(b"".join(told[-len(lines) :])).hexdigest()


def test_a_file_that_is_missing_in_between_costs_that_file_alone(tmp_path: Path, small_blocks: None) -> None:
    path, _, told = turned(tmp_path / "street.rec")
    files(path)[2].unlink()
    lines: list[bytes] = []
    story = replay(path, emit=lines.extend)
    assert (story.same, story.starts) == (True, 2)
    assert set(lines) < set(told)
    assert lines[-1] == told[-1]


def test_a_file_that_is_damaged_costs_the_rest_of_that_file_alone(tmp_path: Path, small_blocks: None) -> None:
    path, _, told = turned(tmp_path / "street.rec")
    broken = files(path)[1]
    content = bytearray(broken.read_bytes())
    content[len(content) // 2] ^= 1
    broken.write_bytes(content)
    lines: list[bytes] = []
    story = replay(path, emit=lines.extend)
    assert f"{broken}: is damaged at byte" in story.damage
    assert (story.same, story.starts) == (True, 2)
    assert set(lines) < set(told)
    assert lines[-1] == told[-1]


def test_other_settings_begin_with_the_tracks_that_were_recorded(tmp_path: Path, small_blocks: None) -> None:
    """So the lines that were there count what they counted then, and refined boxes find their tracks."""
    path, _, _ = turned(tmp_path / "street.rec", every=3)
    files(path)[0].unlink()
    files(path)[1].unlink()
    as_it_was = replay(path)
    story = replay(path, settings(zones=[PORCH, LAWN]))
    assert story.replayed == as_it_was.recorded
    assert story.replayed.total() > 0


def test_other_settings_of_the_tracker_begin_with_none(tmp_path: Path, small_blocks: None) -> None:
    path, _, _ = turned(tmp_path / "street.rec", every=3)
    files(path)[0].unlink()
    lines: list[bytes] = []
    story = replay(path, settings(track=TrackConfig(n_init=4)), emit=lines.extend)
    assert not story.damage
    first = {event["track"]: event["type"] for event in map(json.loads, reversed(lines)) if "track" in event}
    assert set(first.values()) == {"start"}


def test_counts_of_other_settings_begin_at_zero_in_the_middle_too(tmp_path: Path, small_blocks: None) -> None:
    path, _, _ = turned(tmp_path / "street.rec")
    files(path)[0].unlink()
    lines: list[bytes] = []
    replay(path, settings(), emit=lines.extend)
    first = next(json.loads(line) for line in lines if b'"type":"count"' in line)
    assert sum(map(sum, first["counts"].values())) == 1


def test_a_tracker_that_knows_too_much_for_a_file_is_left_out_of_it(
    tmp_path: Path, small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ring keeps its size; counts go on, tracks are new, and nothing is compared."""
    monkeypatch.setattr("edgetrack.record.recorder.MAX_STATE_BYTES", 100)
    path = tmp_path / "street.rec"
    with Recorder(path, 0.1) as recorder:
        see_slowly(Daemon(recorder, settings()), street(300, width=16))
    files(path)[0].unlink()
    lines: list[bytes] = []
    story = replay(path, emit=lines.extend)
    assert (story.same, story.begins, story.damage) == (None, "cold", "")
    head = next(read(files(path)[0]))[0]
    assert isinstance(head, Head)
    [stood] = head.standing.scene.counts
    first = next(json.loads(line)["counts"] for line in lines if b'"type":"count"' in line)
    assert sum(map(sum, first.values())) == sum(map(sum, stood.counts.values())) + 1 > 1


def test_a_disk_that_fails_is_told_and_recording_goes_on_with_a_hole(
    tmp_path: Path, small_blocks: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edgetrack.record.recorder.REOPEN_S", 0.05)
    folder = tmp_path / "card"
    folder.mkdir()
    with Recorder(folder / "street.rec", 100) as recorder:
        daemon = Daemon(recorder, settings())
        see_slowly(daemon, street(100))
        assert recorder._tape is not None
        good, recorder._tape._file = recorder._tape._file, open("/dev/full", "ab", buffering=0)  # noqa: SIM115
        folder.rename(tmp_path / "away")
        see_slowly(daemon, street(100))
        [state] = recorder.states
        assert state.state == "degraded"
        assert "No space left" in state.reason or "No such file" in state.reason
        (tmp_path / "away").rename(folder)
        time.sleep(0.06)
        see_slowly(daemon, street(100))
        assert recorder.states[0].state == "ok"
        assert recorder.states[0].dropped >= 90
        daemon.stop()
    good.close()
    assert "nothing is recorded until the disk can be used" in caplog.text
    lines: list[bytes] = []
    story = replay(folder / "street.rec", emit=lines.extend)
    assert (story.starts, story.damage, story.same) == (2, "", True)
    assert 180 <= story.pictures <= 210
    before = next(n for n, (line, told) in enumerate(zip(lines, daemon.lines, strict=False)) if line != told)
    assert lines == daemon.lines[:before] + daemon.lines[before - len(lines) :]  # what follows the hole knew all tracks


def test_a_disk_that_hangs_costs_no_more_than_so_much_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgetrack.record.recorder.MAX_QUEUED_BYTES", 20_000)
    monkeypatch.setattr("edgetrack.record.recorder.BLOCK_S", 600)
    recorder = Recorder(tmp_path / "street.rec", 100)
    lines: list[bytes] = []
    with recorder:
        daemon = Daemon(recorder, settings())
        daemon.see(street(100))
        daemon.reload(settings(zones=[PORCH, LAWN]))  # is lost, and known all the same
        daemon.see(street(100))
        while recorder.states[0].queued < 10:
            daemon.see(street(1))
        assert recorder._queued_bytes <= 20_000
        assert recorder.states[0].dropped > 100
    story = replay(tmp_path / "street.rec", emit=lines.extend)
    assert (story.same, story.begins) == (True, "middle")
    assert lines == daemon.lines[-len(lines) :] != []


def test_a_folder_that_is_not_there_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(PublishError, match=r"--record .*none/street.rec: No such file or directory; name a file"):
        Recorder(tmp_path / "none" / "street.rec", 100).__enter__()


def test_a_file_of_somebody_elses_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "street.rec").write_text("holiday pictures")
    record(tmp_path / "street.rec", 50)
    assert (tmp_path / "street.rec.1").read_text() == "holiday pictures"
    (tmp_path / "street.rec.1").unlink()
    assert replay(tmp_path / "street.rec").same is True


def test_a_recording_holds_no_secret_and_no_address(tmp_path: Path) -> None:
    """Settings of track, zones, lines and events alone: a recording may be sent to somebody."""
    import zlib

    record(tmp_path / "street.rec", 50)
    content = (tmp_path / "street.rec").read_bytes()
    clear = zlib.decompress(content[len(MAGIC) + 8 :])
    assert b"door" in clear
    assert b"none.mp4" not in clear
