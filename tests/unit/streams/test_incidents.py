"""When an incident is told of: hold-off, grouping, recovery."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from connectors.sinks.notices import Notice
from streams.health import Finding, Level, State, Verdict
from streams.incidents import Incidents

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOLD = timedelta(seconds=60)


def verdict(second: float, state: State = "healthy", *causes: str) -> Verdict:
    """A verdict at so many seconds past noon."""
    at = NOON + timedelta(seconds=second)
    level: Level = "down" if state == "down" else "degraded"
    found = tuple(Finding(name, level, name, f"{name} is ill", NOON) for name in causes)
    words = found[0].words if found else "Every stage is moving"
    return Verdict(state, words, NOON, at, found)


def follow(incidents: Incidents, *verdicts: Verdict) -> list[Notice]:
    """What they made of these, in order."""
    told = (incidents.follow(one) for one in verdicts)
    return [one for one in told if one is not None]


def test_what_is_over_before_the_hold_off_is_not_told() -> None:
    incidents = Incidents(HOLD)
    assert not follow(
        incidents, verdict(0, "down", "Redis"), verdict(59, "down", "Redis"), verdict(60)
    )
    assert not follow(incidents, verdict(61, "down", "Redis"), verdict(120, "down", "Redis"))


def test_an_incident_is_told_once_and_its_end_once_that_has_lasted() -> None:
    incidents = Incidents(HOLD)
    ill = [verdict(second, "down", "Redis") for second in range(0, 200, 10)]
    well = [verdict(second) for second in range(200, 400, 10)]
    opened, closed = follow(incidents, *ill, *well)
    assert (opened.state, opened.number, opened.since) == ("down", 1, NOON)
    assert opened.causes == ("down: Redis is ill",)
    assert (closed.state, closed.number, closed.causes) == ("healthy", 2, ())
    assert closed.incident == opened.incident
    assert "after 4 min" in closed.title
    assert incidents.open is None


def test_a_moment_of_health_does_not_end_an_incident() -> None:
    incidents = Incidents(HOLD)
    assert len(follow(incidents, verdict(0, "down", "Redis"), verdict(60, "down", "Redis"))) == 1
    flickering = [verdict(70), verdict(100, "down", "Redis"), verdict(110), verdict(160)]
    assert not follow(incidents, *flickering)
    assert len(follow(incidents, verdict(170))) == 1


def test_new_causes_are_grouped_into_one_notice() -> None:
    incidents = Incidents(HOLD)
    follow(incidents, verdict(0, "degraded", "a"), verdict(60, "degraded", "a"))
    grouped = follow(
        incidents,
        verdict(70, "degraded", "a", "b"),
        verdict(90, "degraded", "a", "b", "c"),
        verdict(130, "degraded", "a", "b", "c"),
        verdict(200, "degraded", "a"),
    )
    assert [len(one.causes) for one in grouped] == [3]


def test_a_line_that_gets_worse_is_told_of_as_the_same_incident() -> None:
    incidents = Incidents(HOLD)
    first = follow(incidents, verdict(0, "degraded", "a"), verdict(60, "degraded", "a"))
    worse = follow(incidents, verdict(70, "down", "a"), verdict(130, "down", "a"))
    assert [one.state for one in first + worse] == ["degraded", "down"]
    assert first[0].incident == worse[0].incident


def test_a_page_that_starts_anew_goes_on_with_the_open_incident() -> None:
    before = Incidents(HOLD)
    follow(before, verdict(0, "down", "Redis"), verdict(60, "down", "Redis"))
    after = Incidents(HOLD, before.open)
    assert not follow(after, verdict(70, "down", "Redis"), verdict(200, "down", "Redis"))
    (closed,) = follow(after, verdict(210), verdict(270))
    assert closed.number == 2
