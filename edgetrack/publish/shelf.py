"""What one outlet sees of the outbox."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from edgetrack.publish.disk import Disk
from edgetrack.publish.ledger import Ledger
from edgetrack.publish.message import Message
from edgetrack.publish.outbox import OutboxError

if TYPE_CHECKING:
    from edgetrack.publish.journal import Journal

log = logging.getLogger(__name__)


class Shelf:
    """What it owes, and a note of its own; for its thread.

    Args:
        bit: of the outlet.
        name: under which the ledger has its note.
        journal: writes down what it is told here.
    """

    def __init__(self, disk: Disk, ledger: Ledger, bit: int, name: str, journal: Journal) -> None:
        self._disk, self._ledger, self._bit, self._name, self._journal = disk, ledger, bit, name, journal

    def read(self, after: int, limit: int) -> list[Message] | None:
        """The next events that are not delivered, in order; None where the disk cannot be read now."""
        outbox = self._disk.outbox
        if outbox is None:
            return []
        try:
            return self._sound(outbox.read(self._bit, after, limit))
        except OutboxError as error:
            log.debug("cannot read: %s", error)
            if error.broken:
                self._disk.suspect(outbox, error)
            return None

    def delivered(self, seq: int) -> None:
        self._journal.delivered(self._bit, seq)

    @property
    def note(self) -> bytes:
        """What the outlet wrote down for the next start; empty if nothing."""
        return self._ledger.entries.get(self._name, b"")

    @note.setter
    def note(self, value: bytes) -> None:
        self._journal.write_down(self._name, value or None)

    def _sound(self, messages: Sequence[Message]) -> list[Message]:
        """Those that the disk did not spoil; the others are as good as lost."""
        sound = [message for message in messages if is_sound(message)]
        for message in messages:
            if message not in sound:
                log.warning("%s: event %d is spoilt, and dropped; is the card worn?", self._disk.path, message.seq)
                self._journal.lost()
                self.delivered(message.seq)
        return sound


def is_sound(message: Message) -> bool:
    """A topic that can be published to, and JSON: on a worn card bits flip."""
    if not (isinstance(message.topic, str) and isinstance(message.payload, bytes)):
        return False
    try:
        msgspec.json.decode(message.payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return not any(sign in message.topic for sign in "+#\0\ufffd")
