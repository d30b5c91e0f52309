"""The model's quality as the page shows it: drift, editors' verdicts and the funnel by topic.

Pure: counts and verdicts in, a view out. Who reads them is quality_watch.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from classifiers.drift import CHANGED, MOVED, stability_index
from classifiers.topics import LABELS
from streams.feedback import Feedback
from streams.model_records import ModelVersion
from streams.quality_log import Probabilities

Funnel = Mapping[str, Mapping[str, int]]
_JUDGING = ("relevant", "not_relevant", "wrong_topic")


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """How far this week's probabilities are from their reference. `state`: "stable", "moved",
    "changed", "too few" reports to tell, or "learning" while there is no reference. `of` says
    which reference: "training" reports left out, or the model's "first week" on this line.
    Bins are shares of a tenth each, the first one apart: most articles are about other things.
    """

    state: str
    of: str = ""
    index: float | None = None
    live: list[float] = []
    reference: list[float] = []
    articles: int = 0


class HourOf(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the articles about a topic in one hour."""

    about: int = 0
    copies: int = 0
    joined: int = 0
    rang: int = 0
    new: int = 0


class TopicQuality(msgspec.Struct, frozen=True, kw_only=True):
    """One topic: its drift, what editors said of it in seven days, and its funnel."""

    id: str
    label: str
    drift: Drift
    relevant: int
    not_relevant: int
    wrong_topic: int
    precision: float | None
    hour: HourOf
    week_ago: HourOf


class QualityView(msgspec.Struct, frozen=True, kw_only=True):
    """The quality of the model in use. `versions` are those that workers use now: two while they
    change over.
    """

    at: datetime
    versions: list[str]
    screened: int
    screened_week_ago: int
    verdicts: int
    topics: list[TopicQuality]
    models: list[ModelVersion]


def show_quality(
    at: datetime,
    versions: Sequence[str],
    *,
    probabilities: Probabilities,
    verdicts: Sequence[Feedback],
    hours: tuple[Funnel, Funnel],
    models: Sequence[ModelVersion] = (),
) -> QualityView:
    """Put it together. `verdicts` are those of seven days; `hours` are the last one, and the
    same a week ago.
    """
    judged = judgements(verdicts)
    known = [probabilities.last_week, probabilities.left_out, *hours]
    mentioned = {name for one in known for name in one if name} | judged.keys()
    topics = list(LABELS)
    topics += sorted(mentioned - set(topics))
    return QualityView(
        at=at,
        versions=list(versions),
        screened=hours[0].get("", {}).get("screened", 0),
        screened_week_ago=hours[1].get("", {}).get("screened", 0),
        verdicts=sum(sum(counts.values()) for counts in judged.values()),
        models=list(models),
        topics=[
            _topic(topic, judge_drift(topic, probabilities), judged.get(topic, {}), hours)
            for topic in topics
        ],
    )


def judgements(verdicts: Iterable[Feedback]) -> dict[str, dict[str, int]]:
    """Topic -> verdict -> stories. Of what one person said of one story the last word counts;
    a topic that is among the right ones of a "wrong topic" was no mistake.
    """
    last: dict[tuple[str, str], Feedback] = {}
    for one in verdicts:
        if one.verdict in _JUDGING:
            last[one.who, one.story_id] = one
    counted: dict[str, dict[str, int]] = {}
    for one in last.values():
        for topic in one.topics:
            right = one.verdict == "wrong_topic" and topic in one.right_topics
            counts = counted.setdefault(topic, dict.fromkeys(_JUDGING, 0))
            counts["relevant" if right else one.verdict] += 1
    return counted


def judge_drift(topic: str, probabilities: Probabilities) -> Drift:
    """This week of a topic against the left-out reports of training, or, for a model that came
    without them, against its own first week here.
    """
    live = probabilities.last_week.get(topic)
    of, reference = "training", probabilities.left_out.get(topic)
    if reference is None:
        of, reference = "first week", probabilities.first_week.get(topic)
    if live is None:
        return Drift(state="too few")
    articles = sum(live[1:])
    if reference is None:
        return Drift(state="learning", live=_shares(live), articles=articles)
    index = stability_index(live, reference)
    state = "too few"
    if index is not None:
        state = "changed" if index > CHANGED else "moved" if index > MOVED else "stable"
    return Drift(
        state=state,
        of=of,
        index=None if index is None else round(index, 3),
        live=_shares(live),
        reference=_shares(reference),
        articles=articles,
    )


def _topic(
    topic: str, drift: Drift, judged: Mapping[str, int], hours: tuple[Funnel, Funnel]
) -> TopicQuality:
    relevant, not_relevant, wrong = (judged.get(name, 0) for name in _JUDGING)
    total = relevant + not_relevant + wrong
    return TopicQuality(
        id=topic,
        label=LABELS.get(topic, topic.replace("_", " ").capitalize()),
        drift=drift,
        relevant=relevant,
        not_relevant=not_relevant,
        wrong_topic=wrong,
        precision=relevant / total if total else None,
        hour=_hour(hours[0].get(topic, {})),
        week_ago=_hour(hours[1].get(topic, {})),
    )


def _hour(counts: Mapping[str, int]) -> HourOf:
    copies, joined, rang = (counts.get(name, 0) for name in ("copy", "joined", "rang"))
    return HourOf(
        about=copies + joined + rang + counts.get("muted", 0),
        copies=copies,
        joined=joined,
        rang=rang,
        new=counts.get("new", 0),
    )


def _shares(counts: Sequence[int]) -> list[float]:
    """Of the articles above the first tenth, which share lies in each other one."""
    compared = counts[1:]
    total = sum(compared)
    return [round(count / total, 4) if total else 0.0 for count in compared]
