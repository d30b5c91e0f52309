"""Dead letters: what could not be processed, why, after how many attempts, and from where.

Owns the record, its wire form and the closed list of reasons. Does not send or read them:
the worker sends its own, the sources theirs, `wirebell dead-letters` reads.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Literal, get_args

import msgspec

from connectors.records import RecordError

Stage = Literal["source", "screen", "story", "deliver"]
STAGES: tuple[Stage, ...] = get_args(Stage)

# undecodable       not an article (alert): broken JSON, a missing field, a wrong type.
# empty             a Kafka message without a value.
# too_large         over a size limit, as it came or as the alert made of it.
# rejected          an item of a source that could not become an article.
# screening_failed  the classifier or the extraction raised, again on a repeat.
# story_failed      the story decision raised although Redis answered.
# delivery_failed   the ledger refused the alert although Redis answered.
# killed_worker     a worker has died each time it had this record in hand.
# refused           the receiver will never accept it as it is.
# turned_off        the receiver wants no more.
# gave_up           every scheduled attempt has failed.
Reason = Literal[
    "undecodable",
    "empty",
    "too_large",
    "rejected",
    "screening_failed",
    "story_failed",
    "delivery_failed",
    "killed_worker",
    "refused",
    "turned_off",
    "gave_up",
]
REASONS: tuple[Reason, ...] = get_args(Reason)

# Room for the other fields within Kafka's default limit of 1 MiB for a message.
MAX_RAW_BYTES = 1_000_000
MAX_DETAIL_CHARS = 500


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the record came from: a place in Kafka, or a source and its words for the item.

    `kafka_topic` is the full name, prefix included; "" when it never was in Kafka.
    """

    kafka_topic: str = ""
    partition: int = -1
    offset: int = -1
    source_id: str = ""
    place: str = ""

    def __str__(self) -> str:
        if self.kafka_topic:
            return f"{self.kafka_topic}/{self.partition}@{self.offset}"
        return " ".join(part for part in (self.source_id, self.place) if part)


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record that could not be processed.

    `id` is the same however often the same record dies at the same stage, so that a repeat
    after a crash is recognised. `raw` is the record as it came, `key` its Kafka key;
    `cut` says that `raw` was longer than `MAX_RAW_BYTES` and only its beginning is kept.
    """

    id: str
    stage: Stage
    reason: Reason
    origin: Origin
    at: datetime
    detail: str = ""
    attempts: int = 1
    key: bytes = b""
    raw: bytes = b""
    cut: bool = False


# MessagePack and not JSON: `raw` is bytes, and base64 would push it over Kafka's limit.
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(DeadLetter)


def make_dead_letter(
    stage: Stage,
    reason: Reason,
    origin: Origin,
    at: datetime,
    *,
    detail: str = "",
    attempts: int = 1,
    key: bytes = b"",
    raw: bytes = b"",
) -> DeadLetter:
    """A dead letter with its id, its detail on one printable line, its raw bytes cut to fit."""
    place = origin if origin.kafka_topic else f"{origin}\n{hashlib.sha256(raw).hexdigest()}"
    digest = hashlib.sha256(f"{stage}\n{place}".encode("utf-8", "surrogatepass"))
    return DeadLetter(
        id=digest.hexdigest()[:16],
        stage=stage,
        reason=reason,
        origin=origin,
        at=at,
        detail=_one_line(detail),
        attempts=attempts,
        key=key,
        raw=raw[:MAX_RAW_BYTES],
        cut=len(raw) > MAX_RAW_BYTES,
    )


def encode_dead_letter(letter: DeadLetter) -> bytes:
    """The wire form of a dead letter."""
    return _encoder.encode(letter)


def decode_dead_letter(raw: bytes) -> DeadLetter:
    """Decode and validate a dead letter.

    Raises:
        RecordError: not a dead letter.
    """
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RecordError(f"not a dead letter: {error}") from error


def _one_line(text: str) -> str:
    """Text from outside as one line without control characters, cut to a sentence or two."""
    kept = "".join(sign if sign.isprintable() else " " for sign in text[: 4 * MAX_DETAIL_CHARS])
    return " ".join(kept.split())[:MAX_DETAIL_CHARS]
