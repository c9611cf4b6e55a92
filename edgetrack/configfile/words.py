"""How messages put what was found and what was expected; no password passes through here."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

import msgspec.inspect as mi

from edgetrack.configfile.yamltree import Node

HIDDEN = ("password_file", "password_env", "pipeline", "url", "username")  # people put passwords into these
LONGEST = 60  # characters of a value that a message shows
LONGEST_SEARCHED = 500  # in which passwords are sought; of longer ones nothing is shown
USERINFO = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*://)?.*@", re.DOTALL)
QUERY_PASSWORD = re.compile(r"(?i)(pass\w*|pwd|token|key)=[^&\s]*")
CHOICE_PATTERN = re.compile(r"\^\(([\w.|-]+)\)\$")


def found(node: Node, key: str = "") -> str:
    """What stands there, for people; not a value that may hold a password."""
    if isinstance(node.value, dict):
        return "a mapping of keys"
    if isinstance(node.value, list):
        return f"a list of {len(node.value)}" if node.value else "an empty list"
    if node.value is None and not node.text:
        return "nothing"
    if key.rpartition(".")[2] in HIDDEN:
        return "a value"
    return quoted(node.text) if isinstance(node.value, str) else shown(node.text)


def shown(text: str) -> str:
    """`text`, shortened, and without what may be a password in an address."""
    if len(text) > LONGEST_SEARCHED:
        return f"a text of {len(text)} characters"
    text = QUERY_PASSWORD.sub(r"\1=***", USERINFO.sub(r"\1***@", text))
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def quoted(text: str) -> str:
    return shown(text) if len(text) > LONGEST_SEARCHED else f"'{shown(text)}'"


def expected(kind: mi.Type) -> str:
    """What a type takes, for people: "a number from 0 to 1"."""
    if isinstance(kind, mi.Metadata):
        return expected(kind.type)
    if isinstance(kind, (mi.IntType, mi.FloatType)):
        return _number(kind)
    if isinstance(kind, mi.BoolType):
        return "true or false"
    if isinstance(kind, mi.LiteralType):
        return one_of(kind.values)
    if isinstance(kind, mi.StrType):
        choices = CHOICE_PATTERN.fullmatch(kind.pattern or "")
        return one_of(choices[1].split("|")) if choices else "text"
    if isinstance(kind, mi.TupleType):
        return f"a list of {len(kind.item_types)}, each {expected(kind.item_types[0])}"
    if isinstance(kind, mi.ListType):
        return "a list"
    if isinstance(kind, mi.DictType):
        return f"a mapping of names to {expected(kind.value_type)}"
    if isinstance(kind, mi.UnionType):
        return " or ".join(expected(member) for member in kind.types)
    return "null" if isinstance(kind, mi.NoneType) else "a mapping of keys"


def _number(kind: mi.IntType | mi.FloatType) -> str:
    low = f"from {kind.ge:g}" if kind.ge is not None else f"over {kind.gt:g}" if kind.gt is not None else ""
    high = f"to {kind.le:.10g}" if kind.le is not None else f"below {kind.lt:.10g}" if kind.lt is not None else ""
    if low.startswith("over") and high.startswith("to"):
        high = f"up {high}"
    even = "even " if kind.multiple_of == 2 else ""
    noun = "whole number" if isinstance(kind, mi.IntType) else "number"
    return " ".join(word for word in (f"an {even}{noun}" if even else f"a {noun}", low, high) if word)


def one_of(choices: Iterable[Any]) -> str:
    return "one of " + ", ".join(str(choice) for choice in choices)


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    by_form = {name.lower().replace("-", "_"): name for name in known}
    near = difflib.get_close_matches(word[:LONGEST].lower().replace("-", "_"), by_form, n=1, cutoff=0.6)
    return by_form[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'person'?`, or nothing."""
    near = closest(word, known)
    return f"; did you mean '{near}'?" if near else ""


def slug(text: str) -> str:
    """`text` as a name for topics: "Gate 1" becomes gate-1."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "-", ascii_text).strip("-_")[:63]
