"""A web server of one file, on a free port of 127.0.0.1, that can do what servers and lines do wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Manners:
    """How it behaves; a test changes them while it runs."""

    body: bytes
    ranges: bool = True  # knows Range
    break_after: list[int] = field(
        default_factory=list
    )  # bytes that each of the first answers sends before it breaks off
    claims: int | None = None  # Content-Length, whatever the truth
    length: bool = True  # sends Content-Length at all
    statuses: list[int] = field(default_factory=list)  # of the first answers
    pause_s: float = 0.0  # before the body
    asked: list[str] = field(default_factory=list)  # the Range header of each request, "" without


class Handler(BaseHTTPRequestHandler):
    manners: Manners

    def do_GET(self) -> None:
        manners = self.manners
        asked = self.headers.get("Range", "")
        manners.asked.append(asked)
        status = manners.statuses.pop(0) if manners.statuses else 0
        if status:
            self.send_error(status)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and manners.ranges else 0
        rest = manners.body[start:]
        if start >= len(manners.body) and start:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(manners.body) - 1}/{len(manners.body)}")
        if manners.length:
            self.send_header("Content-Length", str(len(rest) if manners.claims is None else manners.claims))
        self.end_headers()
        time.sleep(manners.pause_s)
        cut = manners.break_after.pop(0) if manners.break_after else len(rest)
        self.wfile.write(rest[:cut])
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(manners: Manners) -> Iterator[str]:
    """The address of the file."""
    handler = type("Handler", (Handler,), {"manners": manners})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/model.onnx"
        finally:
            server.shutdown()
            thread.join()
