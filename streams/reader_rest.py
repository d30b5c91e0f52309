"""The slow reader's rest: a worker that doubts nothing for a while has no reader in memory.

Owns how long that while is. What leaves, and how it comes back, is classifiers/slow_network.py's.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from streams.live_model import LiveModel

#: The next doubtful article has it loaded again, for half a second of CPU: at the worst rhythm, one
#: article every two minutes, that is 0.4 % of a core, and no article waits for it more often.
REST_S: Final = 120.0
LOOK_S: Final = 15.0

_log = structlog.get_logger("wirebell.reader")


async def rest_when_idle(
    model: LiveModel, ending: asyncio.Event, *, idle_s: float = REST_S, look_s: float = LOOK_S
) -> None:
    """Let the reader go whenever nothing was doubtful for `idle_s`, until `ending`. A model that
    is taken into use meanwhile has the same reader.
    """
    while not ending.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(look_s):
                await ending.wait()
        if not model.loaded or ending.is_set():
            continue
        if await asyncio.to_thread(model.current.rest, idle_s):
            _log.debug("the slow reader rests until an article is doubtful")
