"""How far a download is, for whoever looks at the terminal."""

from __future__ import annotations

import sys
import time

REDRAW_S = 0.1  # between two looks of the line


class ProgressLine:
    """One line on the terminal that says how much has come; silent where nobody looks."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown = sys.stderr.isatty()
        self._next = 0.0
        self._began: tuple[float, int] | None = None

    def __call__(self, here: int, total: int) -> None:
        now = time.monotonic()
        self._began = self._began or (now, here)
        if not self._shown or (now < self._next and here < total):
            return
        self._next = now + REDRAW_S
        since, first = self._began
        rate = (here - first) / max(now - since, 1e-3) / 1e6
        filled = 30 * here // total
        bar = "#" * filled + "." * (30 - filled)
        sys.stderr.write(f"\r{self._name} [{bar}] {here / 1e6:.1f} of {total / 1e6:.1f} MB, {rate:.1f} MB/s ")
        sys.stderr.flush()

    def end(self) -> None:
        if self._shown and self._began:
            sys.stderr.write("\n")
