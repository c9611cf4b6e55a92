"""sd_notify against a real datagram socket: the same bytes that systemd would read."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgetrack.notify import Systemd


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """The manager's end, and the address as NOTIFY_SOCKET gives it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@edgetrack-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind("\0" + name[1:] if name.startswith("@") else name)
        end.settimeout(5)
        yield end, name


def test_ready_status_and_stopping_arrive_as_systemd_reads_them(manager: tuple[socket.socket, str]) -> None:
    end, address = manager
    systemd = Systemd({"NOTIFY_SOCKET": address})
    systemd.ready()
    systemd.status("ok\n12 frames/s")
    systemd.stopping()
    assert [end.recv(4096) for _ in range(3)] == [b"READY=1", b"STATUS=ok 12 frames/s", b"STOPPING=1"]


def test_a_reload_carries_the_monotonic_time(manager: tuple[socket.socket, str]) -> None:
    end, address = manager
    Systemd({"NOTIFY_SOCKET": address}).reloading()
    first, second = end.recv(4096).decode().split("\n")
    assert first == "RELOADING=1"
    assert int(second.removeprefix("MONOTONIC_USEC=")) > 0


def test_the_watchdog_is_fed_at_most_four_times_a_limit(manager: tuple[socket.socket, str]) -> None:
    end, address = manager
    systemd = Systemd({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000000"})
    for _ in range(100):
        systemd.alive()
    systemd.status("end")
    assert [end.recv(4096), end.recv(4096)] == [b"WATCHDOG=1", b"STATUS=end"]


def test_another_process_watchdog_is_not_ours_to_feed(manager: tuple[socket.socket, str]) -> None:
    end, address = manager
    systemd = Systemd({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"})
    systemd.alive()
    systemd.status("end")
    assert end.recv(4096) == b"STATUS=end"


def test_without_systemd_every_call_does_nothing() -> None:
    systemd = Systemd({})
    systemd.ready()
    systemd.alive()
    systemd.stopping()


def test_a_manager_that_is_gone_disturbs_nobody(tmp_path: Path) -> None:
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready()


def test_a_manager_that_does_not_read_delays_but_never_stops_the_daemon(
    manager: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket holds ten datagrams or so; the next would wait for ever."""
    monkeypatch.setattr("edgetrack.notify.PATIENCE_S", 0.001)
    end, address = manager
    systemd = Systemd({"NOTIFY_SOCKET": address})
    for number in range(300):
        systemd.status(str(number))
    assert end.recv(4096) == b"STATUS=0"
