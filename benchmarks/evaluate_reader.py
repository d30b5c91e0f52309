"""What the slow reader is worth: quality on the model card's sets, by the share that it reads.

Run: OMP_NUM_THREADS=1 python -m benchmarks.evaluate_reader TOPICS.npz READER.npz [--data DIR]
Both files are of the years before the card's split, made by `wirebell train --before 2023-01-01
--out TOPICS.npz` and `python -m classifiers.train_reader --before 2023-01-01 --out READER.npz`.
As in the card, the sets from the split on are judged by models of before, the natural mix by the
shipped ones. The most doubtful reports are read first; each line is one share of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers import cards, evaluate, examples, reader_file
from classifiers.examples import Example
from classifiers.model import TopicModel
from classifiers.reader import Reader, logits
from classifiers.topics import Topic

SHARES = (0.0, 0.05, 0.1, 0.2, 1.0)

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Answered:
    """Answers like a model, with rows that are there already."""

    version: str
    topics: tuple[Topic, ...]
    rows: F32

    def predict(self, texts: Sequence[str]) -> F32:
        assert len(texts) == len(self.rows)
        return self.rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fast", type=Path)
    parser.add_argument("earlier", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/topics"))
    parser.add_argument("--shipped", type=Path, default=reader_file.SHIPPED)
    given = parser.parse_args()
    known = examples.read_directory(given.data)
    unlabelled = given.data / examples.UNLABELLED_FILE
    since = {e.id for e in examples.read_labelled_since(unlabelled)}
    after = [e for e in known if e.date >= cards.SPLIT and e.id not in since]
    fast = TopicModel.load(given.fast, slow=False)
    earlier, shipped = Reader.load(given.earlier), Reader.load(given.shipped)
    _told("English, rich", fast, earlier, [e for e in after if e.language == "en"])
    _told("Six languages", fast, earlier, [e for e in after if e.language != "en"])
    natural = examples.read_labelled_since(unlabelled, examples.NATURAL_LABELS)
    now = TopicModel.load(slow=False)
    _told("Natural mix", now, shipped, natural)
    _told("Feed items", now, shipped, examples.read_feed_items(given.data))


def _told(name: str, fast: TopicModel, reader: Reader, chosen: Sequence[Example]) -> None:
    texts = [example.text for example in chosen]
    rows = fast.predict(texts)
    columns = [[t.id for t in fast.topics].index(topic) for topic in reader.topic_ids]
    again = rows.copy()
    again[:, columns] = reader.probabilities(texts, rows[:, columns])
    doubt = np.abs(logits(rows[:, columns])).min(axis=1)
    own = reader.doubtful(rows[:, columns])
    print(f"{name}: {len(chosen)} reports, {len(own) / len(chosen):.1%} of them doubtful")
    for share in SHARES:
        read = np.argsort(doubt)[: round(share * len(chosen))]
        _line(f"{share:.0%}", fast, _mixed(rows, again, read), chosen)
    judged = _line("own", fast, _mixed(rows, again, own), chosen)
    print("  " + ", ".join(f"{k} {s.f1:.2f}" for k, s in judged.topics.items()))
    print("  " + ", ".join(f"{k} {f1:.3f}" for k, f1 in judged.languages.items()))


def _line(name: str, fast: TopicModel, rows: F32, chosen: Sequence[Example]) -> evaluate.Judgement:
    judged = evaluate.judge(_Answered(fast.version, fast.topics, rows), chosen)
    print(
        f"  read {name:>4}: macro-F1 {judged.macro_f1:.3f}, micro-F1 {judged.micro.f1:.3f}, "
        f"calibration error {judged.calibration_error:.3f}, "
        f"false bells {judged.false_bells_per_1000:.0f} per 1,000"
    )
    return judged


def _mixed(rows: F32, again: F32, read: NDArray[np.intp]) -> F32:
    mixed = rows.copy()
    mixed[read] = again[read]
    return mixed


if __name__ == "__main__":
    main()
