"""A newsroom's own training: verdicts and topics of its own to a model, judged and promoted.

Owns the order of it. Which verdict says what is verdicts.py's, the fit classifiers/teaching.py's,
the rule of promotion classifiers/promotion.py's, the list of versions models.py's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
import numpy as np
from redis.asyncio import Redis

from classifiers import artifact, course, evaluate, promotion, reader, teaching
from classifiers.course import SETS, Course
from classifiers.evaluate import Judgement
from classifiers.lessons import Labels
from classifiers.own_labels import read_own_labels
from classifiers.own_topics import read_own_topics
from classifiers.promotion import Change
from classifiers.second_opinions import SecondReading
from classifiers.teaching import Candidate
from classifiers.topics import TOPICS
from streams.feedback import Feedback, decode_feedback
from streams.feedback_store import FeedbackStore
from streams.kafka_history import read_values
from streams.kafka_topics import FEEDBACK
from streams.keys import Keys
from streams.model_files import ModelFiles
from streams.model_records import ModelRecord, Score
from streams.models import ModelVersions
from streams.settings import KafkaSettings, Settings
from streams.topic_settings import own_topics
from streams.topic_setup import KafkaAwayError
from streams.verdicts import Heard, hear

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_FLOORS: Final = Path(course.__file__).parent / "data" / "floors.json"


@dataclass(frozen=True, slots=True)
class Training:
    """What came of it. `against` is the model that it was compared with; `changes` are the pinned
    figures before and after. `told` are remarks: what could not be read.
    """

    record: ModelRecord
    heard: Heard
    changes: tuple[Change, ...]
    promoted: bool
    told: tuple[str, ...]


class NothingToLearnError(ValueError):
    """There is no verdict to learn from, no topic of the newsroom's own and no label of its."""


async def train_newsroom(
    settings: Settings,
    redis: Redis,
    who: str,
    lessons: Course,
    *,
    promote: bool = True,
    done: Callable[[], None] = lambda: None,
) -> Training:
    """Learn what was said since the line began, on top of the course, and bring the model into
    force if it is no worse. `done` is called `teaching.steps` times, from another thread.

    Raises:
        NothingToLearnError: nobody has said anything.
        OwnTopicError: a topic of the newsroom's own, or its labels, cannot be learned.
        RedisError: Redis is away.
    """
    own = own_topics(settings.topics)
    taught_topics = read_own_topics(own)
    labels, own_ids = settings.classifier.labels, [each.topic.id for each in own]
    labelled = read_own_labels(labels, own_ids) if labels else []
    feedback, told = await read_feedback(settings.kafka, redis, Keys(settings.redis.prefix))
    second = second_reading(settings)
    heard = hear(feedback)
    taught = (*heard.taught, *taught_topics, *labelled)
    if not taught:
        raise NothingToLearnError(_nothing(heard))
    topics = (*TOPICS, *(each.topic for each in own))
    facts = {"verdicts": heard.verdicts, "own_topics": own_ids, "labels": len(labelled)}
    candidate = await asyncio.to_thread(
        teaching.retrain, lessons, taught, topics, facts, done=done, second=second
    )
    files = ModelFiles(settings.models)
    versions = ModelVersions(redis, Keys(settings.redis.prefix), files, settings.model_path)
    shipped, figures = await asyncio.to_thread(teaching.judge, lessons, lessons.said, "", second)
    against, before = await _present(versions, lessons, shipped, second)
    changes = promotion.compare(lessons, before, candidate.answers)
    refusals = [*promotion.refusals(changes), *_newly_missed(candidate.judged, figures)]
    record = ModelRecord(
        version=_keep(candidate, files),
        trained_at=datetime.now(UTC),
        trained_by=who,
        verdicts=heard.verdicts,
        people=heard.people,
        own_topics=tuple(own_ids),
        labels=len(labelled),
        course=lessons.version,
        against=against,
        scores=scores_of(candidate.judged),
        answers=packed(candidate.answers),
        reader=_name(second),
        changes=tuple(str(change) for change in changes),
        refusals=tuple(refusals),
    )
    files.put_record(record)
    await versions.add(record, await versions.content(record.version))
    promoted = promote and not refusals
    if promoted:
        await versions.promote(record.version, who)
    return Training(record, heard, tuple(changes), promoted, told)


