"""RSS 0.9x, 1.0 and 2.0 and Atom 0.3 and 1.0 from well-formed XML, in one pass by lxml.

Owns the strict reading: a DTD, an entity or any fault in the XML is refused, so that
nothing is guessed here. What is refused goes to `feed_lenient`.
"""

from __future__ import annotations

import re
from datetime import datetime

from lxml import etree

from connectors.dates import parse_date
from connectors.sources.feed_document import MAX_ITEMS, FeedDocument, FeedError, absolute
from connectors.sources.items import Item, language_code

# An Atom document may be a single entry (RFC 4287).
_ROOTS = ("rss", "RDF", "feed", "entry")
_ATOM = frozenset({"http://www.w3.org/2005/Atom", "http://purl.org/atom/ns#"})
_XML = "{http://www.w3.org/XML/1998/namespace}"
# Modules that say something of the report itself, by the prefix used below.
_MODULES = {
    "http://purl.org/dc/elements/1.1/": "dc:",
    "http://purl.org/dc/terms/": "dc:",
    "http://purl.org/rss/1.0/modules/content/": "content:",
    "http://news.yandex.ru": "yandex:",
    "http://www.w3.org/1999/xhtml": "xhtml:",
}
# RSS elements stand in no namespace, or in one of a dozen that old tools invented.
_RSS_LIKE = re.compile(r"(?<![a-z])rss|netscape\.com", re.IGNORECASE)
_NO_RSS = re.compile(r"/modules/|/schemas/|media", re.IGNORECASE)
_DATES = ("pubDate", "published", "dc:date", "issued", "dc:issued", "dc:created", "date")
_LATER_DATES = ("updated", "modified", "dc:modified")
_BODIES = ("content:encoded", "yandex:full-text", "content", "xhtml:body", "fulltext")
_SUMMARIES = ("description", "summary", "dc:description")


class NotStrictError(ValueError):
    """The bytes are not well-formed XML without a DTD."""


def read_strict(raw: bytes, base_url: str) -> FeedDocument:
    """Read a feed from well-formed XML.

    Raises:
        NotStrictError: not well-formed, or with a DTD.
        FeedError: well-formed, but no feed.
    """
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, recover=False
    )
    try:
        root = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NotStrictError("not well-formed XML") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise NotStrictError("it has a DTD")
    return read_tree(root, base_url)


def read_tree(root: etree._Element, base_url: str, *, anywhere: bool = False) -> FeedDocument:
    """Read a parsed feed. `anywhere`: its items may stand at any depth, as they do where
    closing tags are missing.

    Raises:
        FeedError: the tree is no feed.
    """
    kind = _local(root)
    if not anywhere and kind not in _ROOTS:
        raise FeedError(f"the document is <{kind[:40]}>, no feed")
    channel = root if kind == "feed" else _child(root, "channel")
    channel = root if channel is None else channel
    head = _fields(channel)
    base = _base(root, base_url)
    language = _first_text(head, ("language", "dc:language")) or root.get(f"{_XML}lang", "")
    nearby = [root, *root, *(channel if channel is not root else ())]
    elements = [
        element
        for element in (root.iter(etree.Element) if anywhere else nearby)
        if isinstance(element.tag, str) and _name(element) in ("item", "entry")
    ]
    if anywhere and not elements and (kind not in _ROOTS or not len(root)):
        raise FeedError("not well-formed XML, and nothing in it is a feed")
    code = language_code(language)
    title = _markup(head, ("title", "dc:title"))
    items = tuple(_item(element, base, code) for element in elements[:MAX_ITEMS])
    return FeedDocument(title, code, items)


