"""`wirebell sources` killed at every place of a poll: nothing lost, repeats keep their ids."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.killed_sources import PLACES
from tests.fakes.source_line import SourceLine, open_source_line
from tests.lanes import Lane, wait_until

# Twenty kills more than the places are the full load (`make chaos`).
MORE_KILLS = 2 * (int(os.environ.get("WIREBELL_CHAOS", "1")) - 1)
# At 400 a second a poll holds 100 articles; a killed process plays three polls at most.
A_POLL = 100
ARTICLES = 1_500 + 3 * A_POLL * MORE_KILLS
INBOX = """
[[sources]]
id = "inbox"
type = "files"
path = "inbox"
interval_s = 1
per_second = 400
"""


@pytest.fixture
def line(kafka: Lane, redis_url: str, redis_prefix: str, tmp_path: Path) -> Iterator[SourceLine]:
    with open_source_line(kafka, redis_url, redis_prefix, tmp_path) as opened:
        yield opened


def test_killed_at_every_place_of_a_poll_nothing_is_lost(
    line: SourceLine, record_property: Callable[[str, object], None]
) -> None:
    line.configure(INBOX)
    line.write_rows("all.jsonl", [{"id": f"r{n}", "title": f"Report {n}"} for n in range(ARTICLES)])
    kills = [f"{place}:2" for place in PLACES]
    kills += [f"{random.choice(list(PLACES))}:{random.randint(1, 3)}" for _ in range(MORE_KILLS)]
    for place in kills:
        assert line.start(kill_at=place).wait(40) == -signal.SIGKILL, line.said()
    line.start()
    wanted = {f"Report {n}" for n in range(ARTICLES)}
    wait_until(lambda: {a.title for a in line.articles()} == wanted, 60, line.said())
    found = line.articles()
    assert len({article.id for article in found}) == ARTICLES, "a repeat has the same id"
    record_property("owed", ARTICLES)
    record_property("lost", len(wanted - {article.title for article in found}))
    record_property("faults", len(kills))
    repeats = len(found) - ARTICLES
    assert 0 < repeats <= len(kills) * A_POLL, "a kill repeats one poll at most"
