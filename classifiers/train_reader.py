"""`python -m classifiers.train_reader`: train the slow reader and write its file.

Owns the command. Needs `pip install 'wirebell[reader]'`; a quarter of an hour on one core, with
`--settle READER.npz` (the same network, its blend with the fast model fitted anew) one minute.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from classifiers import examples, reader_file, reader_training
from classifiers.examples import read_rows
from classifiers.model import compose
from classifiers.reader_source import Source, find_source
from classifiers.topics import TOPICS

#: Files beside the directory of the topics whose words the reader should know too.
_MORE_WORDS = ("stream/*.jsonl.gz", "stories/*.jsonl.gz")


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/topics"))
    parser.add_argument("--out", type=Path, default=reader_file.SHIPPED)
    parser.add_argument("--before", default="", help="learn only from reports before this day")
    parser.add_argument("--settle", type=Path, help="keep this reader's network")
    for field in fields(reader_training.ReaderRecipe):
        parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default)
    told = vars(parser.parse_args())
    recipe = reader_training.ReaderRecipe(
        **{field.name: told[field.name] for field in fields(reader_training.ReaderRecipe)}
    )
    data, started = told["data"], time.process_time()
    known = examples.read_directory(data, by_reader=False)
    by_reader = examples.read_labelled_since(
        data / examples.UNLABELLED_FILE, examples.READER_LABELS
    )
    if told["before"]:
        known, by_reader = (
            [example for example in part if example.date < told["before"]]
            for part in (known, by_reader)
        )
    if told["settle"]:
        network = reader_file.load(told["settle"])
        parts = reader_training.settle(network, known, TOPICS, recipe, by_reader)
    else:
        parts = reader_training.fit(
            known,
            TOPICS,
            Source(find_source()),
            recipe=recipe,
            by_reader=by_reader,
            corpus=_corpus(data),
            say=lambda line: print(
                f"{time.process_time() - started:6.0f} CPU s  {line}", flush=True
            ),
        )
    version = reader_file.save(parts, told["out"])
    size = told["out"].stat().st_size / 2**20
    print(f"{told['out']}: reader {version}, {size:.1f} MiB, from {len(known)} reports")


def _corpus(data: Path) -> Iterator[str]:
    """Texts whose words matter, labelled or not."""
    paths = [data / examples.UNLABELLED_FILE]
    paths += [path for form in _MORE_WORDS for path in sorted(data.parent.glob(form))]
    for path in paths:
        if path.is_file():
            for _, row in read_rows(path):
                yield compose(str(row.get("title") or ""), str(row.get("text") or ""))


if __name__ == "__main__":
    main()