def _item(element: etree._Element, base: str, language: str) -> Item:
    fields = _fields(element)
    base = _base(element, base)
    guid_element = fields.get("guid", fields.get("id"))
    guid = _text(guid_element) or element.get(f"{_RDF}about", "")
    url = absolute(base, _link(element, fields))
    if not url and guid.lower().startswith(("http://", "https://")):
        # A guid is the link unless it says otherwise, and often although it does.
        url = guid
    published = _date(fields, _DATES, language) or _date(fields, _LATER_DATES, language)
    own_language = element.get(f"{_XML}lang", "") or _first_text(fields, ("dc:language",))
    body, summary = _markup(fields, _BODIES), _markup(fields, _SUMMARIES)
    return Item(
        guid=guid,
        url=url,
        title=_markup(fields, ("title", "dc:title")),
        text=body if len(body) > len(summary) else summary,
        language=own_language or language,
        published_at=published,
        is_html=True,
    )


_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


def _fields(element: etree._Element) -> dict[str, etree._Element]:
    """The children by name; the first of a name that has something in it wins."""
    fields: dict[str, etree._Element] = {}
    for child in element:
        if isinstance(child.tag, str):
            name = _name(child)
            if name and (name not in fields or not (_text(fields[name]) or len(fields[name]))):
                fields[name] = child
    return fields


def _split(element: etree._Element) -> tuple[str, str]:
    """Namespace and name; `etree.QName` refuses what recovery leaves ("dc:date")."""
    space, _, name = str(element.tag).rpartition("}")
    return space.removeprefix("{"), name


def _local(element: etree._Element) -> str:
    # Where a namespace is not declared, recovery leaves "rdf:RDF" as the name.
    return _split(element)[1].rpartition(":")[2]


def _name(element: etree._Element) -> str:
    space, name = _split(element)
    if not space or space in _ATOM:
        return name
    prefix = _MODULES.get(space)
    if prefix is not None:
        return f"{prefix}{name}"
    return name if _is_rss(space) else ""


def _is_rss(space: str) -> bool:
    return bool(_RSS_LIKE.search(space)) and not _NO_RSS.search(space)


def _link(element: etree._Element, fields: dict[str, etree._Element]) -> str:
    """RSS says it as text, Atom as the first `href` that is the page itself."""
    links = [child for child in element if isinstance(child.tag, str) and _name(child) == "link"]
    for link in links:
        if _text(link):
            return _text(link)
    for wanted in ("alternate", ""):
        for link in links:
            if link.get("rel", "alternate") == wanted and link.get("href"):
                return str(link.get("href"))
    return _text(fields.get("origLink"))


def _date(
    fields: dict[str, etree._Element], names: tuple[str, ...], language: str
) -> datetime | None:
    for name in names:
        if name in fields:
            moment = parse_date(_text(fields[name]), language)
            if moment is not None:
                return moment
    return None


def _markup(fields: dict[str, etree._Element], names: tuple[str, ...]) -> str:
    for name in names:
        element = fields.get(name)
        if element is None:
            continue
        if len(element):
            # Atom's xhtml, and RSS whose author forgot to escape.
            inner = etree.tostring(element, encoding="unicode", with_tail=False)
            if element.get("type") == "xhtml" or _text(element) or inner.count("<") > 2:
                return str(inner)
        text = _text(element)
        if text:
            # Atom's plain text is no markup: its "<" is a sign, not a tag.
            plain = _split(element)[0] in _ATOM and element.get("type", "text") in (
                "text",
                "text/plain",
            )
            return text.replace("&", "&amp;").replace("<", "&lt;") if plain else text
    return ""


def _text(element: etree._Element | None) -> str:
    return (element.text or "").strip() if element is not None else ""


def _first_text(fields: dict[str, etree._Element], names: tuple[str, ...]) -> str:
    return next((_text(fields[name]) for name in names if name in fields), "")


def _child(element: etree._Element, name: str) -> etree._Element | None:
    return next((c for c in element if isinstance(c.tag, str) and _name(c) == name), None)


def _base(element: etree._Element, base: str) -> str:
    return absolute(base, element.get(f"{_XML}base", "")) or base
