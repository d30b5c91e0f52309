"""Which names are one publisher."""

from __future__ import annotations

import pytest

from streams.publishers import publisher_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("BBC News", "BBC News - World"),
        ("BBC News", "BBC"),
        ("The Guardian", "Guardian | International"),
        ("Le Monde", "LE MONDE (English)"),
        ("https://feeds.skynews.com/feeds/rss/world", "skynews.com"),
        ("news.example.co.uk", "www.example.co.uk"),
        ("wydarzenia.interia.pl", "interia.pl"),
        ("Новая газета", "новая газета"),
    ],
)
def test_editions_and_hosts_are_one_publisher(one: str, other: str) -> None:
    assert publisher_key(one) == publisher_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("BBC News", "CBS News"),
        ("Daily Mail", "Daily Ledger"),
        ("news.com.au", "abc.net.au"),
        ("World News", "Asia News"),
        ("Новая газета", "Новое время"),
    ],
)
def test_different_names_stay_different(one: str, other: str) -> None:
    assert publisher_key(one) != publisher_key(other)


@pytest.mark.parametrize("name", ["-", "…", "News", "the", "(x)", ","])
def test_a_name_never_has_an_empty_key(name: str) -> None:
    assert publisher_key(name)
