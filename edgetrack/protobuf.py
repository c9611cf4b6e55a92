"""Protobuf's wire format, read and rewritten without its library (protobuf.dev/programming-guides/encoding).

Models come in it, and a device that runs them has no need of the packages that make them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

Edit = Callable[[memoryview], bytes]

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types
LONGEST = 10  # bytes of a number; 64 bits, seven in each


class WireError(ValueError):
    """It is no message."""


class Field(NamedTuple):
    """One field of a message, which takes [start, end) of its bytes.

    `value` is the content of one with a length, else a number; fixed ones as the integer of their bytes.
    """

    number: int
    wire: int
    value: int | memoryview
    start: int
    end: int

    @property
    def content(self) -> memoryview:
        """
        Raises:
            WireError: it is a number.
        """
        if isinstance(self.value, int):
            raise WireError("a number where a message is expected")
        return self.value


def fields(message: memoryview) -> Iterator[Field]:
    """In the order in which they are written.

    Raises:
        WireError: it is no message.
    """
    place = 0
    while place < len(message):
        start = place
        key, place = varint(message, place)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, place = varint(message, place)
            yield Field(number, wire, value, start, place)
            continue
        if wire == BYTES:
            length, place = varint(message, place)
        elif wire in (FIXED32, FIXED64):
            length = 4 if wire == FIXED32 else 8
        else:
            raise WireError(f"byte {place} begins no field")
        if number == 0 or place + length > len(message):
            raise WireError(f"a field of {length} bytes at byte {place} of {len(message)}")
        part = message[place : place + length]
        place += length
        yield Field(number, wire, part if wire == BYTES else int.from_bytes(part, "little"), start, place)


def rewritten(message: memoryview, edits: Mapping[int, Edit | None]) -> bytes:
    """The message with the content of fields of these numbers changed, or without them where that is None."""
    parts: list[bytes | memoryview] = []
    kept = 0
    for field in fields(message):
        if field.number in edits:
            edit = edits[field.number]
            parts += [message[kept : field.start], b"" if edit is None else written(field.number, edit(field.content))]
            kept = field.end
    return b"".join([*parts, message[kept:]])


def written(number: int, content: bytes | memoryview) -> bytes:
    """A field with a length."""
    return b"".join([encoded(number << 3 | BYTES), encoded(len(content)), content])


def varint(message: memoryview, place: int) -> tuple[int, int]:
    """The number at a place, seven bits a byte, the least first, and where it ends."""
    value = 0
    for shift in range(0, 7 * LONGEST, 7):
        if place >= len(message):
            raise WireError("it ends in the middle of a number")
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise WireError(f"a number of more than {LONGEST} bytes ends at byte {place}")


def encoded(number: int) -> bytes:
    """The inverse of `varint`."""
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)
