"""What can happen to a fetch, as one small tree of exceptions, and how long to wait.

    WebError
      ConnectError     no connection, or it was lost     retryable
      TimedOutError    too slow                          retryable
      TransferError    cut short, broken, not HTTP       retryable
      StatusError      an answer that is not 200 or 304  5xx and 429 retryable, else refused
      TooLargeError    over the size limit               refused
      RedirectError    too many, or to nowhere           refused
      AddressError     a private address                 refused
      RobotsError      robots.txt says no                refused
      UrlError         no http(s) URL                    refused

Messages name the host at most: paths, queries and passwords stay out of logs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import urlsplit

# A server that asks for more is asked again after a day all the same.
MAX_RETRY_AFTER_S = 86_400.0


class WebError(Exception):
    """A fetch that gave no body. `retryable`: the same request may succeed later."""

    retryable: ClassVar[bool] = False

    def __init__(self, message: str, url: str) -> None:
        host = _host(url)
        super().__init__(f"{host}: {message}" if host else message)

    @property
    def status(self) -> int | None:
        """The HTTP status, where the server gave one."""
        return None

    @property
    def retry_after_s(self) -> float | None:
        """The seconds that the server asked to wait."""
        return None

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed later."""
        return self.retryable


class ConnectError(WebError):
    """No connection, or it was lost."""

    retryable = True


class TimedOutError(WebError):
    """Too slow."""

    retryable = True


class TransferError(WebError):
    """The answer is cut short, broken or not HTTP."""

    retryable = True


class StatusError(WebError):
    """The server answered with something else than a body."""

    def __init__(self, status: int, url: str, retry_after_s: float | None = None) -> None:
        known = {item.value: item.phrase for item in HTTPStatus}
        super().__init__(f"HTTP {status} {known.get(status, '')}".rstrip(), url)
        self._status = status
        self._retry_after_s = retry_after_s

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._status

    @property
    def retry_after_s(self) -> float | None:
        """The seconds that the server asked to wait."""
        return self._retry_after_s

    @property
    def may_pass(self) -> bool:
        """5xx, 408, 425 and 429 pass by themselves; other statuses need a person."""
        return self._status >= 500 or self._status in (408, 425, 429)


class TooLargeError(WebError):
    """The body is over the size limit."""


class RedirectError(WebError):
    """Too many redirects, or one to nowhere."""


class AddressError(WebError):
    """It leads to an address that is not public."""


class RobotsError(WebError):
    """The host's robots.txt does not allow it."""


class UrlError(WebError):
    """Not an http(s) URL."""


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Read Retry-After (seconds or a date) as seconds from now, 0 to a day; None if absent."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, TypeError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - (now or datetime.now(UTC))).total_seconds()
    if math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
