"""The yardsticks of `benchmarks.bench_sink`: hand-written loops that tell a receiver by webhook.

`python -m benchmarks.sink_loops ORDERS` runs one until it is ended. They screen, join stories and
post with the product's own functions (`benchmarks/line_work.py`, `WebhookSink`); they keep no
ledger, so a kill tells again what was under way, and a receiver that is away ends them.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import msgspec
from confluent_kafka import Consumer
from pydantic import HttpUrl, SecretStr

from benchmarks.line_contenders import SESSION_MS, TURN_S, confluent
from benchmarks.line_work import BATCH, COMMIT_INTERVAL_S, Orders, Work
from connectors.records import Alert, decode_alert, decode_article
from connectors.sinks.settings import WebhookSettings
from connectors.sinks.webhook import WebhookSink
from connectors.sinks.webhook_body import encode_body

SCREEN, POST, STRAIGHT = "screen", "post", "straight"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class SinkOrders(msgspec.Struct, kw_only=True):
    """What a loop is told: its role, where to post, and what every contender is told."""

    role: str
    hook: str
    line: Orders


def straight(asked: SinkOrders) -> None:
    """Articles in, one POST an alert out, then the commit: nothing in between."""
    work = Work(asked.line)

    async def told(raws: Sequence[bytes]) -> list[Alert]:
        articles = [decode_article(raw) for raw in raws]
        now = datetime.now(UTC)
        decisions = await work.assign(work.screen(articles, now), now)
        return [decision.alert for decision in decisions if decision.alert is not None]

    _post_all(asked, asked.line.articles, told)


def post(asked: SinkOrders) -> None:
    """Alerts in, one POST each out, then the commit; another process screens."""

    async def told(raws: Sequence[bytes]) -> list[Alert]:
        return [decode_alert(raw) for raw in raws]

    _post_all(asked, asked.line.alerts, told)


def _post_all(
    asked: SinkOrders,
    kafka_topic: str,
    told: Callable[[Sequence[bytes]], Awaitable[list[Alert]]],
) -> None:
    import uvloop

    line = asked.line
    consumer = Consumer(
        {
            "bootstrap.servers": line.servers,
            "group.id": f"{line.group}-{asked.role}",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": SESSION_MS,
            "fetch.wait.max.ms": line.fetch_wait_ms,
        }
    )
    consumer.subscribe([kafka_topic])
    committed_at = time.monotonic()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sink = runner.run(_open(asked.hook))

        async def tell(raws: Sequence[bytes]) -> None:
            alerts = await told(raws)
            results = await asyncio.gather(*(sink.post(a.id, encode_body(a)) for a in alerts))
            assert all(result.outcome == "delivered" for result in results), results

        while True:
            messages = consumer.consume(1, TURN_S)
            if not messages:
                continue
            messages += consumer.consume(BATCH - 1, 0)
            runner.run(tell([message.value() or b"" for message in messages]))
            if time.monotonic() - committed_at > COMMIT_INTERVAL_S:
                consumer.commit(asynchronous=True)
                committed_at = time.monotonic()


async def _open(hook: str) -> WebhookSink:
    """The product's own way to post. It belongs to the event loop in which it is made."""
    settings = WebhookSettings(url=HttpUrl(hook), secret=SecretStr(SECRET), allow_private=True)
    return WebhookSink("receiver", settings)


def main() -> None:
    """Run the loop that the orders name."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    asked = msgspec.json.decode(sys.argv[1], type=SinkOrders)
    roles = {SCREEN: lambda: confluent(asked.line), POST: lambda: post(asked)}
    roles.get(asked.role, lambda: straight(asked))()


if __name__ == "__main__":
    main()
