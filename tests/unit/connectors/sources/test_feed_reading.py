"""Feeds of every kind and every kind of damage: items, or one clean error."""

from __future__ import annotations

import gzip
import json
import time
from datetime import UTC, datetime

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.records import Article
from connectors.sources.feed_document import FeedError
from connectors.sources.feed_reading import read_feed
from connectors.sources.items import Item, Origin, make_article

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MEGABYTE = 1_000_000


def test_a_guid_that_is_an_address_becomes_the_link() -> None:
    (item,) = _rss("<item><guid>https://n.example/1</guid><title>T</title></item>")
    assert (item.guid, item.url) == ("https://n.example/1", "https://n.example/1")


def test_a_guid_that_is_no_address_does_not() -> None:
    (item,) = _rss('<item><guid isPermaLink="false">n-1</guid><title>T</title></item>')
    assert (item.guid, item.url) == ("n-1", "")


def test_links_are_resolved_against_the_feed() -> None:
    (item,) = _rss("<item><title>T</title><link>/a?b=1&amp;c=2</link></item>")
    assert item.url == "https://n.example/a?b=1&c=2"


def test_british_summer_time_is_an_hour_ahead() -> None:
    (item,) = _rss("<item><title>T</title><pubDate>Sun, 22 Jun 2025 13:45:00 BST</pubDate></item>")
    assert item.published_at == datetime(2025, 6, 22, 12, 45, tzinfo=UTC)


def test_the_longer_of_summary_and_content_is_the_text() -> None:
    (item,) = _rss(
        '<item xmlns:c="http://purl.org/rss/1.0/modules/content/"><title>T</title>'
        "<description>Short</description>"
        "<c:encoded>&lt;p&gt;Long &lt;b&gt;and whole</c:encoded></item>"
    )
    assert _article(item).text == "Long and whole"


def test_media_titles_are_not_the_title() -> None:
    (item,) = _rss(
        '<item xmlns:m="http://search.yahoo.com/mrss/"><m:title>Photo</m:title><title>T</title></item>'
    )
    assert item.title == "T"


def test_atom_with_xhtml_and_an_edit_link() -> None:
    feed = (
        '<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de-AT" xml:base="https://a.example/">'
        '<title>F</title><entry><id>tag:a,1</id><title type="html">A &amp;lt; B</title>'
        '<link rel="edit" href="/edit"/><link rel="alternate" href="/page"/>'
        '<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>One</p><p>Two</p></div>'
        "</content><updated>2025-03-01T10:00:00+01:00</updated></entry></feed>"
    )
    document = read_feed(feed.encode())
    (item,) = document.items
    assert (document.language, item.url) == ("de", "https://a.example/page")
    assert _article(item).title == "A < B"
    assert _article(item).text == "One\n\nTwo"
    assert item.published_at == datetime(2025, 3, 1, 9, tzinfo=UTC)


def test_a_report_without_a_title_gets_its_first_sentence() -> None:
    (item,) = _rss("<item><description>Fire in the port. Nobody hurt.</description></item>")
    assert _article(item).title == "Fire in the port."


def test_a_json_feed() -> None:
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "language": "it",
        "items": [
            {"id": 7, "title": "T", "content_text": "a < b", "date_published": "2025-03-01"},
            3,
        ],
    }
    document = read_feed(json.dumps(feed).encode())
    (item,) = document.items
    assert (item.guid, item.language) == ("7", "it")
    assert _article(item).text == "a < b"


def test_a_year_9999_is_no_date() -> None:
    (item,) = _rss("<item><title>T</title><pubDate>Fri, 31 Dec 9999 23:59:59 GMT</pubDate></item>")
    assert _article(item).published_at is None


@pytest.mark.parametrize("marker", ["Correction:", "CORRECTED -", "Исправление:", "Rettifica:",
    "Berichtigung:", "Rectificatif :", "Corrección:", "Виправлення:"])  # fmt: skip
def test_a_title_headed_as_a_correction_makes_one(marker: str) -> None:
    (item,) = _rss(f"<item><title>{marker} Fire in the port</title></item>")
    assert _article(item).status == "correction"


@pytest.mark.parametrize("title", ["Correctional officers strike", "Corrections budget grows"])
def test_other_titles_do_not(title: str) -> None:
    (item,) = _rss(f"<item><title>{title}</title></item>")
    assert _article(item).status == "published"


