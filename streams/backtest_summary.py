"""What a backtest ends with, for a person: what would have rung, what one subscription would have
been told, and what editors' corrections say of it.

Owns the tables. Counts nothing itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

from rich.console import Console
from rich.table import Table
from rich.text import Text

from classifiers.topics import LABELS
from streams.backtest import Account
from streams.correction_labels import Judged, Mistake
from streams.logs import escape
from streams.rehearsal import Rehearsal

LARGEST, SAMPLES = 10, 10
MAX_RINGS = 50
MAX_MISTAKES = 20


def show_summary(console: Console, account: Account) -> None:
    """Print what would have rung: counts, alerts a day by topic, largest stories, samples."""
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(account.decisions.items()))
    rung = sum(day["all"] for day in account.alerts.values())
    console.print(
        f"{account.decisions.total()} articles: {counts or 'none'}; {len(account.sizes)} stories, "
        f"{rung} alerts, {account.breaking} of stories that break"
        + (f"; {account.broken} broken rows left out" if account.broken else ""),
        highlight=False,
    )
    if account.alerts:
        console.print(_days(account))
        console.print(_stories("Largest stories", account.sizes.most_common(LARGEST), account))
        console.print(_stories(f"{SAMPLES} samples", _samples(account), account))


def show_rehearsal(console: Console, rehearsal: Rehearsal) -> None:
    """Print what one subscription would have been told, in the order of time."""
    counts = rehearsal.counts()
    held = f", {counts['waits']} held back for the morning or a digest" if counts["waits"] else ""
    over = f", {counts['beyond']} beyond the cap of an hour" if counts["beyond"] else ""
    console.print(
        f"Subscription {rehearsal.subscription.id}: {counts['rings']} rings{held}{over}, "
        f"{counts['grows']} told of growth; {rehearsal.passed} alerts that it does not ask for",
        highlight=False,
    )
    rings = [told for told in rehearsal.told if told.part != "grows"]
    if not rings:
        return
    table = Table(box=None, pad_edge=False, expand=True)  # else a long headline takes all of it
    for heading in ("when", "", "priority"):
        table.add_column(heading, no_wrap=True)
    table.add_column("headline and topics", no_wrap=True, overflow="ellipsis", ratio=1)
    for told in rings[:MAX_RINGS]:
        story = told.alert.story
        topics = ", ".join(topic.label for topic in story.topics[:3])
        headline = Text(escape(f"{story.headline} ({topics})"))
        table.add_row(f"{told.at:%Y-%m-%d %H:%M}", told.part, told.alert.priority, headline)
    console.print(table)
    if len(rings) > MAX_RINGS:
        console.print(f"and {len(rings) - MAX_RINGS} more")


def _days(account: Account) -> Table:
    """Alerts a day: all, of new stories, and by topic (a story may have several)."""
    totals = Counter[str]()
    for day in account.alerts.values():
        totals.update(day)
    topics = [topic for topic, _ in totals.most_common() if topic not in {"all", "new"}]
    table = Table(title="Alerts a day", box=None, pad_edge=False)
    table.add_column("topic")
    for heading in ("a day", "most on one day", "in all"):
        table.add_column(heading, justify="right")
    first, last = min(account.alerts), max(account.alerts)
    days = (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
    names = {"all": "all alerts", "new": "new stories"}
    for topic in ("all", "new", *topics):
        most = max(day[topic] for day in account.alerts.values())
        name = names.get(topic) or LABELS.get(topic, topic)
        table.add_row(name, f"{totals[topic] / days:.1f}", str(most), str(totals[topic]))
    return table


def _stories(title: str, chosen: Sequence[tuple[str, int]], account: Account) -> Table:
    table = Table(title=title, box=None, pad_edge=False)
    table.add_column("story", no_wrap=True, min_width=12)
    for heading in ("articles", "publishers", "revision"):
        table.add_column(heading, justify="right", no_wrap=True, min_width=len(heading))
    table.add_column("headline and topics", no_wrap=True, overflow="ellipsis", ratio=1)
    for story_id, size in chosen:
        story = account.stories[story_id]
        topics = ", ".join(topic.label for topic in story.topics[:3])
        numbers = (str(size), str(len(story.reports)), str(story.revision))
        table.add_row(story_id, *numbers, Text(escape(f"{story.headline} ({topics})")))
    return table


def _samples(account: Account) -> list[tuple[str, int]]:
    """Stories at even steps through the file, so that they show what is usual."""
    told = [story_id for story_id in account.sizes if story_id in account.stories]
    step = max(1, len(told) // SAMPLES)
    return [(story_id, account.sizes[story_id]) for story_id in told[::step][:SAMPLES]]


def show_corrections(console: Console, judged: Judged) -> None:
    """Print how often editors merged and split, which mistakes would come again, and what would
    prevent them.
    """
    per = 100 / max(1, judged.stories)
    unknown = f"; {judged.unknown} more are about articles that are not here" * bool(judged.unknown)
    console.print(
        f"Editors merged {judged.merges} and split {judged.splits} of {judged.stories} stories"
        f" ({judged.merges * per:.1f} and {judged.splits * per:.1f} in a hundred){unknown}",
        highlight=False,
    )
    wrong, apart = judged.joined_wrongly, judged.kept_apart_wrongly
    rules = Counter(_rule(mistake) for mistake in wrong)
    by_rule = ": " + ", ".join(f"{n} {rule}" for rule, n in rules.most_common()) if rules else ""
    console.print(
        f"{len(wrong)} of {judged.splits} wrong joins come again{by_rule}", highlight=False
    )
    for cure in judged.cures:
        console.print(
            f"  {cure.setting} {cure.now:.3f} -> {cure.better:.2f} prevents {cure.prevents} of"
            f" them, and undoes {cure.undoes} of {cure.joins} other such joins",
            highlight=False,
        )
    console.print(f"{len(apart)} of {judged.merges} stories stay apart again", highlight=False)
    if wrong:
        console.print(_mistakes("Joined wrongly", wrong))
    if apart:
        console.print(_mistakes("Kept apart wrongly", apart))


def _rule(mistake: Mistake) -> str:
    names = {"copy": "as a copy", "short": "as short texts alike", "long": "as long texts alike"}
    across = " in two languages" if mistake.translated else ""
    return names[mistake.rule] + across


def _mistakes(title: str, mistakes: Sequence[Mistake]) -> Table:
    table = Table(title=title, box=None, pad_edge=False)
    table.add_column("likeness", justify="right", no_wrap=True, min_width=8)
    table.add_column("how", no_wrap=True, min_width=22)
    for heading in ("this", "with this"):
        table.add_column(heading, no_wrap=True, overflow="ellipsis", ratio=1)
    for mistake in mistakes[:MAX_MISTAKES]:
        titles = (Text(escape(each.title)) for each in (mistake.one, mistake.other))
        table.add_row(f"{mistake.likeness:.2f}", _rule(mistake), *titles)
    return table
