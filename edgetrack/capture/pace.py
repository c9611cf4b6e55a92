"""How many pictures a second a camera usually gives, and whether it gives fewer now."""

from __future__ import annotations

WINDOW_S = 10.0
SLOW = 0.6  # of the usual rate: a camera that halves it for the night, or a network that loses packets
USUAL = 0.75  # of the usual rate: well again
SLOW_WINDOWS = 2
LEARN = 0.2  # of the difference, a window, while all is well
RESIGN = 1 / 60  # while it is slow: after about ten minutes the new rate is the usual one


class Pace:
    """Counts pictures by their own times, in windows; what an outage cut short counts for nothing."""

    def __init__(self) -> None:
        self.reason = ""
        self.fps = 0.0  # of the last whole window
        self._usual: float | None = None
        self._began: float | None = None
        self._pictures = self._slow = 0

    def beat(self, time: float, pictures: int = 1) -> None:
        """So many pictures came, the last of them taken at `time`, s."""
        if self._began is None:
            self._began, self._pictures = time, 0
            return
        self._pictures += pictures
        if time - self._began >= WINDOW_S:
            self._judge(self._pictures / (time - self._began))
            self._began, self._pictures = time, 0

    def pause(self) -> None:
        """There are no pictures; the next one begins a window."""
        self._began = None

    def _judge(self, fps: float) -> None:
        self.fps = fps
        if self._usual is None:
            self._usual = fps
        slow = fps < (USUAL if self.reason else SLOW) * self._usual
        self._slow = self._slow + 1 if slow else 0
        if self._slow == SLOW_WINDOWS and not self.reason:
            self.reason = f"{fps:.2g} pictures/s, usually {self._usual:.2g}; is it night mode, or the network?"
        elif not slow:
            self.reason = ""
        self._usual += (RESIGN if slow else LEARN) * (fps - self._usual)
