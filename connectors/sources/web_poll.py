"""What a failed fetch means for a poll: the same for every source that asks the web."""

from __future__ import annotations

from urllib.parse import urlsplit

from connectors.sources.source import Cursor, Poll
from connectors.web_errors import WebError


def failed_poll(error: WebError, cursor: Cursor) -> Poll:
    """Say "unreachable" when the same request may succeed later, else "refused"."""
    return Poll(
        "unreachable" if error.may_pass else "refused",
        cursor=cursor,
        retry_after_s=error.retry_after_s,
        http_status=error.status,
        detail=str(error),
    )


def host_of(url: str) -> str:
    """The host of a URL as a publisher's name: without "www."."""
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""
