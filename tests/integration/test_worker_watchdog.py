"""The watchdog on a real worker: one that stands still ends, one that idles or waits does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.watchdog import EXIT_STALLED
from tests.fakes.worker_line import WorkerLine, make_article, open_line
from tests.lanes import Lane, wait_until


@pytest.fixture
def line(kafka: Lane, redis_url: str, redis_prefix: str, tmp_path: Path) -> Iterator[WorkerLine]:
    with open_line(kafka, redis_url, redis_prefix, tmp_path) as opened:
        yield opened


def test_a_worker_that_stands_still_ends_and_its_article_is_not_lost(line: WorkerLine) -> None:
    worker = line.start(watchdog_s=4)
    line.publish([make_article(0)])
    line.wait_for_alerts(1)
    wait_until(lambda: line.committed() == 1, 10, "the first committed")
    line.publish([make_article(1, "hang")])
    assert worker.wait(40) == EXIT_STALLED
    assert "has stood still" in line.said()
    assert line.committed() == 1
