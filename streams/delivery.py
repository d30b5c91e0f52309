"""Delivery: takes alerts in, and tells each destination, once, whatever fails on the way.

Owns the loop between the ledger (what is owed) and the sinks (one attempt each): claim, look
back when an earlier attempt is in doubt, hold, send, write down. Several workers may run it.
Each sink has slots of its own, so a dead one delays only itself.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import msgspec
import redis.asyncio
import structlog
from redis.exceptions import RedisError

from connectors.records import Alert, RecordError, decode_alert
from connectors.sinks.factory import make_sink
from connectors.sinks.lease import sending_while
from connectors.sinks.sink import Delivery, Result, Sink, TogetherSink
from streams import metrics
from streams.attempts import attempt_of, delivery_of, in_messages, off_words, reason_of
from streams.dead_letters import DeadLetter, Origin, make_dead_letter
from streams.insisting import MAX_REDIS_WAIT_S, insist, wait
from streams.keys import Keys
from streams.ledger import SEND_WITHIN_S, Attempt, Claim, Hold, Ledger, Retry
from streams.retries import End, plan
from streams.settings import Settings, SubscriptionSettings
from streams.subscriptions import Threshold, any_probability, wishes

# How long attempts under way may finish after a stop; what is cut off is in doubt, and
# looked back for by whoever claims it next.
STOP_GRACE_S = 5.0
# Another worker's alerts and retries become due without our being told: asked every fourth time
# while nothing is due. How many wait is a gauge that is read every quarter of a minute.
POLL_S, SLOWEST, COUNT_EVERY_S = 0.5, 4, 15.0
# Looking back for the stories of one message takes its time; meanwhile the first wait. Twice
# this is as long as doubt takes to settle and the looking after that.
GATHER_AGAIN_S = 30.0

DeadLetterCallback = Callable[[DeadLetter], Awaitable[None]]
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Deliveries:
    """The deliveries of one process. `dead_letter` returns when the letter is safe."""

    ledger: Ledger
    subscriptions: Sequence[SubscriptionSettings]
    sinks: Mapping[str, Sink]
    dead_letter: DeadLetterCallback
    poll_s: float = POLL_S
    chance: Callable[[], float] = random.random
    threshold: Threshold = any_probability
    _rounds: list[_Round] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._rounds = [_Round(self, sink) for sink in self.sinks.values()]

    async def accept(self, alerts: Sequence[Alert]) -> None:
        """Write down what is owed for these alerts. When it returns it survives this process.

        May be repeated with the same alerts.

        Raises:
            RedisError: nothing is certain; repeat when Redis is back.
        """
        if not alerts or not self.sinks:
            return
        settle_s = max(sink.pace.settle_s for sink in self.sinks.values())
        gather_s = {name: sink.pace.gather_s for name, sink in self.sinks.items()}
        now = datetime.fromtimestamp(self.ledger.clock(), UTC)
        starts = await self.ledger.starts([entry.id for entry in self.subscriptions])
        wanted = [
            (alert, wishes(self.subscriptions, alert, now, starts, self.threshold))
            for alert in alerts
        ]
        if await self.ledger.want(wanted, settle_s, gather_s):
            self.wake()

    def wake(self) -> None:
        """Look now at what is due: something was written down."""
        for turn in self._rounds:
            turn.woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver what is due until `stop`. Waits while Redis is away, never guesses."""
        async with asyncio.TaskGroup() as group:
            for turn in self._rounds:
                group.create_task(turn.run(stop))
            group.create_task(self._count_waiting(stop))

    async def close(self) -> None:
        """Close the sinks."""
        for sink in self.sinks.values():
            await sink.close()

    async def _count_waiting(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with suppress(RedisError):
                waiting = dict.fromkeys(self.sinks, 0)
                for state in await self.ledger.destinations():
                    if state.sink in waiting:
                        waiting[state.sink] += state.waiting
                for sink_id, number in waiting.items():
                    metrics.WAITING.labels(sink_id).set(number)
            await wait(COUNT_EVERY_S, stop)


@dataclass(slots=True)
class _Round:
    """The work of one sink in one process."""

    owner: Deliveries
    sink: Sink
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    running: set[asyncio.Task[None]] = field(default_factory=set)
    redis_wait_s: float = 0.0
    idle_s: float = POLL_S

    async def run(self, stop: asyncio.Event) -> None:
        try:
            while not stop.is_set():
                next_at = await self._claim_and_start()
                await self._wait_for_work(next_at, stop)
        finally:
            if self.running:
                await asyncio.wait(self.running, timeout=STOP_GRACE_S)
            for task in self.running:
                task.cancel()
            await asyncio.gather(*self.running, return_exceptions=True)

    async def _claim_and_start(self) -> float | None:
        free = self.sink.pace.in_flight - len(self.running)
        if free <= 0:
            return None
        ledger = self.owner.ledger
        try:
            claims, next_at = await ledger.claim(self.sink.id, free, self.sink.pace)
        except RedisError as error:
            if not self.redis_wait_s:
                _log.warning("redis is away, deliveries wait", sink=self.sink.id, error=str(error))
            self.redis_wait_s = min(2 * self.redis_wait_s or 0.2, MAX_REDIS_WAIT_S)
            return None
        self.redis_wait_s = 0.0
        poll_s = self.owner.poll_s
        self.idle_s = poll_s if claims else min(2 * self.idle_s, SLOWEST * poll_s)
        for message in in_messages(claims):
            attempt = self._attempt(message[0]) if len(message) == 1 else self._together(message)
            task = asyncio.create_task(attempt)
            self.running.add(task)
            task.add_done_callback(self._ended)
        return next_at

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.running.discard(task)
        self.woken.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # The claim stays under its lease and comes back as unknown.
            _log.warning("delivery interrupted", sink=self.sink.id, error=repr(error))

    async def _wait_for_work(self, next_at: float | None, stop: asyncio.Event) -> None:
        wait_s = self.redis_wait_s or self.idle_s
        if next_at is not None and not self.redis_wait_s:
            wait_s = min(wait_s, max(next_at - self.owner.ledger.clock(), 0.001))
        await wait(wait_s, stop, self.woken)
        self.woken.clear()

    async def _attempt(self, claim: Claim) -> None:
        """One claim from look-back to what is written down of it."""
        started = time.monotonic()
        try:
            alert = decode_alert(claim.raw)
        except RecordError as error:
            await self._settle(claim, None, Result("refused", detail=str(error)), started)
            return
        delivery = self._delivery(claim, alert)
        try:
            if claim.state == "unknown":
                looked = await self._look_back(claim, delivery)
                if isinstance(looked, Result):
                    await self._settle(claim, alert, looked, started, sent=False)
                    return
                if claim.together and looked is delivery:
                    await self._not_there(claim, started)
                    return
                delivery = looked
            in_time = self._in_time()
            held: Hold = await self.owner.ledger.hold(claim)
        except RedisError:
            held = "lost"
        if held != "held":
            # Nothing was sent; without this the place would be taken until the lease ends.
            await insist(lambda: self.owner.ledger.release(claim))
            return
        with sending_while(in_time):
            result = await self._send(delivery)
        await self._settle(claim, alert, result, started)

    def _in_time(self) -> Callable[[], bool]:
        """Whether what is held from now on may still be sent: a process that was frozen wakes
        with an answer of the ledger that is long out of date.
        """
        clock = self.owner.ledger.clock
        until = clock() + SEND_WITHIN_S
        return lambda: clock() < until

    async def _look_back(self, claim: Claim, delivery: Delivery) -> Delivery | Result:
        """What the doubt came to: a result, or the delivery that is still to be made."""
        found = await _guarded(self.sink.look_back(delivery))
        if found is None:
            return delivery
        revision = found.revision if found.revision is not None else claim.revision
        # Somebody asked that what is told be told again: to find it there is no end of that.
        again = claim.done_revision == 0 and bool(claim.receipt)
        if found.outcome != "delivered" or (revision >= claim.revision and not again):
            return found
        if revision < claim.revision:
            await self.owner.ledger.found(claim, revision, found.receipt)
        return replace(delivery, receipt=found.receipt, previous_revision=revision)

    async def _send(self, delivery: Delivery) -> Result:
        result = await _guarded(self.sink.deliver(delivery))
        assert result is not None
        return result

    async def _not_there(self, claim: Claim, started: float) -> None:
        """The message of several was never posted: its stories gather for the next one."""
        now = self.owner.ledger.clock()
        # At one instant for all that were sent together, however long it takes to look for each.
        sent_at = (claim.last_sent or now) // GATHER_AGAIN_S * GATHER_AGAIN_S
        rounds = (now - sent_at) // (2 * GATHER_AGAIN_S) + 1
        step = Retry(due=sent_at + rounds * 2 * GATHER_AGAIN_S, counts=False)
        result = Result("not_sent", detail="looked back: it is not there")
        attempt = attempt_of(claim, result, now, time.monotonic() - started)
        await insist(lambda: self.owner.ledger.retry(claim, step, attempt))

    async def _together(self, claims: Sequence[Claim]) -> None:
        """Several stories in one message; each is held and written down by itself."""
        started, ledger, in_time = time.monotonic(), self.owner.ledger, self._in_time()
        held: list[tuple[Claim, Alert]] = []
        for claim in claims:
            try:
                alert = decode_alert(claim.raw)
            except RecordError as error:
                await self._settle(claim, None, Result("refused", detail=str(error)), started)
                continue
            try:
                state: Hold = await ledger.hold(claim)
            except RedisError:
                state = "lost"
            if state == "held":
                held.append((claim, alert))
            else:
                await insist(functools.partial(ledger.release, claim))
        if not held:
            return
        with sending_while(in_time):
            results = await self._send_together(held)
        # The same for all, so that they stay together.
        chance, now = self.owner.chance(), ledger.clock()
        for (claim, alert), result in zip(held, results, strict=True):
            if result.outcome == "refused" and len(held) > 1:
                # One of them may be at fault; each shows by itself.
                await insist(functools.partial(ledger.apart, claim, ledger.clock()))
            else:
                await self._settle(claim, alert, result, started, chance=chance, now=now)

    async def _send_together(self, held: Sequence[tuple[Claim, Alert]]) -> Sequence[Result]:
        assert isinstance(self.sink, TogetherSink)
        deliveries = [self._delivery(claim, alert) for claim, alert in held]
        reason = reason_of([claim for claim, _ in held])
        try:
            return await self.sink.deliver_together(deliveries, reason)
        except Exception as error:  # noqa: BLE001 - as in _guarded: a bug costs one message
            result = Result("unknown", detail=f"the sink failed: {error!r}"[:300])
            return [result] * len(held)

    def _delivery(self, claim: Claim, alert: Alert) -> Delivery:
        return delivery_of(claim, alert, self.owner.subscriptions)

    async def _settle(
        self,
        claim: Claim,
        alert: Alert | None,
        result: Result,
        started: float,
        *,
        sent: bool = True,
        chance: float | None = None,
        now: float | None = None,
    ) -> None:
        """Write down what the attempt came to. Repeats while Redis is away: what is known
        now would be lost with the process.
        """
        ledger = self.owner.ledger
        now = ledger.clock() if now is None else now
        metrics.DELIVERIES.labels(self.sink.id, result.outcome).inc()
        attempt = attempt_of(claim, result, now, time.monotonic() - started)
        if result.outcome == "delivered":
            revision = result.revision if result.revision is not None else claim.revision
            if alert is not None and claim.done_revision == 0 and not claim.receipt:
                waited_s = now - alert.screened_at.timestamp()
                metrics.SCREENED_TO_DELIVERED.observe(max(waited_s, 0.0))
            await insist(lambda: ledger.receipt(claim, revision, result.receipt, attempt))
            return
        draw = self.owner.chance if chance is None else lambda: chance
        step = plan(result, claim, now, self.sink.pace, draw, sent=sent)
        if isinstance(step, Retry):
            next_at = datetime.fromtimestamp(step.due, UTC)
            attempt = msgspec.structs.replace(attempt, next_at=next_at)
            await insist(lambda: ledger.retry(claim, step, attempt))
            return
        await self._bury(claim, step, attempt)

    async def _bury(self, claim: Claim, end: End, attempt: Attempt) -> None:
        """The permanent end: first the dead letter, then the ledger, so that none is lost."""
        off = off_words(attempt, self.sink.pace) if end.reason == "turned_off" else ""
        # Nothing more is sent there until a person turns it on again.
        _log.log(
            logging.ERROR if off else logging.WARNING,
            "receiver turned off" if off else "delivery ended",
            sink=self.sink.id,
            story=attempt.story_id,
            reason=end.reason,
            detail=off or attempt.detail,
        )
        letter = make_dead_letter(
            "deliver",
            end.reason,
            Origin(source_id=claim.destination, place=f"{attempt.story_id}:{attempt.revision}"),
            attempt.at,
            detail=attempt.detail,
            attempts=attempt.attempt,
            key=attempt.story_id.encode(),
            raw=claim.raw,
        )
        await self.owner.dead_letter(letter)
        ledger = self.owner.ledger
        await insist(lambda: ledger.bury(claim, end.unknown, off, attempt))


def open_deliveries(
    settings: Settings,
    connection: redis.asyncio.Redis,
    keys: Keys,
    dead_letter: DeadLetterCallback,
    threshold: Threshold = any_probability,
) -> Deliveries:
    """The deliveries that the configuration describes, with their sinks. Call it inside a
    running event loop; `close` it at the end. `threshold` is the line's own of a topic.
    """
    zone = settings.newsroom.time_zone
    sinks = {name: make_sink(name, entry, zone) for name, entry in settings.sinks.items()}
    ledger = Ledger(connection, keys, settings.newsroom.window_hours * 3600)
    return Deliveries(ledger, settings.subscriptions, sinks, dead_letter, threshold=threshold)


async def _guarded(call: Awaitable[Result | None]) -> Result | None:
    """A sink's answer. A sink never raises for what its receiver does; should a bug in one
    raise for a message, that message's outcome is unknown and its schedule bounds it.
    """
    try:
        return await call
    except RedisError:
        raise
    except Exception as error:  # noqa: BLE001 - the border of a port: one message, not the line
        return Result("unknown", detail=f"the sink failed: {error!r}"[:300])
