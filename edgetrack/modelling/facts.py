"""What a model file is, and what cannot be told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edgetrack import catalogue
from edgetrack.config import RuntimeConfig
from edgetrack.detect.yolo import YoloDetector
from edgetrack.errors import EdgetrackError, ModelError
from edgetrack.modelling.download import digest
from edgetrack.modelling.trial import opened
from edgetrack.registry import load
from edgetrack.runtime import OnnxModel

if TYPE_CHECKING:
    from edgetrack.modelling.graph import Anatomy

NEEDS = "pip install 'edgetrack[models]'"
SHOWN = 12  # class names in the text


class Facts(msgspec.Struct, kw_only=True):
    """Everything that can be told of one file; None and "" are unknown."""

    path: str
    bytes: int
    sha256: str
    inputs: list[str]
    outputs: list[str]
    kind: str  # detector, embedder or ""
    head: str = ""
    input_size: list[int] | None = None  # width and height, px
    classes: list[str] | None = None
    embedding: int | None = None  # values
    opset: int | None = None
    producer: str = ""
    parameters: int | None = None
    multiply_adds: int | None = None
    operators: dict[str, int] | None = None
    quantized: str = ""
    quantized_share: float | None = None  # of the multiply-adds
    licence: str = ""
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    unknown: list[str] = msgspec.field(default_factory=list)


def facts(path: str) -> Facts:
    """Load a model, run it once, and take its graph apart where the onnx package is there.

    Raises:
        ModelError: it cannot be loaded.
    """
    network = OnnxModel(path, RuntimeConfig(threads=1))
    found = Facts(
        path=path,
        bytes=Path(path).stat().st_size,
        sha256=digest(Path(path)),
        inputs=[str(tensor) for tensor in network.inputs],
        outputs=[str(tensor) for tensor in network.outputs],
        kind="",
        metadata=network.metadata,
    )
    size = _task(found)
    _graph(found, network, size)
    found.licence = _licence(found)
    if not found.licence:
        found.unknown.append("licence: the file does not say; ask where it came from")
    return found


def _task(found: Facts) -> tuple[int, int] | None:
    """What it is for; returns the size of its input."""
    try:
        model = opened(found.path)
    except EdgetrackError as error:
        found.unknown.append(f"what it is for: {error}".replace(f"{found.path}: ", ""))
        return None
    if isinstance(model, YoloDetector):
        found.kind, found.head, found.classes = "detector", model.head, list(model.names)
        found.input_size = list(model.size)
        if "names" not in found.metadata:
            found.unknown.append("names of its classes: not in the file; edgetrack takes COCO's for 80")
        return model.size
    found.kind, found.embedding = "embedder", model.width
    return None


def _graph(found: Facts, network: OnnxModel, size: tuple[int, int] | None) -> None:
    try:
        anatomy_of = load("edgetrack.modelling.graph:anatomy", NEEDS, ModelError)
    except ModelError as missing:
        found.unknown.append(f"parameters, multiply-adds, quantization: {missing}")
        return
    shapes = {}
    for tensor in network.inputs:
        open_sides = iter(size[::-1] if size else ())
        shape = [side or (1 if place == 0 else next(open_sides, 0)) for place, side in enumerate(tensor.shape)]
        shapes[tensor.name] = tuple(shape)
    if any(0 in shape for shape in shapes.values()):
        found.unknown.append("multiply-adds: the size of its input is open")
        shapes = {}
    anatomy: Anatomy = anatomy_of(found.path, shapes)
    found.opset, found.producer, found.operators = anatomy.opset, anatomy.producer, anatomy.operators
    found.parameters, found.quantized = anatomy.parameters, anatomy.quantized
    if shapes:
        found.multiply_adds, found.quantized_share = anatomy.multiply_adds, anatomy.quantized_share
        if anatomy.uncounted:
            found.unknown.append(f"multiply-adds of {anatomy.uncounted} operators whose shapes are open")


def _licence(found: Facts) -> str:
    """From the file's metadata, the catalogue, or the note that `model add` left beside it."""
    for key in ("licence", "license"):
        if found.metadata.get(key):
            return found.metadata[key]
    for entry in catalogue.entries().values():
        if entry.sha256 == found.sha256:
            return entry.licence
    try:
        note: Any = json.loads(Path(found.path).with_suffix(".json").read_text())
    except (OSError, ValueError):
        return ""
    return str(note.get("licence", "")) if isinstance(note, dict) and note.get("sha256") == found.sha256 else ""


def text(found: Facts) -> str:
    """For people."""
    rows = [
        ("file", f"{found.path}, {found.bytes / 1e6:.2f} MB, sha256 {found.sha256}"),
        ("inputs", "; ".join(found.inputs)),
        ("outputs", "; ".join(found.outputs)),
        ("task", _task_words(found)),
        ("classes", _class_words(found)),
        ("parameters", "" if found.parameters is None else f"{found.parameters / 1e6:.3f} M"),
        ("multiply-adds", "" if found.multiply_adds is None else f"{found.multiply_adds / 1e6:.1f} M a run"),
        ("quantized", _quantized_words(found)),
        ("operators", ", ".join(f"{kind} {count}" for kind, count in list((found.operators or {}).items())[:8])),
        (
            "made with",
            " ".join(part for part in (found.producer, f"opset {found.opset}" if found.opset else "") if part),
        ),
        ("licence", found.licence),
        *((f"metadata {key}", f"{value:.100}") for key, value in found.metadata.items() if key != "names"),
        *(("unknown", line) for line in found.unknown),
    ]
    return "\n".join(f"{name + ':':<15} {value}" for name, value in rows if value)


def _task_words(found: Facts) -> str:
    if found.kind == "detector" and found.input_size:
        return f"detector, head {found.head}, {found.input_size[0]} x {found.input_size[1]} px"
    return f"embedder of {found.embedding} values" if found.kind else ""


def _class_words(found: Facts) -> str:
    names = found.classes or []
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)}: {', '.join(names[:SHOWN])}{rest}" if names else ""


def _quantized_words(found: Facts) -> str:
    if not found.quantized or found.quantized == "no" or found.quantized_share is None:
        return found.quantized
    return f"{found.quantized}; {found.quantized_share:.0%} of the multiply-adds"
