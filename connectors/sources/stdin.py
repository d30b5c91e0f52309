"""Articles from standard input: JSON lines as they come, or one document of any kind.

Owns the reading thread. Input cannot be read twice, so a batch is kept until Kafka has
confirmed it; what was read and not confirmed when the process dies is the sender's to
repeat.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError

from connectors.decoding import DecompressError, gunzip
from connectors.sources.file_reading import (
    MAX_FILE_BYTES,
    MAX_LINE_BYTES,
    Fault,
    FileError,
    Found,
    read_bytes,
    read_line,
)
from connectors.sources.items import MAX_REJECTED_BYTES
from connectors.sources.playing import BATCH, Playing
from connectors.sources.settings import FilesSettings
from connectors.sources.source import Cursor, Poll

# How long a poll waits for the first line; cancelling ends it at once.
WAIT_S = 1.0
_CHUNK_BYTES = 65_536
# What the thread may read ahead; then the sender waits.
_QUEUED_CHUNKS = 8
_NAME = "standard input"


class StdinSource:
    """Articles from a file descriptor, read once to its end; "done" after that."""

    def __init__(
        self, settings: FilesSettings, descriptor: int = 0, *, wait_s: float = WAIT_S
    ) -> None:
        self._settings = settings
        self._playing = Playing(settings)
        self._descriptor = descriptor
        self._wait_s = wait_s
        self._queue: asyncio.Queue[list[Found]] = asyncio.Queue(maxsize=_QUEUED_CHUNKS)
        self._rows: list[Found] = []
        self._thread: threading.Thread | None = None
        self._ended = False
        self._batch = 0
        self._unconfirmed: Poll | None = None

    @property
    def id(self) -> str:
        """The id from the configuration."""
        return self._settings.id

    @property
    def host(self) -> str:
        """No host is asked."""
        return ""

    async def poll(self, cursor: Cursor) -> Poll:
        """What has come in, at most a batch; the same batch again until it is confirmed."""
        if self._unconfirmed is not None:
            return self._unconfirmed
        if self._thread is None:
            loop = asyncio.get_running_loop()
            # A daemon: nothing can wake a thread that waits for a terminal.
            self._thread = threading.Thread(target=self._read, args=(loop,), daemon=True)
            self._thread.start()
        rows = await self._take()
        if not rows:
            if self._ended:
                return Poll("done", cursor=dict(cursor), detail="standard input has ended")
            return Poll("empty", cursor=dict(cursor), next_poll_s=0.0)
        articles, refused = self._playing.make(rows, _NAME)
        self._batch += 1
        poll = Poll(
            "ok" if articles else "empty",
            articles=tuple(articles),
            rejected=tuple(refused),
            cursor={"batch": str(self._batch)},
            next_poll_s=self._playing.pause_s(len(articles)),
        )
        self._unconfirmed = poll if articles else None
        return poll

    async def confirmed(self, poll: Poll) -> None:
        """Let the batch go."""
        if self._unconfirmed is not None and poll.cursor == self._unconfirmed.cursor:
            self._unconfirmed = None

    async def close(self) -> None:
        """The descriptor belongs to the process; nothing to give back."""

    async def _take(self) -> list[Found]:
        """At most a batch of what is there; waits only when nothing is."""
        if not self._rows and not self._ended:
            with contextlib.suppress(TimeoutError):
                self._keep(await asyncio.wait_for(self._queue.get(), self._wait_s))
        size = self._playing.batch_size
        while len(self._rows) < size and not self._queue.empty():
            self._keep(self._queue.get_nowait())
        taken, self._rows = self._rows[:size], self._rows[size:]
        return taken

    def _keep(self, rows: list[Found]) -> None:
        self._rows += rows
        self._ended = not rows

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """In the thread: put what is found into the queue; an empty list is the end."""
        for rows in itertools.chain(_found(self._chunks()), ([],)):
            putting = self._queue.put(rows)
            try:
                asyncio.run_coroutine_threadsafe(putting, loop).result()
            except RuntimeError:
                # The event loop is closed: the process is ending.
                putting.close()
                return
            except CancelledError:
                return  # the event loop is closing: the process is ending

    def _chunks(self) -> Iterator[bytes]:
        while True:
            try:
                chunk = os.read(self._descriptor, _CHUNK_BYTES)
            except OSError:
                return
            if not chunk:
                return
            yield chunk


def _found(chunks: Iterator[bytes]) -> Iterator[list[Found]]:
    """JSON lines are given on as they come; anything else is read to its end first. No list
    is empty.
    """
    head = b""
    for chunk in chunks:
        head += chunk
        if b"\n" in head.lstrip() or len(head) > MAX_LINE_BYTES:
            break
    first = head.lstrip().split(b"\n", 1)[0].rstrip()
    if first.startswith(b"{") and (first.endswith(b"}") or len(head) > MAX_LINE_BYTES):
        yield from filter(None, _lines(head, chunks))
        return
    document = _document(head, chunks)
    while rows := list(itertools.islice(document, BATCH)):
        yield rows


def _lines(head: bytes, chunks: Iterator[bytes]) -> Iterator[list[Found]]:
    """The rows that each chunk completes."""
    number, rest, skipping = 0, b"", False
    for chunk in _chain(head, chunks):
        rows: list[Found] = []
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            number += 1
            if skipping:
                skipping = False
            elif line.strip():
                rows.append((f"line {number}", read_line(line)))
        if len(rest) > MAX_LINE_BYTES:
            if not skipping:
                rows.append((f"line {number + 1}", read_line(rest)))
            skipping, rest = True, b""
        yield rows
    if rest.strip() and not skipping:
        yield [(f"line {number + 1}", read_line(rest))]


def _document(head: bytes, chunks: Iterator[bytes]) -> Iterator[Found]:
    parts, size = [], 0
    for chunk in _chain(head, chunks):
        parts.append(chunk)
        size += len(chunk)
        if size > MAX_FILE_BYTES:
            yield "", Fault(f"larger than {MAX_FILE_BYTES} bytes")
            return
    raw = b"".join(parts)
    if not raw.strip():
        return
    try:
        if raw.startswith(b"\x1f\x8b"):
            raw = gunzip(raw, MAX_FILE_BYTES)
        yield from read_bytes(raw, _kind_of(raw), _NAME)
    except (DecompressError, FileError) as error:
        yield "", Fault(str(error), raw[:MAX_REJECTED_BYTES])


def _kind_of(raw: bytes) -> str:
    start = raw[:4_096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"{"):
        return ".jsonl" if start.split(b"\n", 1)[0].rstrip().endswith(b"}") else ".json"
    if start.startswith(b"["):
        return ".json"
    return ".html" if start.startswith(b"<") else ".txt"


def _chain(head: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from chunks
