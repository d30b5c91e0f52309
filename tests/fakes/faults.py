"""Faults that a fake server makes on demand, in the order they were asked for."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web

# reset_before   the connection breaks before anything was applied
# reset_after    applied, then the connection breaks
# timeout        nothing applied, no answer
# timeout_after  applied, no answer
# late           no answer, and applied only `late_s` afterwards
# cut            applied, the answer breaks off in the middle
# status         nothing applied, an HTTP status (with Retry-After if given)
# status_after   applied, then an HTTP status
# garbage        applied, a 200 whose body is no JSON
Kind = Literal[
    "reset_before",
    "reset_after",
    "timeout",
    "timeout_after",
    "late",
    "cut",
    "status",
    "status_after",
    "garbage",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `where` picks requests by a word they contain ("" picks all)."""

    kind: Kind
    status: int = 500
    retry_after: str = ""
    late_s: float = 1.0
    where: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Faults:
    """Faults to come: a queue, then a share at random (seeded)."""

    queue: list[Fault] = field(default_factory=list)
    share: float = 0.0
    among: tuple[Fault, ...] = ()
    seed: int = 1
    clock: Callable[[], float] = time.monotonic
    made: int = 0
    _random: random.Random = field(init=False)
    _later: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def next(self, about: str) -> Fault | None:
        """The fault for a request described by `about`, if it gets one."""
        for index, fault in enumerate(self.queue):
            if fault.where in about:
                self.made += 1
                return self.queue.pop(index)
        if self.among and self._random.random() < self.share:
            self.made += 1
            return self._random.choice(self.among)
        return None

    async def answer(
        self, request: web.Request, fault: Fault | None, apply: Callable[[], web.Response]
    ) -> web.StreamResponse:
        """Answer a request with or without a fault; `apply` does what was asked."""
        if fault is None:
            return apply()
        if fault.kind in ("status", "status_after"):
            if fault.kind == "status_after":
                apply()
            headers = dict(fault.headers)
            if fault.retry_after:
                headers["Retry-After"] = fault.retry_after
            return web.Response(status=fault.status, text="fault", headers=headers)
        if fault.kind in ("reset_after", "timeout_after", "cut", "garbage"):
            answer = apply()
            if fault.kind == "garbage":
                return web.Response(text="{not json", content_type="application/json")
            if fault.kind == "cut":
                return await _cut(request, answer)
        if fault.kind == "late":
            self._later.add(asyncio.create_task(self._apply_later(apply, fault.late_s)))
        if fault.kind in ("timeout", "timeout_after", "late"):
            return await _silence(request)
        return _reset(request)

    @property
    def pending(self) -> bool:
        """Whether something will be applied later."""
        return any(not task.done() for task in self._later)

    async def _apply_later(self, apply: Callable[[], web.Response], seconds: float) -> None:
        due = self.clock() + seconds
        while self.clock() < due:  # noqa: ASYNC110 - the clock may be one that a test moves
            await asyncio.sleep(0.005)
        apply()

    async def close(self) -> None:
        """Give up what would be applied later."""
        for task in self._later:
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)


async def _silence(request: web.Request) -> web.StreamResponse:
    """Say nothing until the other side has gone."""
    transport = request.transport
    while transport is not None and not transport.is_closing():  # noqa: ASYNC110 - no event says it
        await asyncio.sleep(0.02)
    return web.Response()


def _reset(request: web.Request) -> web.StreamResponse:
    transport = request.transport
    assert isinstance(transport, asyncio.Transport)
    transport.abort()
    return web.Response()


async def _cut(request: web.Request, answer: web.Response) -> web.StreamResponse:
    body = answer.body
    assert isinstance(body, bytes)
    cut = web.StreamResponse(headers={"Content-Length": str(len(body) + 10)})
    cut.content_type = "application/json"
    await cut.prepare(request)
    await cut.write(body[: len(body) // 2])
    return _reset(request)
