"""`python -m classifiers.train_reader`: train the slow reader and write its file.

Owns the command. Needs `pip install 'wirebell[reader]'`; a quarter of an hour on one core.
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
    for field in fields(reader_training.ReaderRecipe):
        parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default)
    told = vars(parser.parse_args())
    recipe = reader_training.ReaderRecipe(
        **{field.name: told[field.name] for field in fields(reader_training.ReaderRecipe)}
    )
    data, started = told["data"], time.process_time()
    known = examples.read_directory(data)
    if told["before"]:
        known = [example for example in known if example.date < told["before"]]
    parts = reader_training.fit(
        known,
        TOPICS,
        Source(find_source()),
        recipe=recipe,
        corpus=_corpus(data),
        say=lambda line: print(f"{time.process_time() - started:6.0f} CPU s  {line}", flush=True),
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
