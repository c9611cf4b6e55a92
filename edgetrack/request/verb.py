"""What a verb is made of, and what it may touch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from edgetrack.config import RequestsConfig
from edgetrack.publish.payload import Transaction
from edgetrack.types import Frame, Tracks

if TYPE_CHECKING:
    from edgetrack.parts import Parts
    from edgetrack.request.reload import Reloaded


class Ask(Struct, kw_only=True, forbid_unknown_fields=True):
    """What every request may say. An empty payload is an empty object."""

    transaction: Annotated[
        Transaction | None, Meta(description="anything; it comes back in the answer, to tell answers apart")
    ] = None


@dataclass
class Daemon:
    """The running daemon, as the loop has it between two frames.

    `frame` and `tracks` are the newest; nobody writes to them, so a thread may keep them.
    """

    parts: Parts
    reload: Callable[[], Reloaded]
    frame: Frame | None = None  # none yet
    tracks: Tracks = field(default_factory=Tracks.empty)
    options: RequestsConfig = field(default_factory=RequestsConfig)  # of the broker that asks
    room: float = math.inf  # bytes that the broker takes at once, of an answer and all that is round it
    show: Callable[[str, bytes], None] = lambda _, __: None  # to that broker, on a topic of this camera; any thread


@dataclass(frozen=True)
class Verb:
    """One thing that can be asked.

    Args:
        ask: the request.
        result: what comes back.
        run: called in the loop. Returns the result, or a function that makes it in the service's thread; both may
            raise EdgetrackError with what is wrong with the request.
    """

    ask: type[Ask]
    result: type[Struct]
    run: Callable[[Daemon, Any], Struct | Callable[[], Struct]]
