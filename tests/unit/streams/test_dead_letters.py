"""The dead letter's record: its id, its wire form, its limits."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.records import MAX_RECORD_BYTES, RecordError
from streams.dead_letters import (
    REASONS,
    STAGES,
    Origin,
    Reason,
    Stage,
    decode_dead_letter,
    encode_dead_letter,
    make_dead_letter,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
PLACE = Origin(kafka_topic="articles", partition=2, offset=41)
# Apache Kafka's default limit of a record batch, whose headers take some of it.
KAFKA_LIMIT = 1_048_588


@given(
    stage=st.sampled_from(STAGES),
    reason=st.sampled_from(REASONS),
    detail=st.text(),
    raw=st.binary(),
    key=st.binary(max_size=40),
)
def test_a_dead_letter_survives_its_wire_form(
    stage: Stage, reason: Reason, detail: str, raw: bytes, key: bytes
) -> None:
    letter = make_dead_letter(stage, reason, PLACE, NOW, detail=detail, raw=raw, key=key)
    assert decode_dead_letter(encode_dead_letter(letter)) == letter
    assert letter.raw == raw
    assert "\n" not in letter.detail


def test_the_same_record_dying_again_is_the_same_letter() -> None:
    first = make_dead_letter("screen", "undecodable", PLACE, NOW, detail="one")
    again = make_dead_letter("screen", "screening_failed", PLACE, NOW, detail="two", attempts=3)
    other = make_dead_letter("deliver", "undecodable", PLACE, NOW)
    assert first.id == again.id != other.id


def test_items_of_one_source_are_told_apart_by_what_they_are() -> None:
    source = Origin(source_id="feed", place="item")
    ids = {make_dead_letter("source", "rejected", source, NOW, raw=raw).id for raw in (b"a", b"b")}
    assert len(ids) == 2


def test_the_largest_record_fits_into_a_letter_that_kafka_takes() -> None:
    whole = make_dead_letter("screen", "too_large", PLACE, NOW, raw=b"x" * MAX_RECORD_BYTES)
    assert not whole.cut
    huge = make_dead_letter("screen", "too_large", PLACE, NOW, detail="y" * 9_000, raw=b"x" * 2**21)
    assert huge.cut
    assert len(encode_dead_letter(huge)) < KAFKA_LIMIT - 1_000


@pytest.mark.parametrize("raw", [b"", b"{}", b"\x00", b"\x81\xa2id\xa1x", b"[" * 100_000])
def test_what_is_not_a_dead_letter_is_refused(raw: bytes) -> None:
    with pytest.raises(RecordError, match="not a dead letter"):
        decode_dead_letter(raw)


def test_a_detail_cannot_move_the_cursor_or_forge_a_line() -> None:
    letter = make_dead_letter("screen", "undecodable", PLACE, NOW, detail="a\x1b[2Jb\r\nc\u202ed")
    assert letter.detail == "a [2Jb c d"
