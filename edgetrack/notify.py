"""sd_notify: tells systemd that the daemon is ready, alive, reloading or stopping.

One datagram of `KEY=value` lines to the socket that systemd names in NOTIFY_SOCKET (sd_notify(3)); without the
variable every call does nothing.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

log = logging.getLogger(__name__)

PATIENCE_S = 0.5  # with a manager that does not read; the data path calls, and must not stand still


class Systemd:
    """The line to the service manager."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address  # @ stands for an abstract socket
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        limit_s = int(environment.get("WATCHDOG_USEC", "0")) / 1e6 if mine else 0.0
        self._beat_s = limit_s / 4  # four beats fit into one limit, so one late beat kills nobody
        self._last_beat = float("-inf")

    def ready(self) -> None:
        self._send("READY=1")

    def alive(self) -> None:
        """WATCHDOG=1, at most four times per WatchdogSec; to be called from the data path."""
        now = time.monotonic()
        if self._beat_s and now - self._last_beat >= self._beat_s:
            self._last_beat = now
            self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send("STATUS=" + text.replace("\n", " "))

    def reloading(self) -> None:
        """Type=notify-reload wants the time of the reload; plain notify ignores it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.settimeout(PATIENCE_S)
                line.sendto(text.encode(), self._address)
        except OSError as error:
            log.debug("NOTIFY_SOCKET %r: %s", self._address, error)
