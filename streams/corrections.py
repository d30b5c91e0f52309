"""What editors did to stories, done again: from Kafka topic `feedback`, after Redis was emptied.

Owns which decisions these are, and reading them. The desk does them; what it did before, by the
same id, it does not do again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec

from streams.desk import CannotTakeError, EditorDesk, edits_story
from streams.feedback import Feedback, decode_feedback
from streams.feedback_store import MOST_KEPT
from streams.kafka_history import read_values
from streams.kafka_topics import FEEDBACK
from streams.settings import KafkaSettings


def decisions_in_kafka(kafka: KafkaSettings) -> list[Feedback]:
    """What people decided, in order, each once: as much as the line keeps. Blocks.

    Raises:
        KafkaAwayError: Kafka cannot be reached.
    """
    raws = deque(read_values(kafka, kafka.prefix + FEEDBACK), maxlen=MOST_KEPT)
    return _in_order(_readable(raws))


def corrections_in_kafka(kafka: KafkaSettings, since: datetime) -> list[Feedback]:
    """What editors did to stories since then, in order, each once. Blocks.

    Raises:
        KafkaAwayError: Kafka cannot be reached.
    """
    kept = _readable(read_values(kafka, kafka.prefix + FEEDBACK))
    return [one for one in structural(kept) if one.at >= since]


def corrections_in_file(path: Path) -> list[Feedback]:
    """The same from a file with a record of Kafka topic `feedback` in each line.

    Raises:
        OSError: the file cannot be read.
        ValueError: a line is no such record; says which.
    """
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            found += [decode_feedback(line)] if line.strip() else []
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path}, line {number}: no record of feedback: {error}") from error
    return structural(found)


def structural(decisions: Iterable[Feedback]) -> list[Feedback]:
    """Those that change a story itself, in the order in which they were made, each once."""
    return _in_order(one for one in decisions if edits_story(one))


async def again(desk: EditorDesk, correction: Feedback) -> str:
    """Do a decision again; what became of it, in a sentence.

    Raises:
        RedisError: Redis is away; do it again.
    """
    said = f"{correction.at:%Y-%m-%d %H:%M}  {correction.verdict} {correction.story_id}"
    said += "".join(f" {one}" for one in (correction.other_story_id, correction.article_id) if one)
    try:
        await desk.take(correction)
    except CannotTakeError as error:
        return f"{said}: {error}"
    return f"{said}: done"


def _in_order(decisions: Iterable[Feedback]) -> list[Feedback]:
    once = {one.id: one for one in decisions}
    return sorted(once.values(), key=lambda one: (one.at, one.id))


def _readable(raws: Iterable[bytes]) -> list[Feedback]:
    found = []
    for raw in raws:
        try:
            found.append(decode_feedback(raw))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # of a newer version, or not ours
    return found
