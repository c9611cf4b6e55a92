"""How large a message a broker takes, and whether what it acknowledges arrives: sounded, where it does not say."""

from __future__ import annotations

import math
import secrets
import time
from typing import TYPE_CHECKING

from edgetrack.publish import trouble
from edgetrack.publish.mqtt import Link
from edgetrack.publish.parcel import Parcel

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage

ECHO_S = 10.0  # until a probe must have come back
BARE = 1  # size of a probe of nothing but its mark
USUAL, ROUNDED = 1024, 1 << 16  # probes are rounded up to powers of two between, so that few are sent
TRIES = 3  # of one probe: a connection may break by chance
AGAIN_S = 3600.0  # until a probe is tried again where none got through: connections may have broken for other reasons


class Depth:
    """What one broker takes, by size of the packet, through connections.

    Under MQTT 5 a broker says so when it lets us in. Under 3.1.1 it closes the connection on what is larger, or
    acknowledges it and throws it away, as it does with what it denies. So under 3.1.1 a probe to ourselves goes first,
    at every connection and whenever something larger than all before it is to be sent, and must come back. Under 5 it
    goes first once a connection broke with messages under way, for there are brokers that break the rule, and must be
    acknowledged. Only what breaks the connection TRIES times, or does not come back before what was sent after it, is
    too large.

    Args:
        topic: of probes.
        echoes: they come back (3.1.1).
    """

    def __init__(self, topic: str, echoes: bool) -> None:
        self.topic, self._echoes = topic, echoes
        self._told = math.inf  # bytes that the broker takes by its own word
        self._limit = math.inf  # bytes that it does not take, found out
        self._proved = 0 if echoes else math.inf  # bytes that came through
        self._deaf = False  # acknowledged, but nothing comes back: an acknowledgement must do
        self._path: bool | None = None  # whether a probe gets through at all
        self._again_at = math.inf  # when that is worth another try
        self._rounding = True
        self._broke = (0, 0)  # bytes of a probe that broke connections, and how many
        self.by_probe = False  # one ended the last connection
        self._by_size = False  # one that was larger than bare
        self._need = 0  # bytes that wait for a probe
        self._probe = 0  # bytes of the probe under way; 0: none
        self._mid, self._mark, self._end = 0, b"", b""
        self._back = False
        self._overtaken = False  # what was sent after it came back before it: it never will
        self._until = math.inf

    @property
    def most(self) -> float:
        """Bytes of the largest packet worth sending."""
        return min(self._told, self._limit - 1)

    @property
    def why(self) -> str:
        """How that is known."""
        if self.most == self._told:
            return f"the broker takes {self._told:.0f} at most"
        return f"a probe of {self._limit:.0f} does not get through to the broker"

    def begin(self, link: Link) -> None:
        """A new connection; unless the size of a probe ended the last one, the broker may have been given other limits.

        What was found out, that no probe gets through too, needs one more proof then, instead of TRIES.
        """
        if self._limit < math.inf and not self._by_size:
            self._broke, self._limit, self._rounding = (int(self._limit), TRIES - 1), math.inf, False
        self.by_probe = self._by_size = False
        if time.monotonic() > self._again_at:
            self._path, self._again_at = None, math.inf
            self._proved, self._broke = (0 if self._echoes else math.inf), (BARE, TRIES - 1)
        self._link, self._told = link, link.max_bytes
        self._need = self._probe = 0
        self._until = math.inf
        if self._echoes and self._path is not False:
            link.watch(self.topic, self._receive)
            self._need = BARE

    def takes(self, size: int) -> bool | None:
        """Whether the broker takes a packet of so many bytes; None: a probe will tell, ask again."""
        if size > self.most:
            return False
        if size <= self._proved:
            return True
        self._need = max(self._need, size) if self._probe else size
        return None

    def step(self, under_way: dict[int, Parcel]) -> bool:
        """Send the probe that is wanted, look after the one under way; True: nothing comes back, said once."""
        asked = self._echoes and self._link.granted.get(self.topic) is None  # to read it, and not answered yet
        if not self._probe and self._need and not asked and len(under_way) < self._link.window:
            self._send(under_way)
        if self._probe and self._back:
            self._pass()
        elif self._probe and self._overtaken:
            vanished, self._probe = self._probe, 0
            self._too_large(vanished)
        if time.monotonic() < self._until:
            return False
        self._until, self._deaf = math.inf, True
        self._pass()
        return True

    def _send(self, under_way: dict[int, Parcel]) -> None:
        self._probe = self._size()
        self._end = b'{"probe":"%s"}' % secrets.token_hex(4).encode()
        self._mark = self._end.ljust(len(self._end) + self._probe - self._link.packet_bytes(self.topic, self._end))
        if self._mark != self._end:  # a longer packet takes more bytes to say how long it is
            self._mark = self._mark[: self._probe - self._link.packet_bytes(self.topic, self._mark) or None]
        self._back = self._overtaken = False
        self._mid = self._link.publish(self.topic, self._mark, False)
        under_way[self._mid] = Parcel(self.topic, self._mark)
        if self._heard:
            self._until = time.monotonic() + ECHO_S
            if self._mark != self._end:
                under_way[self._link.publish(self.topic, self._end, False)] = Parcel(self.topic, self._end)

    @property
    def _heard(self) -> bool:
        """What is sent may come back."""
        return self._echoes and self._link.granted.get(self.topic, False)

    def _size(self) -> int:
        if not self._path or self._need == BARE:
            return BARE
        rounded = max(USUAL, 1 << (self._need - 1).bit_length())
        return rounded if self._rounding and rounded <= min(ROUNDED, self.most) else self._need

    def _receive(self, message: MQTTMessage) -> None:
        self._back = self._back or message.payload == self._mark
        self._overtaken = message.payload == self._end and not self._back
        if self._back or self._overtaken:
            self._deaf, self._until = False, math.inf

    def acked(self, mid: int, code: int) -> None:
        """A probe was acknowledged."""
        if mid != self._mid or not self._probe:
            return
        if code == trouble.TOO_LARGE:
            probe, self._probe = self._probe, 0
            self._too_large(probe)
        elif code >= 0x80:
            self._give_up()
        elif not self._heard or self._deaf:
            self._pass()

    def broken(self, under_way: bool) -> str:
        """The broker closed the connection; what that says of sizes, if a probe did it."""
        probe, self._probe = self._probe, 0
        if self._need and self._echoes and self._link.granted.get(self.topic) is None:
            probe = BARE  # it did not even come to that
        if probe:
            before, times = self._broke
            self._broke = (probe, times + 1 if probe >= before > 0 else 1)  # what is larger breaks it all the more
            self.by_probe, self._by_size = True, probe != BARE
            enough = self._broke[1] >= TRIES
            if probe == BARE and enough:
                self._give_up()
                self._again_at = time.monotonic() + AGAIN_S
            elif probe != BARE and (enough or probe != self._need):
                self._too_large(probe)
            return trouble.BREAKS.format("" if probe == BARE else f" of {probe} bytes")
        if under_way and self._path is not False:
            self._proved = 0  # one of them may be too large
        return ""

    def _pass(self) -> None:
        self._path = True
        if self._probe >= self._broke[0]:
            self._broke, self._rounding = (0, 0), True
        self._proved = max(self._proved, self._probe)
        if self._need <= self._proved:
            self._need = 0
        self._probe = 0

    def _too_large(self, probe: int) -> None:
        """The one that was needed, or one that was rounded up: then the very size is tried."""
        self._broke = (0, 0)
        self._rounding = probe == self._need
        if probe == self._need:
            self._limit, self._need = probe, 0

    def _give_up(self) -> None:
        """No probe gets through: sizes are not known."""
        self._path, self._proved, self._need, self._probe = False, math.inf, 0, 0
