"""Fetching a file whose size and digest are known, over lines that break."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import logging
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from edgetrack.catalogue import Entry
from edgetrack.errors import ModelError

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]  # bytes that are here, bytes in all

CHUNK = 1 << 16
SILENCE_S = 30.0  # without a byte, after which a connection counts as broken
TRIES = 5  # connections in a row that bring nothing
PAUSE_S = 1.0  # before the second, twice as long before each further one


class _BrokenError(Exception):
    """The connection ended early; what came is kept. args: the reason."""


def fetch(
    name: str,
    entry: Entry,
    folder: Path,
    progress: Progress = lambda here, total: None,
    silence_s: float = SILENCE_S,
    pause_s: float = PAUSE_S,
) -> Path:
    """The file of a catalogue model in `folder`, downloaded unless it is there already.

    What has come is kept beside it as .NAME.part and taken up again, by this call or the next. The file itself appears
    when it is whole and has the digest of the catalogue. Proxies come from the environment (https_proxy, no_proxy).

    Raises:
        ModelError: it cannot be had, or is not the file that the catalogue means.
    """
    target = folder / f"{name}.onnx"
    try:
        if target.is_file():
            if digest(target) == entry.sha256:
                progress(entry.bytes, entry.bytes)
                return target
            raise ModelError(f"{target}: is another file than {entry.url}; remove it, or give another folder with --to")
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder / f".{name}.part", name) as part:
            old = part.seek(0, os.SEEK_END) > 0
            _complete(name, entry, part, progress, silence_s, pause_s)
            if old and _digest(part) != entry.sha256:  # what an earlier call left may be of another file
                part.truncate(0)
                _complete(name, entry, part, progress, silence_s, pause_s)
            _verify(name, entry, part)
            part.flush()
            os.fsync(part.fileno())
            os.fchmod(part.fileno(), 0o644)
            os.replace(part.name, target)
    except OSError as error:
        raise ModelError(
            f"{target}: cannot be written ({error.strerror or error}); free space, or give another folder with --to"
        ) from error
    return target


def digest(file: Path) -> str:
    """sha256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return _digest(stream)


def _digest(stream: BinaryIO) -> str:
    stream.seek(0)
    found = hashlib.sha256()
    while block := stream.read(1 << 20):
        found.update(block)
    return found.hexdigest()


@contextmanager
def _alone(path: Path, name: str) -> Iterator[BinaryIO]:
    """The partial file, for one process at a time."""
    with path.open("a+b") as part:
        try:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ModelError(f"{name}: another edgetrack is fetching it; wait for that one to end") from None
        yield part


def _complete(name: str, entry: Entry, part: BinaryIO, progress: Progress, silence_s: float, pause_s: float) -> None:
    """Connect until the partial file has its full size."""
    fruitless = 0
    if part.seek(0, os.SEEK_END) > entry.bytes:
        part.truncate(0)
    while (here := part.seek(0, os.SEEK_END)) < entry.bytes:
        progress(here, entry.bytes)
        try:
            _receive(name, entry, part, progress, silence_s)
        except _BrokenError as broken:
            now = part.seek(0, os.SEEK_END)
            fruitless = 0 if now > here else fruitless + 1
            if fruitless >= TRIES:
                raise ModelError(
                    f"{name}: {urlsplit(entry.url).netloc} broke off at {now} of {entry.bytes} bytes ({broken}); "
                    "run the same command again to go on from there"
                ) from None
            log.info("%s: broke off at %d of %d bytes (%s); going on", name, now, entry.bytes, broken)
            time.sleep(pause_s * 2**fruitless)


def _receive(name: str, entry: Entry, part: BinaryIO, progress: Progress, silence_s: float) -> None:
    """One connection: what it brings is appended, or begins anew where the server knows no ranges."""
    here = part.seek(0, os.SEEK_END)
    try:
        with _answer(name, entry, here, silence_s) as answer:
            if here and not _continues(answer, here):
                here = part.truncate(0)
                part.seek(0)
            told = answer.headers.get("Content-Length", "")
            if told.isdigit() and here + int(told) != entry.bytes:
                raise _other_file(name, entry, f"{here + int(told)} bytes")
            while block := answer.read1(CHUNK):
                here += len(block)
                if here > entry.bytes:
                    part.truncate(0)
                    raise _other_file(name, entry, f"more than {entry.bytes} bytes")
                part.write(block)
                progress(here, entry.bytes)
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise _BrokenError(str(error) or type(error).__name__) from None
    finally:
        part.flush()
    if here < entry.bytes:
        raise _BrokenError("the server closed the connection")


def _answer(name: str, entry: Entry, here: int, silence_s: float) -> http.client.HTTPResponse:
    host = urlsplit(entry.url).netloc
    headers = {"User-Agent": "edgetrack", "Accept-Encoding": "identity"} | ({"Range": f"bytes={here}-"} if here else {})
    request = urllib.request.Request(entry.url, headers=headers)  # noqa: S310 -- the catalogue's own address
    try:
        answer: http.client.HTTPResponse = urllib.request.build_opener().open(request, timeout=silence_s)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _other_file(name, entry, f"no byte after {here}") from None
        if error.code >= 500 or error.code == http.HTTPStatus.TOO_MANY_REQUESTS:
            raise _BrokenError(f"HTTP {error.code} {error.reason}") from None
        raise ModelError(
            f"{name}: {host} answers HTTP {error.code} {error.reason} for {entry.url}; {_elsewhere(name)}"
        ) from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError | ConnectionResetError):
            raise _BrokenError(str(error.reason)) from None
        raise ModelError(
            f"{name}: {host} cannot be reached ({error.reason}); check the network, set https_proxy where there is a "
            f"proxy, or {_elsewhere(name)}"
        ) from None
    return answer


def _continues(answer: http.client.HTTPResponse, here: int) -> bool:
    partial = answer.status == http.HTTPStatus.PARTIAL_CONTENT
    return partial and answer.headers.get("Content-Range", "").startswith(f"bytes {here}-")


def _verify(name: str, entry: Entry, part: BinaryIO) -> None:
    found = _digest(part)
    if found != entry.sha256:
        part.truncate(0)
        raise _other_file(name, entry, f"sha256 {found[:12]}...", f"sha256 {entry.sha256[:12]}...")


def _other_file(name: str, entry: Entry, found: str, expected: str = "") -> ModelError:
    return ModelError(
        f"{name}: {entry.url} sent another file than the catalogue means: {found}, expected "
        f"{expected or f'{entry.bytes} bytes'}; nothing was installed; try again later, or {_elsewhere(name)}"
    )


def _elsewhere(name: str) -> str:
    return f"get the file elsewhere and run: edgetrack model add FILE --name {name}"
