"""Reading a file of articles: dates, order, publishers, and rows that are none."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from streams.backtest import BATCH, Row, batches, read_rows


def _read(path: Path, *rows: Any) -> tuple[list[Row], list[tuple[int, str]]]:
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.write_bytes(b"\n".join(lines))
    complaints: list[tuple[int, str]] = []
    return read_rows(path, lambda line, why: complaints.append((line, why))), complaints


def _at(number: int, date: str | None = None) -> dict[str, Any]:
    return {"id": f"r{number}", "title": "Title", "text": "Text.", "date": date}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not UTF-8 at byte 0"),
        (b"[" * 100_000, "nested too deeply"),
        ([1], "an article is an object"),
        ({"title": "t"}, "id is missing"),
        ({"id": True, "title": "t"}, "id is missing"),
        ({"id": "x"}, "neither title nor text"),
        ({"id": "x", "title": " ", "text": "\n"}, "neither title nor text"),
        ({"id": "x", "title": 3}, "title is 3"),
        ({"id": "x", "title": "t", "date": "9999-12-31T23:59:59-23:00"}, "date"),
        ({"id": "x", "title": "t", "date": "0001-01-01"}, "no date of a news article"),
        ({"id": "x", "title": "t", "date": "yesterday"}, "not an ISO 8601 date"),
        ({"id": "x", "title": "t", "date": 5}, "date is 5"),
        ({"id": "x", "title": "t", "status": "gone"}, "status is"),
    ],
)
def test_broken_row_is_named_and_the_rest_goes_on(tmp_path: Path, row: Any, why: str) -> None:
    rows, complaints = _read(tmp_path / "in.jsonl", _at(1), row, _at(3))
    assert [read.identity for read in rows] == ["r1", "r3"]
    assert [line for line, _ in complaints] == [2]
    assert why in complaints[0][1]


def test_line_of_ten_megabytes_is_left_out(tmp_path: Path) -> None:
    huge = b'{"id": "x", "text": "' + b"a" * 10_000_001 + b'"}'
    rows, complaints = _read(tmp_path / "in.jsonl", _at(1), huge, _at(3))
    assert [(read.identity, read.line) for read in rows] == [("r1", 1), ("r3", 3)]
    assert [line for line, _ in complaints] == [2]


def test_gzip_is_read_and_a_cut_one_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl.gz"
    whole = gzip.compress(json.dumps(_at(1)).encode() * 1)
    path.write_bytes(whole)
    assert len(read_rows(path, lambda *_: None)) == 1
    path.write_bytes(whole[:-6])
    with pytest.raises(EOFError):
        read_rows(path, lambda *_: None)


def test_rows_run_in_event_time_and_equals_in_file_order(tmp_path: Path) -> None:
    rows, _ = _read(
        tmp_path / "in.jsonl",
        _at(1, "2023-05-01 12:00:00+00:00"),
        _at(2, "2023-05-01T13:30:00+02:00"),
        _at(3, "2023-05-01T12:00:00Z"),
    )
    order = [row.identity for batch in batches(rows) for row in batch]
    assert order == ["r2", "r1", "r3"]


def test_undated_rows_keep_the_order_of_the_file(tmp_path: Path) -> None:
    rows, _ = _read(tmp_path / "in.jsonl", *[_at(number) for number in range(BATCH + 5)])
    order = [row.identity for batch in batches(rows) for row in batch]
    assert order == [f"r{number}" for number in range(BATCH + 5)]
    assert [len(batch) for batch in batches(rows)] == [BATCH, 5]


def test_a_batch_never_spans_more_than_an_hour(tmp_path: Path) -> None:
    rows, _ = _read(
        tmp_path / "in.jsonl", *[_at(hour, f"2023-05-01T{hour:02}:00:00Z") for hour in range(9)]
    )
    assert [len(batch) for batch in batches(rows)] == [2, 2, 2, 2, 1]


def test_publisher_is_named_or_the_host_or_the_source(tmp_path: Path) -> None:
    base = {"title": "t", "source": "feed-7"}
    rows, _ = _read(
        tmp_path / "in.jsonl",
        {"id": 1, "publisher": "Post", "url": "https://www.post.example/x", **base},
        {"id": 2, "url": "https://www.post.example/x", **base},
        {"id": 3, **base},
        {"id": 4, "url": "https://[bad", **base},
    )
    assert [row.article.publisher for row in rows] == ["Post", "post.example", "feed-7", "feed-7"]


def test_text_that_utf8_cannot_carry_is_mended(tmp_path: Path) -> None:
    rows, _ = _read(
        tmp_path / "in.jsonl", b'{"id": "x\\ud800", "title": "a\\u0000b\\udfff", "text": "t"}'
    )
    assert (rows[0].article.id, rows[0].article.title) == ("x?", "ab?")
