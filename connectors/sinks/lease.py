"""Whether what is about to be sent may still be sent: a process can be frozen at any instant, and
wake when another has taken over.

Owns the last look, taken when the connection stands and nothing is written yet. What a lease is
belongs to the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import aiohttp


class LeaseOverError(Exception):
    """The time in which this might be sent is over; nothing was sent."""


_may_send: ContextVar[Callable[[], bool]] = ContextVar("may_send", default=lambda: True)


@contextmanager
def sending_while(allowed: Callable[[], bool]) -> Iterator[None]:
    """What this task sends inside is sent only while `allowed` says so."""
    token = _may_send.set(allowed)
    try:
        yield
    finally:
        _may_send.reset(token)


def last_look() -> aiohttp.TraceConfig:
    """For a session: looks just before each request is written.

    Its requests raise LeaseOverError when it is too late.
    """
    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(_look)
    trace.on_connection_reuseconn.append(_look)
    return trace


async def _look(session: aiohttp.ClientSession, context: Any, params: Any) -> None:
    if not _may_send.get()():
        raise LeaseOverError
