"""A newsroom's own labels: reports that it read itself and says all about, a correction of what
we said among them.

Owns the form of the file. Which reports of the course give way is teaching.py's.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from classifiers.examples import ExampleError, read_examples
from classifiers.language import identify_language
from classifiers.own_topics import OwnTopicError
from classifiers.teaching import Taught
from classifiers.topics import TOPIC_IDS

#: As an example of a topic of one's own: somebody has read it and said so.
LABEL_WEIGHT: Final = 2.0


def read_own_labels(path: Path, own: Collection[str] = ()) -> list[Taught]:
    """The labelled reports of a file. A report is about the topics that its line names and about
    no other built-in one; of `own` topics only those that are named are taken as said. Where a
    text comes twice the later line counts.

    Raises:
        OwnTopicError: a line cannot be used; all of those are told.
    """
    try:
        reports = {report.text.strip(): report for report in read_examples(path)}
    except ExampleError as error:
        raise OwnTopicError([f"classifier.labels: {error}"]) from error
    known = {*TOPIC_IDS, *own}
    faults = [
        f"classifier.labels: {path}: report {report.id!r} has an unknown topic {name!r}"
        for report in reports.values()
        for name in sorted(report.topics - known)
    ]
    if faults:
        raise OwnTopicError(faults)
    return [
        Taught(
            report.text,
            report.topics,
            frozenset(TOPIC_IDS) - report.topics,
            report.language or identify_language(report.text),
            f"label-{report.group}",
            LABEL_WEIGHT,
        )
        for report in reports.values()
    ]
