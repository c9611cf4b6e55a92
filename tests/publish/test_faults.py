"""Whatever stands between the device and its broker: named by cause, over when it is mended, and nothing lost.

Each test publishes before the fault, while it lasts and after it; a subscriber gets every number, in order.
"""

from __future__ import annotations

import shutil
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edgetrack.publish import Publisher, delivery, owed, session
from tests.publish import flips
from tests.publish.broker import Authority, Broker, Gate, Subscriber
from tests.publish.kills import killed_often
from tests.publish.parts import crossing, numbers, publisher, wait_sent, wait_state, without_repeats

SOME = 60


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same patience in tenths."""
    monkeypatch.setattr(delivery, "RETRY_S", (0.05, 0.3))
    monkeypatch.setattr(session, "ACK_S", 1.0)
    monkeypatch.setattr(session, "REFUSED_RETRY_S", 0.3)


def tell(outlet: Publisher) -> None:
    for _ in range(SOME):
        outlet.publish([crossing()])


def all_arrived(subscriber: Subscriber, parts: int = 3) -> None:
    subscriber.wait_for(lambda messages: numbers(messages)[-1:] == [parts * SOME], 30)
    assert without_repeats(numbers(subscriber.messages)) == list(range(1, parts * SOME + 1))


def test_a_broker_that_acknowledges_nothing(broker: Broker) -> None:
    with Subscriber(broker) as subscriber, publisher(broker.url) as outlet:
        tell(outlet)
        wait_sent(outlet)
        broker.freeze()
        tell(outlet)
        wait_state(outlet, "degraded", "has acknowledged none for 1 s")
        broker.thaw()
        tell(outlet)
        wait_sent(outlet)
        all_arrived(subscriber)


def test_a_half_open_connection(broker: Broker) -> None:
    """The other side is gone without a word: what is sent there vanishes."""
    with Gate(broker) as gate, Subscriber(broker) as subscriber, publisher(gate.url) as outlet:
        tell(outlet)
        wait_sent(outlet)
        gate.swallow()
        tell(outlet)
        wait_state(outlet, "degraded", "has acknowledged none")
        tell(outlet)
        wait_state(outlet, "ok")
        wait_sent(outlet)
        all_arrived(subscriber)


def test_a_name_server_that_is_gone(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    known = socket.getaddrinfo
    lost: list[bool] = []

    def asked(host: Any, *arguments: Any, **options: Any) -> Any:
        if lost and host == "localhost":
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return known(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", asked)
    with (
        Gate(broker) as gate,
        Subscriber(broker) as subscriber,
        publisher(f"mqtt://localhost:{gate.port}") as outlet,
    ):
        tell(outlet)
        wait_sent(outlet)
        lost.append(True)
        gate.shut()
        gate.open()
        tell(outlet)
        wait_state(outlet, "degraded", "the name is not known; check url and this device's DNS")
        lost.clear()
        tell(outlet)
        wait_sent(outlet)
        all_arrived(subscriber)


def test_a_certificate_that_expires_and_is_renewed(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    used, expired = authority.sign("broker"), authority.sign("expired", expired=True)
    good = shutil.copytree(tmp_path / "authority", tmp_path / "kept")
    with (
        Broker(tmp_path / "tls", certificate=used) as broker,
        publisher(broker.url, ca_file=str(authority.pem)) as outlet,
    ):
        tell(outlet)
        wait_sent(outlet)
        broker.kill()
        shutil.copy(expired.cert, used.cert)
        shutil.copy(expired.key, used.key)
        broker.start()
        tell(outlet)
        wait_state(outlet, "degraded", "the broker's certificate has expired; renew it")
        broker.kill()
        shutil.copy(good / used.cert.name, used.cert)
        shutil.copy(good / used.key.name, used.key)
        broker.start()
        with Subscriber(broker, ca=authority.pem) as subscriber:
            wait_sent(outlet)
            tell(outlet)
            wait_sent(outlet)
            subscriber.settle()
    got = without_repeats(numbers(subscriber.messages))
    assert got == list(range(got[0], 3 * SOME + 1))
    assert outlet.states[0].dropped == 0
    assert outlet.states[0].sent >= 3 * SOME


def test_a_password_that_is_changed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("old\n")
    with (
        Broker(tmp_path / "closed", passwords={"gate-01": "new", "reader": "reader"}) as closed,
        Subscriber(closed, login=("reader", "reader")) as subscriber,
        publisher(closed.url, username="gate-01", password_file=str(secret)) as outlet,
    ):
        tell(outlet)
        wait_state(outlet, "degraded", "Not authorized (135); check username, password_file")
        tell(outlet)
        secret.write_text("new\n")
        tell(outlet)
        wait_sent(outlet)
        all_arrived(subscriber)


def test_a_denial_in_the_middle_of_a_drain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owed, "REPLAY_PER_S", 200)
    others = "topic readwrite #\n"
    narrow = "topic read #\ntopic write edgetrack/v1/gate-01/north/status\ntopic write settled\n"
    with (
        Broker(tmp_path / "strict", acl=others) as strict,
        Gate(strict) as gate,
        Subscriber(strict) as subscriber,
        publisher(gate.url) as outlet,
    ):
        gate.shut()
        for _ in range(3):
            tell(outlet)
        gate.open()
        subscriber.wait_for(lambda messages: len(numbers(messages)) > 20)
        strict.allow(narrow)
        state = wait_state(outlet, "degraded", "the broker refuses what is sent to edgetrack/v1/gate-01/north/event/")
        assert "Not authorized (135)" in state.reason
        assert len(numbers(subscriber.messages)) < 3 * SOME
        strict.allow(others)
        wait_state(outlet, "ok")
        wait_sent(outlet)
        all_arrived(subscriber)


def test_a_subscriber_that_is_slow(broker: Broker) -> None:
    with Subscriber(broker, slow_s=0.005) as subscriber, publisher(broker.url) as outlet:
        for _ in range(3):
            tell(outlet)
        assert wait_sent(outlet).dropped == 0
        all_arrived(subscriber)


# --- a worn card -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def good_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flips.written(tmp_path_factory.mktemp("good"))


@pytest.mark.parametrize("seed", range(12))
def test_the_daemon_starts_on_a_file_in_which_bits_have_flipped(good_file: Path, tmp_path: Path, seed: int) -> None:
    assert flips.survive(good_file, tmp_path / "bad", seed) in ("used", "set aside")


def test_an_event_that_the_card_spoilt_is_dropped_and_the_others_arrive(
    tmp_path: Path, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    broker.kill()
    with publisher(broker.url) as outlet:
        tell(outlet)
    with closing(sqlite3.connect(tmp_path / "state" / "gate-01-north.db")) as db:
        db.execute("UPDATE event SET payload = substr(payload, 1, 50) WHERE seq = 7")
        db.execute("UPDATE event SET topic = topic || '/#' WHERE seq = 9")
        db.commit()
    broker.start()
    with Subscriber(broker) as subscriber, publisher(broker.url) as outlet:
        tell(outlet)
        wait_sent(outlet)
        subscriber.settle()
    assert numbers(subscriber.messages) == [n for n in range(1, 2 * SOME + 1) if n not in (7, 9)]
    assert "event 7 is spoilt, and dropped; is the card worn?" in caplog.text


# --- a broker that is killed -----------------------------------------------------------------------------------------


def test_a_broker_killed_at_random_moments(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three times; `python -m tests.publish.kills --kills 50` does it for long."""
    monkeypatch.setattr(owed, "REPLAY_PER_S", 20_000)
    told, got, dropped = killed_often(broker, kills=3)
    assert got == list(range(1, told + 1))
    assert dropped == 0
