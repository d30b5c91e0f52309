"""`wirebell sources` as a process, on both lanes: everything found is in Kafka, once it can be."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest

from streams.embedded import EmbeddedRedis, free_port
from streams.keys import Keys
from streams.redis_client import connect_redis
from streams.source_wishes import Pause, SourceWishes
from tests.fakes.source_line import SourceLine, open_source_line
from tests.lanes import Lane, wait_until

T = TypeVar("T")

INBOX = """
[[sources]]
id = "inbox"
type = "files"
path = "inbox"
interval_s = 1
"""


@pytest.fixture
def line(kafka: Lane, redis_url: str, redis_prefix: str, tmp_path: Path) -> Iterator[SourceLine]:
    with open_source_line(kafka, redis_url, redis_prefix, tmp_path) as opened:
        yield opened


def rows(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"id": f"row-{n}", "title": f"Report {n}", "text": f"Text of report {n}.", "lang": "en"}
        for n in range(first, first + count)
    ]


def unchanged_for(seconds: float, read: Callable[[], T]) -> T:
    """What `read` gives, once it has given the same for so long."""
    before, since = read(), time.monotonic()

    def settled() -> bool:
        nonlocal before, since
        if (now := read()) != before:
            before, since = now, time.monotonic()
        return time.monotonic() - since > seconds

    wait_until(settled, 20, "nothing changes any more")
    return before


def titles(count: int) -> set[str]:
    return {f"Report {n}" for n in range(count)}


def test_what_files_hold_is_published_shown_and_not_repeated_by_the_next_process(
    line: SourceLine,
) -> None:
    line.configure(INBOX)
    line.write_rows("first.jsonl", rows(1_200))
    process = line.start()
    line.wait_for_status("inbox", 1_200)
    line.write_rows("second.jsonl", rows(300, first=1_200))
    line.wait_for_status("inbox", 1_500)
    status = line.status("inbox")
    assert status is not None
    assert (status.type, status.error_streak, status.fault) == ("files", 0, False)
    assert status.last_new_at is not None
    assert status.next_poll_at is not None
    process.send_signal(signal.SIGTERM)
    assert process.wait(4) == 0, line.said()
    beats = line.heartbeats()
    assert [(beat.role, beat.stopped) for beat in beats] == [("sources", True)]
    samples = {sample.name: sample.value for sample in beats[0].samples if sample.labels}
    assert samples["wirebell_articles_published_total"] == 1_500

    line.write_rows("third.jsonl", rows(10, first=1_500))
    line.start()
    wait_until(lambda: len(line.articles()) >= 1_510, 30, line.said())
    found = line.articles()
    assert len(found) == 1_510, "the second process began where the first had ended"
    assert {article.title for article in found} == titles(1_510)


def test_what_cannot_become_an_article_is_a_dead_letter_with_its_place(line: SourceLine) -> None:
    line.configure(INBOX)
    good = json.dumps(rows(1)[0])
    (line.inbox / "mixed.jsonl").write_text(f'{good}\n{{"title": 12}}\nnot json\n')
    line.start()
    line.wait_for_status("inbox", 1)
    letters = line.dead_letters()
    assert {(letter.stage, letter.reason) for letter in letters} == {("source", "rejected")}
    places = sorted(letter.origin.place for letter in letters)
    assert len(places) == 2
    assert "line 2" in places[0]
    assert "line 3" in places[1]
    assert all(letter.origin.source_id == "inbox" for letter in letters)
    assert len(line.articles()) == 1


def test_kafka_killed_in_the_middle_costs_no_article(line: SourceLine) -> None:
    """Apache Kafka comes back with its log, the embedded broker without: then the cluster is
    another one, and everything is read and published again.
    """
    server = line.lane.server
    if server is None:
        pytest.skip("the cluster that KAFKA_BOOTSTRAP_SERVERS names is not ours to kill")
    line.configure(INBOX + "per_second = 400\n")
    line.write_rows("all.jsonl", rows(2_000))
    process = line.start()
    line.wait_for_status("inbox", 500)
    server.kill()
    kept = unchanged_for(1.5, line.cursors)  # at 400 a second it moved every 0.25 s
    assert all(b'"open"' in cursor for each in kept.values() for cursor in each.values())
    server.start()
    wait_until(lambda: {a.title for a in line.articles()} == titles(2_000), 60, line.said)
    assert process.poll() is None
    assert len(line.cursors()) == (2 if line.lane.embedded else 1)


def test_redis_killed_in_the_middle_costs_no_article(
    kafka: Lane, redis_prefix: str, tmp_path: Path
) -> None:
    with (
        EmbeddedRedis(tmp_path / "redis") as server,
        open_source_line(kafka, server.url, redis_prefix, tmp_path) as line,
    ):
        line.configure(INBOX + "per_second = 400\n")
        line.write_rows("all.jsonl", rows(1_000))
        process = line.start()
        line.wait_for_status("inbox", 200)
        server.kill()
        wait_until(lambda: "waiting" in line.said(), 20, "the process notices")
        server.start()
        wait_until(lambda: {a.title for a in line.articles()} == titles(1_000), 40, line.said())
        assert process.poll() is None


def test_process_waits_for_a_kafka_that_is_not_there_yet_and_stops_when_told(
    embedded_kafka: Lane, redis_url: str, redis_prefix: str, tmp_path: Path
) -> None:
    server = embedded_kafka.server
    assert server is not None
    server.kill()
    with open_source_line(embedded_kafka, redis_url, redis_prefix, tmp_path) as line:
        line.configure(INBOX)
        line.write_rows("all.jsonl", rows(5))
        stopped, going_on = line.start(), line.start()
        wait_until(lambda: line.said().count("Kafka is away") == 2, what="both wait")
        stopped.send_signal(signal.SIGTERM)
        assert stopped.wait(4) == 0, line.said()
        server.start()
        wait_until(lambda: {a.title for a in line.articles()} == titles(5), 30, line.said())
        assert going_on.poll() is None


def test_ingest_answers_202_only_after_kafka_has_confirmed(line: SourceLine) -> None:
    server = line.lane.server
    if server is None:
        pytest.skip("the cluster that KAFKA_BOOTSTRAP_SERVERS names is not ours to kill")
    port = free_port()
    line.configure(f'[[sources]]\nid = "push"\ntype = "ingest"\nport = {port}\n')
    line.start()
    answers: list[int] = []

    def post(number: int) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/articles",
            json.dumps(rows(1, first=number)).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=40) as response:
            answers.append(response.status)

    wait_until(lambda: line.status("push") is not None, 20, "it listens")
    post(0)
    assert answers == [202]
    assert {article.title for article in line.articles()} == {"Report 0"}
    server.kill()
    second = threading.Thread(target=post, args=(1,))
    second.start()
    second.join(2)
    assert answers == [202], "nothing is promised while Kafka is away"
    server.start()
    second.join(40)
    assert answers == [202, 202]
    assert "Report 1" in {article.title for article in line.articles()}


def test_a_paused_source_is_not_asked_until_it_is_resumed_and_a_hurried_one_at_once(
    line: SourceLine, redis_url: str, redis_prefix: str
) -> None:
    line.configure(INBOX + INBOX.replace('"inbox"', '"slow"', 1).replace("= 1", "= 3600"))
    line.write_rows("first.jsonl", rows(1))

    async def wish(what: str, source_id: str) -> None:
        redis = connect_redis(redis_url)
        wishes = SourceWishes(redis, Keys(redis_prefix))
        if what == "pause":
            await wishes.pause(source_id, Pause(at=datetime.now(UTC), who="a test"))
        elif what == "resume":
            assert await wishes.resume(source_id)
        else:
            await wishes.poll_now(source_id)
        await redis.aclose()

    asyncio.run(wish("pause", "inbox"))
    line.start()
    line.wait_for_status("slow", 1)
    line.write_rows("second.jsonl", rows(1, first=1))
    asyncio.run(wish("poll now", "slow"))
    line.wait_for_status("slow", 2)
    assert line.status("inbox") is None
    asyncio.run(wish("resume", "inbox"))
    line.wait_for_status("inbox", 2)
