"""On which cores this process runs, and who goes first when there are too few of them."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable

from edgetrack.config import RuntimeConfig
from edgetrack.errors import ConfigError

log = logging.getLogger(__name__)


def take(config: RuntimeConfig) -> None:
    """Keep to `runtime.cores` and give way as `runtime.nice` says; threads that come later inherit both.

    Raises:
        ConfigError: a core that this process may not use.
    """
    if config.cores:
        allowed = os.sched_getaffinity(0)
        missing = sorted(set(config.cores) - allowed)
        if missing:
            raise ConfigError(
                f"runtime.cores: {_told(missing)} cannot be used here, {_told(sorted(allowed))} can "
                "(CPUAffinity= in the unit may limit them); name some of those"
            )
    for thread in map(int, os.listdir("/proc/self/task")):
        with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
            if config.cores:
                os.sched_setaffinity(thread, config.cores)
            if config.nice > os.getpriority(os.PRIO_PROCESS, thread):  # downwards it would need a privilege
                os.setpriority(os.PRIO_PROCESS, thread, config.nice)
    if config.cores or config.nice:
        log.info("on cores %s, nice %d", _told(sorted(os.sched_getaffinity(0))), os.getpriority(os.PRIO_PROCESS, 0))


def _told(cores: Iterable[int]) -> str:
    return ", ".join(map(str, cores)) or "none"
