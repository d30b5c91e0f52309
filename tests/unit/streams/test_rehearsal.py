"""What a subscription would have been told, by the rules that delivery follows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from streams.rehearsal import Rehearsal
from streams.settings import SubscriptionSettings, Target
from tests.fakes.alerts import MORNING, make_alert


def rehearsal(**wishes: Any) -> Rehearsal:
    deliver = (Target(sink="slack", to="C1"),)
    return Rehearsal(SubscriptionSettings(id="desk", deliver=deliver, **wishes))


def test_a_story_rings_once_and_then_grows() -> None:
    made = rehearsal()
    for revision in (1, 2, 3):
        made.add(make_alert(revision=revision), MORNING)
    assert [told.part for told in made.told] == ["rings", "grows", "grows"]


def test_what_is_not_asked_for_is_counted_apart_and_growth_that_matches_rings() -> None:
    made = rehearsal(min_priority="urgent")
    made.add(make_alert(), MORNING)
    made.add(make_alert(revision=2, priority="flash"), MORNING)
    made.add(make_alert(revision=3), MORNING)
    assert (made.passed, [told.part for told in made.told]) == (1, ["rings", "grows"])


def test_without_updates_only_a_correction_is_told() -> None:
    made = rehearsal(updates="none")
    made.add(make_alert(), MORNING)
    made.add(make_alert(revision=2), MORNING)
    made.add(make_alert(revision=3, kind="correction"), MORNING)
    assert [(told.part, told.alert.story.revision) for told in made.told] == [
        ("rings", 1),
        ("grows", 3),
    ]


def test_quiet_hours_and_caps_hold_back_and_a_flash_does_not_care() -> None:
    made = rehearsal(quiet_hours="07:00-09:00 UTC", max_per_hour=1)
    made.add(make_alert("night"), MORNING)
    noon = MORNING + timedelta(hours=4)
    for name in ("first", "second"):
        made.add(make_alert(name), noon)
    made.add(make_alert("flash", priority="flash"), noon)
    made.add(make_alert("later"), noon + timedelta(hours=1))
    assert [(told.alert.story.id, told.part) for told in made.told] == [
        ("night", "waits"),
        ("first", "rings"),
        ("second", "beyond"),
        ("flash", "rings"),
        ("later", "rings"),
    ]
    assert made.told[0].at == MORNING + timedelta(hours=1)
