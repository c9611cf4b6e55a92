"""Which head fits a model: told from the shapes of its outputs, or named by the configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgetrack.detect.heads import (
    EndToEnd,
    Head,
    Nanodet,
    Picodet,
    Size,
    Yolov5,
    Yolov8,
    Yolox,
    cells,
    grid,
)

Shapes = Sequence[tuple[int, ...]]

STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32))
COCO = 80  # classes, where nothing else decides
SIDES = 32  # of a distribution output: 4 sides x 8 bins, in every release of PicoDet and NanoDet

KNOWN = (
    "yolox (1, N, 5 + C) with a cell each at strides 8, 16, 32; yolov5 the same with three boxes a cell; "
    "yolov8 (1, 4 + C, N); end2end (1, N, 6); picodet pairs (1, n, C) and (1, n, 32) for each stride; "
    "nanodet (1, N, C + 32)"
)


def recognise(size: Size, shapes: Shapes, name: str = "auto", classes: int | None = None) -> Head | None:
    """The head that fits a model, None where none does.

    Args:
        size: of the model's input, px; tells how many cells each stride has.
        shapes: of the outputs, as they came from a run.
        name: `detect.head`; a form that is named needs fewer signs than one that is guessed.
        classes: how many the file names; decides where several forms fit.
    """
    if name != "auto":
        return FORMS[name](size, shapes, True)
    fitting = [head for form in FORMS.values() if (head := form(size, shapes, False)) is not None]
    if not fitting and 0 < _single(shapes)[0] < _single(shapes)[1]:
        return _yolov8(size, shapes, True)  # with cells of its own
    for wanted in (classes, COCO):
        for head in fitting:
            if wanted is not None and head.classes == wanted:
                return head
    return fitting[0] if fitting else None


def _single(shapes: Shapes) -> tuple[int, int]:
    """The last two sides of the only output; (0, 0), which fits nothing, for all other shapes."""
    if len(shapes) != 1 or len(shapes[0]) != 3 or shapes[0][0] != 1:
        return 0, 0
    return shapes[0][1], shapes[0][2]


def _strides(size: Size, n: int, boxes: int = 1) -> tuple[int, ...] | None:
    """The set of strides whose cells, with so many boxes each, are n."""
    return next((s for s in STRIDES if n == boxes * sum(cells(size, stride) for stride in s)), None)


def _yolox(size: Size, shapes: Shapes, named: bool) -> Head | None:
    n, width = _single(shapes)
    strides = _strides(size, n)
    if width < 6 or strides is None or (strides != STRIDES[0] and not named):
        return None
    return Yolox(width - 5, *grid(size, strides))


def _yolov5(size: Size, shapes: Shapes, named: bool) -> Head | None:
    n, width = _single(shapes)
    if width < 6 or (_strides(size, n, boxes=3) is None and not named):
        return None
    return Yolov5(width - 5)


def _yolov8(size: Size, shapes: Shapes, named: bool) -> Head | None:
    height, n = _single(shapes)
    if height < 5 or (_strides(size, n) is None and not named):
        return None
    return Yolov8(height - 4)


def _end2end(size: Size, shapes: Shapes, named: bool) -> Head | None:
    n, width = _single(shapes)
    usual = _strides(size, n) is None and _strides(size, n, boxes=3) is None
    return EndToEnd() if width == 6 and (usual or named) else None


def _picodet(size: Size, shapes: Shapes, named: bool) -> Head | None:
    if any(len(shape) != 3 or shape[0] != 1 for shape in shapes):
        return None
    for strides in STRIDES:
        places = [[i for i, shape in enumerate(shapes) if shape[1] == cells(size, stride)] for stride in strides]
        if len(shapes) == 2 * len(strides) and all(len(place) == 2 for place in places):
            break
    else:
        return None
    if all(shapes[first][2] == SIDES != shapes[second][2] for first, second in places):
        places = [[second, first] for first, second in places]
    widths = {(shapes[scores][2], shapes[sides][2]) for scores, sides in places}
    if len(widths) != 1 or next(iter(widths))[1] % 4:
        return None
    corners, steps = grid(size, strides)
    pairs = tuple((scores, sides) for scores, sides in places)
    return Picodet(widths.pop()[0], (corners + 0.5) * steps, steps, pairs)


def _nanodet(size: Size, shapes: Shapes, named: bool) -> Head | None:
    n, width = _single(shapes)
    strides = _strides(size, n)
    if width <= SIDES or strides is None:
        return None
    corners, steps = grid(size, strides)
    middle = (
        0.0 if len(strides) == 4 else 0.5
    )  # NanoDet-Plus measures from a cell's corner, its forerunner from the middle
    return Nanodet(width - SIDES, (corners + middle) * steps, steps, None)


FORMS: dict[str, Callable[[Size, Shapes, bool], Head | None]] = {
    "yolox": _yolox,
    "yolov5": _yolov5,
    "yolov8": _yolov8,
    "end2end": _end2end,
    "picodet": _picodet,
    "nanodet": _nanodet,
}
