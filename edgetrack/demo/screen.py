"""What the demo shows while it runs: a table that is redrawn on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TextIO

import numpy as np

from edgetrack.demo.listener import Counts, Heard, Listener

if TYPE_CHECKING:
    from typing_extensions import Self

REDRAW_S = 0.25
STATUS_S = 5.0  # between lines on how it goes, where there is no terminal
NEWS = 6  # newest messages in the table

Visits = Mapping[str, Mapping[str, tuple[int, int]]]  # zone -> class -> at least, at most
Truth = Callable[[int], "tuple[Counts, Visits]"]  # what is true up to a frame


class Screen:
    """A context manager that shows what a listener hears, in a thread of its own.

    Args:
        truth: crossings and visits up to a frame.
        title: first line of the table.
        out: written to; a terminal is redrawn.
    """

    def __init__(self, listener: Listener, truth: Truth, title: str, out: TextIO = sys.stdout) -> None:
        self._listener, self._truth, self._title, self._out = listener, truth, title, out
        self._terminal = out.isatty()
        self._stop = threading.Event()
        self._height = 0
        self._news: list[tuple[str, str]] = []
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._show, name="screen", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._height:  # the title stays; what comes of it all is told below
            self._out.write(f"\x1b[{self._height - 1}A\x1b[J")
            self._out.flush()

    def _show(self) -> None:
        told = time.monotonic()
        if not self._terminal:
            self._write([self._title])
        while not self._stop.wait(REDRAW_S):
            news = self._listener.news()
            if self._terminal:
                self._news = [*self._news, *news][-NEWS:]
                self._redraw()
                continue
            self._write([f"{topic} {digest(payload)}" for topic, payload in news if "/event/" in topic])
            if time.monotonic() - told > STATUS_S:
                told = time.monotonic()
                self._write([f"-- {self._status(self._listener.heard())}"])

    def _status(self, heard: Heard) -> str:
        parts = [f"{time.monotonic() - self._began:5.1f} s"]
        if heard.health:
            parts.append(f"{heard.health['fps']:.1f} frames/s")
        if heard.latency_ms:
            usual, most = np.percentile(heard.latency_ms, (50, 95))
            parts.append(f"latency {usual:.0f} ms (95 % within {most:.0f})")
        return ", ".join([*parts, f"{len(heard.tracks)} tracks", f"{heard.messages} messages"])

    def _redraw(self) -> None:
        heard = self._listener.heard()
        lines = [self._title, self._status(heard), "", *table(heard, *self._truth(heard.frame)), "", "newest messages:"]
        lines += [f"  {topic.split('/', 3)[-1]:28} {digest(payload)}" for topic, payload in self._news]
        lines += [""] * (NEWS - len(self._news))
        columns = shutil.get_terminal_size().columns - 1
        if self._height:
            self._out.write(f"\x1b[{self._height}A")
        self._height = len(lines)
        self._write([f"\x1b[2K{line[:columns]}" for line in lines])

    def _write(self, lines: list[str]) -> None:
        self._out.write("".join(f"{line}\n" for line in lines))
        self._out.flush()


def digest(payload: str) -> str:
    """The parts of a payload that a person reads."""
    whole = json.loads(payload)
    keys = ("type", "class", "track", "line", "direction", "zone", "duration_s", "score", "latency_ms", "seq")
    return json.dumps({key: whole[key] for key in keys if key in whole})


def table(heard: Heard, counts: Counts, visits: Visits) -> list[str]:
    """Counts received beside the truth."""
    lines = [f"  {'line':12}{'class':10}{'received in/out':>16}{'truth':>10}"]
    for line in sorted(counts.keys() | heard.counts.keys()):
        heard_of, true_of = heard.counts.get(line, {}), counts.get(line, {})
        for name in sorted(heard_of.keys() | true_of.keys()):
            a, b = heard_of.get(name, (0, 0)), true_of.get(name, (0, 0))
            if a != (0, 0) or b != (0, 0):
                lines.append(f"  {line:12}{name:10}{a[0]:>12}/{a[1]:<3}{b[0]:>6}/{b[1]:<3}{'' if a == b else '  <'}")
    lines.append(f"  {'zone':12}{'class':10}{'visits received':>16}{'truth':>10}{'now':>6}")
    for zone in sorted(visits.keys() | heard.visits.keys()):
        entered, true = heard.visits.get(zone, {}), visits.get(zone, {})
        for name in sorted(entered.keys() | true.keys()):
            got, (least, most) = entered.get(name, 0), true.get(name, (0, 0))
            want = f"{least}" if least == most else f"{least} to {most}"
            now = heard.occupancy.get(zone, 0)
            lines.append(f"  {zone:12}{name:10}{got:>16}{want:>10}{now:>6}{'' if least <= got <= most else '  <'}")
    return lines
