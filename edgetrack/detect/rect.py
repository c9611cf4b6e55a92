"""Rectangular inference: what a camera's picture leaves of a square input is grey, and costs as much as the picture.

Convolutions mind no size: a graph whose input is left open answers to any part of it, as quickly as one made for it.
That is a matter of a few bytes of the file (onnx.proto), changed in memory without the onnx package.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgetrack.image import Fit, Fitting
from edgetrack.protobuf import Edit, fields, rewritten, written

Size = tuple[int, int]  # width, height in px

STRIDE = 32  # px, of the coarsest map of most detectors; a side that is no multiple of it is cut

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
        sides = [next((int(field.value) for field in fields(dim) if field.number == DIM_VALUE), 0) for dim in dims]
        if len(sides) != 4 or 3 not in (sides[1], sides[3]):
            return None
        rows = 2 if sides[1] == 3 else 1
        if not all(sides[rows : rows + 2]):
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
    except (ValueError, StopIteration):  # not the wire format, or a name missing
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
