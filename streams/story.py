"""The story as a pure function of its members: folded one article at a time, in order.

Owns what a story looks like at each revision. The same members give the same story and the
same alerts, always: that is what makes a redelivered article harmless. Which growth is material
is decided in material.py; who is a member, in stories.py; what editors change, in chronicle.py.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from classifiers.topics import LABELS
from connectors.records import Alert, AlertKind, Evidence, Place, Report, Story, Toll, TopicScore
from streams.facts import EvidenceFact, Facts, PlaceFact, moment
from streams.headline import Title, tells_better, title_of
from streams.material import MAX_NEW_PLACES, Growth, Verdict, judge, prioritise
from streams.pace import MAX_TIMES, Speed, jump, still_breaking
from streams.publishers import publisher_key

#: Raise when the fold gives another result for the same members: kept folds are then not used.
FOLD_VERSION = "2"
MAX_STORY_PLACES = 8
MAX_STORY_EVIDENCE = 5
#: What came while a story was muted and is told when it is not any more.
MAX_MISSED = 8
_TOLLS = {"killed": 0, "injured": 1, "missing": 2, "kidnapped": 3, "detained": 4}

Outcome = Literal["new", "update", "joined", "duplicate"]


class Folded(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A story after some of its members, with what later members are judged against.

    `title` is the headline as it is judged, of article `headline_from`. `articles` are the ids
    of all members; `withdrawn` those that their publishers withdrew.
    `places` come with the number of articles that name them and who named them first (seconds,
    rank there); `evidence` and `tolls` with when they were first reported. `times` are (reported
    at, seconds; publisher) of the latest articles, in order of time; `broke` is its last jump.
    `missed` is what would have rung while the story was muted.
    """

    story: Story
    title: Title
    headline_from: str
    articles: tuple[str, ...]
    withdrawn: tuple[str, ...] = ()
    places: tuple[tuple[PlaceFact, int, float, int], ...] = ()
    evidence: tuple[tuple[float, EvidenceFact], ...] = ()
    tolls: tuple[tuple[float, Toll], ...] = ()
    times: tuple[tuple[float, str], ...] = ()
    broke: Speed | None = None
    missed: tuple[str, ...] = ()


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
    folded = add(before, facts, story_id, languages)
    if growth.speed is not None:
        folded = msgspec.structs.replace(folded, broke=growth.speed)
    return conclude(folded, verdict, facts, "duplicate" if facts.copy else "joined")


def conclude(
    folded: Folded, verdict: Verdict, by: Facts | float, otherwise: Outcome = "joined"
) -> Step:
    """The story at its next revision, with its alert, if the verdict says so. `by` is the
    article, or when an editor did it. A muted story keeps growth for later.
    """
    story = folded.story
    if story.muted and verdict.kind == "update":
        missed = (*folded.missed, *verdict.changes)[-MAX_MISSED:]
        return Step(msgspec.structs.replace(folded, missed=missed), otherwise)
    if verdict.kind is None:
        return Step(folded, otherwise)
    story = msgspec.structs.replace(story, revision=story.revision + 1, changes=verdict.changes)
    folded = msgspec.structs.replace(folded, story=story)
    outcome: Outcome = "new" if verdict.kind == "new" else "update"
    return Step(folded, outcome, _alert(folded, verdict.kind, by))


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
        speed=jump(_times_after(before, facts), before.broke),
    )


