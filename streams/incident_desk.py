"""Tells of incidents: the latest notice to its one place, again until it is taken.

Owns the sending and what Redis remembers, so that a page that is started anew neither tells
twice nor leaves an incident open. Redis away keeps nothing from being told.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from connectors.sinks.notices import Notice, Notifier
from streams.health import Verdict
from streams.incidents import Incident, Incidents
from streams.keys import Keys

EVERY_S, REDIS_TIMEOUT_S = 1.0, 2.0
FIRST_RETRY_S, LONGEST_RETRY_S = 5.0, 300.0
_log = structlog.get_logger(__name__)


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """The open incident and the receipt of its last notice."""

    incident: Incident | None
    receipt: dict[str, str]


@dataclass(slots=True)
class IncidentDesk:
    """One line's incidents and the place that hears of them."""

    redis: Redis
    keys: Keys
    notifier: Notifier
    verdict: Callable[[], Verdict | None]
    hold: timedelta
    first_retry_s: float = FIRST_RETRY_S
    _receipt: Mapping[str, str] = field(default_factory=dict)
    _due: Notice | None = None
    _retry_at: datetime | None = None
    _retry_s: float = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the verdict until `stop`. Never raises for Redis or the receiver."""
        try:
            incidents = Incidents(self.hold, await self._recall())
            while not stop.is_set():
                verdict = self.verdict()
                if verdict is not None:
                    await self._follow(incidents, verdict)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(EVERY_S):
                        await stop.wait()
        finally:
            await self.notifier.close()

    async def _follow(self, incidents: Incidents, verdict: Verdict) -> None:
        notice = incidents.follow(verdict)
        if notice is not None:  # what was not yet taken is out of date
            self._due, self._retry_at, self._retry_s = notice, None, 0.0
        if self._due is None or (self._retry_at is not None and verdict.at < self._retry_at):
            return
        if await self._attempt(self._due, verdict.at):
            over = self._due.state == "healthy"
            self._due = None
            self._receipt = {} if over else self._receipt
            await self._remember(incidents.open)

    async def _attempt(self, notice: Notice, now: datetime) -> bool:
        result = await self.notifier.tell(notice, self._receipt)
        if result.outcome == "delivered":
            self._receipt = dict(result.receipt)
            _log.info("told of the incident", incident=notice.incident, state=notice.state)
            return True
        doubled = min(2 * self._retry_s or self.first_retry_s, LONGEST_RETRY_S)
        self._retry_s = max(doubled, result.retry_after_s or 0.0)
        self._retry_at = now + timedelta(seconds=self._retry_s)
        _log.warning("an incident could not be told of", reason=result.detail)
        return False

    async def _recall(self) -> Incident | None:
        with contextlib.suppress(RedisError, OSError, TimeoutError, msgspec.DecodeError):
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                raw = await self.redis.get(self.keys.incident)
            if raw:
                found = msgspec.json.decode(raw, type=Remembered)
                self._receipt = found.receipt
                return found.incident
        return None

    async def _remember(self, incident: Incident | None) -> None:
        body = msgspec.json.encode(Remembered(incident=incident, receipt=dict(self._receipt)))
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                await self.redis.set(self.keys.incident, body)
