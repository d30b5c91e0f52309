"""What is material: which growth of a story rings, in which words, and how urgently.

Owns the rules, all of them, as pure functions. Does not know how stories are kept or folded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from classifiers.topics import LABELS
from connectors.records import AlertKind, Priority, Report, Story
from streams.pace import Speed

#: Independent publishers at which a story has become more certain.
MILESTONES = (2, 3, 5, 10, 20, 50, 100)
#: A story that spans more places than this is a war or a campaign; the next place is no news.
MAX_NEW_PLACES = 5
#: Topics that mean danger to life or an attack; the others are urgent only by size or speed.
GRAVE = frozenset(
    "drone_strike bombardment sabotage bombing arson assassination armed_attack armed_clash "
    "hostage_taking".split()
)
#: A single report of a topic must be this sure of it to be called a flash.
SURE = 0.9
MANY_KILLED = 10
#: Independent publishers within `SUDDEN` that make a story big.
SUDDEN_PUBLISHERS = 3
SUDDEN = timedelta(minutes=60)


@dataclass(frozen=True, slots=True)
class Growth:
    """What one article adds to its story.

    `topics` and `places` are names not seen in the story before; `tolls` are (kind, highest
    before or None, now); `publishers` is the number of independent publishers when it rose,
    else 0. `correction`, `withdrawal` and `restored` (reported again after everybody had
    withdrawn it) name the publisher; `all_withdrawn` says that nobody is left who stands by
    the story. `speed` is there when reports come much faster than before.
    """

    first: bool = False
    topics: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    tolls: tuple[tuple[str, int | None, int], ...] = ()
    publishers: int = 0
    correction: str = ""
    withdrawal: str = ""
    restored: str = ""
    all_withdrawn: bool = False
    speed: Speed | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether growth is material (`kind` is None: it joins silently), and why, in words."""

    kind: AlertKind | None
    changes: tuple[str, ...] = ()


def judge(growth: Growth) -> Verdict:
    """Decide whether an article's growth of its story rings."""
    if growth.first:
        return Verdict("new", ("first report",))
    changes = [f"new topic: {LABELS.get(topic, topic)}" for topic in growth.topics]
    changes += [_toll(*toll) for toll in growth.tolls if _higher(*toll)]
    changes += [f"new place: {place}" for place in growth.places]
    if growth.publishers in MILESTONES:
        changes.append(f"{growth.publishers} independent publishers")
    if growth.speed is not None:
        changes.append(_breaking(growth.speed))
    if growth.restored:
        changes.insert(0, f"reported again by {growth.restored}")
    if growth.withdrawal:
        kind: AlertKind = "withdrawn" if growth.all_withdrawn else "correction"
        standing = "" if growth.all_withdrawn else "; others still report it"
        return Verdict(kind, (f"withdrawn by {growth.withdrawal}{standing}", *changes))
    if growth.correction:
        lowered = [_toll(*toll) for toll in growth.tolls if not _higher(*toll)]
        return Verdict("correction", (f"corrected by {growth.correction}", *changes, *lowered))
    return Verdict("update", tuple(changes)) if changes else Verdict(None)


def judge_merge(headline: str, publishers: int, growth: Growth) -> Verdict:
    """What an editor's merge brings: so many publishers more, and the growth besides."""
    more = f"{publishers} more publisher{'' if publishers == 1 else 's'}" if publishers else ""
    merged = f"merged with “{headline}”" + (f": {more}" if more else "")
    return Verdict("update", (merged, *judge(growth).changes))


def prioritise(story: Story, speed: Speed | None = None) -> tuple[Priority, str]:
    """How urgent a story is at this revision, and why, in words. `speed`: it is breaking."""
    if story.merged_into:
        return "routine", "part of another story now"
    if story.withdrawn:
        return "routine", "withdrawn by every publisher that reported it"
    grave = [topic for topic in story.topics if topic.topic in GRAVE]
    killed = max((toll.number for toll in story.tolls if toll.kind == "killed"), default=0)
    sudden = publishers_at_once(story.reports)
    reasons = [f"{topic.label} {topic.probability:.2f}" for topic in (grave or story.topics)[:1]]
    if killed:
        reasons.append(f"{killed} killed")
    if speed is not None:
        reasons.append(_breaking(speed))
    elif sudden >= 2:
        minutes = int(SUDDEN.total_seconds() // 60)
        reasons.append(f"{sudden} publishers within {minutes} minutes")
    elif len(story.reports) > 1:
        reasons.append(f"{len(story.reports)} publishers")
    sure = bool(grave) and (grave[0].probability >= SURE or len(story.reports) > 1)
    big = killed >= MANY_KILLED or sudden >= SUDDEN_PUBLISHERS or speed is not None
    if sure and big:
        return "flash", ", ".join(reasons)
    if big or (grave and (killed or len(story.reports) > 1 or sure)):
        return "urgent", ", ".join(reasons)
    return "routine", ", ".join(reasons) or "no topic is sure"


def publishers_at_once(reports: tuple[Report, ...]) -> int:
    """The most independent publishers whose first reports lie within `SUDDEN`."""
    times = sorted(report.reported_at for report in reports)
    most, start = 0, 0
    for end, time in enumerate(times):
        while time - times[start] > SUDDEN:
            start += 1
        most = max(most, end - start + 1)
    return most


def is_breaking(change: str) -> bool:
    """Whether a change in words is a jump in speed."""
    return change.startswith("breaking: ")


def _higher(kind: str, before: int | None, now: int) -> bool:
    return before is None or now > before


def _toll(kind: str, before: int | None, now: int) -> str:
    return f"{now} {kind}" if before is None else f"{now} {kind}, {before} before"


def _breaking(speed: Speed) -> str:
    usual = f"{speed.usual:.1f} an hour before" if speed.usual else "none before"
    return (
        f"breaking: {speed.reports} reports by {speed.publishers} publishers within 60 minutes,"
        f" {usual}"
    )
