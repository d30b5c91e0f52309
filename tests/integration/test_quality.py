"""What workers count of the model's work, in a real Redis."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
from redis.asyncio import Redis

from classifiers.drift import BINS
from classifiers.topics import TOPICS, Topic
from connectors.records import Article
from streams.canary import make_canary
from streams.keys import Keys
from streams.quality import QualityCounts
from streams.quality_log import QualityLog
from streams.redis_client import connect_redis
from streams.screening import Screened
from streams.stories import Decision
from tests.fakes.alerts import make_alert

NOW = datetime(2026, 3, 4, 12, 7, tzinfo=UTC)


@dataclass
class SomeModel:
    """A model as the counts see it."""

    version: str = "one"
    topics: tuple[Topic, ...] = TOPICS[:2]
    left_out: dict[str, list[int]] = field(default_factory=dict)


def screened(*probabilities: float, chosen: tuple[str, ...] = (), number: int = 0) -> Screened:
    article = Article(
        id=f"a{number}", source_id="s", publisher="P", title="T", text="x", fetched_at=NOW
    )
    return Screened(article, "en", probabilities, chosen, NOW)


async def test_what_became_of_articles_is_counted_by_topic_over_all_workers(
    redis: Redis, keys: Keys
) -> None:
    first, second = (topic.id for topic in TOPICS[:2])
    new = Decision("new", alert=make_alert())
    for _ in range(2):
        counts = QualityCounts(redis, keys, SomeModel())
        counts.add(
            [
                screened(0.9, 0.8, chosen=(first, second)),
                screened(0.9, 0.1, chosen=(first,)),
                screened(0.9, 0.1, chosen=(first,)),
                screened(0.0, 0.0),
            ],
            [
                new,
                Decision("duplicate", "near_duplicate"),
                Decision("joined", "same_article"),
                Decision("off_topic", "off_topic"),
            ],
            NOW,
        )
        await counts.flush()
    funnel = await QualityLog(redis, keys).funnel(NOW)
    assert funnel[""]["screened"] == 8
    assert funnel[first] == {"rang": 2, "new": 2, "copy": 2}
    assert funnel[second] == {"rang": 2, "new": 2}


async def test_the_funnel_is_of_one_hour(redis: Redis, keys: Keys) -> None:
    counts = QualityCounts(redis, keys, SomeModel())
    counts.add([screened(0.0, 0.0)], [Decision("off_topic", "off_topic")], NOW)
    await counts.flush()
    log = QualityLog(redis, keys)
    assert (await log.funnel(NOW + timedelta(minutes=50)))[""]["screened"] == 1
    assert await log.funnel(NOW + timedelta(minutes=65)) == {}
    assert await log.funnel(NOW - timedelta(minutes=5)) == {}


async def test_probabilities_are_told_by_model_and_week(redis: Redis, keys: Keys) -> None:
    topic = TOPICS[0].id
    left_out = {topic: [5] * BINS}
    counts = QualityCounts(redis, keys, SomeModel(left_out=left_out))
    off_topic = Decision("off_topic", "off_topic")
    counts.add([screened(0.55, 0.0)], [off_topic], NOW - timedelta(days=20))
    counts.add([screened(0.95, 0.0), screened(1.0, 0.0)], [off_topic] * 2, NOW)
    await counts.flush()
    found = await QualityLog(redis, keys).probabilities("one", NOW)
    assert found.last_week[topic] == [0] * 9 + [2]
    assert found.first_week[topic] == [0] * 5 + [1] + [0] * 4
    assert found.left_out == left_out
    assert (await QualityLog(redis, keys).probabilities("two", NOW)).last_week == {}


async def test_what_was_read_twice_is_counted_as_the_fast_model_said_it(
    redis: Redis, keys: Keys
) -> None:
    # The reference is the fast model's alone: like is compared with like.
    counts = QualityCounts(redis, keys, SomeModel())
    twice = msgspec.structs.replace(screened(0.95, 0.05), first=(0.45, 0.55))
    counts.add([twice, screened(0.95, 0.05)], [Decision("off_topic", "off_topic")] * 2, NOW)
    await counts.flush()
    week = (await QualityLog(redis, keys).probabilities("one", NOW)).last_week
    assert week[TOPICS[0].id] == [0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    assert week[TOPICS[1].id] == [1, 0, 0, 0, 0, 1, 0, 0, 0, 0]


async def test_a_canary_is_no_article(redis: Redis, keys: Keys) -> None:
    counts = QualityCounts(redis, keys, SomeModel())
    canary = Screened(make_canary(NOW), "en", (0.9, 0.9), (TOPICS[0].id,), NOW)
    counts.add([canary], [Decision("new", alert=make_alert())], NOW)
    await counts.flush()
    funnel = await QualityLog(redis, keys).funnel(NOW)
    assert set(funnel) <= {""}
    assert (await QualityLog(redis, keys).probabilities("one", NOW)).last_week == {}


async def test_rows_of_a_model_that_is_just_being_changed_are_not_counted_as_the_new_one_s(
    redis: Redis, keys: Keys
) -> None:
    counts = QualityCounts(redis, keys, SomeModel())
    counts.add([screened(0.9, 0.9, 0.9)], [Decision("off_topic", "off_topic")], NOW)
    await counts.flush()
    assert (await QualityLog(redis, keys).probabilities("one", NOW)).last_week == {}


async def test_what_redis_does_not_take_is_kept_for_the_next_time(keys: Keys, redis: Redis) -> None:
    away = connect_redis("redis://127.0.0.1:9/0")
    counts = QualityCounts(away, keys, SomeModel())
    counts.add([screened(0.0, 0.0)], [Decision("off_topic", "off_topic")], NOW)
    await counts.flush()
    await away.aclose()
    counts.redis = redis
    stop = asyncio.Event()
    stop.set()
    await counts.run(stop)
    assert (await QualityLog(redis, keys).funnel(NOW))[""]["screened"] == 1
