"""What is wrong, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Mistake:
    """One thing to mend; prints as one line.

    `line` and `column` count from 1. `key` is the way to it, `zones[0].polygon`, empty where YAML itself is at fault.
    A hint is no error: the configuration can be used, but may not do what was meant.
    """

    file: str
    line: int
    column: int
    key: str
    text: str
    hint: bool = False

    def __str__(self) -> str:
        level = "hint: " if self.hint else ""
        key = f"{self.key}: " if self.key else ""
        return f"{self.file}:{self.line}:{self.column}: {level}{key}{self.text}"


class Notes:
    """Collects the mistakes of one file, up to a number that somebody may want to read."""

    LIMIT = 100

    def __init__(self, file: str, environment: Mapping[str, str]) -> None:
        self.file = file
        self.environment = environment  # in which the file is read
        self.mistakes: list[Mistake] = []

    @property
    def full(self) -> bool:
        return len(self.mistakes) >= self.LIMIT

    def add(self, place: tuple[int, int], key: str, text: str, hint: bool = False) -> None:
        """Args: place: line and column from 1. text: what was found; what was expected; what to do."""
        if not self.full:
            self.mistakes.append(Mistake(self.file, *place, key, one_line(text), hint))


def one_line(text: str) -> str:
    """`text` with what would break a line or move a terminal's cursor written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
