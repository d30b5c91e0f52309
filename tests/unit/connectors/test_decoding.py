"""Bytes in any encoding become text; compressed bytes stay within their limit."""

from __future__ import annotations

import gzip

import pytest

from connectors.decoding import DecompressError, decode, gunzip

RUSSIAN = "Пожар на складе в порту, сообщили в службе спасения города. " * 5
FRENCH = "Un incendie a éclaté près du port, où l'été s'achève. " * 5


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_recognised(encoding: str) -> None:
    assert decode(RUSSIAN.encode(encoding)) == RUSSIAN


@pytest.mark.parametrize("encoding", ["windows-1251", "koi8-r", "iso-8859-5"])
def test_a_declared_charset_is_believed_when_it_fits(encoding: str) -> None:
    assert decode(RUSSIAN.encode(encoding), encoding) == RUSSIAN
    page = f"<meta charset={encoding}>{RUSSIAN}"
    assert decode(page.encode(encoding)) == page


def test_nobody_declared_anything() -> None:
    assert decode(RUSSIAN.encode("windows-1251")) == RUSSIAN
    assert decode(FRENCH.encode("iso-8859-1")) == FRENCH


def test_utf_8_declared_as_something_else_is_still_utf_8() -> None:
    assert decode(RUSSIAN.encode(), "iso-8859-1") == RUSSIAN
    assert decode(RUSSIAN.encode(), "no-such-charset") == RUSSIAN


def test_a_cut_character_does_not_change_the_encoding() -> None:
    assert decode(RUSSIAN.encode()[:-2]).startswith(RUSSIAN[:-3])


def test_gzip_members_are_joined_and_limited() -> None:
    raw = gzip.compress(b"a" * 100) + gzip.compress(b"b" * 100)
    assert gunzip(raw, 200) == b"a" * 100 + b"b" * 100
    for broken, limit in ((raw, 199), (raw[:-20], 999), (b"no gzip", 999), (raw + b"x", 999)):
        with pytest.raises(DecompressError):
            gunzip(broken, limit)
