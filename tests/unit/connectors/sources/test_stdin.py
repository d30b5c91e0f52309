"""Standard input: lines as they come, documents whole, nothing given away unconfirmed."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import threading
from pathlib import Path

import pytest

from connectors.sources.factory import make_source
from connectors.sources.settings import FilesSettings
from connectors.sources.source import Poll
from connectors.sources.stdin import StdinSource
from connectors.web_client import WebClient

SETTINGS = FilesSettings(id="s", path=Path("-"))


@pytest.fixture
def pipe() -> tuple[int, int]:
    """Both ends. The reading thread keeps its end: a closed number would be given out anew."""
    return os.pipe()


async def _to_the_end(source: StdinSource) -> list[Poll]:
    polls = []
    for _ in range(500):
        poll = await source.poll({})
        await source.confirmed(poll)
        if poll.state == "done":
            return polls
        if poll.articles or poll.rejected:
            polls.append(poll)
    raise AssertionError("no end")


def _write(writing: int, raw: bytes) -> threading.Thread:
    def run() -> None:
        with contextlib.suppress(BrokenPipeError), os.fdopen(writing, "wb") as out:
            out.write(raw)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize(
    "raw",
    [
        b'{"title": "T"}\n',
        b'{"title": "T"}',
        b'\n\n{"title": "T"}\n\n',
        b'[{"title": "T"}]',
        b'{\n"title":\n"T"}',
        b"T\n\nand a text",
        b"<html><head><title>T</title></head><body><article>"
        + b"<p>A report of some length that stands on a page of its own.</p>" * 5,
        gzip.compress(b'{"title": "T"}\n', mtime=0),
    ],
)
async def test_every_kind_of_document_is_recognised(pipe: tuple[int, int], raw: bytes) -> None:
    _write(pipe[1], raw)
    polls = await _to_the_end(StdinSource(SETTINGS, pipe[0], wait_s=0.05))
    assert [article.title for poll in polls for article in poll.articles] == ["T"]


async def test_many_lines_all_come_and_bad_ones_are_named(pipe: tuple[int, int]) -> None:
    lines = [json.dumps({"id": n, "title": f"T{n}"}).encode() for n in range(3_000)]
    lines[1_000] = b"{broken}"
    lines[2_000] = b'{"title": "' + b"x" * 5_000_000 + b'"}'
    writer = _write(pipe[1], b"\n".join(lines))
    polls = await _to_the_end(StdinSource(SETTINGS, pipe[0], wait_s=0.05))
    writer.join()
    titles = [article.title for poll in polls for article in poll.articles]
    assert titles == [f"T{n}" for n in range(3_000) if n not in (1_000, 2_000)]
    rejected = [item.origin for poll in polls for item in poll.rejected]
    assert rejected == ["standard input line 1001", "standard input line 2001"]


async def test_a_line_is_there_before_the_input_ends(pipe: tuple[int, int]) -> None:
    source = StdinSource(SETTINGS, pipe[0], wait_s=5.0)
    os.write(pipe[1], b'{"title": "T"}\n')
    poll = await source.poll({})
    assert [article.title for article in poll.articles] == ["T"]
    os.close(pipe[1])


async def test_a_batch_stays_until_it_is_confirmed(pipe: tuple[int, int]) -> None:
    source = StdinSource(SETTINGS, pipe[0], wait_s=5.0)
    _write(pipe[1], b'{"title": "T"}\n')
    poll = await source.poll({})
    assert await source.poll({}) is poll
    await source.confirmed(poll)
    assert not (await source.poll({})).articles


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_event_loop_that_ends_while_the_thread_waits_for_room_ends_it_quietly(
    pipe: tuple[int, int],
) -> None:
    before = set(threading.enumerate())
    writing = _write(pipe[1], b'{"title": "T"}\n' * 100_000)

    async def read_nothing_more() -> threading.Thread:
        source = StdinSource(SETTINGS, pipe[0], wait_s=5.0)
        await source.poll({})
        async with asyncio.timeout(10):
            while not source._queue._putters:  # type: ignore[attr-defined]  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        started = set(threading.enumerate()) - before - {writing}
        return next(thread for thread in started if thread.name.endswith("(_read)"))

    reading = asyncio.run(read_nothing_more())
    reading.join(10)
    assert not reading.is_alive()
    os.close(pipe[0])  # nobody reads: the writer is told
    writing.join(10)


async def test_a_dash_in_the_settings_means_standard_input() -> None:
    async with WebClient() as client:
        assert isinstance(make_source(SETTINGS, client), StdinSource)
