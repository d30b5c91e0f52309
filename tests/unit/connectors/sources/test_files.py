"""Files of every kind, in order, at a pace, once; and what is no article."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.records import Article
from connectors.sources.files import FilesSource
from connectors.sources.playing import BATCH
from connectors.sources.settings import FilesSettings
from connectors.sources.source import Cursor, Poll

PAGE = "<html lang='fr'><head><title>Incendie au port</title></head><body><article>{}</article>"
PAGE = PAGE.format("<p>Un incendie a éclaté près du port, selon les services de secours.</p>" * 4)


def _source(path: Path, **settings: object) -> FilesSource:
    return FilesSource(FilesSettings(id="f", path=path, **settings))  # type: ignore[arg-type]


async def _read(source: FilesSource, cursor: Cursor | None = None) -> tuple[list[Article], Poll]:
    articles: list[Article] = []
    poll = Poll("ok", cursor=cursor or {})
    while poll.state == "ok":
        poll = await source.poll(poll.cursor)
        articles += poll.articles
    return articles, poll


async def test_every_kind_of_file_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    row = {"title": "Row", "text": "Text"}
    (tmp_path / "a.txt").write_text("Headline\n\nWhat was seen.")
    (tmp_path / "b.html").write_text(PAGE)
    (tmp_path / "c.json").write_text(json.dumps([row | {"id": 1}, row | {"id": 2}]))
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "e.jsonl.gz").write_bytes(gzip.compress(json.dumps(row).encode() + b"\n\n"))
    for ignored in (".hidden.txt", "half.txt.part", "notes.md"):
        (tmp_path / ignored).write_text("ignored")
    articles, last = await _read(_source(tmp_path))
    assert [a.title for a in articles] == ["Headline", "Incendie au port", "Row", "Row", "Row"]
    assert articles[1].language == "fr"
    assert (last.state, last.detail) == (
        "empty",
        "4 files, all read; 2 of another kind passed over",
    )


async def test_a_single_file_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Headline\n\nWhat was seen.")
    articles, _ = await _read(_source(path))
    assert [article.title for article in articles] == ["Headline"]


async def test_a_pace_is_a_wish_for_the_next_turn(tmp_path: Path) -> None:
    rows = [json.dumps({"id": n, "title": f"T{n}"}) for n in range(40)]
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    slow = await _source(tmp_path, per_second=2).poll({})
    assert (len(slow.articles), slow.next_poll_s) == (1, 0.5)
    fast = await _source(tmp_path, per_second=40).poll({})
    assert (len(fast.articles), fast.next_poll_s) == (10, 0.25)
    whole = await _source(tmp_path).poll({})
    assert (len(whole.articles), whole.next_poll_s) == (40, 0.0)


async def test_a_long_file_goes_on_where_a_restart_left_it(tmp_path: Path) -> None:
    rows = [json.dumps({"id": n, "title": f"T{n}"}) for n in range(BATCH + 30)]
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    first = await _source(tmp_path).poll({})
    rest, _ = await _read(_source(tmp_path), first.cursor)
    assert len(first.articles) == BATCH
    assert [article.title for article in rest] == [f"T{n}" for n in range(BATCH, BATCH + 30)]


async def test_a_batch_goes_over_many_small_files(tmp_path: Path) -> None:
    for number in range(BATCH + 5):
        (tmp_path / f"{number:04}.txt").write_text(f"Headline {number}")
    first = await _source(tmp_path).poll({})
    assert len(first.articles) == BATCH
    assert len((await _source(tmp_path).poll(first.cursor)).articles) == 5


async def test_restamped_articles_are_of_now(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"title": "T", "published_at": "2001-01-01"}')
    before = datetime.now(UTC)
    (plain,) = (await _source(tmp_path).poll({})).articles
    (played,) = (await _source(tmp_path, restamp=True).poll({})).articles
    assert plain.id == played.id
    assert plain.published_at == datetime(2001, 1, 1, tzinfo=UTC)
    assert played.published_at is not None
    assert before <= played.published_at <= datetime.now(UTC)


async def test_bad_lines_are_rejected_with_their_place_and_the_rest_is_read(tmp_path: Path) -> None:
    lines = [
        b'{"id": 1, "title": "Good"}',
        b'{"id": 2, "title"',
        b'{"id": 3, "title": "\xff\xfe"}',
        b'{"id": 4, "title": ["list"]}',
        b'{"id": 5, "text": ""}',
        b'{"id": 6, "title": "T", "published_at": "9999-01-01"}',
        b'{"id": 7, "title": "' + b"x" * 2_100_000 + b'"}',
        b"[" * 50_000,
        b'{"id": 8, "title": "Nul\\u0000l"}',
    ]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    poll = await _source(tmp_path).poll({})
    assert [article.title for article in poll.articles] == ["Good", "T", "Null"]
    assert [r.origin for r in poll.rejected] == [f"a.jsonl line {n}" for n in (2, 3, 4, 5, 7, 8)]
    assert poll.rejected[0].raw == lines[1]
    assert "$.title" in poll.rejected[2].reason
    assert all(len(r.raw) <= 200_000 and "\n" not in r.reason for r in poll.rejected)


BROKEN: list[tuple[str, Callable[[Path], object], str]] = [
    ("a.json", lambda p: p.write_text("{"), "not JSON"),
    ("a.json", lambda p: p.write_bytes(b"[" * 200_000), "not JSON"),
    ("a.jsonl.gz", lambda p: p.write_bytes(b"no gzip"), "broken gzip"),
    ("a.txt.gz", lambda p: p.write_bytes(gzip.compress(bytes(250_000_000), 1)), "when unpacked"),
    ("a.txt", lambda p: p.write_bytes(b"\x00\x01" * 5_000), "binary"),
    ("a.txt", lambda p: p.write_bytes(b""), "neither title nor text"),
    ("a.txt", lambda p: p.write_bytes(b"x " * 5_000_000), "larger than"),
    ("a.html", lambda p: p.write_text("<html></html>"), "no article"),
    ("a.html", lambda p: p.write_text("<div>" * 50_000 + "deep" + "</div>" * 50_000), ""),
    ("a.html", lambda p: p.write_bytes(b"<p>x</p>" * 1_500_000), "larger than"),
]


@pytest.mark.parametrize(("name", "write", "said"), BROKEN)
async def test_a_broken_file_is_one_clear_rejection_and_no_stop(
    tmp_path: Path, name: str, write: Callable[[Path], object], said: str
) -> None:
    write(tmp_path / name)
    (tmp_path / "z.txt").write_text("Headline")
    poll = await _source(tmp_path).poll({})
    assert [article.title for article in poll.articles] == ["Headline"]
    assert len(poll.rejected) == 1
    assert said in poll.rejected[0].reason
    assert poll.rejected[0].origin.startswith(name)
    assert (await _source(tmp_path).poll(poll.cursor)).rejected == ()


async def test_a_folder_that_is_not_there_is_a_state(tmp_path: Path) -> None:
    poll = await _source(tmp_path / "none").poll({"done": ""})
    assert (poll.state, poll.detail) == ("unreachable", "the path does not exist")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_file_that_may_not_be_read_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Headline")
    (tmp_path / "a.txt").chmod(0)
    poll = await _source(tmp_path).poll({})
    assert poll.rejected[0].reason == "Permission denied"


async def test_wrong_encodings_are_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(
        "Пожар на складе в порту\n\nНикто не пострадал".encode("cp1251")
    )
    (tmp_path / "b.json").write_bytes('{"title": "Пожар"}'.encode("utf-16"))
    articles, _ = await _read(_source(tmp_path))
    assert [article.title for article in articles] == ["Пожар на складе в порту", "Пожар"]
