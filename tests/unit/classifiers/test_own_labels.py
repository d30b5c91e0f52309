"""A newsroom's own labels say all about a report, and count in place of ours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from classifiers import lessons, teaching
from classifiers.examples import Example
from classifiers.lessons import Lessons
from classifiers.own_labels import LABEL_WEIGHT, read_own_labels
from classifiers.own_topics import OwnTopicError
from classifiers.teaching import Taught
from classifiers.topics import TOPIC_IDS, TOPICS
from tests.fakes.small_course import course_of


def _file(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_a_label_says_everything_of_the_built_in_topics_and_the_later_one_counts(
    tmp_path: Path,
) -> None:
    first = {"id": "a", "text": "Rail cables cut near Lille", "topics": ["accident"]}
    later = {
        "id": "b",
        "text": "Rail cables cut near Lille",
        "topics": ["sabotage", "border"],
        "lang": "en-GB",
    }
    (taught,) = read_own_labels(_file(tmp_path / "l.jsonl", first, later), ["border"])
    assert taught.holds == {"sabotage", "border"}
    assert taught.falls == set(TOPIC_IDS) - {"sabotage"}
    assert (taught.weight, taught.language) == (LABEL_WEIGHT, "en")


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"id": "a", "text": "x", "topics": ["wombats"]}, "unknown topic 'wombats'"),
        ({"id": "a", "topics": []}, "id and text must be strings"),
    ],
)
def test_a_label_that_cannot_be_used_is_named(tmp_path: Path, row: object, fault: str) -> None:
    with pytest.raises(OwnTopicError, match=fault):
        read_own_labels(_file(tmp_path / "l.jsonl", row))
    with pytest.raises(OwnTopicError, match="absent"):
        read_own_labels(tmp_path / "absent.jsonl")


def test_a_corrected_report_counts_once_and_a_judged_one_is_not_learned_by_heart() -> None:
    texts = {"old": "Blast at a plant in Corvera kills two", "new": "Gas leak at a Corvera school"}
    ours = course_of(
        [
            Example("old", texts["old"], frozenset({"bombing"}), "en", "2020-01-01", "old"),
            Example("new", texts["new"], frozenset(), "en", "2024-01-01", "new"),
        ]
    )
    said = [
        Taught(text, frozenset({"accident"}), frozenset(TOPIC_IDS) - {"accident"}, "en", name)
        for name, text in texts.items()
    ]
    extra = teaching.taught_lessons(said, TOPICS, ours.bits)
    accident = TOPIC_IDS.index("accident")

    trial = teaching.together(ours, extra, TOPICS, early=True)  # judged on the new one
    model = teaching.together(ours, extra, TOPICS, early=False)  # which learns both

    assert _learned(trial) == ["taught-old"]
    assert _learned(model) == ["taught-old", "taught-new"]
    assert model.labels[model.known.all(axis=1), accident].all()
    # A verdict says something of one topic only: the rest of our label stands beside it.
    verdict = [Taught(texts["old"], frozenset(), frozenset({"bombing"}), "en", "v")]
    beside = teaching.together(
        ours, teaching.taught_lessons(verdict, TOPICS, ours.bits), TOPICS, early=False
    )
    assert len(beside.groups) == 3


def _learned(rows: Lessons) -> list[str]:
    return [rows.groups[row] for row in np.flatnonzero(rows.known.any(axis=1))]


def test_a_report_is_recognised_by_its_words_and_no_other_is_taken_for_it() -> None:
    counts, _ = lessons.count_matrix(["One drone hit a depot", "Two drones hit a depot"], 12)
    known, _ = lessons.count_matrix(["one drone hit a depot", "A depot hit one drone"], 12)
    assert lessons.seen_in(counts, known).tolist() == [True, False]
    assert not lessons.seen_in(counts, known[:0]).any()
    assert np.array_equal(lessons.seen_in(known, known), [True, True])
