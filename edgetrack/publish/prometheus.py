"""The newest states on a port for Prometheus to fetch; a few readers at once, each with a thread of its own."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast

from edgetrack.config import PrometheusPublish
from edgetrack.errors import PublishError
from edgetrack.publish.desk import Desk
from edgetrack.publish.exposition import exposition
from edgetrack.publish.message import Message, Worth
from edgetrack.types import PublishState

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger(__name__)

MAX_READERS = 4  # at once; others are turned away
READ_S = 5.0  # that a reader may keep us waiting, for one piece of its request or of our answer
ALL_S = 15.0  # and for all of it
TEXT = "text/plain; version=0.0.4; charset=utf-8"


class PrometheusOutlet:
    """Keeps the newest state of every topic, and makes text of them when somebody asks."""

    desk: Desk | None = None  # nothing can be asked of the daemon here
    died = False  # each reader has a thread of its own, and a fault in one is that reader's

    def __init__(self, options: PrometheusPublish) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._states: dict[str, bytes] = {}  # by topic
        self._served = 0
        self._server: Server | None = None

    @property
    def state(self) -> PublishState:
        return PublishState("prometheus", "ok", sent=self._served)

    def send(self, messages: Sequence[Message], kept: bool = False) -> None:
        with self._lock:
            for message in messages:
                if message.worth is Worth.STATE and message.payload:
                    self._states[message.topic] = message.payload
                elif message.worth is Worth.STATE:
                    self._states.pop(message.topic, None)

    def text(self) -> str:
        with self._lock:
            states = [self._states[topic] for topic in sorted(self._states)]
            self._served += 1
        return exposition(states)

    def __enter__(self) -> Self:
        address = self._options.address, self._options.port
        try:
            self._server = Server(address, self)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise PublishError(
                f"publish.port: {address[0]}:{address[1]}: {reason}; give an address of this device and a free port"
            ) from error
        threading.Thread(target=self._server.serve_forever, name="prometheus", daemon=True).start()
        return self

    def leave(self) -> None:
        """Nothing is queued here."""

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class Server(ThreadingHTTPServer):
    """As many threads as readers, up to a few; none of them is waited for."""

    block_on_close = False

    def __init__(self, address: tuple[str, int], outlet: PrometheusOutlet) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.outlet = outlet
        self._room = threading.Semaphore(MAX_READERS)
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])  # asks no DNS

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        deadline = threading.Timer(ALL_S, cut, [request])
        deadline.daemon = True
        deadline.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            deadline.cancel()
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a reader left in the middle", exc_info=True)


class Handler(BaseHTTPRequestHandler):
    timeout = READ_S
    server_version, sys_version = "edgetrack", ""

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404, "the figures are at /metrics")
            return
        content = cast("Server", self.server).outlet.text().encode()
        self.send_response(200)
        self.send_header("Content-Type", TEXT)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        log.debug(format, *args)


def cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