@pytest.mark.parametrize(
    "damage",
    [
        "<item><title>Q&A & more</title><link>https://n.example/?a=1&b=2</link></item>",
        "<item><title>Q&amp;A &amp; more<link>https://n.example/?a=1&amp;b=2</link></item>",
        "<item><title><![CDATA[Q&A & more]]></title><link>https://n.example/?a=1&b=2</link>\x0b</item>",
        "<item><title>Q&amp;A &amp; more</title><link>https://n.example/?a=1&amp;b=2</link><b>",
        "<item><title>Q&amp;A&nbsp;&amp; more</title><link>https://n.example/?a=1&amp;b=2</link></item>",
    ],
)
def test_broken_xml_is_repaired(damage: str) -> None:
    item = _rss(damage)[0]
    assert _article(item).title.startswith("Q&A & more")
    assert "b=2" in item.url or "title" in damage


def test_the_charset_of_the_server_and_of_the_document_are_believed() -> None:
    feed = "<rss><channel><item><title>Пожар & дым в порту</title></item></channel></rss>"
    assert read_feed(feed.encode("koi8-r"), "", "koi8-r").items[0].title == "Пожар & дым в порту"
    declared = '<?xml version="1.0" encoding="koi8-r"?>' + feed
    assert read_feed(declared.encode("koi8-r")).items[0].title == "Пожар & дым в порту"


def test_a_compressed_feed_is_unpacked_within_the_limit() -> None:
    feed = b"<rss><channel><item><title>T</title></item></channel></rss>"
    assert len(read_feed(gzip.compress(feed)).items) == 1
    with pytest.raises(FeedError):
        read_feed(gzip.compress(feed + b" " * 20 * MEGABYTE))


_LOL = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" \n ",
        b"\x00" * 1000,
        b"no feed at all",
        b"<html><body>Not found</body></html>",
        b"<!doctype html><html><p>unclosed <br>",
        b"{",
        b"[1, 2]",
        b'{"items": 3}',
        b"[" * 100_000,
        b"{" + b'"a":{' * 100_000,
        f'<!DOCTYPE rss [<!ENTITY l0 "lol">{_LOL}]><rss><channel><item><title>&l9;</title></item>'
        "</channel></rss>".encode(),
        b'<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss><channel><item>'
        b"<title>&x;</title></item></channel></rss>",
        b'<!DOCTYPE rss [<!ENTITY q "' + b"q" * MEGABYTE + b'">]><rss>' + b"&q;" * 1000 + b"</rss>",
        b"<" * MEGABYTE,
        b"<rss" + b" a='b'" * 10,
    ],
)
def test_what_is_no_feed_is_one_clean_error(raw: bytes) -> None:
    before = psutil.Process().memory_info().rss
    with pytest.raises(FeedError) as raised:
        read_feed(raw)
    assert str(raised.value)
    assert "\n" not in str(raised.value)
    assert psutil.Process().memory_info().rss - before < 64_000_000


@pytest.mark.parametrize(
    "piece",
    ["<item>", "<b>", "<a '", "<!--", "<![CDATA[", "&", "&lt;", "<item><title>x & y</title>"],
)
def test_hostile_xml_takes_time_in_proportion_to_its_size(piece: str) -> None:
    def seconds(size: int) -> float:
        raw = ("<rss><channel>" + piece * (size // len(piece))).encode()
        start = time.process_time()
        for item in read_feed(raw).items:
            make_article(item, Origin("f", "P"), NOW, "")
        return time.process_time() - start

    small, large = min(seconds(20_000) for _ in range(3)), seconds(200_000)
    assert large < 40 * small + 1.0


def test_a_dtd_without_entities_is_read() -> None:
    feed = (
        '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" '
        '"http://my.netscape.com/publish/formats/rss-0.91.dtd">'
        "<rss><channel><item><title>T</title></item></channel></rss>"
    )
    assert [item.title for item in read_feed(feed.encode()).items] == ["T"]


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail_in_another_way(raw: bytes) -> None:
    for prefix in (b"", b"<rss><channel><item><title>", b'{"items": ['):
        try:
            for item in read_feed(prefix + raw).items:
                make_article(item, Origin("f", "P"), NOW, "")
        except FeedError as error:
            assert str(error)


def _rss(items: str) -> tuple[Item, ...]:
    feed = f"<rss version='2.0'><channel><title>F</title>{items}</channel></rss>"
    return read_feed(feed.encode(), "https://n.example/feed").items


def _article(item: Item) -> Article:
    article = make_article(item, Origin("f", "P"), NOW, "")
    assert isinstance(article, Article)
    return article
