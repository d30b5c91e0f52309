"""An article page's bytes into title, body, date and language (body by trafilatura).

Owns the size caps in front of the parsers and the order in which a page's own statements
are believed: JSON-LD and Open Graph first, then what htmldate finds. Pure and blocking:
call it in a thread.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from htmldate import find_date
from lxml import etree
from lxml.html import HtmlElement
from trafilatura import extract
from trafilatura.utils import load_html

from connectors.cleaning import clean_text, clean_title
from connectors.dates import parse_date
from connectors.decoding import decode
from connectors.sources.items import language_code, web_url

# The largest of 181 real article pages has 0.9 MB; above this it is no article.
MAX_PAGE_BYTES = 3_000_000
# The largest of them has 9,000 elements; trafilatura needs 1.5 s for 14,000 paragraphs.
MAX_ELEMENTS = 15_000
# The HTML parser compares each attribute of a tag with all before it: 40,000 take it 14 s. An image
# may stand in its own tag as text, so length alone says nothing.
MAX_ATTRIBUTES, _LONG_TAG_CHARS = 2_000, 5_000
_MAX_JSON_LD_CHARS = 200_000
_MAX_JSON_LD_NODES = 200
_ARTICLE_TYPES = re.compile(r"Article|Posting|Report", re.IGNORECASE)
_SEPARATORS = tuple("|–—·»-")
# Tags as a parser takes them: a quoted value may hold any sign. What stands in comments and scripts
# is none, but for a parser that sees no comment there: so once more, without a "<" in quotes.
# Possessive: linear.
_ATTRIBUTE = r"""[^\s>/=]++(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>]*+))?+"""
_TAG = rf"<[A-Za-z][^\s>/]*+(?:[\s/=]++|{_ATTRIBUTE})*+"
_NO_TAG = r"<!--(?:[^-]++|-(?!->))*+|<(script|style)\b[^>]*+>(?:[^<]++|<(?!/\1))*+"
_TAGS = (
    re.compile(f"{_NO_TAG}|{_TAG}", re.IGNORECASE),
    re.compile(_TAG.replace('[^"]', '[^"<]').replace("[^']", "[^'<]")),
)
_ATTRIBUTES = re.compile(_ATTRIBUTE)
_TITLE_TAIL = re.compile(r"\s+[|–—·»-]\s+[^|–—·»]{2,40}$")


class ExtractionError(ValueError):
    """The page holds no article that can be read; the message says why in a line."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says. `text` is clean paragraphs; `url` its canonical one, or ""."""

    title: str
    text: str
    published_at: datetime | None
    language: str
    url: str
    site: str


def extract_page(raw: bytes, url: str = "", charset: str = "") -> Page:
    """Read the article of an HTML page. `charset` is the one the server declared.

    Raises:
        ExtractionError: empty, over a size limit, no HTML, or no article in it.
    """
    if not raw.strip():
        raise ExtractionError("the page is empty")
    if len(raw) > MAX_PAGE_BYTES:
        raise ExtractionError(f"the page is larger than {MAX_PAGE_BYTES} bytes")
    markup = decode(raw, charset).replace("\0", "")
    if markup.count("<") > 3 * MAX_ELEMENTS:
        raise ExtractionError(f"the page has more than {MAX_ELEMENTS} elements")
    if _crowded(markup):
        raise ExtractionError(f"a tag has more than {MAX_ATTRIBUTES} attributes")
    tree = load_html(markup)
    if tree is None:
        raise ExtractionError("the page is not HTML")
    if sum(1 for _ in tree.iter(etree.Element)) > MAX_ELEMENTS:
        raise ExtractionError(f"the page has more than {MAX_ELEMENTS} elements")
    meta, linked = _meta(tree), _json_ld(tree)
    title = _title(tree, meta, linked)
    published_at = _published_at(tree, meta, linked)
    language = language_code(tree.get("lang") or meta.get("og:locale", ""))
    canonical = _canonical(tree, meta)
    try:
        body = extract(tree, url=url or None, fast=True, include_comments=False) or ""
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise ExtractionError("the page cannot be read") from error
    text = clean_text(body, title)
    if not text:
        raise ExtractionError("no article is found in the page")
    site = clean_title(meta.get("og:site_name", ""))
    return Page(title, text, published_at, language, canonical, site)


