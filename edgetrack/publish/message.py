"""One message on its way out, and the order in which messages give way when there is no room for all."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace


class Worth(enum.IntEnum):
    """How long a message is kept where not all can be kept; the lowest go first."""

    UPDATE = 0  # the next one says as much
    EVENT = 1  # happened once
    STATE = 2  # retained by brokers; only the newest on its topic matters


@dataclass(frozen=True, slots=True)
class Message:
    """What every publisher gets, encoded once; all are sent with QoS 1."""

    topic: str  # below the prefix: "gate-01/north/track/person"
    payload: bytes  # JSON object, or nothing: the broker forgets what it retained
    worth: Worth
    seq: int
    whole: bool = False  # the topic is not below the prefix, but all of it

    @property
    def retain(self) -> bool:
        return self.worth is Worth.STATE

    def replayed(self) -> Message:
        """The same, marked as kept while the broker was away; states need no mark, they are true until the next."""
        if self.retain or self.payload.endswith(REPLAYED):
            return self
        return replace(self, payload=self.payload[:-1] + REPLAYED)


REPLAYED = b',"replayed":true}'
