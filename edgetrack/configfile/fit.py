"""Fits a YAML tree into the structs of `edgetrack.config`, and goes on after a mistake to find the next."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec.inspect as mi

from edgetrack.config import Config
from edgetrack.configfile import scalars
from edgetrack.configfile.meaning import Where, settle, tell_apart
from edgetrack.configfile.mistake import Notes
from edgetrack.configfile.paths import Paths, UnseenError
from edgetrack.configfile.scalars import UnfitError
from edgetrack.configfile.words import closest, expected, found, one_of, shown
from edgetrack.configfile.yamltree import MAX_NODES, Node
from edgetrack.errors import ConfigError

INVALID: Any = object()  # a value that has been complained about

SYNONYMS = {  # what other programs call it
    "broker": "publish: [{kind: mqtt, url: 'mqtt://host'}]",
    "confidence": "detect.min_score",
    "conf": "detect.min_score",
    "threshold": "detect.min_score",
    "iou": "detect.nms_iou",
    "imgsz": "detect.size",
    "host": "url",
    "input": "capture",
    "source": "capture",
    "video": "capture: {kind: file, path: ...}",
    "interval": "detect.every",
    "log_level": "the option --log-level of the command",
    "mqtt": "publish: [{kind: mqtt, url: 'mqtt://host'}]",
    "password": "password_file or password_env, which keep the password out of this file",
    "pass": "password_file or password_env, which keep the password out of this file",
    "points": "polygon",
    "coordinates": "polygon",
    "region": "zones",
    "roi": "zones",
    "topic": "prefix",
    "type": "kind",
    "user": "username",
}


@dataclass(frozen=True)
class _Spot:
    """Where in the configuration: the key, what it means and, if it names a path, of what."""

    key: str
    about: str = ""
    path: str = ""

    def below(self, step: str | int) -> _Spot:
        return _Spot(
            f"{self.key}[{step}]" if isinstance(step, int) else f"{self.key}.{step}".removeprefix("."), self.about
        )


class Fitter:
    """Reads one tree; what does not fit is noted and left out."""

    def __init__(self, notes: Notes, paths: Paths) -> None:
        self.notes = notes
        self.paths = paths

    def config(self, root: Node) -> Config | None:
        """The configuration; None where a mistake was noted."""
        value = self._fit(root, _whole(), _Spot(""))
        return value if isinstance(value, Config) else None

    def _fit(self, node: Node, kind: mi.Type, spot: _Spot) -> Any:
        if self.notes.full:
            return INVALID
        if isinstance(kind, mi.Metadata):
            about = (kind.extra_json_schema or {}).get("description", spot.about)
            return self._fit(node, kind.type, _Spot(spot.key, about, (kind.extra or {}).get("path", "")))
        if isinstance(kind, mi.StructType):
            return self._struct(node, kind, spot)
        if isinstance(kind, mi.UnionType):
            return self._union(node, kind, spot)
        if isinstance(kind, (mi.ListType, mi.TupleType)):
            return self._list(node, kind, spot)
        if isinstance(kind, mi.DictType):
            return self._dict(node, kind, spot)
        try:
            value = self._scalar(node, kind, spot)
        except UnfitError as error:
            self.notes.add(node.place, spot.key, str(error))
            return INVALID
        return self._path(node, value, spot) if spot.path else value

    def _scalar(self, node: Node, kind: mi.Type, spot: _Spot) -> Any:
        if isinstance(kind, mi.StrType):
            return scalars.text(node, kind, spot.key, spot.about)
        if isinstance(kind, (mi.IntType, mi.FloatType)):
            return scalars.number(node, kind, spot.key, spot.about)
        if isinstance(kind, mi.BoolType):
            return scalars.truth(node, spot.key, spot.about)
        if isinstance(kind, mi.LiteralType):
            return scalars.choice(node, kind, spot.key, spot.about)
        raise TypeError(f"{spot.key}: edgetrack.config uses {kind}, which is not known here")

    def _path(self, node: Node, text: str, spot: _Spot) -> str:
        """The absolute path; the text itself where that cannot be told, so that the settings round it are looked at."""
        try:
            return self.paths.absolute(text, spot.path, spot.key)
        except (ConfigError, UnseenError) as error:
            self.notes.add(node.place, spot.key, error.args[0], hint=isinstance(error, UnseenError))
            return error.args[1] if isinstance(error, UnseenError) else text

    # --- lists and mappings ------------------------------------------------------------------------------------------

    def _list(self, node: Node, kind: mi.ListType | mi.TupleType, spot: _Spot) -> Any:
        if not isinstance(node.value, list):
            self.notes.add(node.place, spot.key, _no_list(node, kind, spot))
            return INVALID
        if isinstance(kind, mi.TupleType):
            kinds = kind.item_types
            low, high = len(kinds), len(kinds)
        else:
            kinds = (kind.item_type,) * len(node.value)
            low, high = kind.min_length or 0, MAX_NODES if kind.max_length is None else kind.max_length
        if not low <= len(node.value) <= high:
            count = str(low) if low == high else f"{low} or more" if len(node.value) < low else f"at most {high}"
            about = f" ({spot.about})" if spot.about else ""
            self.notes.add(node.place, spot.key, f"found {found(node)}; expected {count}{about}")
            return INVALID
        items = [self._fit(item, kinds[i], spot.below(i)) for i, item in enumerate(node.value)]
        tell_apart(node.value, items, spot.key, self.notes)
        if any(item is INVALID for item in items):
            return INVALID
        return tuple(items) if isinstance(kind, mi.TupleType) else items

    def _dict(self, node: Node, kind: mi.DictType, spot: _Spot) -> Any:
        if not isinstance(node.value, dict):
            self.notes.add(
                node.place, spot.key, f"found {found(node, spot.key)}; expected {expected(kind)} ({spot.about})"
            )
            return INVALID
        if kind.max_length is not None and len(node.value) > kind.max_length:
            text = f"found {len(node.value)}; expected at most {kind.max_length} ({spot.about})"
            self.notes.add(node.place, spot.key, text)
            return INVALID
        items = {name: self._fit(child, kind.value_type, spot.below(name)) for name, child in node.value.items()}
        return INVALID if any(item is INVALID for item in items.values()) else items

    def _union(self, node: Node, kind: mi.UnionType, spot: _Spot) -> Any:
        kinds = [member for member in kind.types if not isinstance(member, mi.NoneType)]
        if len(kinds) < len(kind.types) and node.value is None and (node.plain or not node.text):
            return None
        if len(kinds) == 1:
            return self._fit(node, kinds[0], spot)
        words = [member for member in kinds if isinstance(member, mi.LiteralType)]
        if words:  # a number, or one of a few words
            if isinstance(node.value, str) and any(node.value in word.values for word in words):
                return node.value
            return self._fit(node, next(member for member in kinds if member not in words), spot)
        structs = {str(member.tag): member for member in kinds if isinstance(member, mi.StructType)}
        if not structs:
            return self._either(node, kinds, spot)
        if not isinstance(node.value, dict):
            word = node.text if node.text in structs else next(iter(structs))
            text = f"found {found(node, spot.key)}; expected {one_of(structs)}; write {{kind: {word}, ...}}"
            self.notes.add(node.place, spot.key, text)
            return INVALID
        chosen = self._kind(node, structs, spot)
        if chosen is None:
            return INVALID
        value = self._struct(node, structs[chosen], spot, structs)
        return value if "kind" in node.value and node.value["kind"].value == chosen else INVALID

    def _either(self, node: Node, kinds: list[mi.Type], spot: _Spot) -> Any:
        """The first of several kinds of scalar that the value is."""
        for kind in kinds:
            with suppress(UnfitError):
                return self._scalar(node, kind, spot)
        wanted = " or ".join(expected(kind) for kind in kinds) + (f" ({spot.about})" if spot.about else "")
        self.notes.add(node.place, spot.key, f"found {found(node, spot.key)}; expected {wanted}")
        return INVALID

    def _kind(self, node: Node, structs: dict[str, mi.StructType], spot: _Spot) -> str | None:
        """Which of the alternatives is meant; noted, but answered, where it is clear in spite of a mistake."""
        assert isinstance(node.value, dict)
        child = node.value.get("kind")
        if child is not None:
            if isinstance(child.value, str) and child.value in structs:
                return child.value
            near = closest(child.text, structs) if isinstance(child.value, str) else None
            mean = f"; did you mean '{near}'?" if near else ""
            text = f"found {found(child)}; expected {one_of(structs)}{mean}"
            self.notes.add(child.place, spot.below("kind").key, text)
            return near
        keys = set(node.value)
        fitting = [
            tag for tag, struct in structs.items() if keys and keys <= {field.encode_name for field in struct.fields}
        ]
        mean = f"; add kind: {fitting[0]}" if len(fitting) == 1 else "; add it"
        self.notes.add(node.key, spot.below("kind").key, f"is missing; expected {one_of(structs)}{mean}")
        return fitting[0] if len(fitting) == 1 else None

    def _struct(
        self, node: Node, kind: mi.StructType, spot: _Spot, others: dict[str, mi.StructType] | None = None
    ) -> Any:
        fields = {field.encode_name: field for field in kind.fields}
        if not isinstance(node.value, dict):
            remedy = "; remove the key, or give it some" if node.value is None else ""
            text = f"found {found(node, spot.key)}; expected a mapping of keys: {', '.join(fields)}{remedy}"
            self.notes.add(node.place, spot.key, text)
            return INVALID
        values, good = {}, True
        for name, child in node.value.items():
            if name in fields:
                values[name] = self._fit(child, fields[name].type, _Spot(spot.below(name).key))
                good = good and values[name] is not INVALID
            elif name != kind.tag_field and not self.notes.full:
                self.notes.add(child.key, spot.below(name[:60]).key, _unknown(name, kind, others))
        for name, field in fields.items():
            if field.required and name not in node.value:
                self.notes.add(node.key, spot.below(name).key, f"is missing; add it: {_wanted(field.type)}")
        kept = {name: value for name, value in values.items() if value is not INVALID}
        if any(field.required and name not in kept for name, field in fields.items()):
            return INVALID
        value = settle(kind.cls(**kept), Where(node, spot.key, self.notes))  # finds what else is wrong
        return value if good else INVALID


# --- words -----------------------------------------------------------------------------------------------------------


def _no_list(node: Node, kind: mi.ListType | mi.TupleType, spot: _Spot) -> str:
    remedy = ""
    if isinstance(node.value, dict):
        remedy = "; put - before its first key"
    elif node.value is None:
        remedy = "; write [] or remove the key"
    elif found(node, spot.key) != "a value":
        remedy = f"; write [{_items(node.text, kind, spot)}]"
    about = f" ({spot.about})" if spot.about else ""
    return f"found {found(node, spot.key)}; expected {expected(kind)}{about}{remedy}"


def _items(text: str, kind: mi.ListType | mi.TupleType, spot: _Spot) -> str:
    """What belongs between the brackets that are missing."""
    if isinstance(kind, mi.ListType) or "," in text:
        return shown(text)
    if spot.key.endswith("]"):  # a number where a corner of an area is expected
        return "x, y"
    return ", ".join([shown(text)] * len(kind.item_types))


def _wanted(kind: mi.Type) -> str:
    about = (kind.extra_json_schema or {}).get("description", "") if isinstance(kind, mi.Metadata) else ""
    return about or expected(kind)


def _unknown(name: str, kind: mi.StructType, others: dict[str, mi.StructType] | None) -> str:
    """Why a key is not known here, and where it belongs."""
    known = [field.encode_name for field in kind.fields]
    if name.lower() in SYNONYMS:
        return f"unknown key; use {SYNONYMS[name.lower()]}"
    near = closest(name, known)
    if near:
        return f"unknown key; did you mean '{near}'?"
    owners = [tag for tag, other in (others or {}).items() if any(field.encode_name == name for field in other.fields)]
    if owners:
        return f"is a key of kind {', '.join(owners)}, not of {kind.tag}; remove it"
    home = _homes().get(name)
    if home:
        return f"unknown key here; it belongs under {home}"
    far = closest(name, _homes())
    if far and _homes()[far] != "the top":
        return f"unknown key; did you mean '{far}' under {_homes()[far]}?"
    return f"unknown key; known here: {', '.join(known)}" if known else "unknown key; kind alone is expected here"


@cache
def _whole() -> mi.Type:
    """What `Config` is made of. msgspec compiles and evaluates every annotation anew each time it is asked."""
    return mi.type_info(Config)


@cache
def _homes() -> dict[str, str]:
    """Key -> where in the configuration it stands; of several places the first."""
    homes: dict[str, str] = {}
    _walk(_whole(), "", homes)
    return homes


def _walk(kind: mi.Type, at: str, homes: dict[str, str]) -> None:
    if isinstance(kind, mi.StructType):
        for field in kind.fields:
            homes.setdefault(field.encode_name, at or "the top")
            _walk(field.type, f"{at}.{field.encode_name}".removeprefix("."), homes)
    elif isinstance(kind, mi.Metadata):
        _walk(kind.type, at, homes)
    elif isinstance(kind, mi.UnionType):
        for member in kind.types:
            _walk(member, at, homes)
    elif isinstance(kind, mi.ListType):
        _walk(kind.item_type, f"{at}[]", homes)
