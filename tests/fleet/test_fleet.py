"""From devices through a broker into PostgreSQL, and from there onto a dashboard: all of it real but Grafana."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgetrack.publish.encoder import Encoder
from edgetrack.types import Event
from tests.daemon import running, subscribed, until, write_config
from tests.fleet.postgres import Postgres
from tests.parts import blob_detector, walking_square, write_clip
from tests.publish.broker import Broker
from tests.publish.parts import NAMES, crossing, health, line_count, one_of_each, track_event

psycopg = pytest.importorskip("psycopg", reason="no psycopg here: pip install 'psycopg[binary]'")

FLEET = Path(__file__).parents[2] / "configs" / "fleet"
DASHBOARD = json.loads((FLEET / "grafana.json").read_text())
TOPIC = "edgetrack/v1"
Message = tuple[str, str]  # topic, payload


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Any]:
    """A connection to fresh tables."""
    with psycopg.connect(postgres.url, autocommit=True) as database:
        database.execute("DROP SCHEMA IF EXISTS edgetrack CASCADE")
        database.execute((FLEET / "tables.sql").read_text())
        yield database


def messages(*events: Event, camera: str = "north", seq: int = 0) -> list[Message]:
    """As a daemon would send them."""
    encoder = Encoder("gate-01", camera, NAMES, "0a1b2c3d", seq)
    return [(f"{TOPIC}/{m.topic}", m.payload.decode()) for event in events for m in encoder.encode(event)]


def take(database: Any, sent: list[Message]) -> list[bool]:
    return [database.execute("SELECT edgetrack.take(%s, %s)", message).fetchone()[0] for message in sent]


def rows(database: Any, query: str, *values: object) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = database.execute(query, values).fetchall()
    return found


def numbers(database: Any) -> list[int]:
    return [seq for (seq,) in rows(database, "SELECT seq FROM edgetrack.events ORDER BY seq")]


@contextmanager
def storing(broker: Broker, url: str, log: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """to_postgres.py at work; connected when this is entered."""
    command = [sys.executable, str(FLEET / "to_postgres.py"), "--broker", broker.url, "--database", url, *options]
    before = log.read_text().count("/v1") if log.exists() else 0
    with log.open("ab") as errors, subprocess.Popen(command, stderr=errors) as process:
        try:
            until(lambda: "connected" in log.read_text()[before:], 60, lambda: log.read_text())
            until(lambda: log.read_text().count("mqtt://") > 0, 60, lambda: log.read_text())
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def publish(broker: Broker, sent: list[Message]) -> None:
    for topic, payload in sent:
        command = ["mosquitto_pub", "-p", str(broker.port), "-q", "1", "-t", topic, "-m", payload]
        subprocess.run(command, check=True)


# --- the tables ------------------------------------------------------------------------------------------------------


def test_every_kind_of_message_finds_its_table(database: Any) -> None:
    taken = take(database, [(f"{TOPIC}/gate-01/north/status", "online"), *messages(*one_of_each())])
    assert taken.count(False) == 1  # the update of a track
    kinds = [kind for (kind,) in rows(database, "SELECT kind FROM edgetrack.events ORDER BY seq")]
    assert kinds == ["start", "line_crossed", "zone_entered", "dwell", "zone_left", "end", "pace"]
    for table in ("counts", "occupancy", "health", "devices"):
        assert rows(database, f"SELECT count(*) FROM edgetrack.{table}") == [(1,)]
    assert rows(database, "SELECT online, info->>'model' FROM edgetrack.devices") == [(True, "nano.onnx")]


def test_what_comes_twice_is_stored_once(database: Any) -> None:
    sent = messages(*one_of_each())
    take(database, sent)
    before = [rows(database, f"SELECT count(*) FROM edgetrack.{table}") for table in ("events", "counts", "health")]
    again = [(topic, payload) for topic, payload in sent if "/info" not in topic]
    assert not any(take(database, again))
    after = [rows(database, f"SELECT count(*) FROM edgetrack.{table}") for table in ("events", "counts", "health")]
    assert after == before


def test_tables_are_made_again_without_harm(database: Any) -> None:
    take(database, messages(crossing()))
    database.execute((FLEET / "tables.sql").read_text())
    assert numbers(database) == [1]


def test_a_whole_history_has_no_gaps(database: Any) -> None:
    take(database, messages(*[crossing(track) for track in range(1, 6)]))
    assert rows(database, "SELECT * FROM edgetrack.gaps") == []


def test_a_gap_names_the_numbers_that_never_came(database: Any) -> None:
    sent = messages(*[crossing(track) for track in range(1, 8)])
    take(database, [*sent[:2], sent[5], sent[6], *messages(crossing(), camera="south", seq=40)])
    gaps = rows(database, "SELECT camera, first_missing, last_missing, missing FROM edgetrack.gaps")
    assert gaps == [("north", 3, 5, 3)]


def test_counts_now_are_the_newest_of_every_line(database: Any) -> None:
    take(database, messages(line_count(1), line_count(2), line_count(7, line="gate")))
    now = rows(database, "SELECT line, total_in FROM edgetrack.counts_now ORDER BY line")
    assert now == [("door", 4), ("gate", 9)]  # of two classes


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("edgetrack/v1/gate-01/north/response/snapshot", "{}"),
        ("edgetrack/v1/gate-01/north/line/door/count", ""),
        ("edgetrack/v1/gate-01/north/event/line_crossed", '{"schema": "edgetrack.crossing/9"}'),
        ("something/else", "1"),
    ],
    ids=["another kind", "a line that is no more", "a newer version", "not ours"],
)
def test_it_leaves_alone_what_it_does_not_know(database: Any, topic: str, payload: str) -> None:
    assert take(database, [(topic, payload)]) == [False]


# --- the way in ------------------------------------------------------------------------------------------------------


def test_every_event_of_a_daemon_arrives_once(
    tmp_path: Path, broker: Broker, postgres: Postgres, database: Any
) -> None:
    settings = {
        "device": "gate-01",
        "camera": "north",
        "capture": {"kind": "file", "path": str(write_clip(tmp_path / "walk.mp4", walking_square(40)))},
        "detect": {"model": str(blob_detector(tmp_path / "blobs.onnx")), "min_score": 0.75},
        "lines": [{"name": "door", "start": [0.5, 0.9], "end": [0.5, 0.1]}],
        "publish": [{"kind": "mqtt", "url": broker.url}, {"kind": "jsonl", "path": str(tmp_path / "events.jsonl")}],
    }
    with storing(broker, postgres.url, tmp_path / "store.log"):
        with running(write_config(tmp_path / "run.yaml", **settings)) as daemon:
            assert daemon.wait() == 0
        told = [json.loads(line)["payload"] for line in (tmp_path / "events.jsonl").read_text().splitlines()]
        sent = {p["seq"] for p in told if p.get("type") not in (None, "update")}
        until(lambda: len(numbers(database)) >= len(sent), 60, lambda: str(numbers(database)))
    assert numbers(database) == sorted(sent)
    assert rows(database, "SELECT line, total_in FROM edgetrack.counts_now") == [("door", 1)]
    assert rows(database, "SELECT online FROM edgetrack.devices") == [(False,)]


def test_what_the_broker_retains_is_there_from_the_start(
    tmp_path: Path, broker: Broker, postgres: Postgres, database: Any
) -> None:
    topic, payload = messages(line_count())[0]
    command = ["mosquitto_pub", "-p", str(broker.port), "-r", "-q", "1", "-t", topic, "-m", payload]
    subprocess.run(command, check=True)
    with storing(broker, postgres.url, tmp_path / "store.log"):
        until(lambda: len(rows(database, "SELECT 1 FROM edgetrack.counts")) == 1, 60, lambda: "not there")


def test_nothing_is_lost_while_it_is_killed_or_the_database_is_away(
    tmp_path: Path, broker: Broker, postgres: Postgres, database: Any
) -> None:
    sent = messages(*[track_event("start", track) for track in range(1, 10)])
    log = tmp_path / "store.log"
    with storing(broker, postgres.url, log) as process:
        publish(broker, sent[:3])
        until(lambda: len(numbers(database)) == 3, 60, lambda: log.read_text())
        process.kill()
        process.wait(20)
    publish(broker, sent[3:5])  # while nobody is there to take them
    with storing(broker, postgres.url, log):
        until(lambda: len(numbers(database)) == 5, 60, lambda: log.read_text())
        postgres.stop()
        publish(broker, sent[5:])
        postgres.start()
        with psycopg.connect(postgres.url, autocommit=True) as again:
            until(lambda: len(numbers(again)) == 9, 30, lambda: f"{numbers(again)} {log.read_text()}")
            assert rows(again, "SELECT * FROM edgetrack.gaps") == []


def test_a_payload_that_is_no_json_costs_nobody_else_anything(
    tmp_path: Path, broker: Broker, postgres: Postgres, database: Any
) -> None:
    good = messages(crossing(1), crossing(2))
    log = tmp_path / "store.log"
    with storing(broker, postgres.url, log):
        publish(broker, [good[0], (f"{TOPIC}/gate-01/north/event/line_crossed", "{broken"), good[1]])
        until(lambda: numbers(database) == [1, 2], 60, lambda: log.read_text())
        until(lambda: "left out" in log.read_text(), 60, lambda: log.read_text())


def test_a_database_without_the_tables_is_told_of(tmp_path: Path, broker: Broker, postgres: Postgres) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as database:
        database.execute("DROP SCHEMA IF EXISTS edgetrack CASCADE")
    log = tmp_path / "store.log"
    with storing(broker, postgres.url, log) as process:
        publish(broker, messages(crossing()))
        assert process.wait(20) == 1
    assert "run: psql DATABASE -f tables.sql" in log.read_text()


# --- the dashboard ---------------------------------------------------------------------------------------------------


def expanded(sql: str) -> str:
    """As Grafana's PostgreSQL data source fills in its macros and variables."""
    sql = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN now() - interval '1 day' AND now() + interval '1 day'", sql)
    sql = re.sub(
        r"\$__timeGroupAlias\((\w+), ('1h'|\$__interval)\)", r'floor(extract(epoch from \1)/3600)*3600 AS "time"', sql
    )
    sql = sql.replace("${device:sqlstring}", "'gate-01'").replace("${camera:sqlstring}", "'north','south'")
    assert "$" not in sql
    return sql


