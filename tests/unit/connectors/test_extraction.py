"""Pages: what they say of themselves is believed in order; hostile ones cost nothing."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import psutil
import pytest

from connectors.extraction import ExtractionError, extract_page

BODY = "<p>The fire in the port was put out by morning, the service said, and nobody was hurt.</p>"


def _page(head: str = "", body: str = "<h1>Fire in the port</h1>") -> bytes:
    return f"<html><head>{head}</head><body><article>{body}{BODY * 4}</article></body>".encode()


def test_json_ld_comes_before_open_graph_before_the_page() -> None:
    linked = (
        '<script type="application/ld+json">{"@graph":[{"@type":"WebPage"},{"@type":"NewsArticle",'
        '"headline":"From JSON-LD","datePublished":"2025-03-01T10:00:00Z"}]}</script>'
    )
    graph = (
        '<meta property="og:title" content="From OG - The Courier">'
        '<meta property="og:site_name" content="The Courier">'
        '<meta property="article:published_time" content="2025-03-02T10:00:00+01:00">'
    )
    page = extract_page(_page(graph + linked))
    assert (page.title, page.published_at) == (
        "From JSON-LD",
        datetime(2025, 3, 1, 10, tzinfo=UTC),
    )
    page = extract_page(_page(graph))
    assert (page.title, page.site) == ("From OG", "The Courier")
    assert page.published_at == datetime(2025, 3, 2, 9, tzinfo=UTC)
    assert extract_page(_page()).title == "Fire in the port"


def test_a_time_element_or_the_text_gives_the_date() -> None:
    page = extract_page(_page(body="<time datetime='2025-03-01T10:00:00Z'>1 March</time>"))
    assert page.published_at == datetime(2025, 3, 1, 10, tzinfo=UTC)


def test_language_and_address_are_read() -> None:
    raw = _page('<link rel="canonical" href="https://n.example/a?utm_source=b#c">').replace(
        b"<html>", b'<html lang="uk-UA">'
    )
    page = extract_page(raw)
    assert (page.language, page.url) == ("uk", "https://n.example/a")


def test_broken_json_ld_is_passed_over() -> None:
    for broken in ("{", "[" * 10_000, '{"@type": 3}', '{"@graph": {"@graph": null}}', "null"):
        script = f'<script type="application/ld+json">{broken}</script>'
        assert extract_page(_page(script)).title == "Fire in the port"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00" * 100,
        b"plain text",
        b"<html></html>",
        b"<html><body><script>var menu = 1;</script><img src=a></body></html>",
        b"<html><body>" + b"<div>" * 50_000 + b"deep" + b"</div>" * 50_000,
        b"<html><body>" + b"<p>x</p>" * 100_000,
        b"<html><body>" + b"<table><tr><td>" * 10_000,
        b"<html><body>" + b"<a href=x>" * 14_000,
        b"<html>" + b"x" * 10_000_000,
        b"<" * 40_000,
        b"\xff\xd8\xff\xe0" + bytes(range(256)) * 100,
    ],
)
def test_what_is_no_article_is_one_clean_error(raw: bytes) -> None:
    before = psutil.Process().memory_info().rss
    with pytest.raises(ExtractionError) as raised:
        extract_page(raw)
    assert "\n" not in str(raised.value)
    assert psutil.Process().memory_info().rss - before < 128_000_000


def test_many_paragraphs_take_time_in_proportion() -> None:
    def seconds(count: int) -> float:
        raw = b"<html><body><article>" + BODY.encode() * count
        start = time.process_time()
        extract_page(raw)
        return time.process_time() - start

    small, large = min(seconds(300) for _ in range(3)), seconds(3_000)
    assert large < 40 * small + 1.0
