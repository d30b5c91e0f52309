"""A whole delivery side for tests: real Redis, real HTTP servers, a clock that the test moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from pydantic import SecretStr
from redis.asyncio import Redis

from connectors.records import Alert
from connectors.sinks.pace import ATTENTIVE, STANDARD_WEBHOOKS, Pace
from connectors.sinks.settings import SlackSettings, WebhookSettings
from connectors.sinks.sink import Sink
from connectors.sinks.slack import SETTLE_S, SlackSink
from connectors.sinks.webhook import WebhookSink
from streams.dead_letters import DeadLetter
from streams.delivery import Deliveries
from streams.keys import Keys
from streams.ledger import DestinationState, Ledger
from streams.settings import SubscriptionSettings, Target
from tests.fakes.alerts import Clock
from tests.fakes.faults import Faults
from tests.fakes.slack_server import FakeSlack
from tests.fakes.webhook_receiver import SECRET, WebhookReceiver

SLACK_PACE = Pace(in_flight=16, target_in_flight=4, settle_s=SETTLE_S, schedule_s=ATTENTIVE)
WEBHOOK_PACE = Pace(in_flight=16, target_in_flight=16, schedule_s=STANDARD_WEBHOOKS)
CHANNELS = {"C0000001": "desk", "C0000002": "night", "C0000003": "world"}


@dataclass(slots=True)
class Rig:
    """What a test of delivery stands on. Real seconds pass in HTTP timeouts only."""

    redis: Redis
    keys: Keys
    clock: Clock
    slack: FakeSlack
    hook: WebhookReceiver
    stack: AsyncExitStack
    letters: list[DeadLetter] = field(default_factory=list)
    # Long enough for a busy machine; tests in which requests hang set it short.
    timeout_s: float = 10.0

    def ledger(self) -> Ledger:
        """A ledger as a fresh process has it."""
        return Ledger(self.redis, self.keys, clock=self.clock)

    def slack_sink(self, pace: Pace = SLACK_PACE) -> SlackSink:
        """A Slack sink of a process of its own, with a shorter timeout than settings allow."""
        settings = SlackSettings(token=SecretStr("xoxb-test"), api_url=self.slack.url)
        settings = settings.model_copy(update={"timeout_s": self.timeout_s})
        sink = SlackSink("slack", settings, self.clock.now, pace)
        self.stack.push_async_callback(sink.close)
        return sink

    def hook_sink(self, pace: Pace = WEBHOOK_PACE) -> WebhookSink:
        """A webhook sink; its time stamps are real, because the receiver checks them."""
        settings = WebhookSettings(
            url=self.hook.url, secret=SecretStr(SECRET), allow_private=True
        ).model_copy(update={"timeout_s": self.timeout_s})
        sink = WebhookSink("hook", settings, pace=pace)
        self.stack.push_async_callback(sink.close)
        return sink

    def deliveries(
        self,
        sinks: Sequence[Sink] | None = None,
        targets: Sequence[Target] = (Target(sink="slack", to="C0000001"),),
        ledger: Ledger | None = None,
    ) -> Deliveries:
        """A worker's delivery side; without `sinks` it has one for each kind named."""
        kinds = {target.sink for target in targets}
        if sinks is None:
            sinks = [
                self.slack_sink() if kind == "slack" else self.hook_sink() for kind in sorted(kinds)
            ]
        return Deliveries(
            ledger or self.ledger(),
            [SubscriptionSettings(id="desk", deliver=tuple(targets))],
            {sink.id: sink for sink in sinks},
            self._bury,
            poll_s=0.01,
            chance=lambda: 0.0,
        )

    async def _bury(self, letter: DeadLetter) -> None:
        self.letters.append(letter)

    async def idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not any(
            state.waiting or state.in_flight for state in await self.ledger().destinations()
        )

    async def settle(
        self, workers: Sequence[Deliveries], step_s: float = 0.5, within_s: float = 40.0
    ) -> None:
        """Run workers, moving the clock, until the ledger owes nothing."""
        async with self.running(*workers):
            await self.until_idle(step_s, within_s)

    async def until_idle(self, step_s: float = 0.5, within_s: float = 40.0) -> None:
        """Move the clock until the ledger owes nothing."""
        deadline = time.monotonic() + within_s
        while not await self.idle():
            states = await self.ledger().destinations()
            assert time.monotonic() < deadline, states
            await asyncio.sleep(0.005)
            # Who holds a lease must be able to send before it is over, on a busy machine too.
            if any(state.in_flight for state in states):
                self.clock.forward(min(step_s, 0.25))
            else:
                self.clock.forward(max(step_s, await self._nothing_for(states)))

    async def _nothing_for(self, states: Sequence[DestinationState]) -> float:
        """How long nothing is due; 0 when somebody has begun, or a fake server has something to
        apply meanwhile. In one look: what is not due cannot be begun after it.
        """
        if self.slack.faults.pending or self.hook.faults.pending:
            return 0.0
        async with self.redis.pipeline(transaction=True) as pipe:
            for state in states:
                pipe.zcard(f"{self.keys.tag}ledger:busy:{state.id}")
                pipe.zrange(f"{self.keys.tag}ledger:sink:{state.sink}", 0, 0, withscores=True)
            found = await pipe.execute()
        due = [float(head[0][1]) for head in found[1::2] if head]
        return 0.0 if any(found[0::2]) or not due else min(due) - self.clock()

    @asynccontextmanager
    async def running(self, *workers: Deliveries) -> AsyncIterator[None]:
        """Workers that run meanwhile, and stop cleanly."""
        stop = asyncio.Event()
        tasks = [asyncio.create_task(worker.run(stop)) for worker in workers]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)


@asynccontextmanager
async def open_rig(redis_url: str, prefix: str) -> AsyncIterator[Rig]:
    """A rig under a prefix of its own."""
    async with AsyncExitStack() as stack:
        clock = Clock()
        slack = FakeSlack(channels=dict(CHANNELS), clock=clock, faults=Faults(clock=clock))
        hook = WebhookReceiver(faults=Faults(clock=clock))
        await stack.enter_async_context(slack)
        await stack.enter_async_context(hook)
        redis: Redis = Redis.from_url(redis_url)
        stack.push_async_callback(redis.aclose)
        rig = Rig(redis, Keys(prefix), clock, slack, hook, stack)
        # This Redis has been in use since yesterday: what it does not know was never told.
        yesterday = str(clock() - 86_400)
        born = ["born", yesterday, "settle_until", yesterday]
        await redis.hset(f"{rig.keys.tag}ledger", items=born)
        yield rig


async def eventually(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.005)


def stories(alerts: Sequence[Alert]) -> set[str]:
    """The ids of the stories that alerts tell of."""
    return {alert.story.id for alert in alerts}
