"""From a broker into PostgreSQL: every message once, none lost while this, the broker or the database is away.

    pip install 'paho-mqtt>=2.1' 'psycopg[binary]>=3.1'
    psql "$DATABASE" -f tables.sql
    python to_postgres.py --broker mqtt://broker.local --database "$DATABASE"

Start as many as it takes: they share the load (`--group`), each needs a name of its own (`--name`). A message is
acknowledged after the transaction that stores it, and the broker keeps what comes meanwhile for `--keep-h` hours. So a
message may come twice, and tables.sql stores it once. Passwords: EDGETRACK_MQTT_PASSWORD, and PGPASSWORD or ~/.pgpass.
"""

from __future__ import annotations

import argparse
import logging
import os
import queue
import signal
import socket
import threading
import time
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

log = logging.getLogger("to_postgres")

STATES = ("status", "info", "health", "line/+/count", "zone/+/occupancy")  # retained
TOPICS = (*STATES, "track/+", "event/+")
UPDATE = b'"type":"update"'  # of a track on its way: take() would leave it out; four fifths of a busy street
BATCH = 500  # messages in one transaction
WAIT_S = 0.2  # for more of them
AGAIN_S = 2.0  # between tries to reach the database
WAITING = 5000  # messages under way from the broker at once


class Taken(NamedTuple):
    """A message, and the connection that it came on: only there can it be acknowledged."""

    connection: int
    message: MQTTMessage


class Reader:
    """Subscribes, and hands over messages; none is acknowledged before `stored` says so."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.messages: queue.Queue[Taken] = queue.Queue()
        self._options = options
        self._connection = 0
        self._lock = threading.Lock()
        name = options.name or f"edgetrack-store-{socket.gethostname()}"
        self._client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        self._client.on_message = lambda client, _, message: self.messages.put(Taken(self._connection, message))
        if options.username:
            self._client.username_pw_set(options.username, os.environ.get("EDGETRACK_MQTT_PASSWORD"))

    def start(self) -> None:
        url = urlsplit(self._options.broker)
        if url.scheme == "mqtts":
            self._client.tls_set(self._options.ca)
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = round(self._options.keep_h * 3600)
        session.ReceiveMaximum = WAITING
        port = url.port or (8883 if url.scheme == "mqtts" else 1883)
        self._client.connect_async(url.hostname or "", port, clean_start=False, properties=session)
        self._client.loop_start()

    def stored(self, taken: list[Taken]) -> None:
        with self._lock:
            for connection, message in taken:
                if connection == self._connection:
                    self._client.ack(message.mid, message.qos)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(
        self, client: Client, _: object, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            log.warning("%s: %s; trying again", self._options.broker, reason)
            return
        with self._lock:
            self._connection += 1
        log.info("%s: connected%s", self._options.broker, ", the session goes on" if flags.session_present else "")
        every = f"{self._options.prefix}/+/+"
        shared = [f"$share/{self._options.group}/{every}/{topic}" for topic in TOPICS]
        client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in shared])
        now = [f"{every}/{topic}" for topic in STATES]  # shared subscriptions give nothing that is retained
        client.subscribe([(topic, SubscribeOptions(qos=0)) for topic in now])
        client.unsubscribe(now)

    def _subscribed(
        self, client: Client, _: object, mid: int, reasons: list[ReasonCode], properties: Properties | None
    ) -> None:
        refused = {str(reason) for reason in reasons if reason.is_failure}
        if refused:
            log.error("a subscription was refused: %s; see the broker's access list", ", ".join(refused))


def batch(messages: queue.Queue[Taken]) -> list[Taken]:
    """What is there, at most BATCH; empty after WAIT_S without anything."""
    found: list[Taken] = []
    try:
        found.append(messages.get(timeout=WAIT_S))
        while len(found) < BATCH:
            found.append(messages.get_nowait())
    except queue.Empty:
        pass
    return found


def store(database: psycopg.Connection[tuple[bool]], taken: list[Taken]) -> None:
    """All of them in one transaction; what no table can take is told of and left out."""
    rows = [
        (message.topic, message.payload.decode(errors="replace").replace("\0", ""))
        for _, message in taken
        if UPDATE not in message.payload
    ]
    try:
        with database.transaction():
            database.cursor().executemany("SELECT edgetrack.take(%s, %s)", rows)
    except psycopg.DataError:
        for row in rows:
            try:
                with database.transaction():
                    database.execute("SELECT edgetrack.take(%s, %s)", row)
            except psycopg.DataError as error:
                log.warning("%s: left out: %s", row[0], str(error).splitlines()[0])


def run(options: argparse.Namespace, stop: threading.Event) -> None:
    reader, stored, told_s = Reader(options), 0, time.monotonic()
    reader.start()
    kept: list[Taken] = []  # taken from the queue, and not stored yet
    while not stop.is_set():
        try:
            with psycopg.connect(options.database, autocommit=True) as database:
                log.info("database: connected")
                while not stop.is_set():
                    kept = kept or batch(reader.messages)
                    store(database, kept)
                    reader.stored(kept)
                    stored, kept = stored + len(kept), []
                    if time.monotonic() - told_s > 60:
                        log.info("%d messages stored, %d wait", stored, reader.messages.qsize())
                        told_s = time.monotonic()
        except (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction):
            raise SystemExit("database: it has no edgetrack.take(); run: psql DATABASE -f tables.sql") from None
        except psycopg.OperationalError as error:
            log.warning("database: %s; trying again", str(error).strip().splitlines()[-1])
            stop.wait(AGAIN_S)
    reader.stop()
    log.info("stopped, %d messages stored", stored)


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--broker", required=True, help="mqtt://host[:1883] or mqtts://host[:8883]")
    options.add_argument("--database", required=True, help="as psql takes it: postgresql://user@host/name")
    options.add_argument("--prefix", default="edgetrack/v1", help="of the topics; default: %(default)s")
    options.add_argument("--group", default="store", help="that shares the load; default: %(default)s")
    options.add_argument("--name", default="", help="client id; default: edgetrack-store-<host>")
    options.add_argument("--username", default="", help="at the broker; the password: EDGETRACK_MQTT_PASSWORD")
    options.add_argument("--ca", default=None, metavar="PEM", help="the broker's authority; default: the system's")
    options.add_argument("--keep-h", type=float, default=168, help="the broker keeps what comes; default: %(default)s")
    return options


if __name__ == "__main__":
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    run(parser().parse_args(), stopped)
