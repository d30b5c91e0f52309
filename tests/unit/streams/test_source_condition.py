"""One word for each way that a source can do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streams.source_condition import Copies, judge_source, say_answer
from streams.source_status import SourceStatus

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MINUTE_AGO = NOW - MINUTE


def status(**fields: Any) -> SourceStatus:
    """A feed that was polled a minute ago and brought something."""
    usual = {
        "id": "gazette",
        "type": "feed",
        "state": "ok",
        "at": MINUTE_AGO,
        "counted_since": NOW - timedelta(days=3),
        "last_success_at": MINUTE_AGO,
        "last_new_at": MINUTE_AGO,
        "polls_total": 9,
        "articles_total": 20,
    }
    return SourceStatus(**{**usual, **fields})


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, "ok"),
        ({"state": "not_modified"}, "ok"),
        ({"polls_total": 0}, "waiting"),
        ({"state": "done"}, "done"),
        ({"state": "empty"}, "empty"),
        ({"state": "empty", "type": "files"}, "ok"),
        ({"undated_total": 20}, "undated"),
        ({"undated_total": 19}, "ok"),
        ({"last_new_at": NOW - timedelta(hours=25)}, "quiet"),
        ({"last_new_at": NOW - timedelta(hours=25), "usual_gap_s": 60_000}, "ok"),
        ({"last_new_at": NOW - timedelta(minutes=31), "usual_gap_s": 900}, "quiet"),
        ({"last_new_at": NOW - timedelta(minutes=9), "usual_gap_s": 5}, "ok"),
        ({"state": "unreachable", "error_streak": 1}, "faltering"),
        ({"state": "unreachable", "error_streak": 3}, "dead"),
        ({"state": "malformed", "error_streak": 4}, "dead"),
        # One hiccup of a source that was never asked before, or three of one asked every second.
        ({"state": "refused", "error_streak": 1, "last_success_at": None}, "faltering"),
        ({"state": "refused", "error_streak": 3, "last_success_at": None}, "dead"),
        (
            {"state": "unreachable", "error_streak": 3, "failing_since": NOW - 2 * MINUTE},
            "faltering",
        ),
        ({"state": "unreachable", "error_streak": 3, "failing_since": NOW - 3 * MINUTE}, "dead"),
    ],
)
def test_each_condition_has_its_word(fields: dict[str, Any], word: str) -> None:
    assert judge_source(status(**fields), NOW).condition == word


def test_a_dead_source_is_dead_since_its_last_success() -> None:
    dead = status(state="unreachable", error_streak=5)
    assert judge_source(dead, NOW).since == MINUTE_AGO


def test_the_answer_names_http_state_and_detail() -> None:
    refused = status(state="refused", http_status=403, detail="robots.txt forbids it")
    assert say_answer(refused) == "HTTP 403 · refused · robots.txt forbids it"
    assert say_answer(status(state="not_modified", http_status=304)) == "HTTP 304 · nothing new"
    assert say_answer(status(polls_total=0)) == ""


@pytest.mark.parametrize(
    ("copies", "word"), [(Copies(10, 10), "copies"), (Copies(10, 9), "ok"), (Copies(9, 9), "ok")]
)
def test_a_source_is_called_a_copier_only_when_all_of_many_were_copies(
    copies: Copies, word: str
) -> None:
    assert judge_source(status(), NOW, copies).condition == word
