"""What a worker does with good, bad and late records, on real processes and both lanes."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.records import encode
from streams.dead_letters import DeadLetter
from tests.fakes.worker_line import WorkerLine, make_article, open_line
from tests.lanes import Lane, wait_until


@pytest.fixture
def line(kafka: Lane, redis_url: str, redis_prefix: str, tmp_path: Path) -> Iterator[WorkerLine]:
    with open_line(kafka, redis_url, redis_prefix, tmp_path) as opened:
        yield opened


def test_poison_records_become_dead_letters_and_nothing_else_is_delayed(line: WorkerLine) -> None:
    line.start()
    bad = {40: "poison-screen", 41: "poison-story", 90: "poison-deliver", 120: "poison-screen"}
    bad[200] = "flaky-screen"  # raises twice, then no more: not poison
    articles = [make_article(number, bad.get(number, "")) for number in range(300)]
    line.publish(articles[:150])
    line.publish_raw(
        [
            (b"broken", b'{"id": "x", '),
            (b"latin-1", "кот".encode("koi8-r")),
            (b"nothing", None),
            (b"a list", b"[1, 2, 3]"),
            (b"deep", b"[" * 100_000),
            (b"nul", b"\x00" * 50),
            (b"late", encode(articles[0]).replace(b"Z", b"")),
            (b"large", b'{"id":"' + b"x" * 950_000 + b'"}'),
        ]
    )
    line.publish(articles[150:])
    line.wait_for_alerts(296)
    letters = {letter.id: letter for letter in _letters(line, 12)}
    assert Counter((each.stage, each.reason) for each in letters.values()) == {
        ("screen", "undecodable"): 6,
        ("screen", "empty"): 1,
        ("screen", "too_large"): 1,
        ("screen", "screening_failed"): 2,
        ("screen", "story_failed"): 1,
        ("deliver", "delivery_failed"): 1,
    }
    assert all(each.detail and each.origin.offset >= 0 for each in letters.values())
    keyed = {each.key: each for each in letters.values()}
    assert keyed[b"article-40"].raw == encode(articles[40])
    assert keyed[b"article-40"].attempts == 3
    assert len(keyed[b"large"].raw) > 900_000
    wait_until(lambda: line.committed() == 308, 10, "everything committed")
    assert "Traceback" not in line.said()


def test_sigterm_finishes_what_is_in_hand_and_loses_nothing(line: WorkerLine) -> None:
    worker = line.start(hold_s=0.3)
    line.publish([make_article(number) for number in range(2_000)])
    line.wait_for_alerts(1)
    worker.send_signal(signal.SIGTERM)
    sent_at = time.monotonic()
    assert worker.wait(10) == 0
    assert time.monotonic() - sent_at < 10
    done = len(line.alerts())
    assert 0 < done < 2_000
    assert line.committed() == done  # the batch in hand was finished and committed
    line.start()
    line.wait_for_alerts(2_000)
    line.expect_each_once(2_000)


@pytest.mark.parametrize("kafka", ["embedded"], indirect=True)
def test_a_bad_release_stops_the_worker_instead_of_draining_the_line(line: WorkerLine) -> None:
    worker = line.start(most_in_a_row=20)
    line.publish([make_article(number, "poison-screen") for number in range(200)])
    assert worker.wait(30) == 1
    assert "in a row became dead letters" in line.said()
    buried = len(line.dead_letters())
    assert buried <= 20
    assert line.committed() == buried


def _letters(line: WorkerLine, count: int) -> list[DeadLetter]:
    found = line.dead_letters()
    deadline = time.monotonic() + 10
    while len({each.id for each in found}) < count and time.monotonic() < deadline:
        found = line.dead_letters()
    assert len({each.id for each in found}) == count
    return found
