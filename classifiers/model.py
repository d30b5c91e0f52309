"""The topic model: texts in, probabilities, chosen topics and evidence out.

Owns prediction: the fast model answers for all, and what it doubts the slow reader reads again.
Does not train, does not know files' formats, Kafka or Redis.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from classifiers import artifact, evidence, reader, scoring
from classifiers.array_files import ArtifactError
from classifiers.artifact import Artifact
from classifiers.evidence import Evidence
from classifiers.features import Features
from classifiers.reader import Reader
from classifiers.topics import Topic

__all__ = ["ArtifactError", "Evidence", "Reading", "TopicModel", "Unread", "compose"]

#: Why a doubtful text was not read again: there was no time for it, or its reader cannot be loaded.
Unread = Literal["behind", "broken"]


def compose(title: str, text: str) -> str:
    """The one way a title and a body become the text that is classified.

    A body that repeats the title is not given it twice.
    """
    title, text = title.strip(), text.strip()
    if not title or text.startswith(title):
        return text
    return f"{title}\n\n{text}" if text else title


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model says of n texts: n x topics probabilities in [0, 1]; and of those texts that
    the slow reader read again, by their number, what the fast model alone had said; of those that
    it should have read and has not, why.
    """

    probabilities: NDArray[np.float32]
    first: Mapping[int, NDArray[np.float32]] = field(default_factory=dict)
    #: The evidence of what the fast model alone would choose, by text, where it was asked for.
    explained: Mapping[int, tuple[Evidence, ...]] = field(default_factory=dict)
    unread: Mapping[int, Unread] = field(default_factory=dict)


