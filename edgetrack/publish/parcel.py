"""What is handed to a connection as one packet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import msgspec

from edgetrack.publish.message import Message


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message with its whole topic, an answer to a request, or a few words of our own."""

    topic: str
    payload: bytes
    retain: bool = False
    message: Message | None = None
    key: int | None = None  # of the message, among those that wait for their acknowledgement
    answer: bool = False
    correlation: bytes | None = None  # of an answer

    def refused(self, reason: str) -> Parcel | None:
        """An answer that says why there is none; None for what is no answer, but a picture."""
        if not self.payload.startswith(b"{"):
            return None
        told = msgspec.json.decode(self.payload, type=dict[str, Any])
        if not told.pop("result", None):
            return None
        told |= {"ok": False, "error": "failed", "reason": reason}
        return replace(self, payload=msgspec.json.encode(told))
