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
# Enough text to tell encodings apart; detection of whole pages costs seconds.
_SAMPLE_BYTES = 20_000


class DecompressError(ValueError):
    """Compressed bytes that are broken or grow past the limit."""


def decode(raw: bytes, declared: str = "") -> str:
    """Decode bytes: byte order mark, then UTF-8, then the declared or <meta> charset, then a
    guess. A declared charset that is not UTF-8 comes before the guess only when it fits.
    """
    for mark, name in _BOMS:
        if raw.startswith(mark):
            return raw.decode(name, "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    meta = _META_CHARSET.search(raw[:4_096])
    for name in (declared, meta[1].decode("ascii") if meta else ""):
        text = _try_decode(raw, name)
        if text is not None:
            return text
    best = from_bytes(raw[:_SAMPLE_BYTES]).best()
    return raw.decode(best.encoding if best else "utf-8", "replace")


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


def _try_decode(raw: bytes, name: str) -> str | None:
    name = _ALIASES.get(name.strip().lower(), name.strip().lower())
    if not name or name.replace("-", "").startswith("utf8"):
        return None
    try:
        # Truncated last characters are common; a few wrong bytes do not refute a charset.
        text = raw.decode(name, "replace")
    except (LookupError, ValueError):
        return None
    return text if text.count("�") <= len(text) // 200 + 1 else None
