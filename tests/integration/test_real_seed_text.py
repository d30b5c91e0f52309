"""The seed article exactly as its crawler left it comes out as a person wrote it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connectors.records import Article
from connectors.sources.factory import make_source
from connectors.sources.settings import FilesSettings
from connectors.web_client import WebClient


@pytest.fixture
async def article(shared: Path) -> Article:
    settings = FilesSettings(id="seed", path=shared / "seed")
    async with WebClient() as client:
        poll = await make_source(settings, client).poll({})
    assert (len(poll.articles), poll.rejected) == (1, ())
    return poll.articles[0]


async def test_the_title_is_the_headline_in_full(article: Article) -> None:
    assert article.title.startswith("Anti Putin partisans come out in public. And they declare")
    assert article.title.endswith("Kremlin")


async def test_the_crawlers_stamps_are_gone(article: Article) -> None:
    assert not re.search(r"\b1\d{9}\b", f"{article.title} {article.text}")


async def test_the_rights_notice_is_gone(article: Article) -> None:
    assert "©" not in article.text
    assert "reproduction reserved" not in article.text.lower()


async def test_repeated_captions_and_titles_are_gone(article: Article) -> None:
    assert "come out in public" not in article.text
    assert "an arrest warrant is pending" not in article.text
    paragraphs = article.text.split("\n\n")
    assert len(set(paragraphs)) == len(paragraphs) == 7


async def test_what_was_reported_is_all_there(article: Article) -> None:
    for words in ("killer drones", "Minsk", "Nizhny Novgorod", "23 arson attacks", "hypnotized"):
        assert words in article.text
    assert article.text.startswith("The killer drones")
    assert article.text.endswith("“Putin system”.")
