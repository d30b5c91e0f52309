"""Any feed's bytes into a `FeedDocument`: which reader reads what."""

from __future__ import annotations

from connectors.decoding import DecompressError, gunzip
from connectors.sources.feed_document import FeedDocument, FeedError
from connectors.sources.feed_json import read_json_feed
from connectors.sources.feed_lenient import read_lenient
from connectors.sources.feed_xml import NotStrictError, read_strict

__all__ = ["read_feed"]

# As much as the web client takes of an unpacked answer.
MAX_UNPACKED_BYTES = 10_000_000
_BOM = b"\xef\xbb\xbf"


def read_feed(raw: bytes, base_url: str = "", charset: str = "") -> FeedDocument:
    """Read RSS, Atom or JSON Feed. `charset` is the one the server declared, if any.

    Pure and blocking: call it in a thread. Bounded by the sizes that its readers accept.

    Raises:
        FeedError: no feed; one line says why.
    """
    if raw.startswith(b"\x1f\x8b"):
        try:
            raw = gunzip(raw, MAX_UNPACKED_BYTES)
        except DecompressError as error:
            raise FeedError(str(error)) from error
    start = raw[:64].removeprefix(_BOM).lstrip()
    if not raw.strip():
        raise FeedError("it is empty")
    if start[:1] in (b"{", b"["):
        return read_json_feed(raw, base_url)
    try:
        return read_strict(raw, base_url)
    except NotStrictError:
        return read_lenient(raw, base_url, charset)
