"""The files of a recording: blocks of entries, each with its length and its checksum, only ever added to.

A file begins with MAGIC. A block is a little-endian length and CRC-32 (4 bytes each) and so many bytes of zlib over a
MessagePack array of entries. A writer that dies leaves at most one unfinished block, at the end; whoever goes on
writing cuts it off first. The newest file has the name that was asked for, older ones end in .1, .2 ...
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import BinaryIO

import msgspec

from edgetrack.errors import ConfigError
from edgetrack.record import format1
from edgetrack.record.entries import Anything

MAGIC = b"edgetrack recording 2\n"
ANY = b"edgetrack recording "  # whatever its format
BLOCK = struct.Struct("<II")
MAX_BLOCK = 64 * 2**20  # bytes; a longer one is damage
MAX_UNPACKED = 256 * 2**20
FILES = 4  # the newest, and so many less one of the same size before it

Block = list[Anything]


class DamageError(Exception):
    """Something that no writer wrote."""


def pack(block: Sequence[Anything]) -> bytes:
    """A block as it stands in the file."""
    content = zlib.compress(msgspec.msgpack.encode(block), 6)
    return BLOCK.pack(len(content), zlib.crc32(content)) + content


def files(path: Path) -> list[Path]:
    """Those that belong to one recording, the oldest first."""
    older = [path.with_name(f"{path.name}.{n}") for n in range(FILES - 1, 0, -1)]
    return [file for file in [*older, path] if file.exists()]


def read(path: Path) -> Iterator[Block]:
    """The blocks of one file.

    Raises:
        OSError: it cannot be read.
        DamageError: it is no recording, or is damaged from here on.
    """
    with path.open("rb") as file:
        decoder = _decoder(file.read(len(MAGIC)))
        while content := _content(file):
            try:
                unpacked = zlib.decompressobj()
                entries = decoder.decode(unpacked.decompress(content, MAX_UNPACKED))
            except (zlib.error, msgspec.DecodeError, ValueError, RecursionError, ConfigError) as error:
                raise DamageError(f"holds something unknown before byte {file.tell()}: {error}") from error
            yield entries


def _decoder(magic: bytes) -> msgspec.msgpack.Decoder[Block] | format1.Reader:
    """For blocks of a file that begins so."""
    if magic == MAGIC:
        return msgspec.msgpack.Decoder(Block)
    if magic == format1.MAGIC:
        return format1.Reader()
    if magic.startswith(ANY):
        raise DamageError("is in a later format than this edgetrack reads, 1 and 2; replay it with a newer one")
    raise DamageError("is no recording of edgetrack; expected a file that `edgetrack run --record` wrote")


def _content(file: BinaryIO) -> bytes:
    """Of the next block; nothing at the end of the file."""
    at = file.tell()
    header = file.read(BLOCK.size)
    if not header:
        return b""
    length, checksum = BLOCK.unpack(header) if len(header) == BLOCK.size else (MAX_BLOCK + 1, 0)
    content = file.read(length) if length <= MAX_BLOCK else b""
    if len(content) < length:
        raise DamageError(f"is cut off or damaged at byte {at} of {os.fstat(file.fileno()).st_size}")
    if not content or zlib.crc32(content) != checksum:
        raise DamageError(f"is damaged at byte {at} of {os.fstat(file.fileno()).st_size}")
    return content


class Tape:
    """The file that is being written, and those before it.

    Every method may raise OSError.

    Args:
        path: of the newest file.
        max_bytes: of all files together.
    """

    def __init__(self, path: Path, max_bytes: float) -> None:
        self.path = path
        self._most = max_bytes / FILES
        self._file = self._open()

    def _open(self) -> FileIO:
        """To write at the end of what is good; a file that is none of ours makes way."""
        good = _good_length(self.path)
        if good == 0 and self.path.exists() and self.path.stat().st_size:
            self._make_way()
        file = self.path.open("ab", buffering=0)  # what fails, fails at once
        try:
            if good:
                file.truncate(good)
            else:
                file.write(MAGIC)
        except OSError:
            file.close()
            raise
        self._length, self._longest = good or len(MAGIC), 0  # bytes, of the file and of a block of it
        return file

    @property
    def full(self) -> bool:
        """One more block like the longest so far, and it would be longer than its share."""
        return self._length + self._longest >= self._most

    def write(self, block: bytes) -> None:
        """Whole and on the disk, or not at all."""
        try:
            self._append(block)
            os.fdatasync(self._file.fileno())
        except OSError:
            with contextlib.suppress(OSError):  # whoever opens it next cuts it off
                self._file.truncate(self._length)
            raise
        self._length += len(block)
        self._longest = max(self._longest, len(block))

    def _append(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            rest = rest[self._file.write(rest) :]

    def turn(self) -> None:
        """The next file; the oldest one goes."""
        self._file.close()
        self._make_way()
        self._file = self._open()

    def _make_way(self) -> None:
        names = [self.path, *(self.path.with_name(f"{self.path.name}.{n}") for n in range(1, FILES))]
        for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
            if newer.exists():
                os.replace(newer, older)

    def close(self) -> None:
        self._file.close()


def _good_length(path: Path) -> int:
    """Bytes up to the first thing that is no whole block; looks at lengths alone, for all but the last were synced."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            good = len(MAGIC) if file.read(len(MAGIC)) == MAGIC else 0
            while good and (header := file.read(BLOCK.size)) and len(header) == BLOCK.size:
                length, _ = BLOCK.unpack(header)
                if good + BLOCK.size + length > size:
                    break
                good = file.seek(length, os.SEEK_CUR)
            return good
    except FileNotFoundError:
        return 0