async def read_feedback(
    kafka: KafkaSettings, redis: Redis, keys: Keys
) -> tuple[list[Feedback], tuple[str, ...]]:
    """Every decision that Kafka and Redis hold, some twice; and what could not be read.

    Raises:
        RedisError: Redis is away.
    """
    found = await FeedbackStore(redis, keys).since(_EPOCH)
    try:
        raws = await asyncio.to_thread(lambda: list(read_values(kafka, kafka.prefix + FEEDBACK)))
    except KafkaAwayError as error:
        return found, (f"Kafka was not read, only what Redis holds: {error}",)
    unreadable = 0
    for raw in raws:
        try:
            found.append(decode_feedback(raw))
        except (msgspec.DecodeError, UnicodeDecodeError):
            unreadable += 1
    return found, (f"{unreadable} records are no feedback of ours",) if unreadable else ()


def missed_floors(judged: Mapping[str, Judgement]) -> dict[str, str]:
    """The pinned floors that a model misses, each told in a line."""
    floors = json.loads(_FLOORS.read_text(encoding="utf-8"))
    return {
        f"{name}.{fault.split(' ', 1)[0]}": f"{name}: {fault}"
        for name in SETS
        for fault in evaluate.below_floors(judged[name], floors.get(name, {}))
    }


def _newly_missed(now: Mapping[str, Judgement], shipped: Mapping[str, Judgement]) -> list[str]:
    """A floor that the shipped model misses too is no fault of the newsroom's."""
    known = missed_floors(shipped)
    return [why for name, why in missed_floors(now).items() if name not in known]


def scores_of(judged: Mapping[str, Judgement]) -> dict[str, Score]:
    """The figures that are kept of a version."""
    return {
        name: Score(
            macro_f1=round(each.macro_f1, 4),
            low=round(each.macro_f1_interval[0], 4),
            high=round(each.macro_f1_interval[1], 4),
            micro_f1=round(each.micro.f1, 4),
            false_bells_per_1000=round(each.false_bells_per_1000, 1),
        )
        for name, each in judged.items()
    }


def packed(answers: Mapping[str, Labels]) -> dict[str, bytes]:
    """Answers as they are kept: bits, each report's on bytes of its own."""
    return {name: np.packbits(answers[name], axis=1).tobytes() for name in SETS}


def unpacked(answers: Mapping[str, bytes]) -> dict[str, Labels]:
    """Kept answers as arrays."""
    width = (len(TOPICS) + 7) // 8
    found = {}
    for name in SETS:
        rows = np.frombuffer(answers[name], dtype=np.uint8).reshape(-1, width)
        found[name] = np.unpackbits(rows, axis=1, count=len(TOPICS)).astype(np.bool_)
    return found


def second_reading(settings: Settings) -> SecondReading | None:
    """How the line reads twice; None where it does not.

    Raises:
        ArtifactError: the reader's file is broken.
    """
    found = reader.shipped() if settings.classifier.reader else None
    return None if found is None else SecondReading(found.version, settings.classifier.doubt)


async def _present(
    versions: ModelVersions,
    lessons: Course,
    shipped: Mapping[str, Labels],
    second: SecondReading | None,
) -> tuple[str, Mapping[str, Labels]]:
    """The model in force and its answers; those of the shipped one where they are not kept, or
    where what ships, or how the line reads twice, has changed since.
    """
    version = await versions.in_force()
    record = (await versions.records()).get(version) if version else None
    if record is None or record.course != lessons.version or not record.answers:
        return "", shipped
    if record.reader != _name(second):
        return "", shipped
    return record.version, unpacked(record.answers)


def _name(second: SecondReading | None) -> str:
    return "" if second is None else str(second)


def _keep(candidate: Candidate, files: ModelFiles) -> str:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "candidate.npz"
        version = artifact.save(candidate.trained, path)
        files.put(version, path.read_bytes())
    return version


def _nothing(heard: Heard) -> str:
    if heard.left_out:
        return f"nothing to learn: {', '.join(heard.left_out)}"
    return (
        "nothing to learn: no verdict (relevant, not relevant, wrong topic), no topic and no "
        "labels of yours"
    )
