"""What may stand on the command line, said in a way that a mistake is told with what was expected."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable


def whole(low: int, high: int) -> Callable[[str], int]:
    """Of argparse's `type`: a whole number in a range, both ends included."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise ArgumentTypeError(f"is {text[:40]!a}, expected a whole number from {low} to {high}")
        return number

    return read


def number(low: float, high: float) -> Callable[[str], float]:
    """Of argparse's `type`: a number in a range, both ends included."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ArgumentTypeError(f"is {text[:40]!a}, expected a number from {low:g} to {high:g}")
        return value

    return read


def wholes(low: int, high: int) -> Callable[[str], list[int]]:
    """Of argparse's `type`: whole numbers in a range with commas between."""
    one = whole(low, high)
    return lambda text: [one(part) for part in text.split(",")]


def span(text: str) -> range:
    """Of argparse's `type`: FIRST:LAST, the last one left out."""
    first, _, last = text.partition(":")
    if not (first.isdecimal() and last.isdecimal() and int(first) < int(last)):
        raise ArgumentTypeError(f"is {text[:40]!a}, expected FIRST:LAST, such as 100:110")
    return range(int(first), int(last))


def size(text: str) -> tuple[int, int]:
    """Of argparse's `type`: width and height in px of a text like 1920x1080."""
    width, _, height = text.partition("x")
    side = whole(16, 8192)
    try:
        return side(width), side(height)
    except ArgumentTypeError:
        raise ArgumentTypeError(
            f"is {text[:40]!a}, expected width and height in px, each from 16 to 8192, like 1920x1080"
        ) from None


def words(text: str) -> list[str]:
    """Of argparse's `type`: words with commas between."""
    return [word.strip() for word in text.split(",") if word.strip()]
