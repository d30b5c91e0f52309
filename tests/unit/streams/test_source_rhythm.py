"""What is a usual silence at an hour of the week, learned from articles and their gaps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from streams.source_rhythm import Rhythm

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def office_hours(weeks: int, days: int = 7) -> Rhythm:
    """A source that brings something each half hour from 8 to 20 o'clock, and sleeps."""
    rhythm, last = Rhythm(), MONDAY + 8 * HOUR
    for day in range(7 * (weeks - 1) + days):
        for half in range(25):
            now = MONDAY + day * 24 * HOUR + 8 * HOUR + half * HOUR / 2
            rhythm.learn(last, now)
            last = now
    return rhythm


@pytest.mark.parametrize(("hour", "usual_h"), [(12, 0.5), (17, 0.5), (2, 12), (22, 12)])
def test_nights_are_told_from_days(hour: int, usual_h: float) -> None:
    tuesday = MONDAY + timedelta(days=29)
    assert office_hours(4).usual_s(tuesday + hour * HOUR) == pytest.approx(usual_h * 3600)


def test_the_first_hour_of_a_day_knows_of_the_night_before() -> None:
    assert office_hours(4).usual_s(MONDAY + timedelta(days=29) + 8 * HOUR) == pytest.approx(43_200)


def test_within_the_first_week_the_other_days_say_what_an_hour_is_like() -> None:
    friday_noon = MONDAY + timedelta(days=4, hours=12)
    assert office_hours(1, days=4).usual_s(friday_noon) == pytest.approx(1800)
    assert office_hours(1, days=2).usual_s(friday_noon) is None


def test_nothing_is_known_of_a_new_source() -> None:
    assert Rhythm().usual_s(MONDAY) is None


def test_one_long_silence_counts_a_third_from_the_next_week_on() -> None:
    rhythm = office_hours(4)
    noon = MONDAY + timedelta(days=28, hours=12)
    rhythm.learn(noon, noon + HOUR * 6.5)
    assert rhythm.usual_s(noon) == pytest.approx(1800)
    assert rhythm.usual_s(noon + timedelta(days=7)) == pytest.approx(1800 + 6 * 3600 / 3)


def test_a_silence_of_weeks_is_no_habit() -> None:
    rhythm = Rhythm()
    rhythm.learn(MONDAY, MONDAY + timedelta(days=30))
    assert rhythm.hours == {}


def test_it_survives_its_json() -> None:
    rhythm = office_hours(2)
    assert msgspec.json.decode(msgspec.json.encode(rhythm), type=Rhythm) == rhythm