@pytest.mark.parametrize("panel", DASHBOARD["panels"], ids=lambda panel: panel["title"])
def test_a_panel_of_the_dashboard_shows_something(database: Any, panel: dict[str, Any]) -> None:
    sent = messages(*one_of_each(), *[crossing(track) for track in range(2, 5)])
    hot = messages(replace(health("degraded"), temperature_c=61.5))
    missing = [message for message in sent if '"seq":9,' not in message[1]]
    take(database, [*missing, *hot, (f"{TOPIC}/gate-01/north/status", "online")])
    (target,) = panel["targets"]
    found = database.execute(expanded(target["rawSql"]))
    columns = [column.name for column in found.description]
    assert found.fetchall()
    assert target["format"] == "table" or columns[:2] == ["time", "metric"]


def test_the_variables_of_the_dashboard_list_devices_and_cameras(database: Any) -> None:
    take(database, messages(crossing()))
    queries = [variable["query"] for variable in DASHBOARD["templating"]["list"] if variable["type"] == "query"]
    assert [rows(database, expanded(query)) for query in queries] == [[("gate-01",)], [("north",)]]


# --- a broker at the site --------------------------------------------------------------------------------------------


def bridge(fleet: Broker) -> list[str]:
    """bridge.conf as it is shipped, but to a broker of the test, without TLS and names."""
    ours = ("#", "bridge_capath", "remote_user", "remote_pass", "max_queued", "persistence", "autosave", "address")
    lines = [line for line in (FLEET / "bridge.conf").read_text().splitlines() if line and not line.startswith(ours)]
    where = lines.index("connection fleet") + 1
    return ["max_inflight_messages 20", *lines[:where], f"address 127.0.0.1:{fleet.port}", *lines[where:]]


def test_a_broker_at_the_site_passes_on_what_devices_say_and_keeps_it_while_the_fleets_is_away(
    tmp_path: Path, broker: Broker
) -> None:
    sent = messages(*[crossing(track) for track in range(1, 7)])
    with (
        subscribed(broker.port, tmp_path / "first.txt") as before,
        Broker(tmp_path / "site", extra=bridge(broker)) as site,
    ):
        publish(site, sent[:1])
        before.wait_for("/event/line_crossed", '"seq":1,')
        broker.kill()
        publish(site, sent[1:])
        broker.restart()
        with subscribed(broker.port, tmp_path / "then.txt") as after:
            after.wait_for("/event/line_crossed", '"seq":6,', timeout_s=60)
            heard = [message.payload["seq"] for message in after.on("/event/line_crossed")]
    assert set(heard) >= {2, 3, 4, 5, 6}
