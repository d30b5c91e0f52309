"""What a source found, before it is an article: checked, cleaned and given its id here.

The one place where articles are made, so that every source keeps the same rules on ids,
dates, limits and statuses.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

import msgspec

from connectors.cleaning import clean_line, clean_text, clean_title, html_to_text
from connectors.records import (
    MAX_TEXT_CHARS,
    MAX_TITLE_CHARS,
    Article,
    ArticleStatus,
    article_id,
    canonical_url,
    plausible_time,
)
from connectors.sources.source import Rejected

# A dead letter must fit into one Kafka message with its envelope.
MAX_REJECTED_BYTES = 200_000
MAX_URL_CHARS = 2_000
# Publisher's names and guids are labels; longer ones are somebody's mistake.
_MAX_NAME_CHARS = 200
_MAX_GUID_CHARS = 2_000
# As long as agencies' headlines get.
_MADE_TITLE_CHARS = 120

# How publishers of our languages head a corrected report: en ru uk it de fr es.
_CORRECTION = re.compile(
    r"^[\W_]*(?:correct(?:ion|ed)|исправлен(?:ие|о)|поправка|виправлен(?:ня|о)|rettifica|"
    r"correzione|berichtigung|korrektur|korrigiert|rectificatif|rectification|correctif|"
    r"correcci[oó]n|rectificaci[oó]n|fe de erratas)\s*(?:[:\-–—|\])./]|\d)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One report as found. `text` may be HTML when `is_html`; all else is plain."""

    guid: str = ""
    url: str = ""
    title: str = ""
    text: str = ""
    publisher: str = ""
    language: str = ""
    published_at: datetime | None = None
    status: ArticleStatus | None = None
    is_html: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asks: the source, and what an item says nothing about."""

    source_id: str
    publisher: str
    language: str = ""


def make_article(item: Item, origin: Origin, now: datetime, place: str) -> Article | Rejected:
    """Make the article of an item; the same item always gets the same id.

    `place` names where it was found ("feed.xml item 3"), for the rejection.
    """
    title = clean_title(html_to_text(item.title))[:MAX_TITLE_CHARS]
    body = html_to_text(item.text) if item.is_html else item.text
    text = _cut(clean_text(body, title), MAX_TEXT_CHARS)
    if not title and not text:
        return rejected("it has neither title nor text", place, item)
    title = title or _first_sentence(text)
    url = web_url(item.url)
    publisher = clean_line(item.publisher or origin.publisher)[:_MAX_NAME_CHARS]
    return Article(
        id=article_id(publisher, _identity(item.guid, url, title, text)),
        source_id=origin.source_id,
        publisher=publisher,
        title=title,
        fetched_at=now,
        url=url,
        text=text,
        language=language_code(item.language) or origin.language,
        published_at=plausible_time(item.published_at, now),
        status=item.status or status_of_title(title),
    )


def rejected(reason: str, place: str, item: Item | bytes) -> Rejected:
    """A rejection that carries what was found, cut to what a dead letter holds."""
    raw = item if isinstance(item, bytes) else msgspec.json.encode(item)
    return Rejected(reason, clean_line(place), raw[:MAX_REJECTED_BYTES])


def status_of_title(title: str) -> ArticleStatus:
    """Say "correction" when the title is headed as one, in any language of ours."""
    return "correction" if _CORRECTION.match(title) else "published"


def web_url(url: str) -> str:
    """An http(s) URL in its canonical form, or "" for anything else."""
    url = "".join(url.split())
    if not url.lower().startswith(("http://", "https://")) or len(url) > MAX_URL_CHARS:
        return ""
    try:
        return canonical_url(url)
    except ValueError:
        return ""


def language_code(tag: str) -> str:
    """ISO 639-1 of a language tag ("en-US" gives "en"); "" for anything else."""
    primary = re.split(r"[-_]", tag.strip().lower(), maxsplit=1)[0]
    return primary if len(primary) == 2 and primary.isascii() and primary.isalpha() else ""


def _identity(guid: str, url: str, title: str, text: str) -> str:
    # A guid that is a URL loses its fragment: the BBC counts editions behind the "#".
    guid = "".join(c for c in guid.strip() if c.isprintable())[:_MAX_GUID_CHARS]
    if guid:
        return web_url(guid) or guid
    if url:
        return url
    return hashlib.sha256(f"{title}\n{text}".encode("utf-8", "replace")).hexdigest()


def _first_sentence(text: str) -> str:
    """A title for a report that has none: its first sentence, cut at a word."""
    line = text.split("\n", 1)[0]
    end = re.search(r"[.!?…](?=\s)", line)
    sentence = line[: end.end()] if end else line
    if len(sentence) <= _MADE_TITLE_CHARS:
        return sentence
    return f"{sentence[:_MADE_TITLE_CHARS].rsplit(' ', 1)[0]}…"


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    end = text.rfind("\n\n", limit // 2, limit)
    return text[: end if end > 0 else limit]
