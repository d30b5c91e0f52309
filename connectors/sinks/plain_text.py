"""Outside text made harmless for people's eyes: one line, no control characters, no signs
that turn or hide the text around them. Does not escape: each sink knows its own syntax.
"""

from __future__ import annotations

import unicodedata
from urllib.parse import quote, urlsplit, urlunsplit

# Format signs that Persian, Indic scripts and emoji need. The others (bidi overrides,
# zero-width spaces, tags) only serve to disguise.
_KEPT_FORMAT_SIGNS = frozenset("\u200c\u200d")
# More in a row than any script uses: "zalgo" text that runs over its neighbours.
_MAX_COMBINING = 4
_MAX_URL_CHARS = 2_000


def one_line(text: str, limit: int) -> str:
    """The text on one line of at most `limit` characters, an ellipsis where it was cut."""
    kept: list[str] = []
    combining = 0
    # Bounded before the loop: a text of a million spaces costs no more than a headline.
    for sign in text[: 8 * limit + 64]:
        category = unicodedata.category(sign)
        combining = combining + 1 if category in ("Mn", "Me") else 0
        if category in ("Cc", "Zl", "Zp", "Zs"):
            kept.append(" ")
        elif category in ("Cs", "Co", "Cn") or combining > _MAX_COMBINING:
            continue
        elif category != "Cf" or sign in _KEPT_FORMAT_SIGNS:
            kept.append(sign)
    line = " ".join("".join(kept).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def safe_url(url: str) -> str:
    """The URL if people may be sent there: http(s), no user name, nothing left that could end
    a link early; else "".
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme.lower() not in ("http", "https") or not host or len(url) > _MAX_URL_CHARS:
        return ""
    try:
        host = host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        return ""
    netloc = quote(host, safe=".-:[]") + (f":{port}" if port else "")
    if ":" in host:
        netloc = f"[{host}]" + (f":{port}" if port else "")
    path, query, fragment = (
        quote(part, safe="/%:=&?~+!$,;'@()*-._", errors="replace")
        for part in (parts.path, parts.query, parts.fragment)
    )
    return urlunsplit((parts.scheme.lower(), netloc, path, query, fragment))


def host_of(url: str) -> str:
    """The host a safe URL leads to, for showing; without "www."."""
    return (urlsplit(url).hostname or "").removeprefix("www.")
