"""A directory (or one file) of articles, read in the order of names, at a pace.

Owns what was read already and where inside a file it stands. Put files there by renaming
them: one that still grows is read again from its start, with the same ids.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from connectors.records import Article
from connectors.sources.file_reading import FileError, Found, kind_of, read_file
from connectors.sources.items import rejected
from connectors.sources.playing import Playing
from connectors.sources.settings import FilesSettings
from connectors.sources.source import Cursor, Poll, Rejected

# The cursor holds 16 characters a file.
MAX_FILES = 10_000
_DIGEST_CHARS = 16


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    name: str
    mark: str


class FilesSource:
    """Articles from files. The cursor: marks of finished files, the open one, its row."""

    def __init__(self, settings: FilesSettings) -> None:
        self._settings = settings
        self._playing = Playing(settings)
        self._open_mark = ""
        self._rows: list[Found] = []

    @property
    def id(self) -> str:
        """The id from the configuration."""
        return self._settings.id

    @property
    def host(self) -> str:
        """No host is asked."""
        return ""

    async def poll(self, cursor: Cursor) -> Poll:
        """The next few articles after `cursor`, in the order of file names."""
        done = _marks(cursor.get("done", ""))
        try:
            files, others = await asyncio.to_thread(_list, self._settings.path)
        except FileError as error:
            return Poll("unreachable", cursor=cursor, detail=str(error))
        done &= {file.mark for file in files}
        waiting = [file for file in files if file.mark not in done]
        if not waiting:
            self._rows, self._open_mark = [], ""
            detail = f"{len(files)} files, all read"
            if others:
                detail += f"; {others} of another kind passed over"
            return Poll("empty", cursor=_cursor(done), detail=detail)
        row = int(cursor.get("row", "0")) if cursor.get("open") == waiting[0].mark else 0
        return await self._read_on(waiting, done, row)

    async def confirmed(self, poll: Poll) -> None:
        """Nobody waits on a file."""

    async def close(self) -> None:
        """Let go of the file read last."""
        self._rows, self._open_mark = [], ""

    async def _read_on(self, waiting: list[_File], done: set[str], row: int) -> Poll:
        """One batch, over as many files as it takes; an unreadable file is rejected."""
        articles: list[Article] = []
        refused: list[Rejected] = []
        size = self._playing.batch_size
        opened = ""
        for file in waiting:
            try:
                rows = await self._rows_of(file)
            except FileError as error:
                refused.append(rejected(str(error), file.name, b""))
                rows, row = [], 0
            taken = rows[row : row + size - len(articles) - len(refused)]
            made, bad = self._playing.make(taken, file.name)
            articles += made
            refused += bad
            row += len(taken)
            if row < len(rows):
                opened = file.mark
                break
            done.add(file.mark)
            row = 0
            if len(articles) + len(refused) >= size:
                break
        return Poll(
            "ok" if articles else "empty",
            articles=tuple(articles),
            rejected=tuple(refused),
            cursor=_cursor(done, opened, row),
            next_poll_s=self._playing.pause_s(len(articles)),
            detail=f"{len(refused)} items rejected" if refused else "",
        )

    async def _rows_of(self, file: _File) -> list[Found]:
        if file.mark != self._open_mark:
            self._rows, self._open_mark = [], ""
            self._rows = await asyncio.to_thread(lambda: list(read_file(file.path, file.name)))
            self._open_mark = file.mark
        return self._rows


def _list(path: Path) -> tuple[list[_File], int]:
    """The files we read, by name, and how many are of a kind that we do not read. Hidden ones
    are passed over.

    Raises:
        FileError: the path is not there, or holds too many files.
    """
    try:
        others = 0
        if path.is_dir():
            found = list(itertools.islice(_visible(path), MAX_FILES + 1))
            files = sorted(each for each in found if kind_of(each))
            others = len(found) - len(files)
        elif path.exists():
            found = files = [path]
        else:
            raise FileError("the path does not exist")
        if len(found) > MAX_FILES:
            raise FileError(f"more than {MAX_FILES} files; move those that are read away")
        root = path if path.is_dir() else path.parent
        return [_file(p, root) for p in files], others
    except OSError as error:
        raise FileError(error.strerror or "the path cannot be read") from error


def _visible(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if not hidden and path.is_file():
            yield path


def _file(path: Path, root: Path) -> _File:
    name = path.relative_to(root).as_posix()
    stat = path.stat()
    state = f"{name}\n{stat.st_size}\n{stat.st_mtime_ns}"
    digest = hashlib.sha256(state.encode("utf-8", "surrogateescape")).hexdigest()
    return _File(path, name, digest[:_DIGEST_CHARS])


def _marks(text: str) -> set[str]:
    return {text[i : i + _DIGEST_CHARS] for i in range(0, len(text), _DIGEST_CHARS)}


def _cursor(done: set[str], opened: str = "", row: int = 0) -> dict[str, str]:
    cursor = {"done": "".join(sorted(done))}
    return cursor | {"open": opened, "row": str(row)} if opened else cursor
