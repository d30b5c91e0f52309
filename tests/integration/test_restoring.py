"""Redis is emptied: what people decided comes back from Kafka's `feedback`, by itself. Real Redis
and stories, and a real HTTP server in Slack's place.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.records import Alert, decode_alert
from streams.corrections import decisions_in_kafka
from streams.delivery import Deliveries
from streams.desk import EditorDesk, open_editor_desk
from streams.feedback import Feedback, decode_feedback
from streams.feedback_store import FeedbackStore
from streams.restoring import PATIENCE_S, Restoring
from streams.settings import KafkaSettings
from streams.stories import Stories
from streams.topic_setup import create_kafka_topics
from tests.delivery_rig import Rig, open_rig
from tests.fakes.crash import Crash, die_at
from tests.lanes import Lane
from tests.reports import DEPOT, FERRY, START, article, screened

WINDOW_S = 72 * 3600.0
PLACE = "slack|C0000001"
FLOOD = ("Flood closes the road to Marvik", "A flood closed the only road to Marvik on Wednesday.")


class Room:
    """A newsroom whose Redis can be emptied; `kafka` holds what Kafka's `feedback` has."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.kafka: list[Feedback] = []
        self.worker: Deliveries = rig.deliveries()

    def desk(self) -> EditorDesk:
        """The desk of a fresh process."""
        desk = open_editor_desk(self.rig.redis, self.rig.keys, WINDOW_S)
        desk.ledger, desk.choices.clock = self.rig.ledger(), self.rig.clock
        return desk

    def restoring(self, desk: EditorDesk | None = None) -> Restoring:
        return Restoring(desk or self.desk(), lambda: sorted(self.kafka, key=_when), WINDOW_S)

    async def send(self, kafka_topic: str, key: bytes, value: bytes) -> None:
        """Kafka, with a worker that delivers its alerts."""
        if kafka_topic == "alerts":
            await self.worker.accept([decode_alert(value)])
        else:
            self.kafka.append(decode_feedback(value))

    async def read_sources(self) -> list[Alert]:
        """The articles come (again), and what they make is told."""
        stories = Stories(self.rig.redis, self.rig.keys, WINDOW_S, ("en",))
        texts = (DEPOT, FERRY, FLOOD)
        batch = screened(*(article(f"a{number}", text) for number, text in enumerate(texts)))
        alerts = [each.alert for each in await stories.assign(batch, START) if each.alert]
        await self.worker.accept(alerts)
        await self.rig.settle([self.worker])
        return alerts

    async def decide(self, verdict: Any, story: str, **fields: Any) -> None:
        """Somebody decides; Kafka hears of it."""
        desk = self.desk()
        await desk.take(await desk.feedback(verdict, story, who="U1", via="slack", **fields))
        while await desk._send_outgoing(self.send):
            pass
        self.rig.clock.forward(1)

    async def empty_redis(self) -> None:
        names = [key async for key in self.rig.redis.scan_iter(match=f"{self.rig.keys.tag}*")]
        await self.rig.redis.delete(*names)


@pytest.fixture
async def room(redis_url: str, redis_prefix: str) -> AsyncIterator[Room]:
    async with open_rig(redis_url, redis_prefix) as rig:
        yield Room(rig)


async def decided(room: Room) -> tuple[str, str, str]:
    """Three stories: the second went into the first, the third is muted in its channel."""
    depot, ferry, flood = [alert.story.id for alert in await room.read_sources()]
    await room.decide("merge", depot, other_story_id=ferry)
    await room.decide("relevant", depot, destination=PLACE)
    await room.decide("follow", flood, destination=PLACE)
    await room.decide("mute", flood, destination=PLACE)
    await room.rig.settle([room.worker])
    return depot, ferry, flood


async def holds(room: Room, depot: str, ferry: str, flood: str) -> None:
    """All that was decided is so again."""
    await room.rig.settle([room.worker])
    stories = Stories(room.rig.redis, room.rig.keys, WINDOW_S, ("en",))
    assert await stories.current(ferry) == depot
    job = f"{room.rig.keys.tag}ledger:job:{PLACE}|{flood}"
    assert await room.rig.redis.hget(job, "stance") == b"mute"
    kept = await FeedbackStore(room.rig.redis, room.rig.keys).since(datetime.fromtimestamp(0, UTC))
    assert len(kept) == 4
    shown = {row.payload["story_id"]: row.body["blocks"] for row in room.rig.slack.stories()}
    assert len(room.rig.slack.stories()) == len(shown) == 3
    assert "relevant: U1" in json.dumps(shown[depot])
    assert json.dumps(shown[ferry]).count("MERGED") == 1


