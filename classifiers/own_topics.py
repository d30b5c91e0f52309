"""Topics of a newsroom's own: learned from examples that it labelled.

Owns how many are enough, and how they become lessons. Does not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from classifiers.examples import Example, ExampleError, read_examples
from classifiers.language import identify_language
from classifiers.teaching import Taught
from classifiers.topic_names import OwnTopic
from classifiers.topics import TOPIC_IDS

#: Fewer do not tell a topic from the words of a few events, nor do they give folds a threshold.
MIN_EXAMPLES: Final = 30
#: What stands under one id is one report in several words or languages, and goes into one fold: so
#: many are never all in the same, which would leave the others nothing to learn from.
MIN_IDS: Final = 10
#: A newsroom chose each of them; the course holds thousands that are about something else.
EXAMPLE_WEIGHT: Final = 2.0


class OwnTopicError(ValueError):
    """A topic cannot be learned; `faults` say why, one line each."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


def read_own_topics(own: Sequence[OwnTopic]) -> list[Taught]:
    """The examples of every topic of one's own, as lessons.

    A report with the topic among its `topics` is an example, one without it a counterexample;
    of the other topics only those that it names are taken as said.

    Raises:
        OwnTopicError: a topic cannot be learned; all faults of all topics are told.
    """
    taught: list[Taught] = []
    faults: list[str] = []
    known = {*TOPIC_IDS, *(each.topic.id for each in own)}
    for each in own:
        try:
            reports = read_examples(each.examples)
        except ExampleError as error:
            faults.append(f"topics.{each.topic.id}: {error}")
            continue
        found = _faults(each.topic.id, reports, known)
        faults += [f"topics.{each.topic.id}: {each.examples}: {fault}" for fault in found]
        taught += [_taught(each.topic.id, report) for report in reports]
    if faults:
        raise OwnTopicError(faults)
    return taught


def _faults(topic_id: str, reports: Sequence[Example], known: set[str]) -> list[str]:
    about_it = [report for report in reports if topic_id in report.topics]
    examples = {report.text.strip() for report in about_it}
    ids = {report.group for report in about_it}
    faults = []
    if len(examples) < MIN_EXAMPLES:
        faults.append(f"{len(examples)} different reports are about it, {MIN_EXAMPLES} are needed")
    elif len(ids) < MIN_IDS:
        named = f"the one id {about_it[0].id}" if len(ids) == 1 else f"{len(ids)} ids"
        faults.append(
            f"{len(about_it)} reports are about it under {named}, {MIN_IDS} ids are needed: what"
            " stands under one id is one report in other words or languages"
        )
    unknown = sorted({name for report in reports for name in report.topics} - known)
    if unknown:
        faults.append(f"unknown topic {', '.join(unknown)}")
    return faults


def _taught(topic_id: str, report: Example) -> Taught:
    falls = frozenset[str]() if topic_id in report.topics else frozenset({topic_id})
    language = report.language or identify_language(report.text)
    group = f"{topic_id}-{report.group}"
    return Taught(report.text, report.topics, falls, language, group, EXAMPLE_WEIGHT)
