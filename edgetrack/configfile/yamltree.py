"""YAML as a tree whose every node knows its place.

Built from PyYAML's events rather than its composer: they come one by one, so that depth and size are bounded before
anything is built, and plain scalars get the meaning that YAML 1.2 gives them instead of YAML 1.1's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from edgetrack.configfile.mistake import Notes
from edgetrack.configfile.yamlscalar import Plain, scalar

Place = tuple[int, int]  # line, column, from 1

MAX_DEPTH = 24
MAX_NODES = 50_000  # aliases counted as if written out
TOO_DEEP = f"more than {MAX_DEPTH} levels deep; no setting needs that; check the brackets"
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML was built with it

# Characters that YAML allows (section 5.1), less those that end lines for some readers only.
FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

BACKSLASH = r"write \\ for a backslash, or use single quotes"
REMEDIES = (  # part of libyaml's message -> what to do
    ("found character that cannot start any token", "put a value that starts with this character in quotes"),
    (
        "could not find expected ':'",
        "write key: value, with a space after the colon, and keys exactly below each other",
    ),
    (
        "mapping values are not allowed",
        "put a value that contains ': ' in quotes, a space after each colon, and keys exactly below each other",
    ),
    ("did not find expected key", "check the indentation: keys of one level stand exactly below each other"),
    (
        "did not find expected '-' indicator",
        "check the indentation: the items of a list stand exactly below each other",
    ),
    ("did not find expected ',' or ']'", "close the list with ]"),
    ("did not find expected ',' or '}'", "close the mapping with }"),
    ("block sequence entries are not allowed", 'put the list on lines of its own below its key, or "-" in quotes'),
    ("unexpected end of stream", "close the quotes or brackets opened here"),
    ("unknown escape character", BACKSLASH),
    ("expected hexdecimal number", BACKSLASH),  # "C:\Users"
)


@dataclass
class Node:
    """A scalar, list or mapping, and where it stands.

    `text` is a scalar as written, `plain` says that no quotes stood round it. `key` is the place of the key of a value
    in a mapping, else the node's own. `size` counts the nodes below and this one.
    """

    place: Place
    value: Plain | list[Node] | dict[str, Node]
    text: str = ""
    plain: bool = False
    key: Place = (1, 1)
    size: int = 1


@dataclass
class _Open:
    """A list or mapping that is being read."""

    node: Node
    anchor: str | None
    name: str | None = None  # the key that waits for its value
    name_place: Place = (1, 1)
    keys: dict[str, Place] = field(default_factory=dict)


class _RefusedError(Exception):
    """Nothing after this can be read; args: place, text."""


def parse(text: str, notes: Notes) -> Node | None:
    """The one document in `text`; None, and a mistake noted, where it cannot be read to its end."""
    bad = FORBIDDEN.search(text)
    if bad:
        line = text.count("\n", 0, bad.start()) + 1
        column = bad.start() - text.rfind("\n", 0, bad.start())
        code = f"U+{ord(bad[0]):04X}"
        notes.add((line, column), "", f"the character {code} is not allowed in YAML; remove it")
        return None
    try:
        return _Builder(notes).build(text)
    except _RefusedError as refused:
        notes.add(*_place_and_text(refused))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        notes.add(place, "", _syntax(error, text, place))
    except yaml.YAMLError:  # a reader error; what it could find was sought above
        notes.add((1, 1), "", "is not YAML text; save it as UTF-8 text")
    return None


def _place_and_text(refused: _RefusedError) -> tuple[Place, str, str]:
    place, text = refused.args
    return place, "", text


def _syntax(error: yaml.MarkedYAMLError, text: str, place: Place) -> str:
    lines = text.splitlines()
    line = lines[place[0] - 1] if place[0] <= len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())] or line[place[1] - 1 : place[1]] == "\t":
        return "a tab; YAML indents with spaces only; replace it by spaces"
    problem = error.problem or "cannot be read"
    if "alias" in problem or "anchor" in problem:  # may hold what was meant as a value, so it is not shown
        return "* or & at the start of a value means something else to YAML; put the value in quotes"
    if "tag" in problem or "directive" in problem:
        return "! or % at the start of a value means something else to YAML; put the value in quotes"
    if "nesting depth" in problem:  # libyaml 0.2.6 and later look ahead of their events, and count for themselves
        return TOO_DEEP
    remedy = next((remedy for part, remedy in REMEDIES if part in problem), "check quotes, brackets and indentation")
    return f"not YAML: {problem}; {remedy}"


class _Builder:
    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.open: list[_Open] = []
        self.anchors: dict[str, Node] = {}
        self.root: Node | None = None

    def build(self, text: str) -> Node | None:
        documents = 0
        event: Any
        for event in yaml.parse(text, Loader=LOADER):
            place = (event.start_mark.line + 1, event.start_mark.column + 1)
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents == 2:
                    raise _RefusedError(
                        place, "a second document starts here; one file configures one camera; remove the ---"
                    )
            elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
                self._begin(event, place)
            elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                closed = self.open.pop()
                self._place(closed.node, closed.anchor)
            elif isinstance(event, yaml.ScalarEvent):
                self._scalar(event, place)
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event, place)
        return self.root

    def _begin(self, event: Any, place: Place) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise _RefusedError(place, TOO_DEEP)
        mapping = isinstance(event, yaml.MappingStartEvent)
        self._refuse_as_key(place, "a mapping" if mapping else "a list")
        self._tag(event, place)
        self.open.append(_Open(Node(place, {} if mapping else []), event.anchor))

    def _scalar(self, event: Any, place: Place) -> None:
        self._tag(event, place)
        plain = bool(event.implicit[0]) and event.style in (None, "")
        node = Node(place, scalar(event.value) if plain else event.value, event.value, plain)
        top = self.open[-1] if self.open else None
        if top and isinstance(top.node.value, dict) and top.name is None:
            if plain and event.value == "<<":
                raise _RefusedError(place, "<< merges mappings in YAML 1.1 only; write the keys out")
            top.name, top.name_place = event.value, place
            if event.anchor:
                self.anchors[event.anchor] = node
        else:
            self._place(node, event.anchor)

    def _alias(self, event: Any, place: Place) -> None:
        self._refuse_as_key(place, "an alias")
        node = self.anchors.get(event.anchor)
        if node is None:
            raise _RefusedError(
                place, "an alias (*) without its anchor (&) before it; put a value that starts with * in quotes"
            )
        self._place(Node(place, node.value, node.text, node.plain, size=node.size), None)

    def _refuse_as_key(self, place: Place, what: str) -> None:
        top = self.open[-1] if self.open else None
        if top and isinstance(top.node.value, dict) and top.name is None:
            raise _RefusedError(place, f"{what} stands where a key is expected; keys are words; write key: value")

    def _tag(self, event: Any, place: Place) -> None:
        if event.tag is not None:
            raise _RefusedError(
                place, "a tag (!) is not known here; put a value that starts with ! in quotes, else remove it"
            )

    def _path(self) -> str:
        steps = (f"[{len(o.node.value)}]" if isinstance(o.node.value, list) else f".{o.name}" for o in self.open)
        return "".join(steps).removeprefix(".")

    def _place(self, node: Node, anchor: str | None) -> None:
        """Hand a finished node to the list or mapping that holds it."""
        if anchor:
            self.anchors[anchor] = node
        if not self.open:
            self.root = node
            return
        top = self.open[-1]
        top.node.size += node.size
        if top.node.size > MAX_NODES:
            raise _RefusedError(
                node.place, f"more than {MAX_NODES} values; no configuration is that long; check the aliases"
            )
        if isinstance(top.node.value, list):
            node.key = node.place
            top.node.value.append(node)
        elif isinstance(top.node.value, dict) and top.name is not None:
            node.key = top.name_place
            if top.name in top.node.value:
                first = top.node.value[top.name].key[0]
                self.notes.add(node.key, self._path(), f"is given twice, first in line {first}; remove one of the two")
            else:
                top.node.value[top.name] = node
            top.name = None
