"""Articles as JSON objects: the fields that `ingest` and json or jsonl files accept.

Owns the names, types and limits of those fields. Unknown fields are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import msgspec

from connectors.dates import parse_date, parse_epoch
from connectors.decoding import decode
from connectors.records import MAX_TEXT_CHARS, MAX_TITLE_CHARS, ArticleStatus
from connectors.sources.items import Item

_Name = Annotated[str, msgspec.Meta(max_length=2_000)]


class RowError(ValueError):
    """JSON that is no article; the message names the place in it."""


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    id: _Name | int | None = None
    guid: _Name | None = None
    url: _Name | None = None
    title: Annotated[str, msgspec.Meta(max_length=MAX_TITLE_CHARS)] | None = None
    text: Annotated[str, msgspec.Meta(max_length=MAX_TEXT_CHARS)] | None = None
    publisher: _Name | None = None
    source: _Name | None = None
    language: _Name | None = None
    lang: _Name | None = None
    published_at: str | float | None = None
    date: str | float | None = None
    status: ArticleStatus | None = None


def decode_json(raw: bytes) -> Any:
    """Decode one JSON document of any kind.

    Raises:
        RowError: not JSON, not Unicode, or nested too deeply.
    """
    try:
        if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or raw[:3] == b"\xef\xbb\xbf":
            raw = decode(raw).encode("utf-8", "replace")
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RowError(f"not JSON: {error}") from error
    except RecursionError as error:
        raise RowError("not JSON: nested too deeply") from error


def read_row(value: Any) -> Item:
    """Make an item of a decoded JSON object.

    Raises:
        RowError: a field has the wrong type or is too long, or there is nothing to read.
    """
    if not isinstance(value, dict):
        raise RowError(f"expected an object, got {type(value).__name__}")
    try:
        row = msgspec.convert(value, _Row)
    except msgspec.ValidationError as error:
        raise RowError(str(error)) from error
    if not ((row.title or "").strip() or (row.text or "").strip()):
        raise RowError("it has neither title nor text")
    guid = row.id if row.id not in (None, "") else row.guid
    return Item(
        guid="" if guid is None else str(guid),
        url=row.url or "",
        title=row.title or "",
        text=row.text or "",
        publisher=row.publisher or row.source or "",
        language=row.language or row.lang or "",
        published_at=_moment(row.published_at if row.published_at is not None else row.date),
        status=row.status,
    )


def rows_of(document: Any) -> Iterator[tuple[str, Any]]:
    """The articles of a decoded document, each with its place in it: one object, a list of
    them, or an object that holds such a list under "articles".
    """
    if isinstance(document, dict) and isinstance(document.get("articles"), list):
        document = document["articles"]
    if isinstance(document, list):
        for index, value in enumerate(document):
            yield f"[{index}]", value
    else:
        yield "$", document


def _moment(value: str | float | None) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, str):
        return parse_date(value)
    return parse_epoch(value)
