"""Text, numbers and truth values, with a clear word where YAML's own reading of them would surprise."""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec.inspect as mi

from edgetrack.configfile.words import did_you_mean, expected, found, shown, slug
from edgetrack.configfile.yamlscalar import OLD_FALSE, OLD_TRUE, old_meaning, scalar
from edgetrack.configfile.yamltree import Node

MAX_TEXT = 4000  # characters; a long GStreamer pipeline has 1000


class UnfitError(Exception):
    """A value that does not fit; args: what to say."""


def text(node: Node, kind: mi.StrType, key: str, about: str) -> str:
    """A string that was written as one: quoted, or a plain word that no YAML reader takes for something else."""
    if not isinstance(node.value, str) or (node.plain and old_meaning(node.text) is not None):
        raise UnfitError(_not_text(node, kind, key, about))
    value = node.value
    if len(value) > MAX_TEXT:
        raise UnfitError(f"found a text of {len(value)} characters; expected at most {MAX_TEXT}")
    multiline = key.endswith(".pipeline")
    if not (value.replace("\n", "") if multiline else value).isprintable():
        raise UnfitError(f"found a line break or a control character in {found(node, key)}; expected one line of text")
    if len(value) < (kind.min_length or 0):
        raise UnfitError(f"is empty; expected {_told(kind, about)}")
    if kind.pattern and not re.search(kind.pattern, value):
        raise UnfitError(f"found {found(node, key)}; expected {_told(kind, about)}{_repaired(value, kind)}")
    return value


def _not_text(node: Node, kind: mi.StrType, key: str, about: str) -> str:
    if isinstance(node.value, (dict, list)):
        return f"found {found(node)}; expected {_told(kind, about)}"
    if not node.text:
        return f"is empty; expected {_told(kind, about)}; give a value or remove the key"
    meaning = _meaning(node)
    if found(node, key) == "a value":
        return f"the value {meaning} to YAML; write it in quotes if the text is meant"
    return f'{shown(node.text)} {meaning} to YAML; write "{shown(node.text)}" in quotes if the text is meant'


def _meaning(node: Node) -> str:
    """How other readers, or this one, take a plain scalar that was meant as text."""
    old = old_meaning(node.text)
    value = node.value if old is None or isinstance(node.value, (int, float)) else old
    if isinstance(value, bool):
        return f"means {str(value).lower()}"
    if value is None:
        return "means nothing"
    if isinstance(value, (int, float)):
        return f"is the number {value:.15g}" if f"{value:.15g}" != node.text else "is a number"
    return "is a date"


def _told(kind: mi.Type, about: str) -> str:
    what = expected(kind)
    return f"{what} ({about})" if about else what


def _repaired(value: str, kind: mi.StrType) -> str:
    choices = expected(kind).removeprefix("one of ").split(", ")
    if len(choices) > 1:
        return did_you_mean(value, choices)
    broker = re.sub(r"^(tls|ssl|https|wss)://", "mqtts://", re.sub(r"^(tcp|http|ws)://", "mqtt://", value))
    for candidate in (slug(value), broker):
        if re.search(kind.pattern or "", candidate) and "@" not in candidate:
            return f"; write {shown(candidate)}"
    return ""


def number(node: Node, kind: mi.IntType | mi.FloatType, key: str, about: str) -> int | float:
    """A number within its range; an integer serves where a fraction is expected, never the other way round."""
    value = node.value
    told = _told(kind, about)
    old = old_meaning(node.text) if node.plain else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UnfitError(f"found {_as_written(node, key)}; expected {told}{_meant_number(node, old)}")
    if old is not None:
        ten = node.text.lstrip("+-").lstrip("0") or "0"
        other = (
            f"{node.text} is {old} to some YAML readers and {ten} to others" if old != "text" else f"found {node.text}"
        )
        raise UnfitError(f"{other}; expected {told}; write {ten} without the zero")
    if not math.isfinite(value):
        raise UnfitError(f"found {shown(node.text)}; expected {told}")
    if isinstance(kind, mi.IntType) and isinstance(value, float):
        whole = f"; write {value:.0f}" if value.is_integer() else ""
        raise UnfitError(f"found {shown(node.text)}; expected {told}{whole}")
    if not _within(value, kind):
        raise UnfitError(f"found {shown(node.text)}; expected {told}")
    return float(value) if isinstance(kind, mi.FloatType) else value


def _within(value: float, kind: mi.IntType | mi.FloatType) -> bool:
    return (
        (kind.ge is None or value >= kind.ge)
        and (kind.gt is None or value > kind.gt)
        and (kind.le is None or value <= kind.le)
        and (kind.lt is None or value < kind.lt)
        and (kind.multiple_of is None or value % kind.multiple_of == 0)
    )


def _meant_number(node: Node, old: Any) -> str:
    """What to write instead: 0,5 is 0.5, "3" is 3, 1_000 is 1000."""
    if not isinstance(node.value, str):
        return ""
    if not node.plain and isinstance(scalar(node.text), (int, float)) and not isinstance(scalar(node.text), bool):
        return "; remove the quotes"
    if isinstance(old, (int, float)) and not isinstance(old, bool):
        return f"; write {old:.15g}"
    percent = re.fullmatch(r"([0-9]{1,3})\s*%", node.text)
    if percent:
        return f"; write {int(percent[1]) / 100:g}"
    comma = re.fullmatch(r"[-+]?[0-9]+,[0-9]+", node.text)
    if comma:
        return f"; write {node.text.replace(',', '.')}"
    unit = re.fullmatch(r"([-+]?[0-9]+(\.[0-9]+)?)\s*[a-zA-Z/]{1,8}", node.text)
    return f"; write the number alone: {unit[1]}" if unit else ""


def _as_written(node: Node, key: str) -> str:
    return f'"{shown(node.text)}" in quotes' if isinstance(node.value, str) and not node.plain else found(node, key)


def truth(node: Node, key: str, about: str) -> bool:
    if isinstance(node.value, bool):
        return node.value
    told = f"true or false ({about})" if about else "true or false"
    meant = node.text.lower() if isinstance(node.value, (str, int)) else ""
    remedy = ""
    if meant in {"true", "false"}:
        remedy = "; remove the quotes"
    elif node.text in OLD_TRUE or meant in {"1", "y", "yes", "on"}:
        remedy = "; write true"
    elif node.text in OLD_FALSE or meant in {"0", "n", "no", "off"}:
        remedy = "; write false"
    raise UnfitError(f"found {_as_written(node, key)}; expected {told}{remedy}")


def choice(node: Node, kind: mi.LiteralType, key: str, about: str) -> Any:
    """One of a few words or numbers."""
    value = node.value
    surprising = node.plain and old_meaning(node.text) is not None
    if type(value) in (str, int) and value in kind.values and not surprising:
        return value
    told = _told(kind, about)
    words = [str(word) for word in kind.values]
    if not isinstance(value, (dict, list)) and node.text in words:
        remedy = f'; write "{node.text}" in quotes' if node.plain else "; remove the quotes"
    else:
        remedy = did_you_mean(node.text, words) if isinstance(value, str) else ""
    raise UnfitError(f"found {_as_written(node, key)}; expected {told}{remedy}")
