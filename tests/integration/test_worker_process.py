"""`wirebell worker` itself, with the real rooms: an article in, an alert out, a clean end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.records import Article
from tests.fakes.worker_line import ROOT, WorkerLine, open_line
from tests.lanes import Lane, wait_until

CONFIG = """
[sinks.terminal]
type = "console"

[[subscriptions]]
id = "everything"
deliver = [{ sink = "terminal" }]
"""

# Invented, as every text in this repository.
SABOTAGE = (
    "Saboteurs cut the signal cables of the Northern Railway near Velmora before dawn on"
    " Tuesday and stopped 40 trains, the police said. Investigators found deliberate cuts at"
    " three places and treat it as an act of sabotage."
)
TOMATOES = (
    "Supermarkets cut the price of tomatoes by a tenth this week after a good harvest, the"
    " growers' association said."
)
# `wirebell` whose reader rests after a moment without work.
SOON_AT_REST = """
from functools import partial
from streams import assembly, reader_rest
from streams.cli import main
assembly.rest_when_idle = partial(reader_rest.rest_when_idle, idle_s=0.2, look_s=0.1)
main()
"""


@pytest.fixture
def line(kafka: Lane, redis_url: str, redis_prefix: str, tmp_path: Path) -> Iterator[WorkerLine]:
    with open_line(kafka, redis_url, redis_prefix, tmp_path) as opened:
        yield opened


def test_an_article_becomes_one_alert_and_its_copy_none(line: WorkerLine, tmp_path: Path) -> None:
    with start_worker(line, tmp_path) as worker:
        now = datetime.now(UTC)
        line.publish(
            [
                _article("1", "Northern Post", "Sabotage halts trains near Velmora", SABOTAGE, now),
                _article("2", "Evening Post", "Sabotage halts trains near Velmora", SABOTAGE, now),
                _article("3", "Post", "Tomato prices fall", TOMATOES, now),
            ]
        )
        wait_until(lambda: "Sabotage halts trains" in _read(tmp_path / "out"), 30, "an alert")
        wait_until(lambda: line.committed_by("wirebell-worker") == 3, 15, "all committed")
        worker.terminate()
        assert worker.wait(10) == 0
    alerts = line.alerts()
    assert [alert.kind for alert in alerts] == ["new"]
    assert "sabotage" in [score.topic for score in alerts[0].story.topics]
    said = _read(tmp_path / "err")
    assert "Traceback" not in said
    assert not list(ROOT.glob(f"{line.lane.prefix}*"))  # Faust would make folders where we stand


def test_a_worker_waits_for_redis_and_ends_when_told_to(line: WorkerLine, tmp_path: Path) -> None:
    with start_worker(line, tmp_path, WIREBELL_REDIS__URL="redis://127.0.0.1:1/0") as worker:
        line.publish([_article("1", "Post", "A bomb kills three", SABOTAGE, datetime.now(UTC))])
        wait_until(lambda: "redis is away" in _read(tmp_path / "err"), 30, "the outage told")
        worker.terminate()
        assert worker.wait(10) == 0
    assert line.committed_by("wirebell-worker") == 0
    assert "Traceback" not in _read(tmp_path / "err")


def test_a_worker_at_rest_has_let_its_reader_go_and_has_it_back_for_the_next_doubtful_article(
    embedded_kafka: Lane, redis_url: str, redis_prefix: str, tmp_path: Path
) -> None:
    def rests() -> int:
        return _read(tmp_path / "err").count("the slow reader rests")

    with open_line(embedded_kafka, redis_url, redis_prefix, tmp_path) as line:
        start_worker(
            line,
            tmp_path,
            program=("-c", SOON_AT_REST),
            WIREBELL_LOG_LEVEL="DEBUG",
            WIREBELL_CLASSIFIER__DOUBT="30",  # everything is doubtful
        )
        for number, words in enumerate((SABOTAGE, TOMATOES), 1):
            before = rests()
            line.publish([_article(str(number), "Post", "News", words, datetime.now(UTC))])

            def over(done: int = number, before: int = before) -> bool:
                return line.committed_by("wirebell-worker") == done and rests() > before

            wait_until(over, 30, "its outcome, and the reader's rest")
    assert "Traceback" not in _read(tmp_path / "err")


def _article(number: str, publisher: str, title: str, text: str, now: datetime) -> Article:
    return Article(
        id=number,
        source_id="test",
        publisher=publisher,
        title=title,
        text=text,
        language="en",
        published_at=now - timedelta(minutes=1),
        fetched_at=now,
    )


def start_worker(
    line: WorkerLine,
    folder: Path,
    program: Sequence[str] = ("-m", "streams"),
    **environment: str,
) -> subprocess.Popen[bytes]:
    """`wirebell worker` on this line, its output in files of the folder."""
    config = folder / "wirebell.toml"
    config.write_text(CONFIG, encoding="utf-8")
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        worker = subprocess.Popen(
            [sys.executable, *program, "worker", "--config", str(config)],
            cwd=ROOT,
            stdout=out,
            stderr=err,
            stdin=subprocess.DEVNULL,
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                **line.lane.environment(),
                "WIREBELL_REDIS__URL": line.orders.redis_url,
                "WIREBELL_REDIS__PREFIX": line.orders.redis_prefix,
                **environment,
            },
        )
    line.adopt(worker)
    return worker


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
