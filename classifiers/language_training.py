"""Training the language identifier from texts whose language is known.

Owns which texts are read and how the model file is written. Texts are learned whole and cut to
a few words, because titles are short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from classifiers import language
from classifiers.examples import LABELLED_FILES, OWN_TEXTS, read_own_texts, read_rows
from classifiers.language import BITS, LANGUAGES, OTHER, LanguageModel

#: In-the-news sentences of 55 Wikipedias: what `other` and the rarer languages are learned from.
STORIES_FILE: Final = Path("stories") / "itn.jsonl.gz"
#: So many texts of one language are enough, and keep English from outweighing all others.
MAX_TEXTS: Final = 4_000
TITLE_WORDS: Final = 6


@dataclass(frozen=True, slots=True)
class Sample:
    """A text and its language; `date` is ISO 8601 or empty."""

    text: str
    language: str
    date: str


def read_samples(topics_directory: Path) -> list[Sample]:
    """Every text with a known language: labelled reports, our own, and the stories beside them.

    Raises:
        ExampleError: a file is there and cannot be read.
    """
    paths = [topics_directory / name for name in LABELLED_FILES]
    paths.append(topics_directory.parent / STORIES_FILE)
    samples = [Sample(own.text, own.language, "") for own in read_own_texts(OWN_TEXTS)]
    for path in paths:
        if path.is_file():
            samples += [
                Sample(str(row["text"]), str(row["lang"])[:2], str(row.get("date") or ""))
                for _, row in read_rows(path)
                if row.get("text") and row.get("lang")
            ]
    return samples


def fit(samples: Sequence[Sample]) -> LanguageModel:
    """Learn to tell the languages apart; those that are not named become `OTHER`."""
    names = (*LANGUAGES, OTHER)
    texts: list[str] = []
    labels: list[int] = []
    seen = dict.fromkeys(names, 0)
    for sample in samples:
        name = sample.language if sample.language in LANGUAGES else OTHER
        seen[name] += 1
        if seen[name] <= MAX_TEXTS:
            texts += [sample.text, " ".join(sample.text.split()[:TITLE_WORDS])]
            labels += [names.index(name)] * 2
    machine = LogisticRegression(C=10.0, max_iter=300, class_weight="balanced")
    machine.fit(_matrix(texts), np.array(labels))
    weights = np.zeros((1 << BITS, len(names)), dtype=np.float32)
    intercepts = np.full(len(names), -1e4, dtype=np.float32)
    weights[:, machine.classes_] = machine.coef_.T
    intercepts[machine.classes_] = machine.intercept_
    return LanguageModel(names, weights, intercepts)


def save(model: LanguageModel, path: Path) -> None:
    """Write the model file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        names=np.array(model.names),
        weights=model.weights.astype(np.float16),
        intercepts=model.intercepts,
    )


def accuracy(model: LanguageModel, samples: Sequence[Sample], words: int) -> float:
    """The share of samples, cut to so many words, whose language is found."""
    right = 0
    for sample in samples:
        title = " ".join(sample.text.split()[:words])
        right += model.names[int(np.argmax(model.scores(title)))] == sample.language
    return right / max(len(samples), 1)


def _matrix(texts: Sequence[str]) -> sparse.csr_matrix:
    rows = [language.ngram_columns(text) for text in texts]
    bounds = np.cumsum([0, *(len(row) for row in rows)])
    values = np.concatenate([np.full(len(row), 1 / np.sqrt(max(len(row), 1))) for row in rows])
    shape = (len(texts), 1 << BITS)
    return sparse.csr_matrix((values, np.concatenate(rows), bounds), shape=shape)
