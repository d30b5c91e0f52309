"""The dead letters that Kafka holds: read them all, and send some back to where they came from.

Owns reading the Kafka topic to its end, choosing, and the way back. A replayed letter stays
in Kafka: what is replayed twice is settled once, since every step may be repeated. Which were is
kept in replay_marks.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from connectors.publisher import Message, Publisher, PublishError
from connectors.records import SCHEMA_HEADER, RecordError
from streams.dead_letters import DeadLetter, decode_dead_letter
from streams.kafka_history import read_values
from streams.kafka_topics import ALERTS, ARTICLES, DEAD_LETTERS, PRODUCER_PARTITIONS
from streams.settings import KafkaSettings
from streams.topic_setup import KafkaAwayError

# So many are sent together; a letter is up to 1 MB.
TOGETHER = 50


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters are meant. Empty fields mean any; `ids` are ids or their beginnings."""

    stages: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()

    def holds(self, letter: DeadLetter) -> bool:
        """Whether the letter is meant."""
        return (
            (not self.stages or letter.stage in self.stages)
            and (not self.reasons or letter.reason in self.reasons)
            and (not self.ids or letter.id.startswith(self.ids))
        )


def read_dead_letters(kafka: KafkaSettings, choice: Choice) -> list[DeadLetter]:
    """The chosen letters, oldest first, each id once (its latest), read to the end. Blocks.

    Raises:
        KafkaAwayError: Kafka cannot be reached, or has no such Kafka topic.
    """
    latest: dict[str, DeadLetter] = {}
    for raw in read_values(kafka, kafka.prefix + DEAD_LETTERS):
        try:
            letter = decode_dead_letter(raw)
        except RecordError:
            continue  # not ours
        if choice.holds(letter):
            latest[letter.id] = letter
    return sorted(latest.values(), key=lambda letter: letter.at)


def way_back(letter: DeadLetter, kafka: KafkaSettings) -> str:
    """The Kafka topic that a letter goes back to; "" for what never was whole in Kafka."""
    if letter.cut or not letter.raw:
        return ""
    if letter.stage == "deliver":
        return kafka.prefix + ALERTS
    known = (kafka.prefix + ARTICLES, kafka.prefix + ALERTS)
    return letter.origin.kafka_topic if letter.origin.kafka_topic in known else ""


async def replay(
    kafka: KafkaSettings,
    letters: Iterable[DeadLetter],
    done: Callable[[Sequence[DeadLetter]], Awaitable[None]],
) -> int:
    """Send letters back, those that have a way; how many Kafka has confirmed. Repeatable. `done`
    hears of every few that Kafka has confirmed.

    Raises:
        KafkaAwayError: not all were confirmed; replay again.
    """
    partition = PRODUCER_PARTITIONS["replay"] if kafka.embedded else None
    going = [letter for letter in letters if way_back(letter, kafka)]
    publisher = Publisher(kafka.connection(), kafka.prefix + ARTICLES, partition)
    try:
        for start in range(0, len(going), TOGETHER):
            some = going[start : start + TOGETHER]
            await publisher.send(
                [
                    Message(way_back(one, kafka), one.key, one.raw, (SCHEMA_HEADER,), partition)
                    for one in some
                ]
            )
            await done(some)
    except PublishError as error:
        raise KafkaAwayError(str(error)) from error
    finally:
        await publisher.close()
    return len(going)
