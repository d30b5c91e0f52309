"""The editors' decisions in Redis: kept once, in order, bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from streams.feedback import Feedback, decode_feedback, encode_feedback
from streams.feedback_store import FeedbackStore
from streams.keys import Keys
from streams.redis_client import connect_redis

MORNING = datetime(2026, 3, 1, 8, tzinfo=UTC)


def decided(number: int, **changes: object) -> Feedback:
    given = Feedback(
        id=f"f{number}",
        verdict="not_relevant",
        who="U1",
        who_name="nadia",
        at=MORNING + timedelta(minutes=number),
        destination="slack|C1",
        story_id=f"s{number}",
        revision=1,
        topics=("arson",),
        language="en",
        article_ids=(f"a{number}",),
        texts=("Headline", "Summary.", "Headline"),
    )
    return msgspec.structs.replace(given, **changes)


async def test_a_decision_is_kept_once_with_its_texts_and_read_oldest_first(
    redis_url: str, redis_prefix: str
) -> None:
    redis = connect_redis(redis_url)
    store = FeedbackStore(redis, Keys(redis_prefix))
    for number in (3, 1, 2, 2):
        await store.add(decided(number))
    await store.add(decided(1, verdict="relevant"))

    assert await store.since(MORNING) == [decided(1), decided(2), decided(3)]
    assert await store.since(MORNING + timedelta(minutes=2)) == [decided(2), decided(3)]
    await redis.aclose()


async def test_the_oldest_decisions_leave_first(redis_url: str, redis_prefix: str) -> None:
    redis = connect_redis(redis_url)
    store = FeedbackStore(redis, Keys(redis_prefix), most_kept=2)
    for number in (3, 1, 2):
        await store.add(decided(number))

    assert [one.id for one in await store.since(MORNING)] == ["f2", "f3"]
    assert await redis.hlen(Keys(redis_prefix).feedback) == 2
    await redis.aclose()


async def test_what_cannot_be_read_is_passed_over(redis_url: str, redis_prefix: str) -> None:
    redis, keys = connect_redis(redis_url), Keys(redis_prefix)
    store = FeedbackStore(redis, keys)
    await store.add(decided(1))
    await store.add(decided(2))
    await redis.hset(keys.feedback, "f1", b'{"verdict": "from a newer version"}')

    assert [one.id for one in await store.since(MORNING)] == ["f2"]
    await redis.aclose()


@pytest.mark.parametrize("verdict", ["merge", "unmute", "wrong_topic"])
def test_every_decision_crosses_kafka_whole(verdict: str) -> None:
    given = decided(
        1,
        verdict=verdict,
        right_topics=("sabotage",),
        other_story_id="s9",
        article_id="a1",
        via="page",
    )
    assert decode_feedback(encode_feedback(given)) == given


def test_a_record_from_before_the_page_could_decide_still_decodes() -> None:
    old = msgspec.to_builtins(decided(1))
    for name in ("right_topics", "other_story_id", "article_id", "via"):
        del old[name]
    assert decode_feedback(msgspec.json.encode(old)) == decided(1)
