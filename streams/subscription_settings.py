"""How a subscription is configured: what it wants, where it goes, and when it may ring."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

from connectors.records import Priority

_TIME = r"([01]\d|2[0-3]):[0-5]\d"
_ZONE = r"[A-Za-z0-9_+/-]+"
_QUIET_HOURS = rf"^({_TIME}-{_TIME} {_ZONE})?$"
_DIGEST = rf"^({_TIME}(,{_TIME}){{0,23}} {_ZONE})?$"

Updates = Literal["thread", "edit", "none"]


class Table(BaseModel):
    """A table of the configuration: unknown keys are refused, values never quoted in errors."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )


class Target(Table):
    """Where a subscription is delivered: a sink, and the place in it (a Slack channel)."""

    sink: str
    """Id of a sink under [sinks]."""
    to: str = ""
    """The place in it: a Slack channel; empty where the sink has only one."""


class SubscriptionSettings(Table):
    """Who wants what. Empty lists want everything; words and names match without case."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    """Name of the subscription; stable, it is what the ledger remembers."""
    topics: tuple[str, ...] = ()
    """Topics wanted; empty wants all."""
    min_probability: Annotated[float, Field(ge=0, le=1)] = 0
    """Lowest probability of a topic that rings."""
    thresholds: dict[str, Annotated[float, Field(gt=0, lt=1)]] = Field(default_factory=dict)
    """Like { arson = 0.8 }: from which probability a topic rings here, in place of the line's; one
    below the line's lets more through for everybody to join stories, but rings only here."""
    min_priority: Priority = "routine"
    """Lowest priority that rings."""
    languages: tuple[str, ...] = ()
    """Languages of reports wanted (ISO 639-1)."""
    countries: tuple[str, ...] = ()
    """Countries wanted (ISO 3166-1 alpha-2)."""
    places: tuple[str, ...] = ()
    """Places wanted, by the names that stories show ("Bryansk"), or a country with all in it."""
    publishers: tuple[str, ...] = ()
    """Publishers wanted."""
    words: tuple[str, ...] = ()
    """At least one of these must stand in headline, summary or a title; "plant*" finds "plants"."""
    without_words: tuple[str, ...] = ()
    """None of these may stand there."""
    max_age_hours: Annotated[float, Field(ge=0, le=24 * 30)] = 0
    """A report already older than this when it was first seen rings nothing; 0 lets all ring."""
    catch_up_hours: Annotated[float, Field(ge=0, le=24 * 366 * 50)] = 1
    """What was published longer than this before the subscription began is noted silently."""
    updates: Updates = "thread"
    """Growth of a story: edit the message and tell its thread, edit alone, or corrections only."""
    quiet_hours: Annotated[str, Field(pattern=_QUIET_HOURS)] = ""
    """Like "23:00-07:00 Europe/Kyiv": what is no flash waits for their end, then comes at once."""
    digest: Annotated[str, Field(pattern=_DIGEST)] = ""
    """Like "08:00,17:00 Europe/Kyiv": what is no flash waits for the next of these times."""
    max_per_hour: Annotated[int, Field(ge=0, le=3_600)] = 0
    """Stories that ring at each place in a clock hour, flashes apart; the rest come in one message
    at its end. 0 sets no limit."""
    deliver: Annotated[tuple[Target, ...], Field(min_length=1)]
    """Where it is delivered to."""

    @field_validator("quiet_hours", "digest")
    @classmethod
    def _in_a_known_zone(cls, text: str) -> str:
        if text:
            known_zone(text.partition(" ")[2])
        return text


def known_zone(name: str) -> str:
    """The name, if it is a time zone.

    Raises:
        ValueError: it is not.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("not a time zone of the IANA database") from error
    return name
