"""The story as a pure function of its members: folded one article at a time, in order.

Owns what a story looks like at each revision. The same members give the same story and the
same alerts, always: that is what makes a redelivered article harmless. Which growth is material
is decided in material.py; who is a member, in stories.py.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from connectors.records import Alert, Evidence, Place, Report, Story, Toll, TopicScore
from streams.facts import Facts, PlaceFact, moment
from streams.headline import clarity
from streams.material import LABELS, MAX_NEW_PLACES, Growth, Verdict, judge, prioritise
from streams.publishers import publisher_key

#: Raise when the fold gives another result for the same members: kept folds are then not used.
FOLD_VERSION = "1"
MAX_STORY_PLACES = 8
MAX_STORY_EVIDENCE = 5

Outcome = Literal["new", "update", "joined", "duplicate"]


class Folded(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A story after some of its members, with what later members are judged against.

    `articles` are the ids of all members; `withdrawn` those that their publishers withdrew.
    `places` come with the number of articles that name them.
    """

    story: Story
    clarity: float
    headline_from: str
    articles: tuple[str, ...]
    withdrawn: tuple[str, ...] = ()
    places: tuple[tuple[PlaceFact, int], ...] = ()


class Step(msgspec.Struct, frozen=True):
    """What folding in one member came to; `alert` is there where it was material."""

    folded: Folded
    outcome: Outcome
    alert: Alert | None = None


def fold(before: Folded | None, facts: Facts, story_id: str, languages: tuple[str, ...]) -> Step:
    """Fold one more member into a story (None: it is the first).

    `languages` are those the newsroom reads, best first. Pure: no clock, no chance.
    """
    growth = Growth(first=True) if before is None else grow(before, facts)
    verdict = judge(growth)
    folded = _add(before or _empty(facts, story_id), facts, verdict, languages)
    if verdict.kind is None:
        return Step(folded, "duplicate" if facts.copy else "joined")
    outcome: Outcome = "new" if verdict.kind == "new" else "update"
    return Step(folded, outcome, _alert(folded.story, verdict, facts))


def grow(before: Folded, facts: Facts) -> Growth:
    """What an article adds to a story that is there already."""
    story = before.story
    highest = {toll.kind: toll.number for toll in story.tolls}
    if facts.copy:
        return Growth(tolls=_raised(highest, facts))
    if facts.status == "withdrawn":
        gone = _withdrawn(before, facts)
        standing = [r for r in story.reports if r.article_id not in gone]
        return Growth(withdrawal=facts.publisher, all_withdrawn=not standing)
    known = {topic.topic for topic in story.topics}
    reporting = {publisher_key(report.publisher) for report in story.reports}
    newcomer = publisher_key(facts.publisher) not in reporting
    return Growth(
        topics=tuple(topic for topic, _ in facts.topics if topic not in known),
        places=_new_places(before, facts),
        tolls=_raised(highest, facts),
        publishers=len(reporting) + 1 if newcomer else 0,
        correction=facts.publisher if facts.status == "correction" else "",
        restored=facts.publisher if story.withdrawn else "",
    )


def _raised(highest: dict[str, int], facts: Facts) -> tuple[tuple[str, int | None, int], ...]:
    """The numbers that an article raises; a correction may lower them too."""
    return tuple(
        (kind, highest.get(kind), number)
        for kind, number in facts.tolls
        if number > highest.get(kind, 0)
        or (facts.status == "correction" and number != highest.get(kind))
    )


def _empty(facts: Facts, story_id: str) -> Folded:
    story = Story(
        id=story_id,
        revision=0,
        headline="",
        language="",
        summary="",
        topics=(),
        evidence=(),
        places=(),
        tolls=(),
        reports=(),
        article_count=0,
        first_seen=facts.reported_at,
        last_seen=facts.reported_at,
        changes=(),
    )
    return Folded(story=story, clarity=-2.0, headline_from="", articles=())


def _add(before: Folded, facts: Facts, verdict: Verdict, languages: tuple[str, ...]) -> Folded:
    """The story with one more member, at the next revision if the verdict says so."""
    known = facts.article_id in before.articles
    articles = before.articles if known else (*before.articles, facts.article_id)
    story = msgspec.structs.replace(
        before.story,
        article_count=len(articles),
        first_seen=min(before.story.first_seen, facts.reported_at),
        last_seen=max(before.story.last_seen, facts.reported_at),
    )
    if verdict.kind is not None:
        story = msgspec.structs.replace(story, revision=story.revision + 1, changes=verdict.changes)
    before = msgspec.structs.replace(before, story=story, articles=articles)
    if facts.copy:
        story = msgspec.structs.replace(story, tolls=_tolls(story.tolls, facts))
        return msgspec.structs.replace(before, story=story)
    if facts.status == "withdrawn" and story.reports:
        gone = _withdrawn(before, facts)
        all_gone = all(report.article_id in gone for report in story.reports)
        story = msgspec.structs.replace(story, withdrawn=all_gone)
        return msgspec.structs.replace(before, story=story, withdrawn=tuple(sorted(gone)))
    return _told(_counted(before, facts), facts, languages)


