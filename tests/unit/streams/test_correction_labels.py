"""Corrections as labels: which mistakes come again, by which rule, and what prevents them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.evaluate_stories import corrected
from classifiers.similarity import fingerprints
from connectors.sinks.slack_actions import Choice
from streams.correction_labels import Joined, Judged, judge_corrections
from streams.corrections import corrections_in_file
from streams.feedback import Feedback, encode_feedback
from streams.stories import JOIN_SHORT_LIKENESS
from tests.reports import DEPOT, DEPOT_RETOLD, FERRY


def _joined(
    article_id: str, told: tuple[str, str], story: str, score: float = 0.0, *, copy: bool = False
) -> Joined:
    (printed,) = fingerprints([(told[0], told[1][:120])])
    return Joined(article_id, told[0], "en", story, score, copy, printed)


def _feedback(
    verdict: Choice, story: str = "s1", articles: str = "a1 a2", other: str = "", article: str = ""
) -> Feedback:
    return Feedback(
        id=f"{verdict} {story} {other} {article}",
        verdict=verdict,
        who="u1",
        who_name="ann",
        at=datetime(2026, 3, 5, tzinfo=UTC),
        destination="",
        story_id=story,
        revision=1,
        topics=(),
        language="en",
        article_ids=tuple(articles.split()),
        texts=(),
        other_story_id=other,
        article_id=article,
    )


RUN = [
    _joined("a1", DEPOT, "s1"),
    _joined("a2", DEPOT_RETOLD, "s1", 0.4),
    _joined("f1", FERRY, "s1", 0.26),
    _joined("b1", FERRY, "s2"),
    _joined("b2", FERRY, "s2", 0.33),
]


def _judge(*corrections: Feedback) -> Judged:
    return judge_corrections(corrections, RUN)


def test_a_split_that_would_be_needed_again_names_rule_likeness_and_cure() -> None:
    judged = _judge(_feedback("split", article="f1"))
    (mistake,) = judged.joined_wrongly
    assert (mistake.one.article_id, mistake.rule, mistake.likeness) == ("f1", "short", 0.26)
    (cure,) = judged.cures
    assert (cure.setting, cure.now) == ("JOIN_SHORT_LIKENESS", JOIN_SHORT_LIKENESS)
    assert cure.better == pytest.approx(0.27)
    assert (cure.prevents, cure.undoes, cure.joins) == (1, 0, 3)


def test_where_the_article_came_first_the_one_that_joined_it_is_to_blame() -> None:
    judged = _judge(_feedback("split", articles="a2 f1", article="a1"))
    assert judged.joined_wrongly[0].one.article_id == "a2"


def test_each_step_of_a_threshold_prevents_more_and_undoes_more() -> None:
    judged = _judge(_feedback("split", article="f1"), _feedback("split", article="a2"))
    assert [(cure.prevents, cure.undoes) for cure in judged.cures] == [(1, 0), (2, 1)]


def test_a_copy_is_blamed_on_its_text() -> None:
    run = [_joined("a1", DEPOT, "s1"), _joined("c1", DEPOT, "s1", 0.9, copy=True)]
    (mistake,) = judge_corrections([_feedback("split", article="c1")], run).joined_wrongly
    assert (mistake.rule, mistake.likeness) == ("copy", 1.0)


def test_what_is_right_now_is_no_mistake() -> None:
    judged = _judge(
        _feedback("split", articles="a1 b1", article="b1"),
        _feedback("merge", articles="a1", other="s1"),
    )
    assert (judged.merges, judged.splits) == (1, 1)
    assert not (judged.joined_wrongly or judged.kept_apart_wrongly or judged.cures)


def test_a_merge_that_would_be_needed_again_names_the_two_most_alike() -> None:
    (mistake,) = _judge(_feedback("merge", articles="a1 f1", other="s2")).kept_apart_wrongly
    assert mistake.one.article_id == "f1"
    assert mistake.likeness == pytest.approx(1.0, abs=0.05)


def test_corrections_about_other_articles_are_counted_apart() -> None:
    judged = _judge(_feedback("split", articles="x1", article="x2"), _feedback("mute"))
    assert (judged.unknown, judged.merges, judged.splits, judged.stories) == (1, 0, 0, 2)


def test_what_editors_said_counts_over_the_labels() -> None:
    labels = {"a1": "depot", "a2": "depot", "f1": "ferry", "b1": "sinking"}
    stories = {"a1": "s1", "a2": "s1", "f1": "s1", "b1": "s2"}
    split, merge = _feedback("split", article="a2"), _feedback("merge", articles="f1", other="s2")
    assert corrected(labels, [split, merge], stories) == {
        "a1": "depot",
        "a2": "split off a2",
        "f1": "ferry",
        "b1": "ferry",
    }


def test_a_file_of_feedback_is_read_once_each_and_in_order(tmp_path: Path) -> None:
    kept = [_feedback("merge", other="s2"), _feedback("split", article="f1")]
    path = tmp_path / "feedback.jsonl"
    lines = [*kept, _feedback("relevant"), kept[0]]
    path.write_bytes(b"\n".join(map(encode_feedback, lines)) + b"\n\n")
    assert corrections_in_file(path) == kept
    path.write_bytes(b"{}\n")
    with pytest.raises(ValueError, match="line 1: no record of feedback"):
        corrections_in_file(path)
