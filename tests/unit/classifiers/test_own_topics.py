"""A newsroom's own topic is refused in words, or becomes lessons that say only what was said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from classifiers.own_topics import EXAMPLE_WEIGHT, MIN_EXAMPLES, OwnTopicError, read_own_topics
from classifiers.topic_names import OwnTopic
from classifiers.topics import Topic


def _own(path: Path, rows: list[dict[str, object]]) -> OwnTopic:
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return OwnTopic(Topic("border", "Border closure", "A border crossing closed."), path)


def _rows(number: int) -> list[dict[str, object]]:
    return [
        {"id": f"b{n}", "text": f"Crossing {n} closed", "topics": ["border"], "lang": "en"}
        for n in range(number)
    ]


def test_examples_hold_and_counterexamples_fall_and_other_topics_are_left_open(
    tmp_path: Path,
) -> None:
    both = {"id": "x", "text": "Protest shuts crossing", "topics": ["border", "protest"]}
    against = {"id": "y", "text": "Border collie wins", "topics": []}
    own = _own(tmp_path / "b.jsonl", [*_rows(MIN_EXAMPLES), both, against])
    taught = read_own_topics([own])
    first, protest, collie = taught[0], taught[-2], taught[-1]
    assert (first.holds, first.falls, first.weight) == ({"border"}, frozenset(), EXAMPLE_WEIGHT)
    assert (protest.holds, protest.language) == ({"border", "protest"}, "en")
    assert (collie.holds, collie.falls) == (frozenset(), {"border"})


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (_rows(MIN_EXAMPLES - 1), "29 different reports are about it, 30 are needed"),
        (_rows(1) * MIN_EXAMPLES, "1 different reports are about it"),
        ([{**row, "id": "b"} for row in _rows(30)], "30 reports are about it under the one id b,"),
        (
            [{**row, "id": f"b{n % 9}-de"} for n, row in enumerate(_rows(30))],
            "under 9 ids, 10 ids are needed",
        ),
        (
            [*_rows(MIN_EXAMPLES), {"id": "z", "text": "t", "topics": ["wombats"]}],
            "unknown topic wombats",
        ),
        ([{"id": "z", "topics": ["border"]}], "id and text must be strings"),
    ],
)
def test_what_cannot_be_learned_is_said_with_topic_and_file(
    tmp_path: Path, rows: list[dict[str, object]], fault: str
) -> None:
    with pytest.raises(OwnTopicError) as caught:
        read_own_topics([_own(tmp_path / "b.jsonl", rows)])
    (told,) = caught.value.faults
    assert told.startswith("topics.border: ")
    assert "b.jsonl" in told
    assert fault in told


def test_a_file_that_is_not_there_is_a_fault_like_any_other(tmp_path: Path) -> None:
    own = OwnTopic(Topic("border", "Border", "Closed."), tmp_path / "absent.jsonl")
    with pytest.raises(OwnTopicError, match=r"topics\.border: .*absent\.jsonl"):
        read_own_topics([own])
