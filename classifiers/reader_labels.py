"""`python -m classifiers.reader_labels EARLIER.npz`: the reader labels reports for the fast model.

Of the reports that nobody has labelled those teach most about which the fast model and the reader
differ. Owns which are chosen and the table that they are written to. Reports of before the model
card's split are labelled by a reader and a fast model that learned only from such reports: so the
card's trial models stay without knowledge of later ones. Needs `pip install 'wirebell[reader]'`;
five minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers import examples, reader, reader_file, train
from classifiers.course import SPLIT
from classifiers.examples import Example
from classifiers.model import TopicModel
from classifiers.reader_file import ReaderParts
from classifiers.reader_training import opinions
from classifiers.topics import TOPICS

#: The share of the unlabelled reports that is taken, those first where both differ most.
_TAKEN: Final = 0.3
#: Every topic of a report that is taken must be at least as sure as this, there or not.
_LEAST_SURE: Final = 0.6

F32 = NDArray[np.float32]


def main() -> None:
    """Read and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("earlier", type=Path, help="a reader of the years before the split")
    parser.add_argument("--reader", type=Path, default=reader_file.SHIPPED)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/topics"))
    parser.add_argument("--out", type=Path, default=examples.READER_LABELS)
    told = parser.parse_args()
    known = examples.read_directory(told.data, by_reader=False)
    free = examples.nobody_labelled(told.data)
    lines = ["# Reports of unlabelled.jsonl.gz labelled by the slow reader: id, topics (or -)."]
    for judge, learned, asked in (
        (told.earlier, [e for e in known if e.date < SPLIT], [e for e in free if e.date < SPLIT]),
        (told.reader, known, [e for e in free if e.date >= SPLIT]),
    ):
        fast = TopicModel(train.fit(learned, train.Recipe(), TOPICS))
        lines += _lines(asked, *_opinions(reader_file.load(judge), fast, asked))
    told.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{told.out}: {len(lines) - 1} of {len(free)} reports")


def _opinions(parts: ReaderParts, fast: TopicModel, asked: Sequence[Example]) -> tuple[F32, F32]:
    """The probabilities of the fast model, and those of both together."""
    texts = [example.text for example in asked]
    alone, heard = fast.predict(texts), opinions(parts, texts)
    return alone, reader.joint(reader.logits(alone), heard, parts.arrays["blend"])


def _lines(asked: Sequence[Example], alone: F32, both: F32) -> list[str]:
    """The rows of the table: what is sure, in the order of the reports."""
    sure = np.maximum(both, 1 - both).min(axis=1) >= _LEAST_SURE
    gap = np.where(sure, np.abs(alone - both).max(axis=1), -1)
    chosen = np.argsort(-gap, kind="stable")[: round(_TAKEN * len(asked))]
    ids = [topic.id for topic in TOPICS]
    return [
        f"{asked[row].id}\t{','.join(np.array(ids)[both[row] >= 0.5]) or '-'}"
        for row in sorted(chosen[gap[chosen] >= 0])
    ]


if __name__ == "__main__":
    main()
