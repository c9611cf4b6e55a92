"""A real HTTP camera for tests: motion JPEG, as cheap network cameras and ESP32 boards serve it."""

from __future__ import annotations

import base64
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

BOUNDARY = "frame"


class HttpCamera:
    """Serves the pictures, one every 20 ms, again and again, at http://127.0.0.1:port/stream.

    Args:
        pictures: JPEG files.
        login: "user:password" that the camera asks for.
        once: content type under which the first of them is sent as it is, and the connection closed.
    """

    def __init__(self, pictures: list[bytes], *, login: str = "", once: str = "") -> None:
        self.pictures = pictures
        self.once = once
        self.expected = "Basic " + base64.b64encode(login.encode()).decode() if login else ""
        self.silent = threading.Event()  # connections stay, pictures stop
        self.closing = threading.Event()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera._answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/stream"

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        if self.expected and request.headers.get("Authorization") != self.expected:
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="camera"')
            request.end_headers()
            return
        request.send_response(200)
        request.send_header("Content-Type", self.once or f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        if self.once:
            request.send_header("Content-Length", str(len(self.pictures[0])))
        request.end_headers()
        if self.once:
            request.wfile.write(self.pictures[0])
            return
        try:
            while not self.closing.is_set():
                for jpeg in self.pictures:
                    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    request.wfile.write(head.encode() + jpeg + b"\r\n")
                    time.sleep(0.02)
                    while self.silent.is_set() and not self.closing.is_set():
                        time.sleep(0.02)
        except OSError:  # the viewer has gone
            pass

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
