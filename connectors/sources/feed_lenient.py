"""Feeds that are no well-formed XML: repaired, then read by the same reader.

Owns the repairs (encoding, control characters, HTML's entities, lone ampersands) and the
refusal of documents that declare entities. A hostile megabyte takes it up to 0.4 s, where
feedparser, which it replaces, takes 2 to 5 s.
"""

from __future__ import annotations

import re
from html.entities import html5

from lxml import etree

from connectors.decoding import decode
from connectors.sources.feed_document import FeedDocument, FeedError
from connectors.sources.feed_xml import read_tree

# A broken feed larger than this is refused; well-formed ones may have the client's limit.
MAX_LENIENT_BYTES = 5_000_000
# Any entity of the document's own: no feed needs one, every XML bomb does.
_ENTITY_DECLARATION = re.compile(r"<!\s*ENTITY", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,300}\?>", re.IGNORECASE)
_DECLARED = re.compile(
    rb"^.{0,10}<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_:.-]{2,30})", re.DOTALL
)
# What XML 1.0 does not allow, and U+FFFE and U+FFFF.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_AMPERSAND = re.compile(r"&(?:#(\d{1,7});|#[xX]([0-9a-fA-F]{1,6});|([A-Za-z][A-Za-z0-9]{1,30});)?")
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_CDATA, _CDATA_END = "<![CDATA[", "]]>"
_ROOTS = ("<rss", "<feed", "<rdf:rdf", "<channel", "<item", "<entry")


def read_lenient(raw: bytes, base_url: str, charset: str = "") -> FeedDocument:
    """Read what can be read of a document that is no well-formed XML.

    `charset` is the one the server declared; it is believed before the document's own.

    Raises:
        FeedError: too large, declares entities, or no feed.
    """
    if len(raw) > MAX_LENIENT_BYTES:
        raise FeedError(f"not well-formed XML, and over {MAX_LENIENT_BYTES} bytes")
    declared = _DECLARED.match(raw[:400])
    text = decode(raw, charset, declared[1].decode("ascii") if declared else "")
    if _ENTITY_DECLARATION.search(text):
        raise FeedError("it declares entities of its own, as XML bombs do")
    head = text[:20_000].lower()
    if not any(root in head for root in _ROOTS) and ":feed" not in head:
        raise FeedError("not well-formed XML, and nothing in it is a feed")
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        recover=True,
        encoding="utf-8",
    )
    try:
        root = etree.fromstring(_repair(text).encode("utf-8"), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise FeedError("not well-formed XML, and beyond repair") from error
    if root is None:
        raise FeedError("not well-formed XML, and beyond repair")
    return read_tree(root, base_url, anywhere=True)


def _repair(text: str) -> str:
    """Text that libxml2 can recover; what stands in CDATA sections is left as it is."""
    text = _FORBIDDEN.sub("", _XML_DECLARATION.sub("", text)).strip()
    outside, *sections = text.split(_CDATA)
    parts = [_AMPERSAND.sub(_known, outside)]
    for section in sections:
        inside, end, outside = section.partition(_CDATA_END)
        parts += (_CDATA, inside, end or _CDATA_END, _AMPERSAND.sub(_known, outside))
    return "".join(parts)


def _known(match: re.Match[str]) -> str:
    """XML's own entities stay, HTML's become their characters, the rest plain text."""
    decimal, hexadecimal, name = match.groups()
    if decimal or hexadecimal:
        code = int(decimal) if decimal else int(hexadecimal, 16)
        allowed = code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0x110000
        return match[0] if allowed and code not in (0xFFFE, 0xFFFF) else ""
    if name in _XML_ENTITIES:
        return match[0]
    return html5.get(f"{name};", f"&amp;{match[0][1:]}") if name else "&amp;"