class TopicModel:
    """A trained model in memory. Safe to share between threads: nothing in it changes."""

    def __init__(
        self,
        trained: Artifact,
        thresholds: Mapping[str, float] | None = None,
        slow: Reader | None = None,
    ) -> None:
        """Take a trained model; with the newsroom's thresholds and a slow reader where given.

        The reader speaks only of the topics that it knows.

        Raises:
            ValueError: a threshold names an unknown topic or is below 0.
        """
        self._scorer = scoring.Scorer(trained)
        self.version = trained.version
        #: By topic, how probabilities fell on reports left out of the fit (classifiers.drift).
        self.left_out: Mapping[str, Sequence[int]] = trained.facts.get("probabilities", {})
        self.topics = _with_thresholds(trained.topics, thresholds or {})
        self._least = [topic.threshold for topic in self.topics]
        self._thresholds = np.array(self._least)
        self._columns = columns = {topic.id: at for at, topic in enumerate(self.topics)}
        read = slow is not None and all(topic in columns for topic in slow.topic_ids)
        self._slow = slow if read else None
        self._in_haste = False
        self._read_columns = [columns[topic] for topic in slow.topic_ids] if slow and read else []

    @classmethod
    def load(
        cls,
        source: Path | Artifact | None = None,
        thresholds: Mapping[str, float] | None = None,
        *,
        slow: bool = True,
        doubt: float | None = None,
        late: bool = False,
    ) -> TopicModel:
        """Read a model file, unless that was done already; without one, the one that ships. `slow`
        adds the slow reader that ships, if there is one, asked where a logit is within `doubt` of
        even. With `late` its network is loaded at the first doubtful text; should it turn out to
        be broken then, that is said in the log, and the fast model answers alone.

        Raises:
            ArtifactError: the file is not a model of ours; nothing of it was executed.
            ValueError: a threshold names an unknown topic or is below 0.
        """
        if not isinstance(source, Artifact):
            source = artifact.load(source or artifact.SHIPPED)
        second = reader.shipped() if slow else None
        if second is not None and late:
            second = second.optional()
        elif second is not None:
            second.open()
        if second is not None and doubt is not None:
            second = second.doubting(doubt)
        return cls(source, thresholds, second)

    def open_reader(self) -> None:
        """Have the slow reader in memory now, where there is one.

        Raises:
            ArtifactError: its file is broken.
        """
        if self._slow is not None:
            self._slow.open()

    def rest(self, idle_s: float) -> bool:
        """Have the slow reader out of memory if nothing was doubtful for so long; whether that was
        done. It comes back with the next doubtful text. Blocks for some 50 ms.
        """
        return self._slow is not None and self._slow.rest(idle_s)

    def alone(self) -> TopicModel:
        """The same model without the slow reader."""
        other = copy.copy(self)
        other._slow = None
        return other

    def in_haste(self) -> TopicModel:
        """The same model, which tells what it doubts and does not have it read again."""
        other = copy.copy(self)
        other._in_haste = True
        return other

    def predict(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """n texts to an n x topics array of probabilities in [0, 1].

        A text's row does not depend on the batch it came in. Any string will do.
        """
        return self.read(texts).probabilities

    def read(self, texts: Sequence[str], explain: int = 0) -> Reading:
        """`predict`, and what the fast model alone said where it was doubted. `explain` asks for
        the evidence of so many topics of each text: as long as the features are at hand it costs
        a fraction of `explain_all`.
        """
        explained: dict[int, tuple[Evidence, ...]] = {}

        def look(start: int, found: Features, scores: scoring.F32, rows: scoring.F32) -> None:
            asked = []
            for number in np.flatnonzero((rows >= self._thresholds).any(axis=1)).tolist():
                topics = self.choose(rows[number])[:explain]
                columns = [(topic, self._columns[topic]) for topic in topics]
                asked.append((number, texts[start + number], columns))
            told = evidence.explain_found(self._scorer, found, scores, asked)
            explained.update({start + number: whys for number, whys in told.items()})

        said = self._scorer.answers(texts, look if explain else None)
        return replace(self._read_again(texts, said), explained=explained)

    def _read_again(self, texts: Sequence[str], said: scoring.Answers) -> Reading:
        """What the fast model said, and the slow reader of what it doubts."""
        rows = said.probabilities
        if self._slow is None:
            return Reading(rows)
        known = rows[:, self._read_columns]
        doubtful = self._slow.doubtful(known, said.home)
        if self._in_haste:
            return Reading(rows, unread=dict.fromkeys(doubtful.tolist(), "behind"))
        first = {int(row): rows[row].copy() for row in doubtful}
        chosen = [texts[row] for row in doubtful]
        again = self._slow.probabilities(chosen, known[doubtful], said.home[doubtful])
        if self._slow.broken:
            return Reading(rows, unread=dict.fromkeys(doubtful.tolist(), "broken"))
        rows[doubtful[:, None], self._read_columns] = again
        return Reading(rows, first)

    def choose(self, probabilities_row: NDArray[np.float32] | Sequence[float]) -> tuple[str, ...]:
        """The ids of the topics at or above their threshold, most probable first."""
        row: Sequence[float]
        if isinstance(probabilities_row, np.ndarray):
            row = probabilities_row.tolist()
        else:
            row = probabilities_row
        # For so few numbers Python is faster than numpy.
        if not any(map(operator.ge, row, self._least)):
            return ()
        reached = [i for i, least in enumerate(self._least) if row[i] >= least]
        reached.sort(key=lambda i: -row[i])
        return tuple(self.topics[i].id for i in reached)

    def explain(self, text: str, topic_id: str) -> Evidence:
        """The words, and the sentence, that speak most for a topic, as they stand in the text.

        Raises:
            KeyError: the model does not know the topic.
        """
        return self.explain_all([(text, (topic_id,))])[0][0]

    def explain_all(
        self, wanted: Sequence[tuple[str, Sequence[str]]]
    ) -> list[tuple[Evidence, ...]]:
        """`explain` for many: texts with topic ids, to the evidence of each text's topics.

        Raises:
            KeyError: the model does not know a topic.
        """
        columns, asked = self._columns, []
        for text, topic_ids in wanted:
            for topic_id in topic_ids:
                if topic_id not in columns:
                    raise KeyError(f"unknown topic {topic_id!r}")
            asked.append((text, [(topic_id, columns[topic_id]) for topic_id in topic_ids]))
        return evidence.explain_all(self._scorer, asked)


def _with_thresholds(
    topics: tuple[Topic, ...], thresholds: Mapping[str, float]
) -> tuple[Topic, ...]:
    unknown = sorted(set(thresholds) - {topic.id for topic in topics})
    if unknown:
        raise ValueError(f"thresholds for unknown topics: {', '.join(unknown)}")
    for name, value in thresholds.items():
        if not value >= 0.0:  # above 1 it is never reached: that topic is turned off
            raise ValueError(f"threshold of {name} is {value}, below 0")
    return tuple(
        replace(topic, threshold=float(thresholds.get(topic.id, topic.threshold)))
        for topic in topics
    )
