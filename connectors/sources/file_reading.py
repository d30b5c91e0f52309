"""One file's bytes into items: txt, html, json or jsonl, each perhaps gzipped.

Owns what each ending means and the size limits. Does not walk directories or remember
what was read: see `files`. Blocking: call it in a thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from connectors.cleaning import split_title
from connectors.decoding import DecompressError, decode, gunzip
from connectors.extraction import ExtractionError, extract_page
from connectors.sources.items import MAX_REJECTED_BYTES, Item
from connectors.sources.rows import RowError, decode_json, read_row, rows_of

SUFFIXES = (".txt", ".html", ".htm", ".json", ".jsonl")
# A month of 27 publishers' feeds is 21 MB; a file is read whole.
MAX_FILE_BYTES = 200_000_000
# A text of 100,000 characters in escaped JSON stays under this.
MAX_LINE_BYTES = 2_000_000
_MAX_TEXT_BYTES = 3_000_000


@dataclass(frozen=True, slots=True)
class Fault:
    """Why there is no item, and what stands there instead."""

    reason: str
    raw: bytes = b""


# A place in the file, and the item there or why there is none.
Found = tuple[str, Item | Fault]


class FileError(ValueError):
    """The file as a whole cannot be read; the message says why in a line."""


def kind_of(path: Path) -> str:
    """The ending that says how to read a file, without ".gz"; "" when we do not read it."""
    name = path.name.lower().removesuffix(".gz")
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def read_file(path: Path, name: str) -> Iterator[Found]:
    """The items of one file in its order. `name` identifies texts that have no id.

    Raises:
        FileError: unreadable, over a limit, or broken as a whole.
    """
    return read_bytes(_load(path), kind_of(path) or ".txt", name)


def read_bytes(raw: bytes, kind: str, name: str) -> Iterator[Found]:
    """The items of a file's bytes, unpacked; `kind` is one of `SUFFIXES`.

    Raises:
        FileError: broken as a whole.
    """
    if kind == ".jsonl":
        yield from read_lines(raw)
    elif kind == ".json":
        yield from _read_document(raw)
    elif kind in (".html", ".htm"):
        yield "", _read_page(raw, name)
    else:
        yield "", _read_text(raw, name)


def read_lines(raw: bytes) -> Iterator[Found]:
    """The items of JSON lines; empty lines are passed over."""
    for number, line in enumerate(raw.split(b"\n"), 1):
        if line.strip():
            yield f"line {number}", read_line(line)


def read_line(line: bytes) -> Item | Fault:
    """The item of one JSON line, or why it is none."""
    if len(line) > MAX_LINE_BYTES:
        return Fault(f"it is longer than {MAX_LINE_BYTES} bytes", line[:MAX_REJECTED_BYTES])
    try:
        return read_row(decode_json(line))
    except RowError as error:
        return Fault(str(error), line)


def _load(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise FileError(f"larger than {MAX_FILE_BYTES} bytes")
        raw = path.read_bytes()
    except OSError as error:
        raise FileError(error.strerror or "cannot be read") from error
    if path.name.lower().endswith(".gz"):
        try:
            return gunzip(raw, MAX_FILE_BYTES)
        except DecompressError as error:
            raise FileError(str(error)) from error
    return raw


def _read_document(raw: bytes) -> Iterator[Found]:
    try:
        document = decode_json(raw)
    except RowError as error:
        raise FileError(str(error)) from error
    for place, value in rows_of(document):
        try:
            yield place, read_row(value)
        except RowError as error:
            yield place, Fault(str(error), msgspec.json.encode(value))


def _read_page(raw: bytes, name: str) -> Item | Fault:
    try:
        page = extract_page(raw)
    except ExtractionError as error:
        return Fault(str(error), raw[:MAX_REJECTED_BYTES])
    return Item(
        guid=page.url or name,
        url=page.url,
        title=page.title,
        text=page.text,
        publisher=page.site,
        language=page.language,
        published_at=page.published_at,
    )


def _read_text(raw: bytes, name: str) -> Item | Fault:
    if len(raw) > _MAX_TEXT_BYTES:
        return Fault(f"a text larger than {_MAX_TEXT_BYTES} bytes", raw[:MAX_REJECTED_BYTES])
    if raw.count(b"\0") > len(raw) // 3 and raw[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        return Fault("it is binary, no text", raw[:MAX_REJECTED_BYTES])
    title, text = split_title(decode(raw))
    if not title:
        return Fault("it has neither title nor text", raw)
    return Item(guid=name, title=title, text=text)
