"""Dates as publishers write them, in every language of ours."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.dates import parse_date, parse_epoch

MOMENT = datetime(2024, 9, 3, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Tue, 03 Sep 2024 14:30:00 GMT",
        "Tue, 3 Sep 24 14:30 UT",
        "Tue, 03 Sep 2024 16:30:00 +0200",
        "Tue, 03 Sep 2024 15:30:00 BST",
        "Tue, 03 Sep 2024 10:30:00 EDT",
        "Tue, 03 Sep 2024 17:30:00 MSK",
        "2024-09-03T14:30:00Z",
        "2024-09-03T17:30:00.123+03:00",
        "2024-09-03 14:30",
        "20240903T143000Z",
        "Tue Sep  3 14:30:00 2024",
        "September 3rd, 2024 2:30 pm",
        "3 сентября 2024, 14:30",
        "14:30, 3 вересня 2024",
        "mar, 03 set 2024 14:30:00 +0000",
        "3 settembre 2024 ore 14.30",
        "3. September 2024, 14:30 Uhr",
        "Di, 03 Sep 2024 14:30:00 +0000",
        "mardi 3 septembre 2024 à 14h30",
        "martes, 3 de septiembre de 2024 14:30",
        "03.09.2024 14:30",
    ],
)
def test_one_moment_in_many_writings(text: str) -> None:
    assert parse_date(text) == MOMENT


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("5 января 2024", 1), ("5 лютого 2024", 2), ("5 März 2024", 3), ("5 квітня 2024", 4),
        ("5 мая 2024", 5), ("5 травня 2024", 5), ("5 juin 2024", 6), ("5 червня 2024", 6),
        ("5 luglio 2024", 7), ("5 juillet 2024", 7), ("1er août 2024", 8), ("5 серпня 2024", 8),
        ("5 ottobre 2024", 10), ("5 жовтня 2024", 10), ("5 листопада 2024", 11),
        ("5 dicembre 2024", 12), ("5 décembre 2024", 12), ("5 грудня 2024", 12),
        ("5 Jänner 2024", 1), ("5 enero 2024", 1), ("5 gennaio 2024", 1), ("5 мар 2024", 3),
    ],
)  # fmt: skip
def test_months_of_every_language(text: str, month: int) -> None:
    moment = parse_date(text)
    assert moment is not None
    assert moment.month == month


def test_a_date_that_can_be_read_two_ways_is_none() -> None:
    assert parse_date("03/04/2024") is None
    assert parse_date("03/04/2024", "it") == datetime(2024, 4, 3, tzinfo=UTC)
    assert parse_date("13/04/2024") == parse_date("04/13/2024") == datetime(2024, 4, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "0000-00-00", "32 Aug 2024", "2024-13-01", "9" * 50, "1 2 3" * 60]
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_date(text) is None


def test_seconds_and_milliseconds_are_told_apart() -> None:
    assert parse_epoch(1_725_373_800) == parse_epoch(1_725_373_800_000) == MOMENT
    assert parse_epoch(1e300) is None
    assert parse_epoch(float("nan")) is None


@given(st.text(alphabet="0123456789:-/. TZ+JanсенбряUTCEST,", max_size=60))
def test_no_text_makes_it_fail(text: str) -> None:
    moment = parse_date(text)
    assert moment is None or moment.tzinfo is UTC