async def test_decisions_come_back_when_their_stories_do(room: Room) -> None:
    ids = await decided(room)
    await room.empty_redis()
    restoring = room.restoring()
    assert await restoring.step(room.send) == (0, 3)  # nothing is there yet
    await room.read_sources()
    assert (await restoring.step(room.send))[0] == 3
    assert await restoring.step(room.send) == (0, 0)
    await holds(room, *ids)
    assert len(room.kafka) == 4  # Kafka is told nothing that it has told us


async def test_a_line_that_knows_its_decisions_does_none_again(room: Room) -> None:
    """So it is when a Redis has no mark because an older release wrote it."""
    await decided(room)
    assert await room.restoring().step(room.send) == (0, 0)


@pytest.mark.parametrize("place", ["read", "owed", "redone", "done"])
async def test_a_process_that_dies_while_it_brings_them_back_is_followed_by_the_next(
    room: Room, place: str
) -> None:
    ids = await decided(room)
    await room.empty_redis()
    await room.read_sources()
    deaths = 0
    for passes in (1, 2, 3):
        restoring = room.restoring()
        restoring.reached = die_at(place, passes)
        try:
            await restoring.step(room.send)
        except Crash:
            deaths += 1
            # Its turn ends with its lock, ten seconds later.
            await room.rig.redis.delete(f"{room.rig.keys.tag}desk:turn:doing")
    while (await room.restoring().step(room.send))[1]:
        pass
    assert deaths >= 1
    await holds(room, *ids)


async def test_an_old_word_does_not_undo_a_newer_one(room: Room) -> None:
    flood = (await decided(room))[2]
    await room.empty_redis()
    restoring = room.restoring()
    await restoring.step(room.send)
    await room.read_sources()
    await room.decide("follow", flood, destination=PLACE)
    assert (await restoring.step(room.send))[0] == 3
    job = f"{room.rig.keys.tag}ledger:job:{PLACE}|{flood}"
    assert await room.rig.redis.hget(job, "stance") == b"follow"


async def test_what_never_comes_again_is_given_up_after_a_day(room: Room) -> None:
    await decided(room)
    await room.empty_redis()
    restoring = room.restoring()
    assert await restoring.step(room.send) == (0, 3)
    room.rig.clock.forward(PATIENCE_S + 1)
    assert await restoring.step(room.send) == (3, 3)
    assert await restoring.step(room.send) == (0, 0)


async def test_a_choice_that_was_heard_survives_an_empty_redis_with_its_worker(room: Room) -> None:
    """It was acknowledged, and Redis emptied before anybody did it."""
    depot = (await room.read_sources())[0].story.id
    desk = room.desk()
    said = await desk.feedback("relevant", depot, who="U1", via="slack", destination=PLACE)
    await desk.note(said)
    await room.empty_redis()
    await room.read_sources()
    await room.restoring(desk).step(room.send)
    while await desk._do_waiting() or await desk._send_outgoing(room.send):
        pass
    await room.rig.settle([room.worker])
    assert [one.id for one in room.kafka] == [said.id]
    shown = {row.payload["story_id"]: row.body["blocks"] for row in room.rig.slack.stories()}
    assert "relevant: U1" in json.dumps(shown[depot])


def test_kafka_without_decisions_says_so_at_once(embedded_kafka: Lane) -> None:
    """A first start has none, and must not wait for them."""
    settings = KafkaSettings(
        bootstrap_servers=embedded_kafka.bootstrap_servers,
        prefix=embedded_kafka.prefix,
        embedded=True,
    )
    create_kafka_topics(settings)
    started = time.monotonic()
    assert decisions_in_kafka(settings) == []
    assert time.monotonic() - started < 5


def _when(one: Feedback) -> tuple[datetime, str]:
    return one.at, one.id
