"""A month's articles through `wirebell worker` with its real rooms, killed again and again: the
stories it tells are those of a worker that was left in peace. Long: `make chaos`.
"""

from __future__ import annotations

import gzip
import itertools
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from connectors.records import Article
from tests.fakes.worker_line import ROOT, WorkerLine, open_line
from tests.lanes import SHARED, Lane, wait_until

KILLS = 3 if int(os.environ.get("WIREBELL_CHAOS", "1")) > 1 else 0
STREAM = SHARED / "stream" / "rss-2023-05.jsonl.gz"
COUNT = 3_000


class Row(msgspec.Struct):
    source: str
    title: str
    text: str
    url: str = ""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not KILLS, reason="long: make chaos")
@pytest.mark.skipif(not STREAM.exists(), reason=f"no {STREAM.name} beside the repository")
@pytest.mark.parametrize("kafka", ["embedded"], indirect=True)  # one partition: one order
def test_a_killed_worker_tells_the_stories_that_an_unkilled_one_tells(
    kafka: Lane, redis_url: str, redis_prefix: str, tmp_path: Path
) -> None:
    told = []
    for run, kills in enumerate((0, KILLS)):
        lane = Lane(kafka.name, kafka.bootstrap_servers, f"{kafka.prefix}{run}-", kafka.server)
        with open_line(lane, redis_url, f"{redis_prefix}-{run}", tmp_path) as line:
            line.publish(_articles())
            for kill in range(kills):
                worker = _start(line, tmp_path)
                reached = COUNT * (kill + 1) // (kills + 2)
                wait_until(lambda: line.committed_by("wirebell-worker") >= reached, 60)  # noqa: B023
                worker.kill()
            _start(line, tmp_path)
            wait_until(lambda: line.committed_by("wirebell-worker") == COUNT, 120)
            told.append({(alert.id, alert.kind, alert.story.headline) for alert in line.alerts()})
            assert line.dead_letters() == []
    assert len(told[0]) > 100
    assert told[0] == told[1]


def _articles() -> list[Article]:
    with gzip.open(STREAM) as lines:
        rows = [msgspec.json.decode(line, type=Row) for line in itertools.islice(lines, COUNT)]
    return [
        Article(
            id=f"row-{number}",
            source_id=row.source,
            publisher=row.source,
            title=row.title,
            text=row.text,
            url=row.url,
            fetched_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for number, row in enumerate(rows)
    ]


def _start(line: WorkerLine, folder: Path) -> subprocess.Popen[bytes]:
    config = folder / "wirebell.toml"
    config.write_text("", encoding="utf-8")
    environment = {
        **{name: value for name, value in os.environ.items() if name != "WIREBELL_CHAOS"},
        **line.lane.environment(),
        "WIREBELL_KAFKA__SESSION_TIMEOUT_S": "3",
        "WIREBELL_REDIS__URL": line.orders.redis_url,
        "WIREBELL_REDIS__PREFIX": line.orders.redis_prefix,
    }
    with line.log.open("ab") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "streams", "worker", "--config", str(config)],
            cwd=ROOT,
            stderr=log,
            env=environment,
        )
    line.adopt(worker)
    return worker
