"""Where events go."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from edgetrack.types import Event, PublishState

if TYPE_CHECKING:
    from typing_extensions import Self


class Publisher(Protocol):
    """A context manager that takes events and never blocks the loop; what it must drop it counts and reports.

    Entering starts it; a broker that does not answer is retried, not an error. Leaving sends what is queued for a
    bounded time, says offline and lets go.
    """

    @property
    def state(self) -> PublishState:
        """How it is doing now; may be read from any thread."""

    def publish(self, events: Sequence[Event]) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