def _crowded(markup: str) -> bool:
    """Whether a tag has more attributes than any page's, so that parsing it would take long."""
    return any(
        len(tag[0]) > _LONG_TAG_CHARS
        and not tag[0].startswith("<!")
        and not (tag.re.groups and tag[1])
        and len(_ATTRIBUTES.findall(tag[0])) > MAX_ATTRIBUTES
        for tags in _TAGS
        for tag in tags.finditer(markup)
    )


def _meta(tree: HtmlElement) -> dict[str, str]:
    """The page's <meta> statements by property or name; the first of each."""
    found: dict[str, str] = {}
    for element in tree.iter("meta"):
        name = element.get("property") or element.get("name") or element.get("itemprop") or ""
        content = element.get("content")
        if name and content:
            found.setdefault(name.strip().lower(), content.strip())
    return found


def _json_ld(tree: HtmlElement) -> dict[str, str]:
    """The headline and dates of the page's schema.org article; empty when it has none."""
    for element in tree.iter("script"):
        source = element.text or ""
        if element.get("type") != "application/ld+json" or len(source) > _MAX_JSON_LD_CHARS:
            continue
        try:
            document = json.loads(source, strict=False)
        except (ValueError, RecursionError):
            continue
        for node in _nodes(document):
            if _ARTICLE_TYPES.search(str(node.get("@type", ""))):
                return {key: value for key, value in node.items() if isinstance(value, str)}
    return {}


def _nodes(document: Any) -> Iterator[dict[str, Any]]:
    """The objects of a JSON-LD document, top first; bounded, no recursion."""
    waiting = [document]
    for _ in range(_MAX_JSON_LD_NODES):
        if not waiting:
            return
        value = waiting.pop(0)
        if isinstance(value, list):
            waiting.extend(value[:_MAX_JSON_LD_NODES])
        elif isinstance(value, dict):
            yield value
            waiting.append(value.get("@graph"))


def _title(tree: HtmlElement, meta: dict[str, str], linked: dict[str, str]) -> str:
    for found in (linked.get("headline"), meta.get("og:title"), meta.get("twitter:title")):
        title = _without_site(clean_title(found or ""), clean_title(meta.get("og:site_name", "")))
        if title:
            return title
    headings = [clean_title("".join(h.itertext())) for h in tree.iter("h1")]
    headings = [heading for heading in headings if heading]
    if len(headings) == 1:
        return headings[0]
    named = clean_title("".join(next(tree.iter("title"), HtmlElement()).itertext()))
    return _TITLE_TAIL.sub("", named) or next(iter(headings), "")


def _without_site(title: str, site: str) -> str:
    head = title.removesuffix(site).rstrip()
    return head[:-1].rstrip() if site and head != title and head[-1:] in _SEPARATORS else title


def _published_at(
    tree: HtmlElement, meta: dict[str, str], linked: dict[str, str]
) -> datetime | None:
    for found in (
        linked.get("datePublished"),
        meta.get("article:published_time"),
        meta.get("datepublished"),
        meta.get("og:published_time"),
        meta.get("dc.date.issued"),
        meta.get("dc.date"),
        meta.get("pubdate"),
        linked.get("dateCreated"),
    ):
        moment = parse_date(found) if found else None
        if moment is not None:
            return moment
    for element in tree.iter("time"):
        moment = parse_date(element.get("datetime") or "")
        if moment is not None:
            return moment
    latest = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")
    try:
        day = find_date(tree, original_date=True, extensive_search=False, max_date=latest)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    return parse_date(day) if day else None


def _canonical(tree: HtmlElement, meta: dict[str, str]) -> str:
    for element in tree.iter("link"):
        if (element.get("rel") or "").lower() == "canonical":
            found = web_url(element.get("href") or "")
            if found:
                return found
    return web_url(meta.get("og:url", ""))
