"""Real news through the real processes: every article is decided once, and the counts add up.

A part of the month by default; WIREBELL_REPLAY_ROWS=all replays the whole of it.
"""

from __future__ import annotations

import gzip
import os
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.replay import Outcome, count_articles, replay

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

ROWS = os.environ.get("WIREBELL_REPLAY_ROWS", "3000")
# Lines of our logs: time, level, process, what happened.
GRAVE = re.compile(r"^\S+ (?:WARNING|ERROR|CRITICAL)\b.*|^Traceback.*", re.M)


@dataclass(frozen=True)
class Replayed:
    """What came of it, what went in, and what the processes wrote."""

    outcome: Outcome
    expected: int
    logs: str

    def total(self, metric: str) -> int:
        """One metric, summed over its labels."""
        counts = self.outcome.counts.items()
        return int(sum(value for name, value in counts if name.partition("{")[0] == metric))


@pytest.fixture(scope="module")
def replayed(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    folder = tmp_path_factory.mktemp("replay")
    part = folder / "part.jsonl"
    rows = None if ROWS == "all" else int(ROWS)
    with gzip.open(shared / "stream" / "rss-2023-05.jsonl.gz", "rb") as month:
        part.write_bytes(b"".join(islice(month, rows)))
    state = folder / "state"
    state.mkdir()
    outcome = replay(part, state)
    logs = "\n".join(
        log.read_text("utf-8", errors="replace") for log in sorted(state.rglob("*.log"))
    )
    return Replayed(outcome, count_articles(part), logs)


def test_every_article_is_published_and_decided_exactly_once(replayed: Replayed) -> None:
    assert replayed.expected >= 1000, "too little to show anything"
    assert replayed.total("wirebell_articles_published_total") == replayed.expected
    assert replayed.total("wirebell_articles_screened_total") == replayed.expected


def test_every_decision_is_an_alert_or_a_counted_drop(replayed: Replayed) -> None:
    alerts = replayed.total("wirebell_alerts_total")
    drops = replayed.total("wirebell_articles_dropped_total")
    assert alerts + drops == replayed.expected
    assert alerts > 0
    assert drops > 0


def test_each_story_is_rung_as_new_once_and_delivered(replayed: Replayed) -> None:
    assert replayed.outcome.counts["wirebell_alerts_total{new}"] == replayed.outcome.stories
    delivered = replayed.total("wirebell_deliveries_total")
    # Level-triggered: a story that grew while it waited is delivered once, as it stands.
    assert replayed.outcome.stories <= delivered <= replayed.total("wirebell_alerts_total")


def test_nothing_becomes_a_dead_letter(replayed: Replayed) -> None:
    assert replayed.total("wirebell_dead_letters_total") == 0


def test_the_logs_tell_of_no_trouble(replayed: Replayed) -> None:
    assert "ready" in replayed.logs, "these are not the logs of a worker"
    assert GRAVE.findall(replayed.logs) == []
