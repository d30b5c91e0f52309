"""What the slow reader is worth: quality on the model card's sets, by how much it reads.

Run: OMP_NUM_THREADS=1 python -m benchmarks.evaluate_reader TOPICS.npz READER.npz [--data DIR]
Both files are of the years before the card's split, made by `wirebell train --before 2023-01-01
--out TOPICS.npz` and `python -m classifiers.train_reader --before 2023-01-01 --out READER.npz`.
As in the card, the sets from the split on are judged by models of before, the natural mix and the
feed items by those that ship. Each line is one width of doubt (the logits around even that are
read, 3.5 times as wide in other languages than English); "ships" is as a line runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from classifiers import artifact, cards, evaluate, examples, reader_file
from classifiers.artifact import Artifact
from classifiers.examples import Example
from classifiers.model import TopicModel
from classifiers.reader import Reader
from streams.settings import ClassifierSettings

#: 0 reads nothing that is not exactly even, 30 reads all.
WIDTHS = (0.0, 0.35, 1.0, 1.4, 30.0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fast", type=Path)
    parser.add_argument("earlier", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/topics"))
    parser.add_argument("--shipped", type=Path, default=reader_file.SHIPPED)
    given = parser.parse_args()
    known = examples.read_directory(given.data, by_reader=False)
    unlabelled = given.data / examples.UNLABELLED_FILE
    since = {e.id for e in examples.read_labelled_since(unlabelled)}
    after = [e for e in known if e.date >= cards.SPLIT and e.id not in since]
    before = artifact.load(given.fast), Reader.load(given.earlier)
    _told("English, rich", *before, [e for e in after if e.language == "en"])
    _told("Six languages", *before, [e for e in after if e.language != "en"])
    now = artifact.load(artifact.SHIPPED), Reader.load(given.shipped)
    natural = examples.read_labelled_since(unlabelled, examples.NATURAL_LABELS)
    _told("Natural mix", *now, natural)
    _told("Feed items", *now, examples.read_feed_items(given.data))


def _told(name: str, fast: Artifact, reader: Reader, chosen: Sequence[Example]) -> None:
    texts = [example.text for example in chosen]
    print(f"{name}: {len(chosen)} reports")
    for width in WIDTHS:
        _line(f"{width:g}", fast, reader.doubting(width), texts, chosen)
    ships = reader.doubting(ClassifierSettings().doubt)
    judged = _line("ships", fast, ships, texts, chosen)
    print("  " + ", ".join(f"{k} {s.f1:.2f}" for k, s in judged.topics.items()))
    print("  " + ", ".join(f"{k} {f1:.3f}" for k, f1 in judged.languages.items()))


def _line(
    name: str, fast: Artifact, reader: Reader, texts: Sequence[str], chosen: Sequence[Example]
) -> evaluate.Judgement:
    model = TopicModel(fast, slow=reader)
    reading = model.read(texts)
    share = len(reading.first) / len(texts)
    judged = evaluate.judge(
        evaluate.Answered(fast.version, model.topics, reading.probabilities), chosen
    )
    print(
        f"  width {name:>5}: read {share:6.1%}, macro-F1 {judged.macro_f1:.3f}, "
        f"micro-F1 {judged.micro.f1:.3f}, calibration error {judged.calibration_error:.3f}, "
        f"false bells {judged.false_bells_per_1000:.0f} per 1,000"
    )
    return judged


if __name__ == "__main__":
    main()
