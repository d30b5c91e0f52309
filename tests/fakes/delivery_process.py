"""A worker's delivery side as a process of its own, to be killed by tests.

Its clock runs `--rate` times as fast as the real one since `--start`, so that leases and
waits of a minute pass in seconds; everything else is what `wirebell worker` runs.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import SecretStr
from redis.asyncio import Redis

from connectors.sinks.settings import SlackSettings, WebhookSettings
from connectors.sinks.slack import SlackSink
from connectors.sinks.webhook import WebhookSink
from streams.dead_letters import DeadLetter
from streams.delivery import Deliveries
from streams.keys import Keys
from streams.ledger import Ledger
from tests.fakes.webhook_receiver import SECRET

_S = TypeVar("_S", SlackSettings, WebhookSettings)


@dataclass(frozen=True, slots=True)
class FastClock:
    """Seconds since the epoch, `rate` times as fast since `start`."""

    start: float
    rate: float

    def __call__(self) -> float:
        """Epoch seconds."""
        return self.start + (time.time() - self.start) * self.rate

    def now(self) -> datetime:
        """The moment as a datetime."""
        return datetime.fromtimestamp(self(), UTC)


async def _main(given: argparse.Namespace) -> None:
    clock = FastClock(given.start, given.rate)
    timeout_s = 15 / given.rate
    slack = SlackSink(
        "slack",
        _hurried(SlackSettings(token=SecretStr("xoxb-test"), api_url=given.slack), timeout_s),
        clock.now,
    )
    slack._pace = replace(slack.pace, target_interval_s=0.0)
    hook_settings = WebhookSettings(url=given.hook, secret=SecretStr(SECRET), allow_private=True)
    hook = WebhookSink("hook", _hurried(hook_settings, timeout_s))
    redis: Redis = Redis.from_url(given.redis)

    async def bury(letter: DeadLetter) -> None:
        await redis.rpush(f"{given.prefix}-letters", letter.detail)

    ledger = Ledger(redis, Keys(given.prefix), clock=clock)
    worker = Deliveries(ledger, [], {"slack": slack, "hook": hook}, bury, poll_s=0.02)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print("ready", flush=True)
    await worker.run(stop)
    await worker.close()
    await redis.aclose()


def _hurried(settings: _S, timeout_s: float) -> _S:
    return settings.model_copy(update={"timeout_s": timeout_s})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("--redis", "--prefix", "--slack", "--hook"):
        parser.add_argument(name, required=True)
    for name in ("--start", "--rate"):
        parser.add_argument(name, type=float, required=True)
    asyncio.run(_main(parser.parse_args()))