def _counted(before: Folded, facts: Facts) -> Folded:
    """Topics, evidence, places, tolls and reports with those of one more article."""
    places = _places(before.places, facts)
    story = msgspec.structs.replace(
        before.story,
        topics=_topics(before.story.topics, facts),
        evidence=_evidence(before.story.evidence, facts),
        places=tuple(
            Place(name=p.name, country=p.country, latitude=p.latitude, longitude=p.longitude)
            for p, _ in places[:MAX_STORY_PLACES]
        ),
        tolls=_tolls(before.story.tolls, facts),
        reports=_reports(before.story.reports, facts),
        withdrawn=False,
        corrected=(
            f"{facts.publisher}: {facts.title}"
            if facts.status == "correction"
            else before.story.corrected
        ),
    )
    withdrawn = tuple(gone for gone in before.withdrawn if gone != facts.article_id)
    return msgspec.structs.replace(before, story=story, places=places, withdrawn=withdrawn)


def _told(before: Folded, facts: Facts, languages: tuple[str, ...]) -> Folded:
    """The headline and summary: of the clearest article, or of its newer edition."""
    clear = clarity(facts, languages)
    if clear <= before.clarity and facts.article_id != before.headline_from:
        return before
    story = msgspec.structs.replace(
        before.story, headline=facts.title, language=facts.language, summary=facts.summary
    )
    if not facts.title:
        story = msgspec.structs.replace(story, headline=facts.summary[:120])
    return msgspec.structs.replace(
        before, story=story, clarity=clear, headline_from=facts.article_id
    )


def _alert(story: Story, verdict: Verdict, facts: Facts) -> Alert:
    priority, reason = prioritise(story)
    assert verdict.kind is not None
    return Alert(
        id=f"{story.id}:{story.revision}",
        kind=verdict.kind,
        priority=priority,
        priority_reason=reason,
        story=story,
        published_at=None if facts.published_at is None else moment(facts.published_at),
        fetched_at=moment(facts.fetched_at),
        screened_at=moment(facts.screened_at),
    )


def _withdrawn(before: Folded, facts: Facts) -> set[str]:
    """What is withdrawn after this notice: the article it names by its id, else all of the
    publisher's own reports in the story.
    """
    ours = {report.article_id for report in before.story.reports}
    if facts.article_id in ours:
        return {*before.withdrawn, facts.article_id}
    key = publisher_key(facts.publisher)
    same = {r.article_id for r in before.story.reports if publisher_key(r.publisher) == key}
    return {*before.withdrawn, *same}


def _new_places(before: Folded, facts: Facts) -> tuple[str, ...]:
    """The article's best place when the story has not been there; others are mentions."""
    if not facts.places or len(before.places) >= MAX_NEW_PLACES:
        return ()
    best = facts.places[0]
    countries = {place.country for place, _ in before.places}
    names = {(place.country, place.name) for place, _ in before.places}
    known = best.country in countries if best.is_country else (best.country, best.name) in names
    return () if known else (best.name,)


def _topics(topics: tuple[TopicScore, ...], facts: Facts) -> tuple[TopicScore, ...]:
    highest = {topic.topic: topic.probability for topic in topics}
    for topic, probability in facts.topics:
        highest[topic] = max(probability, highest.get(topic, 0.0))
    ranked = sorted(highest.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        TopicScore(topic=topic, label=LABELS.get(topic, topic), probability=probability)
        for topic, probability in ranked
    )


def _evidence(evidence: tuple[Evidence, ...], facts: Facts) -> tuple[Evidence, ...]:
    """The first evidence for each topic, from whoever reported on it first."""
    shown = {one.topic for one in evidence}
    more = tuple(
        Evidence(topic=one.topic, words=one.words, sentence=one.sentence)
        for one in facts.evidence
        if one.topic not in shown and one.words
    )
    return (*evidence, *more)[:MAX_STORY_EVIDENCE]


def _places(
    places: tuple[tuple[PlaceFact, int], ...], facts: Facts
) -> tuple[tuple[PlaceFact, int], ...]:
    """Places by how many articles name them; of equals the first named stays first."""
    counts = {(place.country, place.name): (place, count) for place, count in places}
    for place in facts.places:
        kept, count = counts.get((place.country, place.name), (place, 0))
        counts[place.country, place.name] = (kept, count + 1)
    return tuple(sorted(counts.values(), key=lambda item: -item[1]))


def _tolls(tolls: tuple[Toll, ...], facts: Facts) -> tuple[Toll, ...]:
    """The highest number of each kind and who said it; a correction's number replaces it."""
    highest = {toll.kind: toll for toll in tolls}
    for kind, number in facts.tolls:
        said = highest.get(kind)
        if said is None or number > said.number or facts.status == "correction":
            highest[kind] = Toll(kind=kind, number=number, publisher=facts.publisher)
    return tuple(highest.values())


def _reports(reports: tuple[Report, ...], facts: Facts) -> tuple[Report, ...]:
    """Publishers in order of first report; an edited report shows its newer title."""
    key = publisher_key(facts.publisher)
    for index, report in enumerate(reports):
        if publisher_key(report.publisher) == key:
            if report.article_id != facts.article_id or not facts.title:
                return reports
            newer = msgspec.structs.replace(report, title=facts.title, url=facts.url)
            return (*reports[:index], newer, *reports[index + 1 :])
    report = Report(
        publisher=facts.publisher,
        article_id=facts.article_id,
        title=facts.title,
        url=facts.url,
        reported_at=facts.reported_at,
        language=facts.language,
    )
    return (*reports, report)
