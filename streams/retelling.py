"""How a story came about, in lines for a person: each article with why it joined, what editors
did, and what of it rang. Pure.

Owns the words. The terms it names are those of the fingerprints that decide, made by the same
code from what is kept of an article: its title and first lines. The likeness by which it joined
is the script's own (streams/stories.py says what it is the sum of).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from classifiers.similarity import cosine, fingerprints, shared_words, weigh
from connectors.records import Story, Toll
from streams.chronicle import tell
from streams.entries import Entry, Mark, standing
from streams.facts import Facts, moment
from streams.story import Step

MAX_WORDS = 8


@dataclass(frozen=True, slots=True)
class Kinship:
    """What an article shares with the member that it is most like: the cosine (0 to 1) of what
    is kept of both, how many terms both have and the words that these are, places, numbers.
    """

    nearest: Facts
    cosine: float
    terms: int
    words: tuple[str, ...]
    places: tuple[str, ...]
    numbers: tuple[str, ...]


def retell(entries: Sequence[Entry], story_id: str, languages: tuple[str, ...]) -> Iterator[str]:
    """The lines that tell a story: what it is now, then what made it so; none without entries."""
    steps = list(tell(None, entries, story_id, languages))
    told = [step for step in steps if step is not None]
    if not told:
        return
    yield from _now(told[-1].folded.story)
    left = {entry.mark.words for entry in entries if entry.mark and entry.mark.kind == "left"}
    brought = 0
    for at, (entry, step) in enumerate(zip(entries, steps, strict=True)):
        indent = "    " if brought else ""
        if entry.mark is not None:
            yield from _indented(indent, _edited(entry.mark))
            if not brought:
                brought = entry.mark.number + 1 if entry.mark.kind == "merge" else 0
        elif entry.facts is not None:
            earlier = [one.facts for one in standing(entries[:at])]
            yield from _indented(indent, _article(entry.facts, entry.score, earlier, left))
        if step is not None:
            yield from _indented("    ", _rang(step))
        brought = max(0, brought - 1)


def kinship(facts: Facts, earlier: Sequence[Facts]) -> Kinship:
    """What an article shares with the one of others (at least one) that it is most like."""
    everyone = [*earlier, facts]
    spoken = [one.language[:2].lower() for one in everyone]
    *others, mine = fingerprints(
        [(one.title, one.summary) for one in everyone],
        [[(p.name, p.country, p.is_country) for p in one.places[:4]] for one in everyone],
        spoken,
        [one.tolls for one in everyone],
    )
    at = max(range(len(others)), key=lambda index: cosine(mine, others[index]))
    nearest = earlier[at]
    both = {term for term, _ in mine.terms} & {term for term, _ in others[at].terms}
    pair = ((facts.title, facts.summary), (nearest.title, nearest.summary))
    candidates = shared_words(*pair, (spoken[-1], spoken[at]), limit=4 * MAX_WORDS)
    words = [word for word in candidates if both & weigh(word, "", spoken[-1]).keys()]
    places = {place.name for place in facts.places} & {place.name for place in nearest.places}
    numbers = set(facts.tolls) & set(nearest.tolls)
    return Kinship(
        nearest=nearest,
        cosine=cosine(mine, others[at]),
        terms=len(both),
        words=tuple(words[:MAX_WORDS]),
        places=tuple(sorted(places)),
        numbers=tuple(f"{number} {kind}" for kind, number in sorted(numbers)),
    )


def span(apart: timedelta) -> str:
    """A span of time in words: "25 min", "3 h 12 min", "2 d 4 h"; never negative."""
    minutes = int(abs(apart).total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def _now(story: Story) -> Iterator[str]:
    topics = ", ".join(f"{topic.label} {topic.probability:.2f}" for topic in story.topics)
    yield f"{story.id}  revision {story.revision}: {story.headline}"
    if story.merged_into:
        yield f"  part of story {story.merged_into} now"
    if story.muted:
        yield "  muted: articles join, nothing rings"
    yield f"  topics: {topics or 'none'}"
    places = ", ".join(f"{place.name} ({place.country})" for place in story.places)
    yield f"  places: {places or 'none'}"
    yield f"  numbers: {', '.join(map(_toll, story.tolls)) or 'none'}"
    yield (
        f"  {_many(story.article_count, 'article')},"
        f" {_many(len(story.reports), 'independent publisher')}: "
        + ", ".join(report.publisher for report in story.reports)
    )
    yield ""


def _toll(toll: Toll) -> str:
    said = f"{toll.said_by}, in {toll.publisher}" if toll.said_by else toll.publisher
    return f"{toll.number} {toll.kind} ({said})"


def _article(facts: Facts, score: float, earlier: Sequence[Facts], left: set[str]) -> Iterator[str]:
    place = "" if not facts.places else f" [{facts.places[0].name}]"
    title = facts.title or facts.summary[:80] or facts.article_id
    gone = "  (split off later)" if facts.article_id in left else ""
    yield f"{facts.reported_at:%Y-%m-%d %H:%M} UTC  {facts.publisher}: {title}{place}{gone}"
    yield f"    article {facts.article_id}: {_why(facts, score, earlier)}"


def _why(facts: Facts, score: float, earlier: Sequence[Facts]) -> str:
    if not earlier:
        return "began the story"
    if any(one.article_id == facts.article_id for one in earlier):
        return f"the same article again, changed ({facts.status})"
    if facts.copy:
        return f"copy of an earlier text (likeness {score:.2f})"
    whole = [one for one in earlier if not one.copy]
    if not whole:
        return f"joined (likeness {score:.2f})"
    kin = kinship(facts, whole)
    apart = facts.reported_at - kin.nearest.reported_at
    when = "after" if apart >= timedelta(0) else "before"
    parts = [f"by: {', '.join(kin.words)}" if kin.words else "by no word of its first lines"]
    parts += [f"places: {', '.join(kin.places)}"] if kin.places else []
    parts += [f"numbers: {', '.join(kin.numbers)}"] if kin.numbers else []
    language = facts.language[:2].lower()
    other = kin.nearest.language[:2].lower()
    across = f", {language} and {other}" if language and other and language != other else ""
    alike = f"{kin.terms} terms in common, cosine {kin.cosine:.2f}{across}"
    nearest = f"{span(apart)} {when} {kin.nearest.publisher}: {alike}"
    return f"joined (likeness {score:.2f}; {nearest}) {'; '.join(parts)}"


def _edited(mark: Mark) -> Iterator[str]:
    said = {
        "merge": f"merged with story {mark.story}; what it held:",
        "into": f"merged into story {mark.story}: {mark.words}",
        "left": f"article {mark.words} was split off into story {mark.story}",
        "from": f"split off from story {mark.story}: {mark.words}",
        "mute": "muted",
        "unmute": "heard again",
    }[mark.kind]
    yield f"{moment(mark.at):%Y-%m-%d %H:%M} UTC  by an editor: {said}"


def _rang(step: Step) -> Iterator[str]:
    if step.alert is None:
        return
    story, alert = step.alert.story, step.alert
    changes = "; ".join(story.changes)
    reason = f"{alert.priority} ({alert.priority_reason})"
    yield f"revision {story.revision}, {alert.kind}, {reason}: {changes}"


def _indented(indent: str, lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield indent + line


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
