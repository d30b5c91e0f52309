"""The records that cross Kafka: what is refused, what comes back as it was."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.records import (
    MAX_RECORD_BYTES,
    Article,
    RecordError,
    article_id,
    canonical_url,
    decode_article,
    encode,
    plausible_time,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
_moments = st.datetimes(
    min_value=datetime(1990, 1, 1),
    max_value=datetime(2100, 1, 1),
    timezones=st.just(UTC),
)


def _article(**changes: object) -> Article:
    fields: dict[str, object] = {
        "id": "a1",
        "source_id": "wire",
        "publisher": "The Wire",
        "title": "Rail signals cut",
        "fetched_at": NOW,
    }
    return Article(**{**fields, **changes})  # type: ignore[arg-type]


@given(title=_text.filter(bool), text=_text, moment=_moments)
def test_an_article_comes_back_as_it_was(title: str, text: str, moment: datetime) -> None:
    article = _article(title=title, text=text, published_at=moment)
    assert decode_article(encode(article)) == article


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"id":"a"}',
        b"[" * 100_000,
        encode(_article()).replace(b'"a1"', b"7"),
        encode(_article()).replace(b'"a1"', b'""'),
        encode(_article()).replace(b"Rail signals cut", b""),
        encode(_article()).replace(b"2026-03-01T12:00:00Z", b"2026-03-01T12:00:00"),
        encode(_article()).replace(b"2026-03-01T12:00:00Z", b"yesterday"),
        encode(_article(status="correction")).replace(b"correction", b"retracted?"),
        b" " * (MAX_RECORD_BYTES + 1),
    ],
)
def test_what_is_no_article_is_refused_with_a_reason(raw: bytes) -> None:
    with pytest.raises(RecordError) as caught:
        decode_article(raw)
    assert str(caught.value)


@given(st.binary(max_size=300))
def test_any_bytes_are_an_article_or_a_record_error(raw: bytes) -> None:
    with contextlib.suppress(RecordError):
        decode_article(raw)


def test_an_article_over_the_limit_is_refused_before_kafka() -> None:
    with pytest.raises(RecordError, match="limit"):
        encode(_article(text="x" * MAX_RECORD_BYTES))


def test_half_a_surrogate_pair_is_a_record_error() -> None:
    with pytest.raises(RecordError, match="Unicode"):
        encode(_article(title="broken \ud83d"))


def test_the_id_depends_on_publisher_and_guid_alone() -> None:
    assert article_id("A", "1") == article_id("A", "1")
    assert len({article_id("A", "1"), article_id("B", "1"), article_id("A", "2")}) == 3
    assert len(article_id("A", "\ud800")) == 32


def test_tracking_parameters_and_fragments_make_no_other_url() -> None:
    assert (
        canonical_url("HTTPS://News.Example/a?id=7&utm_source=x&fbclid=y#top")
        == "https://news.example/a?id=7"
    )


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=2))), True),
        (datetime(9999, 1, 1, tzinfo=UTC), False),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), False),
        (datetime(1970, 1, 1, tzinfo=UTC), False),
        (NOW + timedelta(days=3), False),
        (None, False),
        (datetime(2026, 3, 1, 12), False),
    ],
)
def test_an_impossible_date_is_no_date(moment: datetime | None, *, expected: bool) -> None:
    found = plausible_time(moment, NOW)
    assert (found is not None) is expected
    assert found is None or found.utcoffset() == timedelta(0)
