"""Alerts printed in the terminal, for the person who tries Wirebell out or watches it work.

A terminal cannot be asked what it has shown: an alert may be printed twice when the process
is killed between printing and writing its receipt, never lost.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TextIO
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from connectors.records import Alert, Priority, Story
from connectors.sinks.pace import Pace
from connectors.sinks.plain_text import one_line, safe_url
from connectors.sinks.settings import ConsoleSettings
from connectors.sinks.sink import Delivery, Reason, Result
from connectors.sinks.told import decode_told, encode_told, news_since, told_of

_STYLES: dict[Priority, str] = {
    "flash": "bold white on red",
    "urgent": "bold black on yellow",
    "routine": "bold black on cyan",
}
_MAX_PUBLISHERS = 5
# As many as Slack's message of several holds, of which so many are named.
_MOST_TOGETHER, _NAMED = 60, 15
_TITLES: dict[Reason, str] = {
    "cap": "And {number} more in the last hour",
    "waking": "While it was quiet: {number}",
    "digest": "Digest: {number}",
    "burst": "{number} stories",
}


class ConsoleSink:
    """Prints to a stream; every word from outside as plain text without control characters."""

    def __init__(
        self,
        sink_id: str,
        settings: ConsoleSettings,
        stream: TextIO | None = None,
        time_zone: str = "UTC",
    ) -> None:
        self._id = sink_id
        self._timeout_s = settings.timeout_s
        self._zone = ZoneInfo(time_zone)
        self._console = Console(
            file=stream or sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=True
        )

    @property
    def id(self) -> str:
        """The id from the configuration."""
        return self._id

    @property
    def pace(self) -> Pace:
        """A few at once: each waits for its turn at the terminal, not for the ledger."""
        return Pace(in_flight=4, target_in_flight=4, most_together=_MOST_TOGETHER)

    async def deliver(self, delivery: Delivery) -> Result:
        """Print the alert. In a thread: a terminal that is held up must not hold the line."""
        result = await self.show(render(delivery, self._zone))
        if result.outcome != "delivered":
            return result
        return Result("delivered", {"told": encode_told(told_of(delivery.alert))})

    async def deliver_together(
        self, deliveries: Sequence[Delivery], reason: Reason
    ) -> Sequence[Result]:
        """Print one line for each; those that grow are printed whole later."""
        result = await self.show(render_together([each.alert for each in deliveries], reason))
        if result.outcome == "delivered":
            result = Result("delivered", {"bundle": deliveries[0].id})
        return [result] * len(deliveries)

    async def show(self, text: str | Text) -> Result:
        """Print a text."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await asyncio.to_thread(self._console.print, text)
        except TimeoutError:
            return Result("unknown", detail="the terminal takes no text")
        except (OSError, ValueError) as error:
            return Result("not_sent", detail=f"the terminal is gone ({type(error).__name__})")
        return Result("delivered")

    async def look_back(self, delivery: Delivery) -> Result | None:
        """A terminal cannot be asked."""
        return None

    async def check(self) -> str:
        """Whether the stream is open."""
        return "the terminal is closed" if self._console.file.closed else ""

    async def close(self) -> None:
        """Nothing to give back: the stream is not ours."""


def render(delivery: Delivery, zone: ZoneInfo) -> Text:
    """The alert as the terminal shows it."""
    alert, story = delivery.alert, delivery.alert.story
    text = Text()
    text.append(f" {alert.priority.upper()} ", style=_STYLES[alert.priority])
    text.append(f" {alert.kind} ", style="bold" if alert.kind == "new" else "bold magenta")
    text.append(_clock(alert.screened_at, zone) + "  ", style="dim")
    text.append(one_line(story.headline, 200) or "(no headline)", style="bold")
    topics = " · ".join(f"{one_line(s.label, 40)} {s.probability:.0%}" for s in story.topics)
    places = ", ".join(f"{one_line(p.name, 40)} {p.country}" for p in story.places[:6])
    _line(text, "topics", topics)
    _line(text, "where", places)
    told = decode_told(delivery.receipt.get("told", ""))
    if told is not None:
        for line in news_since(told, alert).lines or _one_more(story):
            _line(text, "new", one_line(line, 300))
    elif story.summary:
        _line(text, "", one_line(story.summary, 300))
    if story.corrected:
        _line(text, "correction", one_line(story.corrected, 300))
    _line(text, "why", _why(alert))
    for report in story.reports[:_MAX_PUBLISHERS]:
        when = _clock(report.reported_at, zone)
        _line(text, when, f"{one_line(report.publisher, 60)}  {safe_url(report.url)}".rstrip())
    more = len(story.reports) - _MAX_PUBLISHERS
    if more > 0:
        _line(text, "", f"and {more} more")
    text.append("\n")
    return text


def render_together(alerts: Sequence[Alert], reason: Reason) -> Text:
    """Several stories, a line each, as the terminal shows them."""
    ordered = sorted(alerts, key=lambda alert: (list(_STYLES).index(alert.priority), alert.id))
    text = Text(f" {_TITLES[reason].format(number=len(ordered))} ", style="bold reverse")
    for alert in ordered[:_NAMED]:
        text.append(f"\n  {alert.priority:>10}  ", style="dim")
        text.append(one_line(alert.story.headline, 200) or "(no headline)")
    if len(ordered) > _NAMED:
        text.append(f"\n  {'':>10}  and {len(ordered) - _NAMED} more")
    text.append("\n")
    return text


def _one_more(story: Story) -> tuple[str, ...]:
    """Why an update without other news rings: one more publisher has the story."""
    newest = max(story.reports[1:], key=lambda report: report.reported_at, default=None)
    return () if newest is None else (f"Also reported by {newest.publisher or 'another'}",)


def _line(text: Text, label: str, value: str) -> None:
    if value:
        text.append(f"\n  {label:>10}  ", style="dim")
        text.append(value)


def _why(alert: Alert) -> str:
    found = [word for evidence in alert.story.evidence for word in evidence.words]
    words = ", ".join(one_line(word, 40) for word in dict.fromkeys(found[:8]))
    remark = next((each.remark for each in alert.story.evidence if each.remark), "")
    parts = (words, remark, one_line(alert.priority_reason, 200))
    return "; ".join(part for part in parts if part)


def _clock(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime("%H:%M")
