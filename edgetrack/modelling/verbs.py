"""edgetrack model: list, fetch, add, info, prepare, resize, quantize, check, convert."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from edgetrack import catalogue
from edgetrack.arguments import whole
from edgetrack.errors import ModelError

if TYPE_CHECKING:
    from edgetrack.modelling.search import Outcome

Found = TypeVar("Found")

REDRAW_S = 0.1  # between two looks of the line that shows progress


def add_verbs(kinds: Any) -> None:
    """Add the verbs to the subparsers of `edgetrack model`; each sets `verb`, a function of the arguments."""
    verb = kinds.add_parser("list", help="the models that there are, and those that can be fetched")
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(verb=list_models)

    verb = kinds.add_parser("fetch", help="download a model of the catalogue, checked by its sha256")
    verb.add_argument("name", metavar="NAME")
    verb.add_argument("--to", type=Path, metavar="DIR", help=_folder_help())
    verb.set_defaults(verb=fetch)

    verb = kinds.add_parser("add", help="put a model of one's own where configurations find it by name")
    verb.add_argument("file", type=Path, metavar="FILE")
    verb.add_argument("--name", default="", help="default: that of the file")
    verb.add_argument("--licence", default="", help="for the note beside it")
    verb.add_argument("--to", type=Path, metavar="DIR", help=_folder_help())
    verb.set_defaults(verb=add)

    verb = kinds.add_parser("info", help="what a model is, what it costs, and what is unknown")
    verb.add_argument("file", metavar="FILE", help="or the name of a model")
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(verb=info)
    _add_prepare(kinds)
    _add_resize(kinds)
    _add_quantize(kinds)
    _add_check(kinds)
    _add_convert(kinds)


def _add_prepare(kinds: Any) -> None:
    verb = kinds.add_parser("prepare", help="make a model lean: the same answers for the wanted classes, in less time")
    verb.add_argument("file", metavar="FILE", help="or the name of a model")
    verb.add_argument(
        "--classes", type=_words, default=[], metavar="NAME,NAME", help="the only ones to compute; default: all"
    )
    verb.add_argument("--images", type=Path, metavar="DIR", help="to compare answers on; default: a rendered street")
    verb.add_argument("--limit", type=whole(1, 100_000), default=20, metavar="N", help="pictures at most; default: 20")
    verb.add_argument("--output", type=Path, metavar="FILE", help="default: FILE-lean.onnx")
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(verb=prepare)


def _add_resize(kinds: Any) -> None:
    verb = kinds.add_parser("resize", help="a copy for pictures of another size, refused where it costs too much")
    verb.add_argument("file", metavar="FILE", help="or the name of a model")
    size = verb.add_mutually_exclusive_group(required=True)
    size.add_argument("--camera", type=_size, metavar="WxH", help="of its pictures: leave out what they never fill")
    size.add_argument("--size", type=_size, metavar="WxH", help="of the new input, px")
    verb.add_argument("--images", type=Path, required=True, metavar="DIR", help="pictures to judge it on")
    verb.add_argument("--labels", type=Path, metavar="DIR", help="what is in them; without, agreement with the model")
    verb.add_argument("--limit", type=whole(1, 100_000), default=50, metavar="N", help="pictures at most; default: 50")
    verb.add_argument("--output", type=Path, metavar="FILE", help="default: FILE-WIDTHxHEIGHT.onnx")
    _add_gate(verb)
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(verb=resize)


def _add_quantize(kinds: Any) -> None:
    verb = kinds.add_parser("quantize", help="make int8 of a float model, and refuse where it costs too much")
    verb.add_argument("file", metavar="FILE", help="or the name of a model")
    verb.add_argument("--calibrate", type=Path, required=True, metavar="DIR", help="pictures like those of the camera")
    verb.add_argument(
        "--labels", type=Path, metavar="DIR", help="what is in them; without, agreement with the float model"
    )
    verb.add_argument("--output", type=Path, metavar="FILE", help="default: FILE-int8.onnx")
    verb.add_argument(
        "--limit",
        type=whole(1, 100_000),
        default=100,
        metavar="N",
        help="pictures at most, spread evenly; default: 100",
    )
    _add_gate(verb)
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(verb=quantize)


def _add_check(kinds: Any) -> None:
    verb = kinds.add_parser("check", help="is model B good enough to replace model A?")
    verb.add_argument("a", metavar="A")
    verb.add_argument("b", metavar="B")
    verb.add_argument("--images", type=Path, required=True, metavar="DIR", help="pictures, or MOTChallenge sequences")
    verb.add_argument("--labels", type=Path, metavar="DIR", help="YOLO text, or MOTChallenge sequences with gt.txt")
    verb.add_argument(
        "--limit",
        type=whole(0, 100_000),
        default=0,
        metavar="N",
        help="pictures at most, spread evenly; default: all",
    )
    _add_gate(verb)
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(verb=check)


def _add_convert(kinds: Any) -> None:
    verb = kinds.add_parser("convert", help="the original GOTURN from Caffe to ONNX")
    verb.add_argument("file", type=Path, metavar="FILE.caffemodel")
    verb.add_argument("--output", type=Path, metavar="FILE.onnx", help="default: beside it, with --int8 as -int8.onnx")
    verb.add_argument("--int8", action="store_true", help="dense layers in 8 bits: a quarter of the size")
    verb.set_defaults(verb=convert)


def _add_gate(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--max-loss",
        type=float,
        metavar="X",
        help="of AP50 with labels, of agreement without; default: 0.01 with labels, 0.05 without",
    )
    verb.add_argument("--min-speedup", type=float, default=1.0, metavar="X", help="default: 1; 0 allows a slower model")


def _folder_help() -> str:
    return f"default: ${catalogue.FOLDER_VARIABLE}, else the user's data folder, for root {catalogue.EVERYBODY}"


# --- the catalogue ---------------------------------------------------------------------------------------------------


def list_models(arguments: argparse.Namespace) -> int:
    rows = []
    here: dict[str, str] = {}
    for folder in (*catalogue.SHIPPED, *catalogue.own_folders()):
        for file in catalogue.models_in(folder):
            here.setdefault(file.stem, str(file))
    entries = catalogue.entries()
    for name in sorted({*here, *entries}):
        entry = entries.get(name)
        rows.append({"name": name, "file": here.get(name)} | (msgspec.to_builtins(entry) if entry else {}))
    if arguments.json:
        _say(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        entry = entries.get(row["name"])
        what = f"{entry.bytes / 1e6:.1f} MB, {entry.licence}, {entry.head}; {entry.about}" if entry else ""
        _say("  ".join(part for part in (f"{row['name']:<28}", row["file"] or "not fetched", what) if part))
    return 0


def fetch(arguments: argparse.Namespace) -> int:
    from edgetrack.configfile.words import did_you_mean
    from edgetrack.modelling import download

    entries = catalogue.entries()
    entry = entries.get(arguments.name)
    if entry is None:
        near = did_you_mean(arguments.name, entries) or f"; there are {', '.join(sorted(entries))}"
        raise ModelError(f"{arguments.name}: is not in the catalogue{near}")
    line = ProgressLine(arguments.name)
    try:
        file = download.fetch(arguments.name, entry, arguments.to or catalogue.own_folder(), line)
    finally:
        line.end()
    _say(f"{file}: {entry.bytes / 1e6:.1f} MB, sha256 good, licence {entry.licence}")
    return 0


def add(arguments: argparse.Namespace) -> int:
    from edgetrack.modelling.own import add as add_model

    file, found = add_model(arguments.file, arguments.name, arguments.to, arguments.licence)
    _say(f"{file}: {found.kind} {found.head}".rstrip())
    _say(f"a configuration names it: model: {file.stem if not arguments.to else file}")
    if not found.licence:
        _say("its licence is not known; add it with --licence")
    return 0


def info(arguments: argparse.Namespace) -> int:
    from edgetrack.modelling import facts

    found = facts.facts(_file(arguments.file))
    _answer(found, facts.text, arguments.json)
    return 0


def prepare(arguments: argparse.Namespace) -> int:
    from edgetrack.modelling.facts import NEEDS
    from edgetrack.modelling.pictures import Album
    from edgetrack.registry import load

    make = load("edgetrack.modelling.prepare:prepare", NEEDS, ModelError)
    text = load("edgetrack.modelling.prepare:text", NEEDS, ModelError)
    source = _file(arguments.file)
    target: Path = arguments.output or Path(source).with_name(f"{Path(source).stem}-lean.onnx")
    _writable(target)
    album = Album(arguments.images, None, arguments.limit) if arguments.images else None
    found = make(source, target, arguments.classes, album)
    _answer(found, text, arguments.json)
    return 0


def resize(arguments: argparse.Namespace) -> int:
    """Write beside the target, judge, and only then let it appear."""
    from edgetrack.modelling import compare
    from edgetrack.modelling.facts import NEEDS
    from edgetrack.modelling.pictures import Album
    from edgetrack.registry import load

    make = load("edgetrack.modelling.resize:resize", NEEDS, ModelError)
    source = _file(arguments.file)
    size = arguments.size or load("edgetrack.modelling.resize:filled", NEEDS, ModelError)(source, arguments.camera)
    name = f"{Path(source).stem}-{size[0]}x{size[1]}.onnx"
    target: Path = arguments.output or Path(source).with_name(name)
    _writable(target)
    with tempfile.TemporaryDirectory(prefix=".resizing-", dir=target.parent) as room:
        made = Path(room) / target.name
        make(source, made, size)
        album = Album(arguments.images, arguments.labels, arguments.limit)
        found = compare.compare(source, str(made), album, arguments.max_loss, arguments.min_speedup)
        found.b.path = str(target)
        _answer(found, compare.text, arguments.json)
        compare.gate(found)
        made.replace(target)
    (_tell if arguments.json else _say)(f"{target}: written")
    return 0


# --- int8 ------------------------------------------------------------------------------------------------------------


def quantize(arguments: argparse.Namespace) -> int:
    """Search, write beside the target, judge, and only then let it appear."""
    from edgetrack.modelling import compare
    from edgetrack.modelling.facts import NEEDS
    from edgetrack.modelling.pictures import Album
    from edgetrack.registry import load

    bench_of = load("edgetrack.modelling.search:Bench", NEEDS, ModelError)
    search = load("edgetrack.modelling.search:search", NEEDS, ModelError)
    source = _file(arguments.file)
    target: Path = arguments.output or Path(source).with_name(f"{Path(source).stem}-int8.onnx")
    say = _tell if arguments.json else _say
    _writable(target)
    with tempfile.TemporaryDirectory(prefix=".quantizing-", dir=target.parent) as room:
        album = Album(arguments.calibrate, arguments.labels, arguments.limit)
        bench = bench_of(source, album, Path(room))
        allowed = compare.MAX_DISAGREEMENT if bench.measure == "agreement" else compare.MAX_LOSS
        allowed = allowed if arguments.max_loss is None else arguments.max_loss
        outcome: Outcome = search(bench, allowed, say)
        made = Path(room) / target.name
        bench.write(outcome.choice, made, bench.facts(outcome))
        found = compare.compare(source, str(made), bench.pictures, arguments.max_loss, arguments.min_speedup)
        found.b.path = str(target)
        _answer(found, compare.text, arguments.json)
        compare.gate(found)
        made.replace(target)
    say(f"{target}: written; judge it on pictures that it was not calibrated with: edgetrack model check")
    return 0


def check(arguments: argparse.Namespace) -> int:
    from edgetrack.modelling import compare
    from edgetrack.modelling.pictures import Album

    album = Album(arguments.images, arguments.labels, arguments.limit)
    found = compare.compare(_file(arguments.a), _file(arguments.b), album, arguments.max_loss, arguments.min_speedup)
    _answer(found, compare.text, arguments.json)
    compare.gate(found)
    return 0


def convert(arguments: argparse.Namespace) -> int:
    from edgetrack.modelling.facts import NEEDS
    from edgetrack.registry import load

    source: Path = arguments.file
    target: Path = arguments.output or source.with_name(f"{source.stem}{'-int8' if arguments.int8 else ''}.onnx")
    facts = load("edgetrack.modelling.convert:convert", NEEDS, ModelError)(source, target, arguments.int8)
    _say(f"{target}: {target.stat().st_size / 1e6:.1f} MB, from {facts['converted_from']}")
    _say(f"a configuration uses it: refine: {{kind: goturn, head: goturn-caffe, model: {target}}}")
    return 0


# --- output ----------------------------------------------------------------------------------------------------------


def _file(name: str) -> str:
    """A path, or the file of a model that is called by its name."""
    from edgetrack.configfile import resolve_model

    return name if "/" in name or name.endswith(".onnx") else str(resolve_model(name))


def _writable(target: Path) -> None:
    if not target.parent.is_dir():
        raise ModelError(f"{target}: there is no folder {target.parent}; create it, or choose another --output")
    if not os.access(target.parent, os.W_OK):
        raise ModelError(f"{target}: {target.parent} is closed to this user; choose another --output")


def _size(text: str) -> tuple[int, int]:
    """Width and height of a text like 1920x1080."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"is {text!r}, expected width and height in px, like 1920x1080")
    return int(width), int(height)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _answer(found: Found, text: Callable[[Found], str], as_json: bool) -> None:
    """What was found, for programs or in the words of `text`."""
    _say(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() if as_json else text(found))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _tell(line: str) -> None:
    """Beside the output that a program reads."""
    sys.stderr.write(f"{line}\n")


class ProgressLine:
    """One line on the terminal that says how much has come; silent where nobody looks."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown = sys.stderr.isatty()
        self._next = 0.0
        self._began: tuple[float, int] | None = None

    def __call__(self, here: int, total: int) -> None:
        now = time.monotonic()
        self._began = self._began or (now, here)
        if not self._shown or (now < self._next and here < total):
            return
        self._next = now + REDRAW_S
        since, first = self._began
        rate = (here - first) / max(now - since, 1e-3) / 1e6
        filled = 30 * here // total
        bar = "#" * filled + "." * (30 - filled)
        sys.stderr.write(f"\r{self._name} [{bar}] {here / 1e6:.1f} of {total / 1e6:.1f} MB, {rate:.1f} MB/s ")
        sys.stderr.flush()

    def end(self) -> None:
        if self._shown and self._began:
            sys.stderr.write("\n")
