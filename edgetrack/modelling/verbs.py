"""edgetrack model: list, fetch, add, info, prepare, resize, quantize, check, convert."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from edgetrack import catalogue
from edgetrack.errors import ModelError
from edgetrack.modelling.progress import ProgressLine

if TYPE_CHECKING:
    from edgetrack.modelling.pictures import Picture
    from edgetrack.modelling.search import Outcome

Found = TypeVar("Found")


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
    _writable(target, source)
    album = Album(arguments.images, None, arguments.limit) if arguments.images else None
    found = make(source, target, arguments.classes, album)
    _answer(found, text, arguments.json)
    return 0


def resize(arguments: argparse.Namespace) -> int:
    """Write beside the target, judge, and only then let it appear."""
    from edgetrack.modelling.facts import NEEDS
    from edgetrack.modelling.pictures import Album
    from edgetrack.registry import load

    make = load("edgetrack.modelling.resize:resize", NEEDS, ModelError)
    source = _file(arguments.file)
    size = arguments.size or load("edgetrack.modelling.resize:filled", NEEDS, ModelError)(source, arguments.camera)
    name = f"{Path(source).stem}-{size[0]}x{size[1]}.onnx"
    target: Path = arguments.output or Path(source).with_name(name)
    _writable(target, source)
    with tempfile.TemporaryDirectory(prefix=".resizing-", dir=target.parent) as room:
        made = Path(room) / target.name
        make(source, made, size)
        _replace(source, made, target, Album(arguments.images, arguments.labels, arguments.limit), arguments)
    (_tell if arguments.json else _say)(f"{target}: written")
    return 0


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
    _writable(target, source)
    with tempfile.TemporaryDirectory(prefix=".quantizing-", dir=target.parent) as room:
        album = Album(arguments.calibrate, arguments.labels, arguments.limit)
        bench = bench_of(source, album, Path(room))
        allowed = compare.MAX_DISAGREEMENT if bench.measure == "agreement" else compare.MAX_LOSS
        allowed = allowed if arguments.max_loss is None else arguments.max_loss
        outcome: Outcome = search(bench, allowed, say)
        made = Path(room) / target.name
        bench.write(outcome.choice, made, bench.facts(outcome))
        _replace(source, made, target, bench.pictures, arguments)
    say(f"{target}: written; judge it on pictures that it was not calibrated with: edgetrack model check")
    return 0


def _replace(source: str, made: Path, target: Path, pictures: Iterable[Picture], arguments: argparse.Namespace) -> None:
    """Judge what was made of the source, and only then let it appear."""
    from edgetrack.modelling import compare

    found = compare.compare(source, str(made), pictures, arguments.max_loss, arguments.min_speedup)
    found.b.path = str(target)
    _answer(found, compare.text, arguments.json)
    compare.gate(found)
    made.replace(target)


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


def _file(name: str) -> str:
    """A path, or the file of a model that is called by its name."""
    from edgetrack.configfile import resolve_model

    return name if "/" in name or name.endswith(".onnx") else str(resolve_model(name))


def _writable(target: Path, source: str) -> None:
    """Said before minutes of work; the model itself is kept, for what is made of it is not the same."""
    if target.is_dir():
        raise ModelError(f"{target}: is a folder; name a file with --output")
    if target.exists() and Path(source).exists() and target.samefile(source):
        raise ModelError(f"{target}: is the model itself; choose another --output")
    if not target.parent.is_dir():
        raise ModelError(f"{target}: there is no folder {target.parent}; create it, or choose another --output")
    if not os.access(target.parent, os.W_OK):
        raise ModelError(f"{target}: {target.parent} is closed to this user; choose another --output")


def _answer(found: Found, text: Callable[[Found], str], as_json: bool) -> None:
    """What was found, for programs or in the words of `text`."""
    _say(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() if as_json else text(found))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _tell(line: str) -> None:
    """Beside the output that a program reads."""
    sys.stderr.write(f"{line}\n")
