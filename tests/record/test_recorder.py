"""Recording: bounded on disk and in memory, and never in the loop's way."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from edgetrack.errors import PublishError
from edgetrack.record import Recorder
from edgetrack.record.replay import replay
from edgetrack.record.tape import FILES, files
from tests.record.parts import Daemon, record, settings, street


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgetrack.record.recorder.BLOCK_BYTES", 1)


def see_slowly(daemon: Daemon, pictures: int, width: int = 0) -> None:
    """A block for every ten pictures."""
    for n, seen in enumerate(street(pictures, width=width)):
        daemon.see([seen])
        while n % 10 == 9 and daemon.recorder.states[0].queued:
            time.sleep(0.001)


def test_files_turn_and_the_oldest_goes(tmp_path: Path, small_blocks: None) -> None:
    most = 100_000
    with Recorder(tmp_path / "street.rec", most / 2**20) as recorder:
        see_slowly(Daemon(recorder, settings()), 600, width=16)
    kept = files(tmp_path / "street.rec")
    assert [file.suffix for file in kept] == [".3", ".2", ".1", ".rec"]
    assert len(kept) == FILES
    assert sum(file.stat().st_size for file in kept) < most * 1.25


def test_files_that_turned_are_one_recording(tmp_path: Path, small_blocks: None) -> None:
    with Recorder(tmp_path / "street.rec", 0.15) as recorder:
        daemon = Daemon(recorder, settings())
        see_slowly(daemon, 300, width=16)
        daemon.stop()
    assert 1 < len(files(tmp_path / "street.rec")) <= FILES
    story = replay(tmp_path / "street.rec")
    assert (story.same, story.starts) == (True, 1)


def test_without_its_first_file_a_recording_is_replayed_from_there_on(tmp_path: Path, small_blocks: None) -> None:
    """Counts go on from where they stood; only tracks that were open then are new."""
    with Recorder(tmp_path / "street.rec", 0.15) as recorder:
        daemon = Daemon(recorder, settings())
        see_slowly(daemon, 300, width=16)
        daemon.stop()
    lines: list[bytes] = []
    files(tmp_path / "street.rec")[0].unlink()
    story = replay(tmp_path / "street.rec", emit=lines.extend)
    assert story.same is None
    assert 0 < story.pictures < 300
    counts = [line for line in daemon.lines if b'"type":"count"' in line]
    assert [line for line in lines if b'"type":"count"' in line][-1] == counts[-1]
    assert 0 < story.recorded.total() < sum(daemon.told.tallies.values())


def test_a_disk_that_fails_is_told_and_recording_goes_on_with_a_hole(
    tmp_path: Path, small_blocks: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edgetrack.record.recorder.REOPEN_S", 0.05)
    folder = tmp_path / "card"
    folder.mkdir()
    with Recorder(folder / "street.rec", 100) as recorder:
        daemon = Daemon(recorder, settings())
        see_slowly(daemon, 100)
        assert recorder._tape is not None
        recorder._tape._file.close()  # as if the card were pulled
        recorder._tape._file = open("/dev/full", "ab", buffering=0)  # noqa: SIM115
        folder.rename(tmp_path / "away")
        see_slowly(daemon, 100)
        [state] = recorder.states
        assert state.state == "degraded"
        assert "No space left" in state.reason or "No such file" in state.reason
        (tmp_path / "away").rename(folder)
        time.sleep(0.06)
        see_slowly(daemon, 100)
        assert recorder.states[0].state == "ok"
        assert recorder.states[0].dropped >= 90
        daemon.stop()
    assert "nothing is recorded until the disk can be used" in caplog.text
    story = replay(folder / "street.rec")
    assert (story.starts, story.damage) == (2, "")
    assert story.same is True  # of what came before the hole
    assert 180 <= story.pictures <= 210


def test_a_disk_that_hangs_costs_no_more_than_so_much_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgetrack.record.recorder.MAX_QUEUED_BYTES", 20_000)
    monkeypatch.setattr("edgetrack.record.recorder.BLOCK_S", 600)
    recorder = Recorder(tmp_path / "street.rec", 100)
    with recorder:
        Daemon(recorder, settings()).see(street(200))
        assert recorder._queued_bytes <= 20_000
        assert recorder.states[0].dropped > 100
    assert replay(tmp_path / "street.rec").same is None


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
    clear = zlib.decompress(content[len(b"edgetrack recording 1\n") + 8 :])
    assert b"door" in clear
    assert b"none.mp4" not in clear
