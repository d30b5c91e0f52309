"""The rules of what rings, each by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connectors.records import Report, Story, Toll, TopicScore
from streams.material import MILESTONES, Growth, judge, prioritise, publishers_at_once
from streams.pace import Speed
from tests.reports import START


def test_first_report_rings_as_new() -> None:
    assert judge(Growth(first=True)).kind == "new"


def test_nothing_added_joins_silently() -> None:
    verdict = judge(Growth())
    assert verdict.kind is None
    assert verdict.changes == ()


@pytest.mark.parametrize(
    ("growth", "words"),
    [
        (Growth(topics=("sabotage",)), "new topic: Sabotage"),
        (Growth(places=("Orel",)), "new place: Orel"),
        (Growth(tolls=(("killed", None, 3),)), "3 killed"),
        (Growth(tolls=(("killed", 3, 7),)), "7 killed, 3 before"),
        (Growth(publishers=2), "2 independent publishers"),
        (Growth(restored="Daily Ledger"), "reported again by Daily Ledger"),
        (
            Growth(speed=Speed(0.0, 6, 5, 0.4)),
            "breaking: 6 reports by 5 publishers within 60 minutes, 0.4 an hour before",
        ),
    ],
)
def test_each_material_change_rings_and_says_why(growth: Growth, words: str) -> None:
    verdict = judge(growth)
    assert verdict.kind == "update"
    assert verdict.changes == (words,)


@pytest.mark.parametrize("count", range(2, 13))
def test_only_milestones_of_publishers_ring(count: int) -> None:
    assert (judge(Growth(publishers=count)).kind == "update") == (count in MILESTONES)


def test_lower_toll_rings_only_as_a_correction() -> None:
    lower = (("killed", 12, 9),)
    assert judge(Growth(tolls=lower)).kind is None
    corrected = judge(Growth(tolls=lower, correction="Daily Ledger"))
    assert corrected.kind == "correction"
    assert corrected.changes == ("corrected by Daily Ledger", "9 killed, 12 before")


def test_correction_rings_even_when_nothing_else_changed() -> None:
    assert judge(Growth(correction="Daily Ledger")).kind == "correction"


def test_withdrawal_is_final_only_when_nobody_else_reports() -> None:
    alone = judge(Growth(withdrawal="Daily Ledger", all_withdrawn=True))
    assert (alone.kind, alone.changes) == ("withdrawn", ("withdrawn by Daily Ledger",))
    others = judge(Growth(withdrawal="Daily Ledger"))
    assert others.kind == "correction"
    assert "others still report it" in others.changes[0]


def _story(
    topic: str,
    probability: float,
    minutes: tuple[float, ...],
    killed: int = 0,
    *,
    withdrawn: bool = False,
) -> Story:
    reports = tuple(
        Report(
            publisher=f"p{at}",
            article_id=f"a{at}",
            title="t",
            url="",
            reported_at=START + timedelta(minutes=minute),
        )
        for at, minute in enumerate(minutes)
    )
    return Story(
        id="0" * 12,
        revision=1,
        headline="h",
        language="en",
        summary="",
        topics=(TopicScore(topic=topic, label=topic.title(), probability=probability),),
        evidence=(),
        places=(),
        tolls=(Toll(kind="killed", number=killed, publisher="p0"),) if killed else (),
        reports=reports,
        article_count=len(reports),
        first_seen=START,
        last_seen=START,
        changes=(),
        withdrawn=withdrawn,
    )


@pytest.mark.parametrize(
    ("story", "priority"),
    [
        (_story("arrest", 0.99, (0,)), "routine"),
        (_story("bombing", 0.6, (0,)), "routine"),
        (_story("bombing", 0.95, (0,)), "urgent"),
        (_story("bombing", 0.6, (0,), killed=2), "urgent"),
        (_story("bombing", 0.6, (0, 300)), "urgent"),
        (_story("bombing", 0.95, (0,), killed=10), "flash"),
        (_story("bombing", 0.95, (0, 20, 50)), "flash"),
        (_story("bombing", 0.95, (0, 200, 500)), "urgent"),
        (_story("accident", 0.95, (0,), killed=40), "urgent"),
        (_story("protest", 0.95, (0, 1, 2)), "urgent"),
        (_story("bombing", 0.95, (0, 1, 2), killed=50, withdrawn=True), "routine"),
    ],
)
def test_priority_follows_danger_size_and_speed(story: Story, priority: str) -> None:
    assert prioritise(story)[0] == priority


def test_a_story_that_breaks_again_is_a_flash_though_its_first_reports_are_old() -> None:
    story = _story("bombing", 0.95, (0, 200, 500))
    priority, reason = prioritise(story, Speed(0.0, 6, 5, 0.0))
    assert priority == "flash"
    assert "6 reports by 5 publishers within 60 minutes, none before" in reason


def test_priority_says_why_in_words() -> None:
    _, reason = prioritise(_story("bombing", 0.95, (0, 20, 50), killed=12))
    assert reason == "Bombing 0.95, 12 killed, 3 publishers within 60 minutes"


def test_publishers_at_once_counts_the_densest_hour() -> None:
    story = _story("bombing", 0.9, (0, 100, 130, 150, 159, 400))
    assert publishers_at_once(story.reports) == 4
