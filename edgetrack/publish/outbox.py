"""What must not be lost, on disk before anybody hears of it: one SQLite file, written ahead, in one transaction each.

The file survives kill -9 and power cuts: WAL with synchronous=FULL syncs every commit. Pages are small (1 KiB), because
every commit writes each page it touches once to the log and later once to the file.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from edgetrack.publish.message import Message, Worth

SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    seq INTEGER PRIMARY KEY,
    utc REAL NOT NULL,          -- when it was written
    pending INTEGER NOT NULL,   -- a bit for every outlet that has not delivered it
    topic TEXT NOT NULL,
    payload BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""
VERSION = 1
PAGE_BYTES = 1024
MAGIC = b"SQLite format 3\0"  # every such file begins so
CHECK_EVERY = 256  # events between looks at size and age
PLAUSIBLE_UTC = 1.7e9  # an older date comes from a clock that was not set: it tells no age
BUSY_S = 2.0
REMEDY = {  # what SQLite and the system say -> what to do
    "No space left on device": "make room",
    "Read-only file system": "it must be on a disk that this user may write to",
    "Permission denied": "it must be on a disk that this user may write to",
    "database or disk is full": "make room",
    "attempt to write a readonly database": "it must be on a disk that this user may write to",
    "unable to open database file": "its folder must be on a disk that this user may write to",
    "disk I/O error": "look at the kernel's log (dmesg); cards wear out",
    "database is locked": "another program uses it; end that",
}


Row = tuple[int, float, int, str, bytes]  # of the table `event`


class OutboxError(Exception):
    """The outbox cannot be used now.

    Args:
        broken: the file itself is bad; no room, no right to write and a lock that is held are other troubles.
    """

    def __init__(self, reason: str, broken: bool = False) -> None:
        super().__init__(reason)
        self.broken = broken


class Outbox:
    """Events with the outlets that still owe them, and the state that goes with them.

    Every method may raise OutboxError.

    Args:
        path: of the file; its folder is made.
        max_mb, max_age_h: beyond, the oldest events go, and `dropped` counts them.
    """

    def __init__(self, path: Path, max_mb: float, max_age_h: float) -> None:
        self.path = path
        self.rows = self.dropped = 0
        self._max_bytes, self._max_age_s = max_mb * 2**20, max_age_h * 3600
        self._unchecked = 0
        with faults():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = self._connect()
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise
            # Held as long as the connection: to close it before would let go of SQLite's locks (POSIX).
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self._inode = os.fstat(self._file).st_ino

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        db.text_factory = lambda text: text.decode("utf-8", "replace")  # what the disk spoilt must not stop the rest
        try:
            db.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error:
            db.close()
            raise
        return db

    def _prepare(self) -> None:
        self._db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA journal_size_limit = 4194304")
        _check(self._db)
        self._db.executescript(SCHEMA)
        self._db.execute(f"PRAGMA user_version = {VERSION}")
        [self.rows] = self._db.execute("SELECT count(*) FROM event").fetchone()

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
        os.close(self._file)

    @property
    def gone(self) -> bool:
        """Somebody deleted or replaced the file, or its folder."""
        try:
            return os.stat(self.path).st_ino != self._inode
        except OSError:
            return True

    def look(self) -> None:
        """Whether it is still there and no other; takes some microseconds, so that it may be done before every commit.

        SQLite itself would not notice for long: it works with what it has in memory.
        """
        with faults():
            if self.gone:
                raise OutboxError("the file was deleted", broken=True)
            if os.pread(self._file, len(MAGIC), 0) != MAGIC:
                raise OutboxError("the file was overwritten by something else", broken=True)

    def check(self) -> None:
        """Read all of it, as somebody who has nothing of it in memory."""
        with faults(), contextlib.closing(self._connect()) as db:
            _check(db)

    def state(self) -> dict[str, bytes]:
        with faults():
            return state_of(self._db)

    def adopt(self, events: Iterable[Row]) -> None:
        """Take over what was saved of another file."""
        with self._transaction():
            self._db.executemany("INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?)", events)
        [self.rows] = self._db.execute("SELECT count(*) FROM event").fetchone()

    def hand_over(self, places: Sequence[int | None]) -> None:
        """The outlets may have changed: move their bits, and forget what nobody owes any more.

        Args:
            places: for every outlet of now, in order, its bit number before, or None if it is new.
        """
        if list(places) != list(range(len(places))):
            moved = " | ".join(
                f"((pending >> {old}) & 1) << {new}" for new, old in enumerate(places) if old is not None
            )
            with self._transaction():
                self._db.execute(f"UPDATE event SET pending = {moved or 0}")  # noqa: S608 (numbers of our own)
        with self._transaction():
            self._db.execute(f"DELETE FROM event WHERE pending & {(1 << len(places)) - 1} = 0")  # noqa: S608
        [self.rows] = self._db.execute("SELECT count(*) FROM event").fetchone()

    @property
    def newest(self) -> int:
        """Number of the newest event that is kept; 0: there is none."""
        with faults():
            [seq] = self._db.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()
        return int(seq)

    def shift(self, after: int, by_s: float) -> None:
        """The clock stepped: what was written after event `after` is as old as it was."""
        with self._transaction():
            self._db.execute("UPDATE event SET utc = utc + ? WHERE seq > ?", (by_s, after))

    def commit(
        self,
        messages: Iterable[Message],
        pending: int,
        delivered: Sequence[tuple[int, int]],
        state: Mapping[str, bytes | None],
        utc: float,
    ) -> None:
        """All of it or nothing.

        Args:
            messages: the events among them are kept.
            pending: bits of the outlets that owe them.
            delivered: (bit, seq) of what outlets have delivered.
            state: keys to set, or to remove where the value is None.
            utc: now, s since 1970.
        """
        events = [(m.seq, utc, pending, m.topic, m.payload) for m in messages if m.worth is Worth.EVENT and pending]
        with self._transaction():
            self._db.executemany("INSERT OR REPLACE INTO event VALUES (?, ?, ?, ?, ?)", events)
            self._db.executemany("UPDATE event SET pending = pending & ~? WHERE seq = ?", delivered)
            cursor = self._db.executemany(
                "DELETE FROM event WHERE seq = ? AND pending = 0", [(seq,) for _, seq in delivered]
            )
            gone = max(cursor.rowcount, 0) if delivered else 0
            for key, value in state.items():
                if value is None:
                    self._db.execute("DELETE FROM state WHERE key = ?", (key,))
                else:
                    self._db.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, value))
            dropped = self._make_room(len(events), utc)
        self.rows += len(events) - gone - dropped
        self.dropped += dropped

    def read(self, outlet: int, after: int, limit: int) -> list[Message]:
        """What an outlet owes, in order; from any thread.

        Args:
            outlet: its bit.
            after: number of the last event that it knows.
        """
        with faults(), contextlib.closing(self._connect()) as db:
            rows = db.execute(
                "SELECT seq, topic, payload FROM event WHERE seq > ? AND pending & ? ORDER BY seq LIMIT ?",
                (after, outlet, limit),
            ).fetchall()
        return [Message(topic, payload, Worth.EVENT, seq) for seq, topic, payload in rows]

    def _make_room(self, added: int, utc: float) -> int:
        """Within size and age again; returns how many events that cost."""
        self._unchecked += added
        if self._unchecked < CHECK_EVERY:
            return 0
        self._unchecked = 0
        old = self._db.execute(
            "DELETE FROM event WHERE utc < ? AND utc > ?", (utc - self._max_age_s, PLAUSIBLE_UTC)
        ).rowcount
        [pages] = self._db.execute("PRAGMA page_count").fetchone()
        [free] = self._db.execute("PRAGMA freelist_count").fetchone()
        if (pages - free) * PAGE_BYTES <= self._max_bytes:
            return old
        return (
            old
            + self._db.execute(
                "DELETE FROM event WHERE seq IN"
                " (SELECT seq FROM event ORDER BY seq LIMIT (SELECT count(*) / 8 + 1 FROM event))"
            ).rowcount
        )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with faults():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


@contextlib.contextmanager
def faults() -> Iterator[None]:
    """Whatever SQLite and the disk raise becomes a OutboxError."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OutboxError(_with_remedy(str(error))) from error
    except sqlite3.Error as error:
        raise OutboxError(str(error), broken=True) from error
    except OSError as error:
        raise OutboxError(_with_remedy(error.strerror or str(error))) from error


def _with_remedy(reason: str) -> str:
    return f"{reason}; {REMEDY[reason]}" if reason in REMEDY else reason


def _check(db: sqlite3.Connection) -> None:
    [verdict] = db.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)


def state_of(db: sqlite3.Connection) -> dict[str, bytes]:
    """What is of the right kind: on a worn card a flipped bit makes a number of a text."""
    rows = db.execute("SELECT key, value FROM state").fetchall()
    return {key: value for key, value in rows if isinstance(key, str) and isinstance(value, bytes)}
