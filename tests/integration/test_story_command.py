"""`wirebell story` and what an editor can do with it, through the desk, on a real Valkey."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from kafka import KafkaProducer
from typer.testing import CliRunner, Result

from classifiers.similarity import fingerprints, weigh
from streams.cli import _app
from streams.entries import standing
from streams.facts import Facts
from streams.feedback import Feedback, decode_feedback, encode_feedback
from streams.keys import Keys
from streams.redis_client import connect_redis
from streams.retelling import kinship
from streams.stories import Stories
from tests.lanes import Lane
from tests.reports import DEPOT, DEPOT_RETOLD, FERRY, START, article, screened

Run = Callable[..., Result]


@pytest.fixture
def run(redis_url: str, redis_prefix: str) -> Run:
    environment = {"WIREBELL_REDIS__URL": redis_url, "WIREBELL_REDIS__PREFIX": redis_prefix}

    def invoke(*arguments: str, **more: str) -> Result:
        return CliRunner().invoke(_app, ["story", *arguments], env=environment | more)

    return invoke


@pytest.fixture
def two(redis_url: str, redis_prefix: str) -> tuple[str, str]:
    """A story about a depot, with articles a1, a2 and a copy c1, and one about a ferry, f1."""

    async def assign() -> tuple[str, str]:
        redis = connect_redis(redis_url)
        try:
            batch = screened(
                article("a1"),
                article("a2", DEPOT_RETOLD, "Courier", 25),
                article("c1", DEPOT, "Copier", 30),
                article("f1", FERRY, "Island Post"),
            )
            decisions = await Stories(redis, Keys(redis_prefix), 72 * 3600).assign(batch, START)
            return decisions[0].story_id or "", decisions[-1].story_id or ""
        finally:
            await redis.aclose()

    return asyncio.run(assign())


def test_a_story_is_told_with_why_each_article_joined(run: Run, two: tuple[str, str]) -> None:
    told = run(two[0])
    assert told.exit_code == 0, told.output
    assert told.output == run("show", two[0]).output
    assert "article a1: began the story" in told.output
    assert re.search(r"article a2: joined \(likeness 0\.\d\d; 25 min after Daily", told.output)
    assert "Snezhka" in told.output
    assert "places: Bryansk" in told.output
    assert "numbers: 4 injured" in told.output
    assert "article c1: copy of an earlier text" in told.output


def test_the_words_it_names_are_terms_of_both_fingerprints(
    redis_url: str, redis_prefix: str, two: tuple[str, str]
) -> None:
    async def read() -> list[Facts]:
        redis = connect_redis(redis_url)
        try:
            stories = Stories(redis, Keys(redis_prefix), 72 * 3600)
            return [one.facts for one in standing(await stories.entries(two[0]))]
        finally:
            await redis.aclose()

    first, second, _ = asyncio.run(read())
    kin = kinship(second, [first])
    texts = [(DEPOT[0], DEPOT[1][:400]), (DEPOT_RETOLD[0], DEPOT_RETOLD[1][:400])]
    terms = [{term for term, _ in one.terms} for one in fingerprints(texts, languages=["en"] * 2)]
    assert kin.words
    for word in kin.words:
        assert terms[0] & terms[1] & weigh(word, "", "en").keys(), word
    assert 0 < kin.cosine < 1
    assert kin.terms >= len(kin.words)


def test_merge_split_and_mute_say_what_happened(run: Run, two: tuple[str, str]) -> None:
    depot, ferry = two
    merged = run("merge", depot, ferry, "--who", "ann")
    assert merged.exit_code == 0, merged.output
    assert f"{ferry} is part of {depot} now" in merged.output
    assert f"part of story {depot} now" in run(ferry).output
    assert f"by an editor: merged with story {ferry}" in run(depot).output
    left = run("split", depot, "f1")
    assert left.exit_code == 0, left.output
    new = re.search(r"its own story is (\w{12})", left.output)
    assert new is not None
    assert "f1 was split off into story" in run(depot).output
    assert run("mute", depot).output.startswith("muted: ")
    listed = run("list")
    assert [line.split()[0] for line in listed.output.splitlines()] == [depot, new[1]]
    assert "  muted  " in listed.output
    assert run("unmute", depot).output.startswith("rings again: ")
    kept = [decode_feedback(line) for line in run("corrections").output.encode().splitlines()]
    assert [one.verdict for one in kept] == ["merge", "split", "mute", "unmute"]
    assert {one.who for one in kept[:1]} == {"ann"}


def test_what_cannot_be_done_is_one_line(run: Run, two: tuple[str, str]) -> None:
    depot, ferry = two
    for arguments, said in (
        (("merge", depot, "0" * 12), "there is no story 000000000000"),
        (("split", ferry, "f1"), "only article"),
        (("split", depot, "a9"), "a9 is not in story"),
        (("mute", "0" * 12), "there is no story 000000000000"),
        (("0" * 12,), "there is no story"),
    ):
        result = run(*arguments)
        assert result.exit_code == 1
        assert said in result.output
        assert len(result.output.splitlines()) == 1
    away = run("list", WIREBELL_REDIS__URL="redis://127.0.0.1:1/0")
    assert away.exit_code == 1
    assert "Redis: " in away.output


def test_corrections_are_done_again_from_kafka(
    run: Run, two: tuple[str, str], embedded_kafka: Lane
) -> None:
    depot, ferry = two
    said = {"who": "u1", "who_name": "ann", "destination": "", "revision": 1, "language": "en"}
    now = datetime.now(UTC)
    records = [
        Feedback(
            id=number,
            verdict=verdict,  # type: ignore[arg-type]
            at=now,
            story_id=depot,
            other_story_id=other,
            topics=(),
            article_ids=(),
            texts=(),
            **said,  # type: ignore[arg-type]
        )
        for number, verdict, other in (
            ("d1", "merge", ferry),
            ("d2", "merge", "0" * 12),
            ("d3", "relevant", ""),
        )
    ]
    producer = KafkaProducer(bootstrap_servers=embedded_kafka.bootstrap_servers)
    try:
        for record in records:
            kafka_topic = f"{embedded_kafka.prefix}feedback"
            producer.send(kafka_topic, encode_feedback(record), partition=0).get(timeout=10)
    finally:
        producer.close()
    kafka = {
        "WIREBELL_KAFKA__BOOTSTRAP_SERVERS": embedded_kafka.bootstrap_servers,
        "WIREBELL_KAFKA__PREFIX": embedded_kafka.prefix,
        "WIREBELL_KAFKA__EMBEDDED": "true",
    }
    for _ in range(2):
        replayed = run("replay-corrections", **kafka)
        assert replayed.exit_code == 0, replayed.output
        assert f"merge {depot} {ferry}: done" in replayed.output
        assert f"merge {depot} {'0' * 12}: there is no story" in replayed.output
        assert "2 corrections" in replayed.output
    assert run(depot).output.count("merged with story") == 1
