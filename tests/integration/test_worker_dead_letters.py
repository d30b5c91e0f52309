"""Dead letters listed, shown and replayed by the command, on both lanes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from connectors.records import encode
from streams.commands.dead_letters import app
from streams.dead_letter_box import TOGETHER
from streams.dead_letters import (
    DeadLetter,
    Origin,
    Reason,
    Stage,
    encode_dead_letter,
    make_dead_letter,
)
from streams.kafka_topics import ALERTS, ARTICLES, DEAD_LETTERS
from tests.fakes.worker_line import PARTITIONS, WorkerLine, make_article, open_line
from tests.lanes import Lane, read_kafka_topic

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def line(
    kafka: Lane,
    redis_url: str,
    redis_prefix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[WorkerLine]:
    (tmp_path / "wirebell.toml").write_text("", encoding="utf-8")
    monkeypatch.setenv("WIREBELL_CONFIG", str(tmp_path / "wirebell.toml"))
    of_redis = {"WIREBELL_REDIS__URL": redis_url, "WIREBELL_REDIS__PREFIX": redis_prefix}
    for name, value in (kafka.environment() | of_redis).items():
        monkeypatch.setenv(name, value)
    with open_line(kafka, redis_url, redis_prefix, tmp_path) as opened:
        yield opened


def test_dead_letters_are_listed_shown_and_replayed_to_where_they_came_from(
    line: WorkerLine,
) -> None:
    articles = [make_article(number) for number in range(3)]
    letters = [
        _letter(line, "screen", "screening_failed", number, encode(article), f"no {number}")
        for number, article in enumerate(articles)
    ]
    letters.append(_letter(line, "screen", "undecodable", 7, b"\x00\x1b[31mred", "bad\nJSON"))
    letters.append(
        make_dead_letter(
            "source", "rejected", Origin(source_id="feed", place="item 3"), NOW, raw=b"<item/>"
        )
    )
    letters.append(
        make_dead_letter(
            "deliver", "gave_up", Origin(source_id="slack", place="story:1"), NOW, raw=b"{}"
        )
    )
    line.publish_raw(
        [(each.id.encode(), encode_dead_letter(each)) for each in [*letters, letters[0]]],
        kafka_topic=DEAD_LETTERS,
    )

    listed = _run("list")
    assert len(listed.stdout.splitlines()) == len(letters)  # the repeat is one with its first
    assert "6 dead letters" in listed.stderr
    assert "bad JSON" in listed.stdout
    filtered = _run("list", "--reason", "screening_failed", "--stage", "screen")
    assert len(filtered.stdout.splitlines()) == 3

    shown = _run("show", letters[3].id)
    assert "\\x00\\x1b[31mred" in shown.stdout
    assert "\x1b" not in shown.stdout

    assert "there is no dead letter" in _run("show", "ffff", code=1).stderr

    tried = _run("replay", "--all", "--dry-run")
    assert "stays" in tried.stdout
    assert _values(line, ARTICLES) == []

    one = _run("replay", letters[1].id[:10])
    assert "1 replayed, 0 stay" in one.stderr
    assert _values(line, ARTICLES) == [encode(articles[1])]
    of_them = ("--all", "--reason", "screening_failed", "--reason", "rejected")
    rest = _run("replay", *of_them)
    assert "2 replayed, 2 stay" in rest.stderr
    assert sorted(_values(line, ARTICLES)) == sorted(encode(article) for article in articles)
    # Two people replay the same: the second is told, and nothing goes back twice unasked.
    assert _run("list").stdout.count(" 1 attempt replayed 20") == 3
    assert " replayed 20" in _run("show", letters[1].id).stdout
    twice = _run("replay", *of_them)
    assert twice.stdout.count("stays: replayed 20") == 3
    assert "0 replayed, 4 stay" in twice.stderr
    assert "3 replayed, 1 stay" in _run("replay", "--again", *of_them).stderr
    assert len(_values(line, ARTICLES)) == 2 * len(articles)
    _run("replay", "--all", "--stage", "deliver")
    assert _values(line, ALERTS) == [b"{}"]
    if line.lane.embedded:
        records = read_kafka_topic(line.lane, line.lane.prefix + ARTICLES, PARTITIONS)
        assert {record.partition for record in records} == {3}


@pytest.mark.parametrize("kafka", ["embedded"], indirect=True)
def test_a_replay_that_dies_half_way_is_made_again_and_each_article_is_decided_once(
    line: WorkerLine,
) -> None:
    articles = [make_article(number) for number in range(3 * TOGETHER)]
    line.publish_raw(
        [
            (letter.id.encode(), encode_dead_letter(letter))
            for number, article in enumerate(articles)
            for letter in [_letter(line, "screen", "screening_failed", number, encode(article), "")]
        ],
        kafka_topic=DEAD_LETTERS,
    )
    command = "import os, sys; from streams.commands import dead_letters as it; real = it.replay\n"
    # Killed when the first of them are in Kafka, before it can say so.
    command += "async def exits(some): os._exit(len(some))\n"
    command += "async def dies(kafka, letters, done): await real(kafka, letters, exits)\n"
    command += "it.replay = dies; it.app(['replay', '--all'])"
    killed = subprocess.run([sys.executable, "-c", command], check=False, capture_output=True)
    assert killed.returncode == TOGETHER
    assert len(_values(line, ARTICLES)) == TOGETHER
    for _ in range(2):
        assert f"{len(articles)} replayed, 0 stay" in _run("replay", "--all", "--again").stderr
    assert len(_values(line, ARTICLES)) == TOGETHER + 2 * len(articles)
    line.start()
    line.wait_for_alerts(len(articles))
    line.expect_each_once(len(articles))


def test_what_cannot_be_done_is_said_on_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wirebell.toml").write_text("", encoding="utf-8")
    monkeypatch.setenv("WIREBELL_CONFIG", str(tmp_path / "wirebell.toml"))
    monkeypatch.setenv("WIREBELL_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    assert "name ids" in _run("replay", code=2).stderr
    assert "not one of" in _run("list", "--reason", "bad-luck", code=2).stderr
    away = _run("list", code=1)
    assert "Kafka is away" in away.stderr
    assert len(away.stderr.splitlines()) == 1


def _letter(
    line: WorkerLine, stage: Stage, reason: Reason, offset: int, raw: bytes, detail: str
) -> DeadLetter:
    origin = Origin(kafka_topic=line.lane.prefix + ARTICLES, partition=0, offset=offset)
    return make_dead_letter(stage, reason, origin, NOW, detail=detail, key=b"key", raw=raw)


def _run(*words: str, code: int = 0) -> Result:
    result = CliRunner(env=dict(os.environ)).invoke(app, list(words))
    assert result.exit_code == code, result.output
    return result


def _values(line: WorkerLine, kafka_topic: str) -> list[bytes]:
    records = read_kafka_topic(line.lane, line.lane.prefix + kafka_topic, PARTITIONS)
    return [record.value for record in records]
