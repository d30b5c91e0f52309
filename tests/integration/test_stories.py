"""Stories on a real Valkey: the three questions, redelivery, races, and Redis away."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from streams.embedded import EmbeddedRedis
from streams.keys import Keys
from streams.redis_client import connect_redis
from streams.stories import KEEP_FOLD_EVERY, Stories
from tests.reports import (
    DEPOT,
    DEPOT_RETOLD,
    FERRY,
    SPORT,
    START,
    WINDOW_S,
    article,
    assign,
    screened,
)

NOW = START + timedelta(minutes=5)
EDITED = (DEPOT[0], DEPOT[1].replace("four workers were injured", "nine workers were injured"))
CASUALTIES = (
    "Two die of burns after drone attack on Snezhka depot",
    "Two of the workers injured when drones hit the Snezhka oil depot near Bryansk were killed by "
    "their burns, governor Pavel Lirov said. Two people were killed and two are still in the "
    "regional hospital, Bryansk Segodnya reports. Fuel tanks at the depot still burn.",
)


async def test_first_report_begins_a_story_and_rings(stories: Stories) -> None:
    (decision,) = await assign(stories, article())
    assert decision.kind == "new"
    assert decision.reason == ""
    assert decision.alert is not None
    assert decision.alert.id == f"{decision.story_id}:1"
    assert decision.alert.story.headline == DEPOT[0]


async def test_off_topic_articles_never_reach_redis(stories: Stories, redis: Redis) -> None:
    before = await redis.dbsize()
    assert (await assign(stories, article(told=SPORT)))[0].kind == "off_topic"
    assert await redis.dbsize() == before


async def test_redelivered_article_is_not_a_duplicate(stories: Stories) -> None:
    one = screened(article())
    (first,) = await stories.assign(one, NOW)
    (again,) = await stories.assign(one, NOW + timedelta(hours=3))
    assert again.repeated
    assert again.kind == "new"
    assert again.alert == first.alert
    assert again.story_id == first.story_id


async def test_redelivery_gives_the_first_alert_although_the_story_has_grown(
    stories: Stories,
) -> None:
    batch = [
        article("a1", DEPOT, "Daily Ledger", 0),
        article("a2", DEPOT_RETOLD, "Courier", 10),
        article("a3", CASUALTIES, "Post", 20),
    ]
    first = [(await assign(stories, one))[0] for one in batch]
    assert [decision.kind for decision in first] == ["new", "update", "update"]
    again = await assign(stories, *batch)
    assert [decision.alert for decision in again] == [decision.alert for decision in first]
    assert all(decision.repeated for decision in again)


async def test_redelivery_within_a_batch_and_across_workers_changes_nothing(
    stories: Stories, redis: Redis, keys: Keys
) -> None:
    other = Stories(redis, keys, WINDOW_S)
    one = article()
    decisions = [*await assign(stories, one, one), *await assign(other, one)]
    assert len({decision.story_id for decision in decisions}) == 1
    assert len({decision.alert.id for decision in decisions if decision.alert}) == 1
    assert len(await stories.members(decisions[0].story_id or "")) == 1


async def test_syndicated_copy_is_a_duplicate_and_stays_one(stories: Stories) -> None:
    original, copy = article("a1"), article("a2", publisher="Courier", minutes=3)
    first, second = await assign(stories, original, copy)
    assert (second.kind, second.reason) == ("duplicate", "near_duplicate")
    assert second.story_id == first.story_id
    assert second.alert is None
    (again,) = await assign(stories, copy)
    assert (again.kind, again.reason, again.repeated) == ("duplicate", "same_article", True)


async def test_copy_with_more_victims_rings_and_is_repeatable(stories: Stories) -> None:
    more = (DEPOT[0], DEPOT[1].replace("four workers", "eleven workers"))
    copy = article("a2", more, "Courier")
    first, second = await assign(stories, article("a1"), copy)
    assert second.kind == "update"
    assert second.story_id == first.story_id
    assert second.alert is not None
    assert second.alert.story.changes == ("11 injured, 4 before",)
    assert len(second.alert.story.reports) == 1
    (again,) = await assign(stories, copy)
    assert (again.kind, again.alert) == ("update", second.alert)


async def test_same_words_about_another_town_are_no_copy(stories: Stories) -> None:
    title, text = (part.replace("Bryansk", "Kursk") for part in DEPOT)
    _, second = await assign(stories, article("a1"), article("a2", (title, text), "Courier"))
    assert second.kind != "duplicate"


async def test_retold_story_joins_and_another_one_does_not(stories: Stories) -> None:
    first, retold, ferry = await assign(
        stories,
        article("a1"),
        article("a2", DEPOT_RETOLD, "Courier"),
        article("a3", FERRY, "Post"),
    )
    assert retold.story_id == first.story_id
    assert retold.kind == "update"
    assert ferry.kind == "new"
    assert ferry.story_id != first.story_id
    assert first.score == 0 < retold.score


async def test_edited_article_rings_only_for_what_is_material(stories: Stories) -> None:
    (first,) = await assign(stories, article())
    typo = article(told=(DEPOT[0], DEPOT[1].replace("Fire crews", "Firefighters")))
    (silent,) = await assign(stories, typo)
    assert (silent.kind, silent.reason, silent.alert) == ("joined", "joined_silently", None)
    (rung,) = await assign(stories, article(told=EDITED))
    assert rung.kind == "update"
    assert rung.story_id == first.story_id
    assert rung.alert is not None
    assert rung.alert.story.changes == ("9 injured, 4 before",)
    assert rung.alert.story.article_count == 1
    first_again, rung_again = await assign(stories, article(), article(told=EDITED))
    assert (first_again.alert, rung_again.alert) == (first.alert, rung.alert)


async def test_correction_and_withdrawal_of_an_article_ring(stories: Stories) -> None:
    (first,) = await assign(stories, article())
    (corrected,) = await assign(stories, article(status="correction"))
    assert corrected.alert is not None
    assert corrected.alert.kind == "correction"
    notice = article(told=("This article has been withdrawn", ""), status="withdrawn")
    (gone,) = await assign(stories, notice)
    assert gone.alert is not None
    assert gone.alert.kind == "withdrawn"
    assert gone.alert.story.headline == DEPOT[0]
    assert gone.story_id == corrected.story_id == first.story_id


async def test_withdrawal_of_what_nobody_was_told_is_dropped(stories: Stories) -> None:
    (gone,) = await assign(stories, article(told=DEPOT, status="withdrawn"))
    assert gone.kind == "off_topic"


async def test_story_closes_when_the_window_has_passed(stories: Stories) -> None:
    (first,) = await assign(stories, article())
    later = WINDOW_S / 60 + 60
    (second,) = await assign(stories, article("a2", DEPOT_RETOLD, minutes=later), minutes=later + 1)
    assert second.kind == "new"
    assert second.story_id != first.story_id


async def test_a_batch_is_one_round_trip(stories: Stories, redis: Redis) -> None:
    await assign(stories, article("a0", FERRY))  # loads the script
    before = await redis.info("commandstats")
    await assign(stories, *[article(f"a{n}", DEPOT_RETOLD, f"Paper {n}") for n in range(40)])
    after = await redis.info("commandstats")
    calls = {
        name: after[name]["calls"] - before.get(name, {"calls": 0})["calls"]
        for name in ("cmdstat_evalsha", "cmdstat_eval")
        if name in after
    }
    assert calls["cmdstat_evalsha"] == 1
    assert calls.get("cmdstat_eval", 0) == 0


async def test_batch_larger_than_a_call_is_decided_whole(
    stories: Stories, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.stories.MAX_CALL", 3)
    told = [article(f"a{n}", DEPOT, f"Paper {n}", n) for n in range(10)]
    decisions = await assign(stories, article("s", SPORT), *told)
    kinds = [decision.kind for decision in decisions]
    assert kinds == ["off_topic", "new", *["duplicate"] * 9]
    assert len({decision.story_id for decision in decisions[1:]}) == 1


async def test_script_that_redis_forgot_is_sent_again(stories: Stories, redis: Redis) -> None:
    await assign(stories, article("a1"))
    await redis.script_flush()
    (second,) = await assign(stories, article("a2", DEPOT_RETOLD, "Courier"))
    assert second.kind == "update"


async def test_a_client_that_decodes_is_served_as_well(redis_url: str, keys: Keys) -> None:
    client = Redis.from_url(redis_url, decode_responses=True)
    try:
        stories = Stories(client, keys, WINDOW_S)
        (first,) = await assign(stories, article())
        assert [story.id for story in await stories.recent()] == [first.story_id]
    finally:
        await client.aclose()


async def test_every_key_carries_the_prefix_and_an_expiry(
    stories: Stories, redis: Redis, keys: Keys
) -> None:
    await assign(stories, article("a1"), article("a2", DEPOT_RETOLD, "Courier"), article("a3"))
    names = [name async for name in redis.scan_iter(match=f"{keys.tag}*", count=1000)]
    kinds = {name.decode().removeprefix(keys.tag).split(":")[0] for name in names}
    assert kinds == {"a", "story", "p", "k", "n", "stories"}
    lasting = {name for name in names if await redis.ttl(name) < 0}
    assert lasting == {keys.stories.encode(), f"{keys.tag}n".encode()}


async def test_long_story_is_folded_from_what_is_kept_and_says_the_same(
    stories: Stories, redis: Redis, keys: Keys
) -> None:
    told = [
        article(
            f"a{n}", (DEPOT[0], DEPOT[1].replace("four workers", f"{n + 5} workers")), f"P{n}", n
        )
        for n in range(3 * KEEP_FOLD_EVERY)
    ]
    veterans = [(await assign(stories, one))[0] for one in told]
    story = veterans[0].story_id or ""
    assert int(await redis.hget(keys.story(story), "sn") or 0) >= KEEP_FOLD_EVERY  # type: ignore[misc]
    again = await assign(Stories(redis, keys, WINDOW_S), *told)
    assert [one.alert for one in again] == [one.alert for one in veterans]
    steps = await stories.steps(story)
    assert [step.alert for step in steps if step.alert] == [v.alert for v in veterans if v.alert]


async def test_two_workers_racing_with_copies_make_one_story(redis_url: str, keys: Keys) -> None:
    clients = [connect_redis(redis_url) for _ in range(4)]
    try:
        workers = [Stories(client, keys, WINDOW_S) for client in clients]
        for round_ in range(15):
            name = f"Vessel {round_}{'abcdefghijklmno'[round_] * 6}"
            told = (
                f"{name}: {FERRY[0]}",
                FERRY[1].replace("ferry", f"ferry {name} {round_ * 7919}"),
            )
            decided = await asyncio.gather(
                *[
                    assign(worker, article(f"r{round_}w{at}", told, f"Paper {at}"))
                    for at, worker in enumerate(workers)
                ]
            )
            kinds = sorted(decision.kind for (decision,) in decided)
            assert len({decision.story_id for (decision,) in decided}) == 1
            assert kinds.count("new") + kinds.count("joined") + kinds.count("update") <= 1
            assert kinds.count("duplicate") >= len(workers) - 1
    finally:
        for client in clients:
            await client.aclose()


async def test_two_workers_racing_with_one_article_make_one_story(
    redis_url: str, keys: Keys
) -> None:
    clients = [connect_redis(redis_url) for _ in range(2)]
    try:
        workers = [Stories(client, keys, WINDOW_S) for client in clients]
        batch = [article(f"a{n}", FERRY if n % 2 else DEPOT, f"Paper {n}", n) for n in range(10)]
        decided = await asyncio.gather(*[assign(worker, *batch) for worker in workers])
        for one, other in zip(*decided, strict=True):
            assert (one.kind, one.story_id, one.alert) == (other.kind, other.story_id, other.alert)
            assert one.repeated != other.repeated
    finally:
        for client in clients:
            await client.aclose()


async def test_order_within_seconds_does_not_change_the_stories(
    redis: Redis, redis_prefix: str
) -> None:
    batch = [
        article("a1", DEPOT, "Daily Ledger", 0),
        article("a2", DEPOT_RETOLD, "Courier", 0.1),
        article("a3", FERRY, "Post", 0.2),
        article("a4", CASUALTIES, "Phare", 0.3),
        article("a5", DEPOT, "Copier", 0.4),
    ]
    groups = set()
    for seed in range(12):
        shuffled = random.Random(seed).sample(batch, len(batch))
        stories = Stories(redis, Keys(f"{redis_prefix}-{seed}"), WINDOW_S)
        decisions = await assign(stories, *shuffled)
        told = dict(zip([one.id for one in shuffled], decisions, strict=True))
        together = frozenset(
            frozenset(name for name in told if told[name].story_id == story)
            for story in {decision.story_id for decision in decisions}
        )
        groups.add(together)
        assert sum(decision.kind == "new" for decision in decisions) == 2
    assert groups == {frozenset({frozenset({"a1", "a2", "a4", "a5"}), frozenset({"a3"})})}


async def test_redis_away_raises_and_the_repeated_batch_is_whole(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "redis") as server:
        client = connect_redis(server.url)
        try:
            stories = Stories(client, Keys("away"), WINDOW_S)
            batch = screened(article("a1"), article("a2", DEPOT_RETOLD, "Courier"))
            await stories.assign(batch[:1], NOW)
            server.stop()
            with pytest.raises(RedisError):
                await stories.assign(batch, NOW)
            server.start()
            first, second = await stories.assign(batch, NOW)
            assert (first.kind, first.repeated) == ("new", True)
            assert (second.kind, second.repeated) == ("update", False)
            assert len(await stories.members(first.story_id or "")) == 2
        finally:
            await client.aclose()


async def test_redis_that_refuses_writes_leaves_nothing_half_done(
    redis: Redis, keys: Keys, stories: Stories
) -> None:
    await redis.hset(keys.stories, "not", "a sorted set")  # type: ignore[misc]
    with pytest.raises(RedisError):
        await assign(stories, article())
    await redis.delete(keys.stories)
    (decision,) = await assign(stories, article())
    assert decision.kind == "new"
    assert decision.alert is not None
    assert len(await stories.members(decision.story_id or "")) == 1


async def test_ids_of_any_kind_and_empty_texts_are_handled(stories: Stories) -> None:
    odd = [
        article("ключ\n{x}:*", DEPOT),
        article("b" * 5_000, ("Drone", "")),
        article("c", ("", "drone")),
        article("d", ("Drone \x00 attack", "\x00")),
    ]
    first = await assign(stories, *odd)
    again = await assign(stories, *odd)
    assert all(decision.repeated for decision in again)
    assert [one.alert for one in first] == [one.alert for one in again]
    assert msgspec.json.encode(first[0].alert)
