"""The daemon as systemd would run it: a process of its own, its log in a file, its messages read by mosquitto_sub."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass
class Daemon:
    process: subprocess.Popen[bytes]
    log: Path

    def wait(self, timeout_s: float = 120) -> int:
        return self.process.wait(timeout_s)

    def wait_for(self, text: str, timeout_s: float = 20) -> None:
        """Until the log holds `text`."""
        until(
            lambda: text in self.log.read_text(), timeout_s, lambda: f"{text!r} not in the log:\n{self.log.read_text()}"
        )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Ask it to stop; the seconds that it took."""
        before = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - before

    @property
    def warnings(self) -> list[str]:
        """Lines of the log that are no plain information."""
        return [line for line in self.log.read_text().splitlines() if " INFO " not in line]


@contextmanager
def running(config: Path, *options: str, **environment: str) -> Iterator[Daemon]:
    log = config.with_suffix(".log")
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "edgetrack", "run", str(config), *options],
            stderr=stderr,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )
    try:
        yield Daemon(process, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


class Quoting(yaml.SafeDumper):
    """PyYAML puts 12:30 into quotes, which would be a number, but not 00:15, which edgetrack does not take either."""


Quoting.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, '"' if re.fullmatch("[0-9:]+", text) else None
    ),
)


def write_config(path: Path, **settings: Any) -> Path:
    path.write_text(yaml.dump(settings, Dumper=Quoting, sort_keys=False))
    return path


@dataclass(frozen=True)
class Heard:
    """One message as mosquitto_sub prints it with the format '%r %t %p'."""

    retained: bool
    topic: str
    text: str

    @property
    def payload(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.text)
        return loaded


@dataclass
class Subscriber:
    process: subprocess.Popen[bytes]
    path: Path

    @property
    def heard(self) -> list[Heard]:
        lines = self.path.read_text().splitlines()
        parts = [line.split(" ", 2) for line in lines if line.count(" ") >= 2]
        return [Heard(retained == "1", topic, text) for retained, topic, text in parts]

    def on(self, ending: str) -> list[Heard]:
        """The messages on topics that hold `ending`."""
        return [message for message in self.heard if ending in message.topic]

    def wait_for(self, ending: str, text: str = "", timeout_s: float = 20) -> Heard:
        """The newest message on a topic that holds `ending`, whose payload holds `text`."""
        until(
            lambda: any(text in message.text for message in self.on(ending)),
            timeout_s,
            lambda: f"no {text!r} on {ending!r}; the last: {[m.text[:300] for m in self.on(ending)][-3:]}",
        )
        return [message for message in self.on(ending) if text in message.text][-1]


@contextmanager
def subscribed(port: int, path: Path, topic: str = "edgetrack/#") -> Iterator[Subscriber]:
    """A plain mosquitto_sub, as a user would type it."""
    with path.open("wb") as out:
        process = subprocess.Popen(
            ["mosquitto_sub", "-p", str(port), "-t", topic, "-q", "1", "-F", "%r %t %p"],
            stdout=out,
            stderr=subprocess.DEVNULL,
        )
    try:
        time.sleep(0.3)  # until it has subscribed: mosquitto_sub does not say when
        yield Subscriber(process, path)
    finally:
        process.terminate()
        process.wait(10)


def until(true: Callable[[], bool], timeout_s: float, message: Callable[[], str]) -> None:
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, message()
        time.sleep(0.05)