def grown(before: Folded, after: Folded) -> Growth:
    """What several members together added; publishers aside."""
    known = {topic.topic for topic in before.story.topics}
    names = {(place.country, place.name) for place in before.story.places}
    highest = {toll.kind: toll.number for toll in before.story.tolls}
    new = [p.name for p in after.story.places if (p.country, p.name) not in names]
    return Growth(
        topics=tuple(t.topic for t in after.story.topics if t.topic not in known),
        places=tuple(new[: max(0, MAX_NEW_PLACES - len(before.places))]),
        tolls=tuple(
            (toll.kind, highest.get(toll.kind), toll.number)
            for toll in after.story.tolls
            if toll.number > highest.get(toll.kind, 0)
        ),
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
    return Folded(story=story, title=Title("", -2.0, 0.0), headline_from="", articles=())


def add(before: Folded | None, facts: Facts, story_id: str, languages: tuple[str, ...]) -> Folded:
    """The story with one more member, at the same revision."""
    before = before or _empty(facts, story_id)
    times = _times_after(before, facts)
    known = facts.article_id in before.articles
    articles = before.articles if known else (*before.articles, facts.article_id)
    story = msgspec.structs.replace(
        before.story,
        article_count=len(articles),
        first_seen=min(before.story.first_seen, facts.reported_at),
        last_seen=max(before.story.last_seen, facts.reported_at),
    )
    before = msgspec.structs.replace(before, story=story, articles=articles)
    if facts.copy:
        return _with_tolls(before, facts)
    if facts.status == "withdrawn" and story.reports:
        gone = _withdrawn(before, facts)
        all_gone = all(report.article_id in gone for report in story.reports)
        story = msgspec.structs.replace(story, withdrawn=all_gone)
        return msgspec.structs.replace(before, story=story, withdrawn=tuple(sorted(gone)))
    before = msgspec.structs.replace(before, times=times)
    return _told(_counted(before, facts), facts, languages)


def _times_after(before: Folded, facts: Facts) -> tuple[tuple[float, str], ...]:
    """When the latest reports came, by the publishers' clocks; an edit is no other report."""
    if facts.article_id in before.articles:
        return before.times
    report = (facts.reported_at.timestamp(), publisher_key(facts.publisher))
    return tuple(sorted((*before.times, report))[-MAX_TIMES:])


def _counted(before: Folded, facts: Facts) -> Folded:
    """Topics, evidence, places, tolls and reports with those of one more article."""
    before = _with_tolls(before, facts)
    places, evidence = _places(before.places, facts), _evidence(before.evidence, facts)
    story = msgspec.structs.replace(
        before.story,
        topics=_topics(before.story.topics, facts),
        evidence=tuple(
            Evidence(
                topic=one.topic,
                words=one.words,
                sentence=one.sentence,
                first=one.first,
                unread=one.unread,
            )
            for _, one in evidence[:MAX_STORY_EVIDENCE]
        ),
        places=tuple(
            Place(name=p.name, country=p.country, latitude=p.latitude, longitude=p.longitude)
            for p in _shown(places)[:MAX_STORY_PLACES]
        ),
        reports=_reports(before.story.reports, facts),
        withdrawn=False,
        corrected=(
            f"{facts.publisher}: {facts.title}"
            if facts.status == "correction"
            else before.story.corrected
        ),
    )
    withdrawn = tuple(gone for gone in before.withdrawn if gone != facts.article_id)
    return msgspec.structs.replace(
        before, story=story, places=places, evidence=evidence, withdrawn=withdrawn
    )


def _told(before: Folded, facts: Facts, languages: tuple[str, ...]) -> Folded:
    """The headline and summary: of the clearest article, or of its newer edition."""
    title = title_of(facts, languages)
    newer = facts.article_id == before.headline_from
    if not newer and not tells_better(title, before.title):
        return before
    story = msgspec.structs.replace(
        before.story, headline=facts.title, language=facts.language, summary=facts.summary
    )
    if not facts.title:
        story = msgspec.structs.replace(story, headline=facts.summary[:120])
    return msgspec.structs.replace(before, story=story, title=title, headline_from=facts.article_id)


def _alert(folded: Folded, kind: AlertKind, by: Facts | float) -> Alert:
    story = folded.story
    newest = folded.times[-1][0] if folded.times else 0.0
    breaking = folded.broke if still_breaking(newest, folded.broke) else None
    priority, reason = prioritise(story, breaking)
    article = by if isinstance(by, Facts) else None
    published = None if article is None else article.published_at
    return Alert(
        id=f"{story.id}:{story.revision}",
        kind=kind,
        priority=priority,
        priority_reason=reason,
        story=story,
        published_at=None if published is None else moment(published),
        fetched_at=moment(by.fetched_at if isinstance(by, Facts) else by),
        screened_at=moment(by.screened_at if isinstance(by, Facts) else by),
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
    countries = {place.country for place, *_ in before.places}
    names = {(place.country, place.name) for place, *_ in before.places}
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


def _evidence(
    evidence: tuple[tuple[float, EvidenceFact], ...], facts: Facts
) -> tuple[tuple[float, EvidenceFact], ...]:
    """The first evidence for each topic, from whoever reported on it first."""
    at = facts.reported_at.timestamp()
    first = {one.topic: (when, one) for when, one in evidence}
    for one in facts.evidence:
        if one.words and (one.topic not in first or at < first[one.topic][0]):
            first[one.topic] = (at, one)
    return tuple(sorted(first.values(), key=lambda pair: (pair[0], pair[1].topic)))


def _places(
    places: tuple[tuple[PlaceFact, int, float, int], ...], facts: Facts
) -> tuple[tuple[PlaceFact, int, float, int], ...]:
    """Places by how many articles name them; of equals the first named comes first."""
    at = facts.reported_at.timestamp()
    named = {(each[0].country, each[0].name): each for each in places}
    for rank, place in enumerate(facts.places):
        kept, count, when, where = named.get((place.country, place.name), (place, 0, at, rank))
        when, where = min((when, where), (at, rank))
        named[place.country, place.name] = (kept, count + 1, when, where)
    return tuple(sorted(named.values(), key=lambda item: (-item[1], *item[2:], item[0].name)))


def _shown(places: tuple[tuple[PlaceFact, int, float, int], ...]) -> list[PlaceFact]:
    """The places without a country of which the story names a part: of Izmail in Ukraine
    nobody needs to read that it is also in Ukraine.
    """
    parts = {place.country for place, *_ in places if not place.is_country}
    return [place for place, *_ in places if not (place.is_country and place.country in parts)]


def _with_tolls(before: Folded, facts: Facts) -> Folded:
    """The highest number of each kind and who said it first; a correction's replaces it."""
    at = facts.reported_at.timestamp()
    highest = {toll.kind: (when, toll) for when, toll in before.tolls}
    named = dict(facts.said_by)
    for kind, number in facts.tolls:
        when, said = highest.get(kind, (at, None))
        corrects = facts.status == "correction" and (said is None or number != said.number)
        earlier = said is not None and number == said.number and at < when
        if said is None or number > said.number or corrects or earlier:
            publisher, who = facts.publisher, named.get(kind, "")
            highest[kind] = (at, Toll(kind=kind, number=number, publisher=publisher, said_by=who))
    tolls = tuple(highest[kind] for kind in sorted(highest, key=_gravest_first))
    story = msgspec.structs.replace(before.story, tolls=tuple(toll for _, toll in tolls))
    return msgspec.structs.replace(before, story=story, tolls=tolls)


def _gravest_first(kind: str) -> tuple[int, str]:
    return _TOLLS.get(kind, len(_TOLLS)), kind


def _reports(reports: tuple[Report, ...], facts: Facts) -> tuple[Report, ...]:
    """Publishers in the order of their first reports by their own clocks, whoever reached us
    first; an edited report shows its newer title.
    """
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
    return tuple(sorted((*reports, report), key=lambda one: (one.reported_at, one.article_id)))
