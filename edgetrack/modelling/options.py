"""What may stand behind `edgetrack model`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from edgetrack import catalogue
from edgetrack.arguments import number, size, whole, words
from edgetrack.modelling import verbs


def add_verbs(kinds: Any) -> None:
    """Add the verbs to the subparsers of `edgetrack model`; each sets `verb`, a function of the arguments."""
    verb = kinds.add_parser("list", help="the models that there are, and those that can be fetched")
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(verb=verbs.list_models)

    verb = kinds.add_parser("fetch", help="download a model of the catalogue, checked by its sha256")
    verb.add_argument("name", metavar="NAME")
    verb.add_argument("--to", type=Path, metavar="DIR", help=_folder_help())
    verb.set_defaults(verb=verbs.fetch)

    verb = kinds.add_parser("add", help="put a model of one's own where configurations find it by name")
    verb.add_argument("file", type=Path, metavar="FILE")
    verb.add_argument("--name", default="", help="default: that of the file")
    verb.add_argument("--licence", default="", help="for the note beside it")
    verb.add_argument("--to", type=Path, metavar="DIR", help=_folder_help())
    verb.set_defaults(verb=verbs.add)

    verb = kinds.add_parser("info", help="what a model is, what it costs, and what is unknown")
    verb.add_argument("file", metavar="FILE", help="or the name of a model")
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(verb=verbs.info)
    _add_prepare(kinds)
    _add_resize(kinds)
    _add_quantize(kinds)
    _add_check(kinds)
    _add_convert(kinds)


def _add_prepare(kinds: Any) -> None:
    verb = kinds.add_parser("prepare", help="make a model lean: the same answers for the wanted classes, in less time")
    verb.add_argument("file", metavar="FILE", help="or the name of a model")
    verb.add_argument(
        "--classes", type=words, default=[], metavar="NAME,NAME", help="the only ones to compute; default: all"
    )
    verb.add_argument("--images", type=Path, metavar="DIR", help="to compare answers on; default: a rendered street")
    _add_limit(verb, 20)
    verb.add_argument("--output", type=Path, metavar="FILE", help="default: FILE-lean.onnx")
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(verb=verbs.prepare)


def _add_resize(kinds: Any) -> None:
    verb = kinds.add_parser("resize", help="a copy for pictures of another size, refused where it costs too much")
    verb.add_argument("file", metavar="FILE", help="or the name of a model")
    wish = verb.add_mutually_exclusive_group(required=True)
    wish.add_argument("--camera", type=size, metavar="WxH", help="of its pictures: leave out what they never fill")
    wish.add_argument("--size", type=size, metavar="WxH", help="of the new input, px")
    verb.add_argument("--images", type=Path, required=True, metavar="DIR", help="pictures to judge it on")
    verb.add_argument("--labels", type=Path, metavar="DIR", help="what is in them; without, agreement with the model")
    _add_limit(verb, 50)
    verb.add_argument("--output", type=Path, metavar="FILE", help="default: FILE-WIDTHxHEIGHT.onnx")
    _add_gate(verb)
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(verb=verbs.resize)


def _add_quantize(kinds: Any) -> None:
    verb = kinds.add_parser("quantize", help="make int8 of a float model, and refuse where it costs too much")
    verb.add_argument("file", metavar="FILE", help="or the name of a model")
    verb.add_argument("--calibrate", type=Path, required=True, metavar="DIR", help="pictures like those of the camera")
    verb.add_argument(
        "--labels", type=Path, metavar="DIR", help="what is in them; without, agreement with the float model"
    )
    verb.add_argument("--output", type=Path, metavar="FILE", help="default: FILE-int8.onnx")
    _add_limit(verb, 100)
    _add_gate(verb)
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(verb=verbs.quantize)


def _add_check(kinds: Any) -> None:
    verb = kinds.add_parser("check", help="is model B good enough to replace model A?")
    verb.add_argument("a", metavar="A")
    verb.add_argument("b", metavar="B")
    verb.add_argument("--images", type=Path, required=True, metavar="DIR", help="pictures, or MOTChallenge sequences")
    verb.add_argument("--labels", type=Path, metavar="DIR", help="YOLO text, or MOTChallenge sequences with gt.txt")
    _add_limit(verb, 0)
    _add_gate(verb)
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(verb=verbs.check)


def _add_convert(kinds: Any) -> None:
    verb = kinds.add_parser("convert", help="the original GOTURN from Caffe to ONNX")
    verb.add_argument("file", type=Path, metavar="FILE.caffemodel")
    verb.add_argument("--output", type=Path, metavar="FILE.onnx", help="default: beside it, with --int8 as -int8.onnx")
    verb.add_argument("--int8", action="store_true", help="dense layers in 8 bits: a quarter of the size")
    verb.set_defaults(verb=verbs.convert)


def _add_limit(verb: argparse.ArgumentParser, usual: int) -> None:
    """Of pictures; where 0 is usual, it stands for all."""
    told = f"pictures at most, spread evenly; default: {usual or 'all'}"
    verb.add_argument("--limit", type=whole(min(usual, 1), 100_000), default=usual, metavar="N", help=told)


def _add_gate(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--max-loss",
        type=number(0, 1),
        metavar="X",
        help="of AP50 with labels, of agreement without; default: 0.01 with labels, 0.05 without",
    )
    verb.add_argument(
        "--min-speedup", type=number(0, 1000), default=1.0, metavar="X", help="default: 1; 0 allows a slower model"
    )


def _folder_help() -> str:
    return f"default: ${catalogue.FOLDER_VARIABLE}, else the user's data folder, for root {catalogue.EVERYBODY}"
