"""Fetching models from servers that misbehave."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgetrack.catalogue import Entry, entries
from edgetrack.errors import ModelError
from edgetrack.modelling.download import fetch
from tests.modelling.file_server import Manners, serving

BODY = bytes(range(256)) * 2000


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def manners() -> Manners:
    return Manners(BODY)


@pytest.fixture
def entry(manners: Manners) -> Iterator[Entry]:
    with serving(manners) as url:
        yield Entry(url, len(BODY), hashlib.sha256(BODY).hexdigest(), "Apache-2.0", "yolox", (416, 416))


def fetched(entry: Entry, folder: Path, silence_s: float = 5) -> Path:
    return fetch("net", entry, folder, silence_s=silence_s, pause_s=0.01)


def test_a_model_arrives_whole_and_alone(entry: Entry, tmp_path: Path) -> None:
    file = fetched(entry, tmp_path / "new" / "folder")
    assert file.read_bytes() == BODY
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(file.parent.iterdir()) == [file]


def test_progress_ends_with_all_bytes(entry: Entry, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    fetch("net", entry, tmp_path, lambda here, total: told.append((here, total)))
    assert told[0] == (0, len(BODY))
    assert told[-1] == (len(BODY), len(BODY))
    assert told == sorted(told)


def test_a_model_that_is_there_is_not_fetched_again(entry: Entry, manners: Manners, tmp_path: Path) -> None:
    fetched(entry, tmp_path)
    fetched(entry, tmp_path)
    assert len(manners.asked) == 1


def test_another_model_of_this_name_is_left_alone(entry: Entry, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"my own")
    with pytest.raises(ModelError, match=r"is another file than http.*; remove it"):
        fetched(entry, tmp_path)
    assert (tmp_path / "net.onnx").read_bytes() == b"my own"


def test_a_broken_connection_is_taken_up_where_it_ended(entry: Entry, manners: Manners, tmp_path: Path) -> None:
    manners.break_after = [100_000, 50_000]
    assert fetched(entry, tmp_path).read_bytes() == BODY
    assert manners.asked == ["", "bytes=100000-", "bytes=150000-"]


def test_a_server_without_ranges_begins_anew(entry: Entry, manners: Manners, tmp_path: Path) -> None:
    manners.break_after, manners.ranges = [100_000], False
    assert fetched(entry, tmp_path).read_bytes() == BODY


def test_a_line_that_brings_nothing_is_given_up_and_kept(entry: Entry, manners: Manners, tmp_path: Path) -> None:
    manners.break_after = [100_000, 0, 0, 0, 0, 0]
    with pytest.raises(ModelError, match=r"broke off at 100000 of 512000 bytes .*; run the same command again"):
        fetched(entry, tmp_path)
    assert fetched(entry, tmp_path).read_bytes() == BODY
    assert manners.asked[-1] == "bytes=100000-"


def test_a_silent_server_is_given_up(entry: Entry, manners: Manners, tmp_path: Path) -> None:
    manners.pause_s = 0.5
    with pytest.raises(ModelError, match=r"broke off at 0 of 512000 bytes .*timed out"):
        fetched(entry, tmp_path, silence_s=0.05)


def test_a_slow_server_is_waited_for(entry: Entry, manners: Manners, tmp_path: Path) -> None:
    manners.pause_s = 0.3
    assert fetched(entry, tmp_path).read_bytes() == BODY


@pytest.mark.parametrize("claims", [10, len(BODY) + 1])
def test_another_size_is_refused_before_it_is_read(entry: Entry, manners: Manners, tmp_path: Path, claims: int) -> None:
    manners.claims = claims
    with pytest.raises(ModelError, match=rf"sent another file .*: {claims} bytes, expected 512000 bytes"):
        fetched(entry, tmp_path)
    assert not list(tmp_path.glob("*.onnx"))


def test_a_server_that_never_ends_is_stopped(entry: Entry, manners: Manners, tmp_path: Path) -> None:
    manners.body, manners.length = BODY * 3, False
    with pytest.raises(ModelError, match="more than 512000 bytes"):
        fetched(entry, tmp_path)
    assert (tmp_path / ".net.part").stat().st_size == 0


def test_another_file_of_the_same_size_is_refused(entry: Entry, manners: Manners, tmp_path: Path) -> None:
    manners.body = b"\xff" + BODY[1:]
    with pytest.raises(ModelError, match=r"sha256 .*; nothing was installed"):
        fetched(entry, tmp_path)
    assert not list(tmp_path.glob("*.onnx"))
    manners.body = BODY
    assert fetched(entry, tmp_path).read_bytes() == BODY


def test_what_an_earlier_call_left_of_another_file_is_dropped(entry: Entry, manners: Manners, tmp_path: Path) -> None:
    (tmp_path / ".net.part").write_bytes(b"\0" * 1000)
    assert fetched(entry, tmp_path).read_bytes() == BODY
    assert manners.asked == ["bytes=1000-", ""]


def test_a_busy_server_is_asked_again(entry: Entry, manners: Manners, tmp_path: Path) -> None:
    manners.statuses = [503, 429]
    assert fetched(entry, tmp_path).read_bytes() == BODY


def test_a_missing_file_is_told_at_once(entry: Entry, manners: Manners, tmp_path: Path) -> None:
    manners.statuses = [404]
    with pytest.raises(ModelError, match=r"answers HTTP 404 .*edgetrack model add FILE --name net"):
        fetched(entry, tmp_path)
    assert len(manners.asked) == 1


def test_without_network_the_way_round_is_told(tmp_path: Path) -> None:
    nowhere = Entry("http://127.0.0.1:9/net.onnx", 1, "0", "", "yolox", (1, 1))
    with pytest.raises(ModelError, match=r"cannot be reached .*https_proxy .*edgetrack model add FILE --name net"):
        fetch("net", nowhere, tmp_path)


def test_a_proxy_of_the_environment_is_used(entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", entry.url.rpartition("/")[0])
    monkeypatch.setenv("no_proxy", "")
    elsewhere = Entry("http://models.invalid/net.onnx", entry.bytes, entry.sha256, "", "yolox", (1, 1))
    assert fetched(elsewhere, tmp_path).read_bytes() == BODY


def test_two_at_once_do_not_mix(entry: Entry, tmp_path: Path) -> None:
    with (tmp_path / ".net.part").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ModelError, match="another edgetrack is fetching it"):
            fetched(entry, tmp_path)


def test_a_folder_that_cannot_be_is_told(entry: Entry, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match=r"cannot be written .*--to"):
        fetched(entry, tmp_path / "file")


def test_the_catalogue_is_sound() -> None:
    for name, known in entries().items():
        assert known.url.startswith("https://"), name
        assert len(bytes.fromhex(known.sha256)) == 32, name
        assert known.bytes > 0, name
        assert known.licence, name
