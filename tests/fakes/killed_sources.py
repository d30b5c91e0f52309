"""`wirebell sources` that kills itself at a named place: `python -m tests.fakes.killed_sources
PLACE:COUNT`. Everything in it is the real thing; only the place is watched.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from connectors.publisher import Publisher
from connectors.sources.files import FilesSource
from streams.commands.sources import command
from streams.cursors import RedisCursors

# Where a poll can be cut off: (class, method, kill before it instead of after it).
PLACES: dict[str, tuple[type, str, bool]] = {
    "asked": (FilesSource, "poll", False),
    "publishing": (Publisher, "publish_encoded", True),
    "published": (Publisher, "publish_encoded", False),
    "saved": (RedisCursors, "save", False),
}


def watch(place: str, count: int) -> None:
    """Have the process killed by SIGKILL at the place, the `count`-th time it comes there."""
    owner, name, before = PLACES[place]
    real: Callable[..., Awaitable[Any]] = getattr(owner, name)
    visits = 0

    async def watched(*arguments: Any) -> Any:
        nonlocal visits
        visits += 1
        if before and visits == count:
            os.kill(os.getpid(), signal.SIGKILL)
        result = await real(*arguments)
        if visits == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, watched)


if __name__ == "__main__":
    watched_place, times = sys.argv[1].split(":")
    watch(watched_place, int(times))
    command(config=None)
