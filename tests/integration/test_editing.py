"""Editors merge, split and mute stories on a real Valkey, beside workers that assign."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from connectors.records import Alert, Article
from streams.editing import PLACES, Editing, UnknownStory
from streams.keys import Keys
from streams.stories import KEEP_FOLD_EVERY, Decision, Stories
from tests.reports import (
    BRIDGE,
    BRIDGE_RETOLD,
    DEPOT,
    DEPOT_RETOLD,
    FERRY,
    FERRY_RETOLD,
    START,
    WINDOW_S,
    article,
    assign,
)


@pytest.fixture
def editing(redis: Redis, keys: Keys) -> Editing:
    return Editing(redis, keys, WINDOW_S, clock=lambda: START.timestamp() + 900)


async def _two(stories: Stories) -> tuple[str, str]:
    """A story about the depot with articles a1 and a2, and one about the ferry with f1."""
    depot, _, ferry = await assign(
        stories,
        article("a1"),
        article("a2", DEPOT_RETOLD, "Courier"),
        article("f1", FERRY, "Island Post"),
    )
    return depot.story_id or "", ferry.story_id or ""


async def _ids(stories: Stories, story_id: str) -> list[str]:
    return [one.facts.article_id for one in await stories.members(story_id)]


def _shown(alerts: tuple[Alert, ...]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(alert.story.id, alert.kind, alert.story.changes) for alert in alerts]


async def test_after_a_merge_one_story_goes_on_and_the_other_says_where_it_went(
    stories: Stories, editing: Editing
) -> None:
    depot, ferry = await _two(stories)
    kept, ended = await editing.merge(depot, ferry)
    assert (kept.story.id, kept.kind, kept.story.revision) == (depot, "update", 3)
    assert kept.story.changes[0] == f"merged with “{FERRY[0]}”: 1 more publisher"
    assert [report.publisher for report in kept.story.reports][-1] == "Island Post"
    assert (ended.story.id, ended.kind, ended.story.revision) == (ferry, "correction", 2)
    assert ended.story.merged_into == depot
    assert ended.story.corrected == f"Merged into: {kept.story.headline}"
    assert ended.priority == "routine"
    assert [story.id for story in await stories.recent()] == [depot]


async def test_later_articles_of_a_merged_story_join_the_kept_one(
    stories: Stories, editing: Editing
) -> None:
    depot, ferry = await _two(stories)
    await editing.merge(depot, ferry)
    retold, copy, edited = await assign(
        stories,
        article("f2", FERRY_RETOLD, "Courier", 20),
        article("f3", FERRY, "Copier", 21),
        article("f1", (FERRY[0] + ": all are safe", FERRY[1]), "Island Post", 22),
    )
    assert [one.story_id for one in (retold, copy, edited)] == [depot] * 3
    assert copy.kind == "duplicate"
    assert await _ids(stories, depot) == ["a1", "a2", "f1", "f2", "f3", "f1"]


async def test_redelivery_after_a_merge_and_a_split_changes_nothing(
    stories: Stories, editing: Editing, redis: Redis
) -> None:
    batch = [article("a1"), article("a2", DEPOT_RETOLD, "Courier"), article("f1", FERRY, "Post")]
    first = await assign(stories, *batch)
    depot, ferry = first[0].story_id or "", first[2].story_id or ""
    await editing.merge(depot, ferry)
    await editing.split(depot, "a2")
    lengths = [len(await stories.entries(story)) for story in (depot, ferry)]
    again = await assign(stories, *batch)
    assert all(one.repeated for one in again)
    assert [one.alert for one in again] == [one.alert for one in first]
    assert [one.story_id for one in again][::2] == [depot, depot]
    assert again[1].story_id not in (depot, ferry)
    assert [len(await stories.entries(story)) for story in (depot, ferry)] == lengths


async def test_an_edit_after_a_merge_counts_once_however_often_it_comes(
    stories: Stories, editing: Editing
) -> None:
    depot, ferry = await _two(stories)
    await editing.merge(depot, ferry)
    more = article("f1", (FERRY[0], FERRY[1] + " Nine people were injured."), "Island Post", 30)
    (edited,) = await assign(stories, more)
    assert edited.alert is not None
    assert edited.alert.story.id == depot
    (again,) = await assign(stories, more)
    assert (again.repeated, again.alert) == (True, edited.alert)
    (old,) = await assign(stories, article("f1", FERRY, "Island Post"))
    assert (old.repeated, old.alert, old.story_id) == (True, None, depot)


async def test_what_is_split_off_draws_later_articles_like_it(
    stories: Stories, editing: Editing
) -> None:
    depot, ferry = await _two(stories)
    (joined,) = await assign(stories, article("b1", BRIDGE, "Traun News", 6))
    await editing.merge(depot, joined.story_id or "")
    left, begun = await editing.split(depot, "b1")
    new = begun.story.id
    assert (left.story.id, left.kind) == (depot, "correction")
    assert left.story.changes == (f"split off: “{BRIDGE[0]}”",)
    assert [toll.number for toll in left.story.tolls if toll.kind == "injured"] == [4]
    assert (begun.kind, begun.story.revision, begun.story.headline) == ("new", 1, BRIDGE[0])
    assert new not in (depot, ferry, joined.story_id)
    later = await assign(
        stories,
        article("b2", BRIDGE_RETOLD, "Courier", 20),
        article("b3", BRIDGE, "Copier", 21),
        article("b1", (BRIDGE[0], BRIDGE[1] + " One man was killed."), "Traun News", 22),
    )
    assert [one.story_id for one in later] == [new] * 3
    assert await _ids(stories, depot) == ["a1", "a2"]


async def test_first_article_of_a_story_can_leave_it(stories: Stories, editing: Editing) -> None:
    depot, _ = await _two(stories)
    left, begun = await editing.split(depot, "a1")
    assert left.story.id == depot
    assert [report.article_id for report in left.story.reports] == ["a2"]
    assert left.story.headline == DEPOT_RETOLD[0]
    assert [report.article_id for report in begun.story.reports] == ["a1"]


async def test_a_copy_that_is_split_off_shows_what_it_published(
    stories: Stories, editing: Editing
) -> None:
    first, _ = await assign(stories, article("a1"), article("c1", publisher="Copier", minutes=3))
    _, begun = await editing.split(first.story_id or "", "c1")
    assert begun.story.headline == DEPOT[0]
    assert [score.topic for score in begun.story.topics] == ["drone_strike"]
    assert [report.publisher for report in begun.story.reports] == ["Copier"]


async def test_what_cannot_be_done_is_said_in_a_sentence(
    stories: Stories, editing: Editing
) -> None:
    depot, ferry = await _two(stories)
    with pytest.raises(UnknownStory, match="no story ffffffffffff"):
        await editing.merge(depot, "ffffffffffff")
    with pytest.raises(UnknownStory, match="no story ffffffffffff"):
        await editing.mute("ffffffffffff", muted=True)
    with pytest.raises(UnknownStory, match="only article"):
        await editing.split(ferry, "f1")
    with pytest.raises(UnknownStory, match="a9 is not in story"):
        await editing.split(depot, "a9")
    assert [len(await stories.entries(story)) for story in (depot, ferry)] == [2, 1]


async def test_every_edit_repeated_gives_the_same_alerts_and_changes_nothing(
    stories: Stories, editing: Editing, redis: Redis, keys: Keys
) -> None:
    depot, ferry = await _two(stories)
    other = Editing(redis, keys, WINDOW_S)
    merged = await editing.merge(depot, ferry)
    assert await other.merge(depot, ferry) == merged
    split = await editing.split(depot, "a2")
    assert await other.split(depot, "a2") == split
    await editing.mute(depot, muted=True)
    length = len(await stories.entries(depot))
    assert await other.mute(depot, muted=True) == ()
    assert await other.merge(depot, ferry) == merged
    assert len(await stories.entries(depot)) == length


async def test_chains_of_merges_end_in_one_story(stories: Stories, editing: Editing) -> None:
    depot, ferry = await _two(stories)
    (bridge,) = await assign(stories, article("b1", BRIDGE, "Traun News", 6))
    third = bridge.story_id or ""
    await editing.merge(ferry, depot)
    await editing.merge(third, ferry)
    assert await editing.merge(ferry, third) == ()
    assert {await editing.current(story) for story in (depot, ferry, third)} == {third}
    later = await assign(
        stories,
        article("a9", DEPOT, "Copier", 20),
        article("f2", FERRY_RETOLD, "Courier", 21),
    )
    assert [one.story_id for one in later] == [third, third]
    assert sorted(await _ids(stories, third)) == ["a1", "a2", "a9", "b1", "f1", "f2"]


async def test_an_article_goes_back_and_forth_and_is_in_one_story(
    stories: Stories, editing: Editing
) -> None:
    depot, _ = await _two(stories)
    seen = set()
    for _ in range(3):
        _, begun = await editing.split(depot, "a2")
        seen.add(begun.story.id)
        assert await _ids(stories, depot) == ["a1"]
        await editing.merge(depot, begun.story.id)
        assert await _ids(stories, depot) == ["a1", "a2"]
    assert len(seen) == 3
    (late,) = await assign(stories, article("a3", DEPOT_RETOLD, "Copier", 30))
    assert late.story_id == depot


async def test_what_left_one_story_stays_in_the_other_that_takes_the_first_in(
    stories: Stories, editing: Editing
) -> None:
    depot, _ = await _two(stories)
    _, begun = await editing.split(depot, "a1")
    await editing.merge(begun.story.id, depot)
    assert await _ids(stories, begun.story.id) == ["a1", "a2"]


async def test_a_muted_story_grows_silently_and_tells_what_came_when_it_is_heard_again(
    stories: Stories, editing: Editing
) -> None:
    depot, _ = await _two(stories)
    assert await editing.mute(depot, muted=True) == ()
    third, gone = await assign(
        stories,
        article("a3", (DEPOT[0], DEPOT_RETOLD[1].replace("four", "nine")), "Post", 20),
        article("a2", DEPOT_RETOLD, "Courier", 21, status="withdrawn"),
    )
    assert (third.alert, third.story_id) == (None, depot)
    assert gone.alert is not None
    assert (gone.alert.kind, gone.alert.story.muted) == ("correction", True)
    (heard,) = await editing.mute(depot, muted=False)
    assert heard.story.changes[0] == "no longer muted"
    assert "9 injured, 4 before" in heard.story.changes
    assert not heard.story.muted
    assert await editing.mute(depot, muted=False) == (heard,)


async def test_a_fold_from_before_a_split_is_never_used(stories: Stories, editing: Editing) -> None:
    first, *_ = await assign(
        stories,
        *[article(f"a{n}", DEPOT_RETOLD, f"Paper {n}", n) for n in range(KEEP_FOLD_EVERY + 1)],
    )
    story = first.story_id or ""
    await editing.split(story, "a3")
    for n in range(20, 24):
        (late,) = await assign(stories, article(f"a{n}", DEPOT_RETOLD, f"Late {n}", n))
        assert late.story_id == story
    now = (await stories.steps(story))[-1].folded
    assert "a3" not in now.articles
    (edited,) = await assign(
        stories, article("a1", (DEPOT[0], DEPOT[1] + " One was killed."), "Paper 1", 40)
    )
    assert edited.alert is not None
    assert edited.alert.story == (await stories.steps(story))[-1].folded.story


async def test_merge_while_two_workers_assign_loses_no_article(
    stories: Stories, editing: Editing, redis: Redis, keys: Keys
) -> None:
    depot, ferry = await _two(stories)
    other = Stories(redis, keys, WINDOW_S)
    batches = [
        [article(f"{who}{n}", told, f"Paper {who}{n}", 10 + n)]
        for n in range(12)
        for who, told in (("x", DEPOT_RETOLD), ("y", FERRY_RETOLD))
    ]

    async def assign_all(worker: Stories, mine: list[list[Article]]) -> list[Decision]:
        return [one for batch in mine for one in await assign(worker, *batch)]

    first, second, merged, again = await asyncio.gather(
        assign_all(stories, batches[::2]),
        assign_all(other, batches[1::2]),
        editing.merge(depot, ferry),
        Editing(redis, keys, WINDOW_S).merge(ferry, depot),
    )
    kept = await editing.current(depot)
    assert await editing.current(ferry) == kept
    ids = await _ids(stories, kept)
    assert sorted(ids) == sorted({"a1", "a2", "f1", *(b[0].id for b in batches)})
    alerts = [one.alert for one in (*first, *second) if one.alert]
    alerts += [*merged, *again]
    by_id: dict[str, Alert] = {}
    for alert in alerts:
        assert by_id.setdefault(alert.id, alert) == alert


class _KilledError(BaseException):
    """Stands for a kill: nothing of ours catches it."""


def _die(at: str) -> Callable[[str], None]:
    def reached(place: str) -> None:
        if place == at:
            raise _KilledError

    return reached


@pytest.mark.parametrize("place", PLACES)
async def test_an_editor_killed_anywhere_is_repeated_to_the_same_end(
    stories: Stories, redis: Redis, keys: Keys, place: str
) -> None:
    depot, ferry = await _two(stories)
    dying = Editing(redis, keys, WINDOW_S, reached=_die(place))
    alive = Editing(redis, keys, WINDOW_S)
    with pytest.raises(_KilledError):
        await dying.merge(depot, ferry)
    merged = await alive.merge(depot, ferry)
    with pytest.raises(_KilledError):
        await dying.split(depot, "f1")
    split = await alive.split(depot, "f1")
    with pytest.raises(_KilledError):
        await dying.mute(depot, muted=True)
    await alive.mute(depot, muted=True)
    ids = [alert.id for alert in (*merged, *split)]
    new = split[-1].story.id
    assert ids == [f"{depot}:3", f"{ferry}:2", f"{depot}:4", f"{new}:1"]
    kinds = [entry.mark.kind for entry in await stories.entries(depot) if entry.mark]
    assert kinds == ["merge", "left", "mute"]
