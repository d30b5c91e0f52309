"""Whose word counts, and what a verdict says of which topics."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

from classifiers.teaching import VERDICT_WEIGHT
from streams.feedback import Feedback
from streams.verdicts import hear

MORNING = datetime(2026, 3, 1, 8, tzinfo=UTC)
_numbers = count()


def said(verdict: str, **changes: object) -> Feedback:
    number = next(_numbers)
    given = {
        "id": f"f{number}",
        "verdict": verdict,
        "who": "U1",
        "who_name": "nadia",
        "at": MORNING + timedelta(minutes=number),
        "destination": "slack|C1",
        "story_id": "s1",
        "revision": 1,
        "topics": ("arson", "protest"),
        "language": "en",
        "article_ids": ("a1",),
        "texts": ("Headline", "Summary.", "Headline"),
    }
    return Feedback(**{**given, **changes})  # type: ignore[arg-type]


def test_a_verdict_speaks_of_the_topics_that_were_told_and_of_no_other() -> None:
    (right,) = hear([said("relevant")]).taught
    (wrong,) = hear([said("not_relevant")]).taught
    (other,) = hear([said("wrong_topic", right_topics=("arson", "sabotage"))]).taught
    assert (right.holds, right.falls) == ({"arson", "protest"}, frozenset())
    assert (wrong.holds, wrong.falls) == (frozenset(), {"arson", "protest"})
    assert (other.holds, other.falls) == ({"arson", "sabotage"}, {"protest"})
    assert right.text == "Headline\n\nSummary."


def test_what_is_no_verdict_teaches_nothing() -> None:
    heard = hear([said("mute"), said("split"), said("follow"), said("merge"), said("unmute")])
    assert (heard.taught, heard.verdicts, heard.textless) == ((), 0, 0)


def test_the_last_verdict_of_a_person_counts_whatever_the_order_it_is_read_in() -> None:
    first, last = said("relevant"), said("not_relevant")
    for order in ([first, last], [last, first], [last, first, last]):
        heard = hear(order)
        (taught,) = heard.taught
        assert taught.falls == {"arson", "protest"}
        assert heard.verdicts == 1  # the other was taken back


def test_the_majority_of_people_decides_and_without_one_nobody_is_followed() -> None:
    yes, no = said("relevant"), said("not_relevant", who="U2")
    third = said("not_relevant", who="U3")
    split = hear([yes, no])
    assert (split.taught, split.disputed, split.people) == ((), 1, 2)
    assert split.left_out == ("people disagree about 1 story (1 report)",)
    (agreed,) = hear([yes, no, third]).taught
    assert agreed.falls == {"arson", "protest"}


def test_people_who_disagree_on_one_topic_still_agree_on_the_other() -> None:
    (taught,) = hear(
        [said("relevant"), said("wrong_topic", who="U2", right_topics=("arson",))]
    ).taught
    assert (taught.holds, taught.falls) == ({"arson"}, frozenset())


def test_every_report_of_a_story_is_judged_and_together_they_count_for_one() -> None:
    texts = ("Second", "Summary.", "First", "Second", "Third")
    heard = hear([said("not_relevant", article_ids=("a1", "a2", "a3"), texts=texts)])
    assert [each.text for each in heard.taught] == ["First", "Second\n\nSummary.", "Third"]
    assert sum(each.weight for each in heard.taught) == VERDICT_WEIGHT
    assert {each.group for each in heard.taught} == {"s1"}


def test_people_who_disagree_about_a_story_of_three_reports_disagree_about_one_story() -> None:
    three = {"article_ids": ("a1", "a2", "a3"), "texts": ("H", "S.", "H", "I", "J")}
    heard = hear([said("relevant", **three), said("not_relevant", who="U2", **three)])
    assert heard.left_out == ("people disagree about 1 story (3 reports)",)


def test_a_verdict_on_a_later_story_of_the_same_report_replaces_the_one_before() -> None:
    both = said("relevant", article_ids=("a1", "a2"), texts=("H", "S.", "H", "Other"))
    after = said("not_relevant", story_id="s2", article_ids=("a2",), texts=("Other", "S.", "Other"))
    first, second = hear([both, after]).taught
    assert (first.holds, second.falls) == ({"arson", "protest"}, {"arson", "protest"})


def test_a_verdict_without_a_text_is_counted_and_left_out() -> None:
    forgotten = said("relevant", topics=(), article_ids=(), texts=())
    assert (hear([forgotten]).taught, hear([forgotten]).textless) == ((), 1)
