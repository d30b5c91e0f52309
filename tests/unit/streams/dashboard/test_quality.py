"""The quality view: drift in a word, verdicts by topic, the hour against the same a week ago."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from classifiers.topics import TOPICS
from streams.dashboard.quality import judge_drift, judgements, show_quality
from streams.feedback import Feedback
from streams.quality_log import Probabilities

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
TOPIC = TOPICS[0].id
SURE = [900, 5, 4, 3, 3, 4, 6, 15, 40, 120]
UNSURE = [900, 30, 30, 30, 25, 25, 20, 20, 15, 10]
FEW = [900, 0, 0, 0, 0, 0, 0, 1, 2, 9]


def said(verdict: Any, story: str = "s1", who: str = "anna", **more: Any) -> Feedback:
    return Feedback(
        **{
            "id": f"{verdict}{story}{who}",
            "verdict": verdict,
            "who": who,
            "who_name": who,
            "at": NOW,
            "destination": "",
            "story_id": story,
            "revision": 1,
            "topics": (TOPIC,),
            "language": "en",
            "article_ids": (),
            "texts": (),
            **more,
        }
    )


@pytest.mark.parametrize(
    ("live", "left_out", "first_week", "state", "of"),
    [
        (SURE, SURE, None, "stable", "training"),
        (UNSURE, SURE, SURE, "changed", "training"),
        (UNSURE, None, SURE, "changed", "first week"),
        (SURE, None, None, "learning", ""),
        (FEW, SURE, None, "too few", "training"),
        (None, SURE, None, "too few", ""),
    ],
)
def test_drift_is_said_in_a_word_and_against_what(
    live: Any, left_out: Any, first_week: Any, state: str, of: str
) -> None:
    seen = Probabilities(
        *({TOPIC: counts} if counts else {} for counts in (live, first_week, left_out))
    )
    drift = judge_drift(TOPIC, seen)
    assert (drift.state, drift.of) == (state, of)
    assert (drift.index is not None) == (state in {"stable", "moved", "changed"})


def test_the_last_word_of_a_person_about_a_story_counts() -> None:
    found = judgements(
        [said("not_relevant"), said("relevant"), said("relevant", who="ben"), said("mute", "s2")]
    )
    assert found == {TOPIC: {"relevant": 2, "not_relevant": 0, "wrong_topic": 0}}


def test_a_topic_that_was_right_beside_a_wrong_one_was_no_mistake() -> None:
    other = TOPICS[1].id
    found = judgements([said("wrong_topic", topics=(TOPIC, other), right_topics=(TOPIC,))])
    assert found[TOPIC] == {"relevant": 1, "not_relevant": 0, "wrong_topic": 0}
    assert found[other] == {"relevant": 0, "not_relevant": 0, "wrong_topic": 1}


def test_the_view_has_every_topic_and_those_of_the_newsroom_s_own() -> None:
    hour = {
        "": {"screened": 50},
        TOPIC: {"rang": 3, "new": 2, "copy": 4},
        "cattle_theft": {"rang": 1},
    }
    before = {"": {"screened": 40}, TOPIC: {"joined": 5}}
    view = show_quality(
        NOW,
        ["v1"],
        probabilities=Probabilities({}, {}, {}),
        verdicts=[said("relevant"), said("not_relevant", "s2"), said("relevant", "s3")],
        hours=(hour, before),
    )
    assert (view.screened, view.screened_week_ago, view.verdicts) == (50, 40, 3)
    assert len(view.topics) == len(TOPICS) + 1
    first, own = view.topics[0], view.topics[-1]
    assert first.precision == pytest.approx(2 / 3)
    assert (first.hour.about, first.hour.copies, first.hour.rang, first.hour.new) == (7, 4, 3, 2)
    assert (first.week_ago.about, first.week_ago.joined) == (5, 5)
    assert own.label == "Cattle theft"
    assert own.precision is None
