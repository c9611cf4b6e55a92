"""A configuration with every key at its default, written from the structs themselves so that it cannot fall behind."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec
import msgspec.inspect as mi

from edgetrack.config import Config
from edgetrack.configfile.words import expected

WIDTH = 120
HEADER = """\
# yaml-language-server: $schema=edgetrack.schema.json
# Every key at its default, with its meaning. A line that starts with # and no space is an alternative or an example:
# take the # away to use it. A short configuration says only what differs: see the files beside this one.
# Positions are fractions of the picture: 0, 0 is its top left corner and 1, 1 its bottom right one.
# Paths start at the folder of this file; ~ is your home folder.
"""
VALUES = {  # of the keys that have no default
    "FileCapture.path": "video.mp4",
    "ImagesCapture.path": "pictures",
    "RtspCapture.url": "rtsp://camera.local/stream1",
    "V4l2Capture.device": "/dev/video0",
    "GstreamerCapture.pipeline": "nvarguscamerasrc ! nvvidconv ! video/x-raw,format=BGRx ! videoconvert"
    " ! video/x-raw,format=BGR ! appsink",
    "DetectConfig.model": "yolox-nano",
    "ReidEmbed.model": "../models/osnet_x0_25.onnx",
    "GoturnRefine.model": "../models/edgetrack-goturn-int8.onnx",
    "ZoneConfig.name": "porch",
    "ZoneConfig.polygon": [[0.1, 0.5], [0.6, 0.5], [0.6, 1.0], [0.1, 1.0]],
    "LineConfig.name": "door",
    "LineConfig.start": [0.3, 0.9],
    "LineConfig.end": [0.5, 0.9],
    "MqttPublish.url": "mqtts://broker.local:8883",
    "JsonlPublish.path": "-",
}


def example() -> str:
    """YAML; `load` gives the defaults for it, and for it with any alternative in place of what stands there."""
    top = mi.type_info(Config)
    assert isinstance(top, mi.StructType)
    lines = [HEADER.rstrip()]
    for field in top.fields:
        lines += ["", *_section(field, top)]
    return "\n".join(lines) + "\n"


def _section(field: mi.Field, top: mi.StructType) -> Iterator[str]:
    kind, about = _bare(field.type)
    name = field.encode_name
    if isinstance(kind, mi.ListType):
        yield f"# {about[:1].upper()}{about[1:]}."
        yield f"{name}: []"
        for i, member in enumerate(_alternatives(kind.item_type)):
            yield from _prose(_doc(member))
            yield from ([f"#{name}:"] if i == 0 else [])
            yield from (f"#{line}" for line in _item(member))
        return
    members = _alternatives(kind)
    if not members:
        yield from _leaf(field, top, "")
        return
    usual = type(field.default) if field.default is not msgspec.NODEFAULT else members[0].cls
    for member in sorted(members, key=lambda member: member.cls is not usual):
        mark = "" if member.cls is usual else "#"
        yield from _prose(_doc(member))
        yield f"{mark}{name}:"
        yield from (f"{mark}{line}" for line in _struct(member, "  "))


def _item(kind: mi.StructType) -> list[str]:
    """A struct as an item of a list."""
    lines = list(_struct(kind, "    "))
    return [f"  - {lines[0].lstrip()}", *lines[1:]]


def _struct(kind: mi.StructType, indent: str) -> Iterator[str]:
    if kind.tag is not None:
        yield f"{indent}{kind.tag_field}: {kind.tag}"
    for field in kind.fields:
        inner, _ = _bare(field.type)
        if isinstance(inner, mi.StructType):
            yield f"{indent}{field.encode_name}:"
            yield from _struct(inner, indent + "  ")
        else:
            yield from _leaf(field, kind, indent)


def _leaf(field: mi.Field, owner: mi.StructType, indent: str) -> Iterator[str]:
    kind, about = _bare(field.type)
    start = f"{indent}{field.encode_name}: {_value(field, owner)}"
    required = "required" if field.required else ""
    comment = "; ".join(part for part in (about, _range(kind), required) if part)
    if len(start) + len(comment) + 4 <= WIDTH:
        yield f"{start}  # {comment}"
    else:
        yield from textwrap.wrap(comment, WIDTH - 1, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
        yield start


def _range(kind: mi.Type) -> str:
    """What `expected` says, where the description and the value do not say it already."""
    if isinstance(kind, mi.UnionType):
        return _range(kind.types[0])
    takes = expected(kind)
    if isinstance(kind, (mi.IntType, mi.FloatType)):
        return re.sub(r"^an? (even )?(whole )?number( from)? ", r"", takes)
    return takes if takes.startswith("one of") else ""


def _value(field: mi.Field, owner: mi.StructType) -> str:
    if field.required:
        value: Any = VALUES[f"{owner.cls.__name__}.{field.encode_name}"]
    elif field.default_factory is not msgspec.NODEFAULT:
        value = field.default_factory()
    else:
        value = field.default
    if isinstance(value, str) and value and expected(field.type) != "text":
        return value if not value[0].isdigit() else json.dumps(value)
    return json.dumps(value)


def _bare(kind: mi.Type) -> tuple[mi.Type, str]:
    """The type below its description, and the description."""
    if isinstance(kind, mi.Metadata):
        return _bare(kind.type)[0], (kind.extra_json_schema or {}).get("description", "")
    return kind, ""


def _alternatives(kind: mi.Type) -> list[mi.StructType]:
    kind, _ = _bare(kind)
    members = kind.types if isinstance(kind, mi.UnionType) else (kind,)
    return [member for member in members if isinstance(member, mi.StructType)]


def _doc(kind: mi.StructType) -> str:
    return " ".join((kind.cls.__doc__ or "").split())


def _prose(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, WIDTH - 2)]
