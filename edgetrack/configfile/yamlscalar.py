"""What a plain scalar means: to YAML 1.2's core schema (section 10.3.2), and to the many readers of YAML 1.1."""

from __future__ import annotations

import re

Plain = str | int | float | bool | None

NULL = {"", "~", "null", "Null", "NULL"}
TRUE = {"true", "True", "TRUE"}
FALSE = {"false", "False", "FALSE"}
INTEGER = re.compile(r"[-+]?[0-9]+")
BASED = re.compile(r"0o([0-7]+)|0x([0-9a-fA-F]+)")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
LONGEST_INTEGER = 18  # digits; longer ones are out of every range and are kept as floats

# What YAML 1.1 made of plain words and YAML 1.2 does not.
OLD_TRUE = {"yes", "Yes", "YES", "on", "On", "ON"}
OLD_FALSE = {"no", "No", "NO", "off", "Off", "OFF"}
BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*((:[0-5]?[0-9])+)(\.[0-9_]*)?")
OLD_BASED = re.compile(r"([-+]?)0(?:b([01]+)|x([0-9a-fA-F]+))")
DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?")


def scalar(text: str) -> Plain:
    """A plain scalar's meaning in the core schema of YAML 1.2."""
    if text in NULL:
        return None
    if text in TRUE or text in FALSE:
        return text in TRUE
    if INTEGER.fullmatch(text):
        return int(text) if len(text) <= LONGEST_INTEGER else float(text)
    based = BASED.fullmatch(text)
    if based:
        digits = based[1] or based[2]
        return int(digits, 8 if based[1] else 16) if len(digits) <= LONGEST_INTEGER else float("inf")
    if FLOAT.fullmatch(text):
        return float(text)
    special = SPECIAL.fullmatch(text)
    if special:
        return float("nan") if special[3] else float(f"{special[1]}inf")
    return text


def old_meaning(text: str) -> bool | int | float | str | None:
    """What YAML 1.1 makes of a plain scalar that YAML 1.2 reads in another way; None: they agree.

    Base 60 (12:30 is 750), base 8 with a leading zero (010 is 8; "text" for 08), underscores (1_000), yes, no, on, off,
    "a date".
    """
    if text in OLD_TRUE or text in OLD_FALSE:
        return text in OLD_TRUE
    if DATE.fullmatch(text):
        return "a date"
    if len(text) > LONGEST_INTEGER:
        return None
    digits = text.replace("_", "")
    sign = -1 if digits.startswith("-") else 1
    if BASE_60.fullmatch(text):
        total: float = 0
        for part in digits.lstrip("+-").split(":"):
            total = total * 60 + (float(part) if "." in part else int(part))
        return sign * total
    if re.fullmatch(r"[-+]?0[0-9]+", digits):
        return sign * int(digits.lstrip("+-"), 8) if re.fullmatch(r"[-+]?[0-7]+", digits) else "text"
    based = OLD_BASED.fullmatch(digits)
    if based and digits[1:2] != "x":
        return sign * int(based[2] or based[3], 2 if based[2] else 16)
    if "_" in text and text[0] in "+-.0123456789":
        value = scalar(digits)
        return value if isinstance(value, (int, float)) else None
    return None
