"""Rectangular inference: what a camera's picture leaves of a square input is grey, and costs as much as the picture.

Convolutions mind no size: a graph whose input is left open answers to any part of it, as quickly as one made for it.
That is a matter of a few bytes of the file (onnx.proto; the encoding is protobuf's, protobuf.dev/programming-guides/
encoding), changed in memory without the onnx package, which a device has no need of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from edgetrack.image import Fit, Fitting

Size = tuple[int, int]  # width, height in px
Edit = Callable[[memoryview], bytes]

STRIDE = 32  # px, of the coarsest map of most detectors; a side that is no multiple of it is cut

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5  # how a field is written
LONGEST = 10  # bytes of a varint; of flash that was erased, all 0xFF, a number would never end
GRAPH = 7  # of ModelProto; all below, too, are numbers of fields in onnx.proto
INITIALIZER, INPUT, OUTPUT, VALUE_INFO = 5, 11, 12, 13  # of GraphProto
TENSOR_NAME = 8  # of TensorProto
NAME, TYPE = 1, 2  # of ValueInfoProto
TENSOR = 1  # of TypeProto
SHAPE = 2  # of TypeProto.Tensor
DIM = 1  # of TensorShapeProto
DIM_VALUE, DIM_PARAM = 1, 2  # of TensorShapeProto.Dimension
SHAPE_OF = (TYPE, TENSOR, SHAPE)  # of a value, one in the other


def filled(picture: Size, whole: Size, fitting: Fitting) -> Size:
    """The part of a model's input that a picture fills, up to the next multiple of STRIDE; never more than all of it.

    Args:
        picture, whole: width and height of the picture and of the model's input, px.
    """
    inner = Fit.of(picture, whole, fitting).inner
    width, height = (min(room, -(-side // STRIDE) * STRIDE) for side, room in zip(inner, whole, strict=True))
    return width, height


@dataclass(frozen=True, slots=True)
class Open:
    """A model's file with height and width of its only input left open, and what they were in it, px."""

    file: bytes
    size: Size


def left_open(file: bytes) -> Open | None:
    """The same model for pictures of any size; None if it is none for one picture of a fixed size, or damaged.

    Whether it does run at another size, only a run tells: a grid of cells in the graph, for one, fits one size alone.
    """
    try:
        graph = next(_contents(memoryview(file), GRAPH))
        learned = {next(_contents(tensor, TENSOR_NAME)) for tensor in _contents(graph, INITIALIZER)}
        given = [value for value in _contents(graph, INPUT) if next(_contents(value, NAME)) not in learned]
        (picture,) = given  # in old files weights are inputs, too
        dims = list(_contents(_within(picture, *SHAPE_OF), DIM))
        sides = [next((field.value for field in fields(dim) if field.number == DIM_VALUE), 0) for dim in dims]
        rows = 1 if sides[-1] == 3 != sides[1] else 2
        if len(dims) != 4 or sides[3 if rows == 1 else 1] != 3 or not all(sides[rows : rows + 2]):
            return None
        for place, name in ((rows, b"height"), (rows + 1, b"width")):
            dims[place] = memoryview(written(DIM_PARAM, name))
        shape = b"".join(written(DIM, dim) for dim in dims)

        def opened(value: memoryview) -> bytes:
            return _changed(value, SHAPE_OF, lambda _: shape) if value == picture else bytes(value)

        def shapeless(value: memoryview) -> bytes:
            return _changed(value, SHAPE_OF[:-1], lambda tensor: rewritten(tensor, {SHAPE: None}))

        edits: dict[int, Edit | None] = {INPUT: opened, OUTPUT: shapeless, VALUE_INFO: None}
        changed = rewritten(memoryview(file), {GRAPH: lambda graph: rewritten(graph, edits)})
    except (ValueError, IndexError, StopIteration):
        return None
    return Open(changed, (sides[rows + 1], sides[rows]))


def _contents(message: memoryview, number: int) -> Iterator[memoryview]:
    return (field.content for field in fields(message) if field.number == number)


def _within(message: memoryview, *numbers: int) -> memoryview:
    """What lies in the first field of these numbers, one in the other."""
    for number in numbers:
        message = next(_contents(message, number))
    return message


def _changed(message: memoryview, numbers: Sequence[int], edit: Edit) -> bytes:
    """The message with what lies in fields of these numbers, one in the other, changed."""
    if not numbers:
        return edit(message)
    return rewritten(message, {numbers[0]: lambda content: _changed(content, numbers[1:], edit)})


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message: [start, end) of its bytes there; `content` of those with a length, `value` of varints."""

    number: int
    start: int
    end: int
    content: memoryview
    value: int


def fields(message: memoryview) -> Iterator[Field]:
    """In the order in which they are written.

    Raises:
        ValueError, IndexError: it is damaged.
    """
    place = 0
    while place < len(message):
        start = place
        key, place = varint(message, place)
        value, size, kind = 0, 0, key & 7
        if kind == VARINT:
            value, place = varint(message, place)
        elif kind == LENGTH:
            size, place = varint(message, place)
        elif kind in (EIGHT_BYTES, FOUR_BYTES):
            size = 8 if kind == EIGHT_BYTES else 4
        else:
            raise ValueError(f"a field of kind {kind}")
        end = place + size
        if end > len(message):
            raise ValueError(f"a field that ends at {end} of {len(message)}")
        yield Field(key >> 3, start, end, message[place:end] if kind == LENGTH else message[:0], value)
        place = end


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
    return b"".join([encoded(number << 3 | LENGTH), encoded(len(content)), content])


def varint(message: memoryview, place: int) -> tuple[int, int]:
    """The number at a place, seven bits a byte, the least first, and where it ends."""
    number = 0
    for shift in range(0, 7 * LONGEST, 7):
        byte = message[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
    raise ValueError(f"a number of more than {LONGEST} bytes")


def encoded(number: int) -> bytes:
    """The inverse of `varint`."""
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)
