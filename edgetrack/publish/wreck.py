"""A broken outbox, and what can still be read of it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from edgetrack.publish.ledger import BEYOND
from edgetrack.publish.outbox import Row, state_of

AFTER = "SELECT seq, utc, pending, topic, payload FROM event WHERE seq > ?"  # by name: they may not be there any more


def set_aside(path: Path) -> Path:
    """Rename a broken file, with its log, so that a new one can take its place; the newest such file is kept."""
    aside = path.with_name(path.name + ".broken")
    for ending in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{ending}", f"{aside}{ending}")
    return aside


class Wreck:
    """What can still be read of a broken file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def state(self) -> dict[str, bytes]:
        with contextlib.suppress(sqlite3.Error), self._opened() as db:
            return state_of(db)
        return {}

    def events(self) -> Iterator[Row]:
        """From the first one on, and from the last one back, each time as far as pages can be read."""
        reached = 0
        for row in self._events(f"{AFTER} ORDER BY seq", reached):
            reached = row[0]
            yield row
        yield from self._events(f"{AFTER} ORDER BY seq DESC", reached)

    def _events(self, query: str, after: int) -> Iterator[Row]:
        with contextlib.suppress(sqlite3.Error), self._opened() as db:
            for seq, utc, pending, topic, payload in db.execute(query, (after,)):
                if 0 < seq < BEYOND and isinstance(utc, float) and isinstance(pending, int):
                    yield seq, utc, pending, topic, payload

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as db:
            db.text_factory = lambda text: text.decode("utf-8", "replace")
            yield db
