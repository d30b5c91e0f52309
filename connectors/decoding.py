"""Bytes from outside into text: byte order marks, declared charsets, and what is left.

Owns the choice of an encoding. Never fails: undecodable bytes become U+FFFD.
"""

from __future__ import annotations

import codecs
import re
import zlib

from charset_normalizer import from_bytes

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF_16_STARTS = ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
_META_CHARSET = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,30})", re.I
)
# Browsers read these labels as their Windows supersets (WHATWG Encoding Standard).
_ALIASES = {
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
}
# Python's own transformations are no charsets of any page, and a megabyte of "punycode" takes
# minutes (it inserts letter by letter).
_NO_CHARSETS = frozenset({"punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined"})
_HIGH, _HIGH_WORD = re.compile(rb"[\x80-\xff]+"), re.compile(rb"[\x80-\xff]{2,}")
# Enough text to tell encodings apart; detection of whole pages costs seconds.
_SAMPLE_BYTES = 20_000


class DecompressError(ValueError):
    """Compressed bytes that are broken or grow past the limit."""


def decode(raw: bytes, *declared: str) -> str:
    """Decode bytes: byte order mark, then UTF-8, then the declared charsets in their order
    and <meta>, each only when it fits, then a guess.
    """
    for mark, name in _BOMS:
        if raw.startswith(mark):
            return raw.decode(name, "replace")
    for start, name in _UTF_16_STARTS:
        if raw.startswith(start):
            return raw.decode(name, "replace")
    text = raw.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    # A broken character or two among many good ones: UTF-8 that somebody cut.
    if not wrong or 10 * wrong <= len(raw) - len(text):
        return text
    meta = _META_CHARSET.search(raw[:4_096])
    for name in (*declared, meta[1].decode("ascii") if meta else ""):
        fitting = _try_decode(raw, name)
        if fitting is not None:
            return fitting
    return raw.decode(_guess(raw[:_SAMPLE_BYTES]), "replace")


def gunzip(raw: bytes, max_bytes: int) -> bytes:
    """Decompress gzip (several members too), never holding more than `max_bytes`.

    Raises:
        DecompressError: not gzip, cut short, or larger than `max_bytes`.
    """
    parts: list[bytes] = []
    size = 0
    while raw:
        member = zlib.decompressobj(wbits=31)
        try:
            part = member.decompress(raw, max_bytes - size + 1)
        except zlib.error as error:
            raise DecompressError("broken gzip") from error
        size += len(part)
        if size > max_bytes:
            raise DecompressError(f"larger than {max_bytes} bytes when unpacked")
        if not member.eof:
            raise DecompressError("gzip is cut short")
        parts.append(part)
        raw = member.unused_data.lstrip(b"\0")
    return b"".join(parts)


def _guess(sample: bytes) -> str:
    """An encoding for bytes that nobody declared. The detector takes Western accents for
    Baltic ones; but those stand alone among ASCII, while Cyrillic letters stand in words.
    """
    high = sum(map(len, _HIGH.findall(sample)))
    in_words = sum(map(len, _HIGH_WORD.findall(sample)))
    if 2 * in_words < high:
        return "cp1252"
    best = from_bytes(sample).best()
    return best.encoding if best else "utf-8"


def _try_decode(raw: bytes, name: str) -> str | None:
    name = _ALIASES.get(name.strip().lower(), name.strip().lower())
    if not name or name.replace("-", "").startswith("utf8"):
        return None
    try:
        if codecs.lookup(name).name.replace("_", "-") in _NO_CHARSETS:
            return None
        # Truncated last characters are common; a few wrong bytes do not refute a charset.
        text = raw.decode(name, "replace")
    except (LookupError, ValueError):
        return None
    return text if text.count("�") <= len(text) // 200 + 1 else None
