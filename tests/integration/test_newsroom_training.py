"""A newsroom teaches its line: verdicts from Kafka and Redis, a topic of its own, promotion and
refusal. The course is a small part of the one that ships, so that a fit takes a second.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kafka import KafkaProducer
from redis.asyncio import Redis

from classifiers import reader
from classifiers.course import Course
from classifiers.own_topics import OwnTopicError
from classifiers.topics import LABELS
from connectors.records import Article
from streams import newsroom_training
from streams.feedback import Feedback, encode_feedback
from streams.feedback_store import FeedbackStore
from streams.kafka_topics import FEEDBACK
from streams.keys import Keys
from streams.live_model import LiveModel, open_last_model, open_model, unlearned_topics
from streams.model_files import ModelFiles
from streams.model_pickup import open_pickup
from streams.models import ModelVersions
from streams.newsroom_training import NothingToLearnError, train_newsroom
from streams.redis_client import connect_redis
from streams.screening import screen
from streams.settings import ClassifierSettings, KafkaSettings, RedisSettings, Settings
from streams.topic_settings import TopicSettings
from streams.topic_setup import create_kafka_topics
from tests.fakes.small_course import small_course
from tests.lanes import Lane

MORNING = datetime(2026, 3, 1, 8, tzinfo=UTC)
NOWHERE = KafkaSettings(bootstrap_servers="127.0.0.1:1")


def drill(number: int) -> str:
    """One of a series of false bells."""
    return (
        f"Police rehearse bomb attack at harbour number {number} in yearly exercise\n\nActors took "
        f"part in a drill in which a mock bomb exploded and {number + 5} volunteers played the "
        "injured."
    )


def verdict(number: int, text: str, topics: Sequence[str], said: str = "not_relevant") -> Feedback:
    headline, _, summary = text.partition("\n\n")
    return Feedback(
        id=f"f{number}",
        verdict=said,  # type: ignore[arg-type]
        who="U1",
        who_name="nadia",
        at=MORNING + timedelta(minutes=number),
        destination="",
        story_id=f"s{number}",
        revision=1,
        topics=tuple(topics),
        language="en",
        article_ids=(f"a{number}",),
        texts=(headline, summary, headline),
        via="page",
    )


@dataclass
class Room:
    """A newsroom, and what it asks of its line."""

    settings: Settings
    redis: Redis
    store: FeedbackStore
    versions: ModelVersions

    async def live(self) -> LiveModel:
        """The model as a worker has it after it has looked."""
        live = LiveModel(open_last_model(self.settings))
        await open_pickup(live, self.redis, Keys(self.settings.redis.prefix), self.settings).look()
        return live


@pytest.fixture(scope="module")
def lessons() -> Course:
    return small_course()


@pytest.fixture(autouse=True)
def _no_floors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # They are those of the model that ships, not of one that has learned a tenth.
    path = tmp_path / "floors.json"
    path.write_text("{}", encoding="utf-8")
    monkeypatch.setattr(newsroom_training, "_FLOORS", path)


@pytest.fixture
async def room(
    redis_url: str, redis_prefix: str, tmp_path: Path, embedded_kafka: Lane
) -> AsyncIterator[Room]:
    kafka = embedded_kafka.settings()
    create_kafka_topics(kafka)
    settings = Settings(state_dir=tmp_path, kafka=kafka, redis=RedisSettings(prefix=redis_prefix))
    redis, keys = connect_redis(redis_url), Keys(redis_prefix)
    versions = ModelVersions(redis, keys, ModelFiles(settings.models))
    yield Room(settings, redis, FeedbackStore(redis, keys), versions)
    await redis.aclose()


def chosen(model: LiveModel, text: str) -> tuple[str, ...]:
    return model.choose(model.predict([text])[0])


async def test_verdicts_silence_a_recurring_false_bell_and_the_model_is_promoted(
    room: Room, lessons: Course
) -> None:
    # What Redis holds and what Kafka holds overlap; neither is whole.
    kafka = room.settings.kafka
    topics = chosen(LiveModel(open_model(room.settings)), drill(50))
    assert topics
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    for number in range(12):
        feedback = verdict(number, drill(number), ("bombing", "armed_attack", *topics))
        if number < 8:
            await room.store.add(feedback)
        if number >= 4:
            producer.send(kafka.prefix + FEEDBACK, encode_feedback(feedback), partition=1)
    producer.send(kafka.prefix + FEEDBACK, b"no feedback at all", partition=1)
    producer.flush()
    producer.close()
    steps: list[None] = []

    training = await train_newsroom(
        room.settings, room.redis, "omar", lessons, done=lambda: steps.append(None)
    )

    assert training.told == ("1 records are no feedback of ours",)
    assert (training.heard.verdicts, training.heard.people) == (12, 1)
    assert len(steps) == 2 * lessons.recipe.folds
    assert training.promoted, training.record.refusals
    assert training.record.against == ""
    ships = reader.shipped()
    assert ships is not None
    assert training.record.reader.startswith(ships.version)  # judged as the line reads
    live = await room.live()
    assert live.version == training.record.version
    assert not {"bombing", "armed_attack", *topics} & set(chosen(live, drill(50)))


async def test_verdicts_against_the_evaluation_are_refused_and_the_model_before_stays(
    room: Room, lessons: Course
) -> None:
    fast = ClassifierSettings(reader=False)
    room.settings = room.settings.model_copy(update={"kafka": NOWHERE, "classifier": fast})
    weapons = "drone drones UAV UAVs Shahed quadcopter Drohne дрон дроны drone-boat".split()
    deeds = "strike strikes attack attacks hit hits raid shot down explodes over".split()
    for number, (weapon, deed) in enumerate((w, d) for w in weapons for d in deeds):
        await room.store.add(verdict(number, f"{weapon} {deed}\n\n{weapon}", ("drone_strike",)))

    training = await train_newsroom(room.settings, room.redis, "omar", lessons)

    assert "Kafka was not read" in training.told[0]
    assert not training.promoted
    assert training.record.reader == ""  # this line does not read twice
    assert any(each.startswith("macro-F1") for each in training.record.refusals)
    assert await room.versions.in_force() is None
    refused = (await room.versions.listed())[0]
    assert (refused.state, refused.who) == ("refused", "omar")


async def test_a_topic_of_ones_own_is_chosen_explained_and_named_everywhere(
    room: Room, lessons: Course, tmp_path: Path
) -> None:
    examples = tmp_path / "border.jsonl"
    examples.write_text("\n".join(json.dumps(row) for row in _border_rows()), encoding="utf-8")
    entry = TopicSettings(label="Border closure", definition="Closed.", examples=examples)
    room.settings = room.settings.model_copy(update={"topics": {"border": entry}})
    before = await room.live()
    assert unlearned_topics(room.settings, before.topics) == ["border"]

    training = await train_newsroom(room.settings, room.redis, "omar", lessons)

    assert training.promoted, training.record.refusals
    assert training.record.own_topics == ("border",)
    live = await room.live()
    assert len(live.topics) == len(LABELS) + (1 if "border" not in LABELS else 0)
    threshold = live.default_threshold("border")
    assert 0 < threshold < 1
    (screened,) = screen([_article("Hungary closes its border crossing at Zavod")], live, MORNING)
    assert screened.chosen[0] == "border"
    assert screened.facts is not None
    assert screened.facts.evidence[0].topic == "border"
    assert "border" in " ".join(screened.facts.evidence[0].words).lower()
    # Dropped from the configuration it rings no more, though the model still knows it.
    room.settings = room.settings.model_copy(update={"topics": {}})
    assert "border" not in chosen(await room.live(), "Hungary closes its border crossing at Zavod")


async def test_where_nobody_said_anything_nothing_is_trained(
    room: Room, lessons: Course, tmp_path: Path
) -> None:
    with pytest.raises(NothingToLearnError, match="no verdict"):
        await train_newsroom(room.settings, room.redis, "omar", lessons)
    entry = TopicSettings(label="B", definition="B.", examples=tmp_path / "absent.jsonl")
    room.settings = room.settings.model_copy(update={"topics": {"border": entry}})
    with pytest.raises(OwnTopicError, match=r"absent\.jsonl"):
        await train_newsroom(room.settings, room.redis, "omar", lessons)
    assert await room.versions.records() == {}


def _border_rows() -> list[dict[str, object]]:
    lands = "Hungary Poland Serbia Latvia Moldova Norway".split()
    ways = (
        "{} closes its border crossing {} to lorries",
        "Border post {1} between {0} and its neighbour shut until further notice",
        "{} reopens the border crossing {} after two weeks",
        "Frontier of {0} sealed at {1}, travellers stranded",
        "{0} suspends traffic through the checkpoint {1}",
        "Queues grow as {0} shuts checkpoint {1} on its frontier",
    )
    return [
        {"id": f"b{n}", "text": way.format(land, n), "topics": ["border"], "lang": "en"}
        for n, (land, way) in enumerate((land, way) for land in lands for way in ways)
    ]


def _article(title: str) -> Article:
    return Article(
        id="a", source_id="wire", publisher="Post", title=title, text="", fetched_at=MORNING
    )
