"""How often the page looks at the line: at its full pace while somebody looks on or something is
amiss, rarely while nobody does.

A line at rest that nobody looks at was asked 40 questions a second by its own page. What must be
noticed without a viewer (a stall, a dependency away, a missed canary) shows at the slow pace too,
and puts the page back to the full one.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime

# Below what counts as silence (10 s), as standing still for the page itself (15 s) and as out of
# date for the verdict in Redis.
SLOW_S = 5.0


class Attention:
    """Who looks on, whether the line gives cause to, and the pace of both."""

    def __init__(self) -> None:
        self._viewers, self._left_at = 0, time.monotonic()
        self._uneasy = True  # until a verdict says otherwise
        self._over = False
        self._woken = asyncio.Event()

    @property
    def watched(self) -> bool:
        """Whether somebody looks on right now."""
        return self._viewers > 0

    @property
    def awake(self) -> bool:
        """Whether to look at the full pace."""
        return self.watched or self._uneasy

    @contextlib.contextmanager
    def viewer(self) -> Iterator[None]:
        """Somebody looks on, inside."""
        self._viewers += 1
        if self._viewers == 1:
            self.wake()  # those who wait for somebody are among the sleepers
        try:
            yield
        finally:
            self._viewers -= 1
            self._left_at = time.monotonic()

    def worry(self, uneasy: bool) -> None:
        """Say whether the line should be looked at closely although nobody looks on."""
        if uneasy and not self.awake:
            self.wake()
        self._uneasy = uneasy

    def wake(self) -> None:
        """End every rest now."""
        self._woken.set()
        if not self._over:
            self._woken = asyncio.Event()

    def end(self) -> None:
        """Nobody rests any more."""
        self._over = True
        self.wake()

    async def rest(self, pace_s: float, slow_s: float = SLOW_S) -> None:
        """Wait until the next look is due."""
        woken = self._woken
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pace_s if self.awake else max(pace_s, slow_s)):
                await woken.wait()

    def unwatched_s(self) -> float:
        """Seconds since somebody looked on."""
        return 0.0 if self.watched else time.monotonic() - self._left_at

    async def somebody(self) -> None:
        """Returns once somebody looks on, or at the end."""
        while not (self.watched or self._over):
            await self._woken.wait()


class Turn:
    """One thing that is looked at again and again."""

    def __init__(
        self, step: Callable[[datetime], Awaitable[None]], pace_s: float, slow_s: float = SLOW_S
    ) -> None:
        self._step = step
        self._pace_s = pace_s
        self._slow_s = slow_s
        self._ended = asyncio.Event()

    async def run(self, attention: Attention, stop: asyncio.Event) -> None:
        """Look until `stop`; who sets it ends the attention too."""
        while not stop.is_set():
            await self._step(datetime.now(UTC))
            self._ended.set()
            self._ended = asyncio.Event()
            await attention.rest(self._pace_s, self._slow_s)

    async def ended(self) -> None:
        """Returns when the next look has ended."""
        await self._ended.wait()
