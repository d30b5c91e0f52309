"""Labelled files are read with their place named in every error."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from classifiers import examples
from classifiers.examples import ExampleError
from classifiers.topics import TOPIC_IDS


def _write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_a_title_becomes_part_of_the_text(tmp_path: Path) -> None:
    path = _write(tmp_path / "in.jsonl", {"id": "a", "title": "T", "text": "B", "topics": []})
    (example,) = examples.read_examples(path)
    assert example.text == "T\n\nB"


def test_gzip_files_are_read_like_others(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id": "a", "text": "b", "topics": ["arson"]}\n\n'))
    (example,) = examples.read_examples(path)
    assert example.topics == {"arson"}


@pytest.mark.parametrize(
    "line",
    [
        "{broken",
        "[1]",
        '{"text": "b", "topics": []}',
        '{"id": "a", "text": 3, "topics": []}',
        '{"id": "a", "text": "b"}',
        '{"id": "a", "text": "b", "topics": [1]}',
        "[" * 100_000,
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"id": "a", "text": "b", "topics": []}\n' + line, encoding="utf-8")
    with pytest.raises(ExampleError, match=r"in\.jsonl:2"):
        examples.read_examples(path)


def test_a_file_that_is_no_gzip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(b"plain")
    with pytest.raises(ExampleError, match=r"in\.jsonl\.gz"):
        examples.read_examples(path)


def test_renderings_of_one_report_are_one_group() -> None:
    assert examples.group_of("wcep-2014-08-13-007-ru") == examples.group_of("wcep-2014-08-13-007")
    assert examples.group_of("written-en-004") == examples.group_of("written-uk-004")
    assert examples.group_of("wcep-2014-08-13-007") != examples.group_of("wcep-2014-08-13-008")


def test_a_directory_without_labelled_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExampleError, match=r"train\.jsonl"):
        examples.read_directory(tmp_path)


def test_our_labels_join_the_reports_they_are_for(tmp_path: Path) -> None:
    reports = _write(
        tmp_path / "unlabelled.jsonl",
        {"id": "one", "text": "A fire"},
        {"id": "two", "text": "A vote"},
        {"id": "three", "text": "Unread"},
    )
    labels = tmp_path / "labels.tsv"
    labels.write_text("# comment\none\tarson,arrest\ntwo\t-\n", encoding="utf-8")
    found = {e.id: e.topics for e in examples.read_labelled_since(reports, labels)}
    assert found == {"one": {"arson", "arrest"}, "two": frozenset()}


def test_our_own_texts_and_labels_name_only_known_topics() -> None:
    own = examples.read_own_texts()
    assert {example.language for example in own} == {"en", "ru", "uk", "it", "de", "fr", "es"}
    assert len({example.text for example in own}) == len(own)
    known = set(TOPIC_IDS)
    assert all(example.topics <= known for example in own)
    for table in (examples.REPORT_LABELS, examples.READER_LABELS):
        for line in table.read_text(encoding="utf-8").splitlines()[1:]:
            topics = line.split("\t")[1]
            assert topics == "-" or set(topics.split(",")) <= known


def test_nobody_has_labelled_what_the_reader_may_label(shared: Path) -> None:
    topics = shared / "topics"
    free = examples.nobody_labelled(topics)
    unlabelled = topics / examples.UNLABELLED_FILE
    people = [
        *examples.read_directory(topics, by_reader=False),
        *examples.read_labelled_since(unlabelled, examples.NATURAL_LABELS),
        *examples.read_feed_items(topics),
    ]
    assert len(free) > 20_000
    assert not {each.id for each in free} & {each.id for each in people}
    assert not {each.text for each in free} & {each.text for each in people}
    by_reader = examples.read_labelled_since(unlabelled, examples.READER_LABELS)
    assert {each.id for each in by_reader} <= {each.id for each in free}


def test_a_table_with_a_missing_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.tsv"
    path.write_text("en\tarson\n", encoding="utf-8")
    with pytest.raises(ExampleError, match="not 3 columns"):
        examples.read_own_texts(path)
