"""Labelled reports: how they are read from disk, and which of them belong together.

Owns the reading of training and test files. Judges no labels.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from classifiers.model import compose

LABELLED_FILES: Final = ("train.jsonl", "train_multilingual.jsonl", "train_sabotage.jsonl")
#: Reports without labels; those that were read since are labelled, by id, in two tables of ours.
UNLABELLED_FILE: Final = "unlabelled.jsonl.gz"

_DATA: Final = Path(__file__).parent / "data"
REPORT_LABELS: Final = _DATA / "report_labels.tsv"
#: The same, labelled by the slow reader (reader_labels.py): the fast model learns from it.
READER_LABELS: Final = _DATA / "reader_labels.tsv"
#: Labels for judging only: reports drawn at random, never learned from.
NATURAL_LABELS: Final = _DATA / "natural_labels.tsv"
#: The same, of a month of publishers' feeds: titles with summaries.
FEED_LABELS: Final = _DATA / "feed_labels.tsv"
FEED_FILE: Final = Path("stream") / "rss-2023-05.jsonl.gz"
OWN_TEXTS: Final = _DATA / "own_texts.tsv"

_LANGUAGE_ENDING: Final = re.compile(r"-[a-z]{2}$")
_WRITTEN: Final = re.compile(r"^written-[a-z]{2}-")


class ExampleError(ValueError):
    """A line that is no labelled report; the message names the file and the line."""


@dataclass(frozen=True, slots=True)
class Example:
    """One report with the topics it is about.

    `date` is ISO 8601 or empty. Reports of one `group` say the same thing, in other languages or
    words: they must never stand on both sides of a split.
    """

    id: str
    text: str
    topics: frozenset[str]
    language: str
    date: str
    group: str


def read_directory(directory: Path, *, by_reader: bool = True) -> list[Example]:
    """Everything there is to learn from.

    The labelled files of a data directory, its unlabelled reports as far as they have been
    labelled here since, by people or (`by_reader`) by the slow reader, and the texts of our own.

    Raises:
        ExampleError: no labelled file is there, or one holds a line that cannot be used.
    """
    paths = [directory / name for name in LABELLED_FILES if (directory / name).is_file()]
    if not paths:
        raise ExampleError(f"{directory}: none of {', '.join(LABELLED_FILES)} is there")
    examples = [example for path in paths for example in read_examples(path)]
    tables = (REPORT_LABELS, READER_LABELS) if by_reader else (REPORT_LABELS,)
    since = read_labelled_since(directory / UNLABELLED_FILE, *tables)
    return examples + since + read_own_texts()


def read_labelled_since(path: Path, *tables: Path) -> list[Example]:
    """The reports of an unlabelled file whose labels are in tables of ours (by default in those
    that are learned from); none if the file is not there.

    Raises:
        ExampleError: a line of a file cannot be used.
    """
    if not path.is_file():
        return []
    read = tables or (REPORT_LABELS, READER_LABELS)
    known = {fields[0]: fields[1] for table in read for fields in _table(table, 2)}
    rows = ((number, row) for number, row in read_rows(path) if row.get("id") in known)
    return [
        _example({**row, "topics": _topic_list(known[str(row["id"])])}, f"{path}:{number}")
        for number, row in rows
    ]


def nobody_labelled(directory: Path) -> list[Example]:
    """The unlabelled reports that no person has labelled, without those whose text is in any
    labelled set, and each text once.

    Raises:
        ExampleError: a line of a file cannot be used.
    """
    path = directory / UNLABELLED_FILE
    judged = read_labelled_since(path, NATURAL_LABELS) + read_feed_items(directory)
    labelled = [*read_directory(directory, by_reader=False), *judged]
    ids, texts = {each.id for each in labelled}, {each.text for each in labelled}
    found = []
    for number, row in read_rows(path) if path.is_file() else ():
        example = _example({**row, "topics": []}, f"{path}:{number}")
        if example.id not in ids and example.text not in texts:
            texts.add(example.text)
            found.append(example)
    return found


def read_feed_items(directory: Path) -> list[Example]:
    """The feed items that were read for judging; none if they do not lie beside the directory.

    Raises:
        ExampleError: a line cannot be used.
    """
    return read_labelled_since(directory.parent / FEED_FILE, FEED_LABELS)


def read_own_texts(path: Path = OWN_TEXTS) -> list[Example]:
    """Our own texts about invented events.

    Raises:
        ExampleError: a line is not language, topics and text, parted by tabs.
    """
    return [
        Example(
            f"own-{number:03}", text, frozenset(_topic_list(topics)), language, "", f"own-{number}"
        )
        for number, (language, topics, text) in enumerate(_table(path, 3))
    ]


def read_examples(path: Path) -> list[Example]:
    """The labelled reports of one JSON-lines file, gzip or not.

    Raises:
        ExampleError: a line is not JSON, or lacks `id`, `text` or `topics`.
    """
    return [_example(row, f"{path}:{number}") for number, row in read_rows(path)]


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON-lines file, gzip or not, with their line numbers from 1.

    Raises:
        ExampleError: the file cannot be read, or a line is not a JSON object.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, _row(line, f"{path}:{number}")
    except (OSError, EOFError) as err:
        raise ExampleError(f"{path}: {err}") from err


def _table(path: Path, columns: int) -> list[list[str]]:
    """The rows of a tab-separated file; `#` begins a comment line."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    for row in rows:
        if len(row) != columns:
            raise ExampleError(f"{path}: not {columns} columns: {row[0]!r}")
    return rows


def _topic_list(field: str) -> list[str]:
    return [] if field == "-" else field.split(",")


def _row(line: bytes, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as err:
        raise ExampleError(f"{place}: not JSON: {err}") from err
    if not isinstance(row, dict):
        raise ExampleError(f"{place}: not a JSON object")
    return row


def _example(row: dict[str, Any], place: str) -> Example:
    topics, text = row.get("topics"), row.get("text")
    if not isinstance(text, str) or not isinstance(row.get("id"), str):
        raise ExampleError(f"{place}: id and text must be strings")
    if not isinstance(topics, list) or not all(isinstance(topic, str) for topic in topics):
        raise ExampleError(f"{place}: topics must be a list of topic ids")
    return Example(
        row["id"],
        compose(str(row.get("title") or ""), text),
        frozenset(topics),
        str(row.get("lang") or "").partition("-")[0],
        str(row.get("date") or ""),
        group_of(row["id"]),
    )


def group_of(example_id: str) -> str:
    """What an example shares with its renderings: the id without its language."""
    return _WRITTEN.sub("written-", _LANGUAGE_ENDING.sub("", example_id))
