"""What is done while an earlier attempt is in doubt: somebody presses a button, asks for it again,
or the story grows meanwhile. Real Redis and a real HTTP server in Slack's place.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from connectors.records import Place
from connectors.sinks.sink import Verdict
from tests.delivery_rig import Rig, eventually, open_rig
from tests.fakes.alerts import make_alert
from tests.fakes.faults import Fault

PLACE = "slack|C0000001"


@pytest.fixture
async def rig(redis_url: str, redis_prefix: str) -> AsyncIterator[Rig]:
    async with open_rig(redis_url, redis_prefix) as made:
        made.timeout_s = 0.3
        yield made


@pytest.mark.parametrize("kind", ["reset_after", "status_after", "timeout_after", "late"])
async def test_growth_meanwhile_tells_the_thread_nothing_again(rig: Rig, kind: str) -> None:
    """The answer to the news of one revision was lost; the next one brings news of its own."""
    worker = rig.deliveries()
    await worker.accept([make_alert()])
    await rig.settle([worker])
    (message,) = rig.slack.stories()
    rig.slack.faults.queue = [Fault(kind, where="thread_ts", late_s=30)]  # type: ignore[arg-type]
    await worker.accept([make_alert(revision=2, places=_places("Lindholm", "Torsby"))])
    async with rig.running(worker):
        await _in_doubt(rig)
        grown = make_alert(revision=3, places=_places("Lindholm", "Torsby", "Arvika"))
        await worker.accept([grown])
        await rig.until_idle()
    replies = rig.slack.thread(message.ts)
    told = " ".join(reply.body["blocks"][0]["text"]["text"] for reply in replies)
    assert (told.count("Torsby"), told.count("Arvika")) == (1, 1)
    assert (len(replies), message.payload["revision"]) == (2, 3)


@pytest.mark.parametrize("done", ["resend", "decide"])
async def test_who_acts_on_a_story_in_doubt_does_not_double_it(rig: Rig, done: str) -> None:
    """Slack may still apply what it was sent: nobody looks, or sends, before that is over."""
    worker = rig.deliveries()
    where = ""
    if done == "decide":
        await worker.accept([make_alert()])
        await rig.settle([worker])
        where = "thread_ts"
    rig.slack.faults.queue = [Fault("late", where=where, late_s=30)]
    await worker.accept([make_alert(revision=2)])
    ledger = rig.ledger()
    async with rig.running(worker):
        await _in_doubt(rig)
        if done == "resend":
            assert await ledger.resend(PLACE, "s1")
        else:
            said = Verdict(id="v1", choice="relevant", who="ann", at=rig.clock.now())
            assert await ledger.decide(PLACE, "s1", said)
        await rig.until_idle()
    rig.clock.forward(31)
    await eventually(lambda: not rig.slack.faults.pending)
    (message,) = rig.slack.stories()
    assert len(rig.slack.thread(message.ts)) == (1 if done == "decide" else 0)
    assert message.payload["revision"] == 2
    if done == "decide":
        assert "relevant: ann" in str(message.body["blocks"])


def _places(*names: str) -> tuple[Place, ...]:
    return tuple(Place(name=name, country="SE", latitude=59.0, longitude=12.0) for name in names)


async def _in_doubt(rig: Rig) -> None:
    """Until the ledger knows that nobody knows what an attempt came to."""
    deadline = time.monotonic() + 10
    while not any(each.outcome == "unknown" for each in await rig.ledger().attempts()):
        assert time.monotonic() < deadline, "no attempt is in doubt"
        await asyncio.sleep(0.005)
