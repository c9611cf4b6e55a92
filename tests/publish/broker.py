"""A real mosquitto for tests: on a free port of 127.0.0.1, killed, frozen and brought back as a test wishes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class Certificate:
    """PEM files: the authority, and a certificate with its key that it signed."""

    ca: Path
    cert: Path
    key: Path


class Broker:
    """mosquitto with what a test asks for; a context manager, or `start()` and `stop()`.

    Args:
        folder: for its configuration and log; made if it is not there.
        certificate: listens with TLS.
        client_authority: PEM; clients must bring a certificate that it signed (mutual TLS).
        passwords: user -> password; None: anybody may come.
        acl: text of the access list; empty: everything is allowed.
        extra: more lines of mosquitto.conf.
    """

    def __init__(
        self,
        folder: Path,
        *,
        certificate: Certificate | None = None,
        client_authority: Path | None = None,
        passwords: Mapping[str, str] | None = None,
        acl: str = "",
        extra: Sequence[str] = (),
    ) -> None:
        if shutil.which("mosquitto") is None or shutil.which("mosquitto_sub") is None:
            pytest.skip("no mosquitto here: sudo apt install mosquitto mosquitto-clients")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.url = f"{'mqtts://localhost' if certificate else 'mqtt://127.0.0.1'}:{self.port}"
        self.log = folder / "mosquitto.log"
        self._acl = folder / "acl"
        self._passwords = passwords
        self._process: subprocess.Popen[bytes] | None = None
        lines = [
            f"listener {self.port} 127.0.0.1",
            "user root",  # pytest's folders are closed to mosquitto's own user; ignored unless started by root
            f"allow_anonymous {'false' if passwords or client_authority else 'true'}",
            "max_inflight_messages 0",  # hand all to subscribers at once: what is acknowledged has been delivered
            "max_queued_messages 1000000",  # with 0, mosquitto 2.0.11 ends the connection of who is denied a publish
            *extra,
        ]
        if certificate:
            lines += [f"certfile {certificate.cert}", f"keyfile {certificate.key}"]
        if client_authority:
            lines += [f"cafile {client_authority}", "require_certificate true", "use_identity_as_username true"]
        if passwords:
            lines += [f"password_file {self._password_file(passwords)}"]
        if acl:
            lines += [f"acl_file {self._acl}"]
            self.allow(acl)
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def start(self) -> Self:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["mosquitto", "-v", "-c", str(self.folder / "mosquitto.conf")], stdout=log, stderr=log
            )
        until(self._listens, 60, lambda: f"mosquitto does not listen:\n{self.log.read_text()}")
        return self

    def kill(self) -> None:
        """As by a power cut."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As by its administrator."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """On the same port, remembering nothing."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def allow(self, acl: str) -> None:
        """Replace the access list, while it runs too."""
        self._acl.write_text(acl + "\n")
        self._acl.chmod(0o600)
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(10)
            self._process = None

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def _password_file(self, passwords: Mapping[str, str]) -> Path:
        path = self.folder / "passwords"
        path.touch(0o600)
        for user, password in passwords.items():
            subprocess.run(["mosquitto_passwd", "-b", str(path), user, password], check=True, capture_output=True)
        return path


@dataclass(frozen=True)
class Received:
    """A message as a subscriber got it."""

    topic: str
    payload: bytes
    retain: bool
    qos: int

    @property
    def json(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.payload)
        return loaded


class Subscriber:
    """Collects what comes on a topic, through outages of the broker too; a context manager.

    It is subscribed when it is entered; after an outage `wait_subscribed` tells when it is again.

    Args:
        qos: with 0 it answers nothing, so that all that a killed broker had handed over is still read.
        slow_s: that it takes for every message.
    """

    def __init__(
        self,
        broker: Broker,
        topic: str = "#",
        *,
        qos: int = 1,
        slow_s: float = 0.0,
        ca: Path | None = None,
        certificate: Certificate | None = None,
        login: tuple[str, str] | None = None,
    ) -> None:
        self.messages: list[Received] = []
        self._broker, self._topic, self._slow_s = broker, topic, slow_s
        self._subscribed = threading.Event()
        self._client = client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        if broker.url.startswith("mqtts"):
            context = ssl.create_default_context(cafile=str(ca))
            if certificate:
                context.load_cert_chain(certificate.cert, certificate.key)
            client.tls_set_context(context)
        if login:
            client.username_pw_set(*login)
        client.reconnect_delay_set(1, 1)
        client.on_connect = lambda *_: client.subscribe(
            topic, options=SubscribeOptions(qos=qos, retainAsPublished=False)
        )
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = lambda *_: self._subscribed.clear()
        client.on_message = self._on_message

    def _on_subscribe(self, _: Client, __: object, ___: int, codes: list[ReasonCode], ____: object) -> None:
        self._subscribed.set()

    def _on_message(self, _: Client, __: object, message: MQTTMessage) -> None:
        if self._slow_s:
            time.sleep(self._slow_s)
        self.messages.append(Received(message.topic, bytes(message.payload), message.retain, message.qos))

    def __enter__(self) -> Self:
        self._client.connect("localhost", self._broker.port, keepalive=60)
        self._client.loop_start()
        self.wait_subscribed()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        connection = self._client.socket()
        if connection is not None:  # paho does not wait for the end of TLS
            connection.close()

    def wait_subscribed(self, timeout_s: float = 60) -> None:
        assert self._subscribed.wait(timeout_s), f"not subscribed to {self._topic} within {timeout_s} s"

    def wait_lost(self, timeout_s: float = 60) -> None:
        """Until it has noticed that the broker died, having read all that was on its way."""
        until(lambda: not self._subscribed.is_set(), timeout_s, lambda: "still subscribed")

    def settle(self) -> None:
        """Until all that the broker had when this was called has come."""
        mark = b"%d" % time.monotonic_ns()
        self._client.publish("settled", mark, qos=1)
        self.wait_for(lambda messages: any(message.payload == mark for message in messages))
        self.messages = [message for message in self.messages if message.topic != "settled"]

    def on(self, ending: str) -> list[Received]:
        """What came on topics that end so."""
        return [message for message in list(self.messages) if message.topic.endswith(ending)]

    def wait_for(self, true: Callable[[list[Received]], object], timeout_s: float = 60) -> list[Received]:
        """All messages, once they are as wished."""
        until(
            lambda: bool(true(list(self.messages))),
            timeout_s,
            lambda: f"{len(self.messages)} messages, the last: {self.messages[-3:]}",
        )
        return list(self.messages)

    def wait_topic(self, ending: str, payload: bytes = b"", timeout_s: float = 60) -> Received:
        """The newest message on a topic that ends so, once one holds `payload`."""
        fits: Callable[[Received], bool] = lambda m: m.topic.endswith(ending) and payload in m.payload  # noqa: E731
        return [m for m in self.wait_for(lambda messages: any(map(fits, messages)), timeout_s) if fits(m)][-1]


class Gate:
    """A TCP forwarder that can be shut: connections through it end, and new ones are refused.

    The way to the broker on `url`, for tests that say when, and how, the network fails.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self._listener: socket.socket | None = None
        self._ends: list[socket.socket] = []
        self._holes: list[threading.Event] = []  # of the connections that there are: set, nothing comes through
        self.denied = b""  # a connection ends on which this comes, as at brokers that deny a topic so

    def open(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def shut(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            cut(listener)
            listener.close()
        for end in self._ends:
            cut(end)
        self._ends.clear()

    def swallow(self) -> None:
        """The connections that there are stay, and nothing comes through any more; new ones are as good as ever."""
        for hole in self._holes:
            hole.set()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.shut()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._broker.port), 5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)  # a broker may be silent for longer than it takes to connect
            self._ends += [near, far]
            if self._listener is not listener:  # shut meanwhile, without knowing of these
                near.close()
                far.close()
                return
            self._holes.append(threading.Event())
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, target, self._holes[-1]), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, hole: threading.Event) -> None:
        """Bytes from one end to the other, or into the hole, until either is cut."""
        with contextlib.suppress(OSError):
            while (data := source.recv(65536)) and not (self.denied and self.denied in data):
                if not hole.is_set():
                    target.sendall(data)
        cut(source)
        cut(target)
        source.close()


def cut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


# --- certificates ----------------------------------------------------------------------------------------------------


class Authority:
    """Signs certificates, with openssl."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.pem = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        signs = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]  # or strict clients (Python 3.13) will not have it
        self._openssl("req", "-x509", *NEW_KEY, "-keyout", self._key, "-out", self.pem, "-subj", f"/CN={name}", *signs)

    def sign(self, name: str, *, host: str = "localhost", expired: bool = False) -> Certificate:
        """A certificate for `host` with the common name `name`."""
        request, cert, key = (self._folder / f"{name}.{ending}" for ending in ("csr", "pem", "key"))
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName=DNS:{host}\nauthorityKeyIdentifier=keyid,issuer\n")
        self._openssl("req", *NEW_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        signing = ["-CA", self.pem, "-CAkey", self._key, "-CAcreateserial", "-extfile", extensions]
        self._openssl("x509", "-req", "-in", request, "-out", cert, *signing, "-days", "-1" if expired else "30")
        return Certificate(self.pem, cert, key)

    @staticmethod
    def _openssl(*arguments: object) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, env=os.environ)


NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


# --- small things ----------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def until(true: Callable[[], bool], timeout_s: float, message: Callable[[], str]) -> None:
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, message()
        time.sleep(0.01)
