"""The one HTTP client: every byte that is fetched comes through here.

Owns time and size limits, conditional requests, robots.txt, redirects (each hop checked),
the refusal of private addresses, and the translation of aiohttp's errors. Does not decide
when to ask: politeness per host is the poller's.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self
from urllib.parse import urljoin, urlsplit, urlunsplit

import aiohttp

from connectors.addresses import PrivateAddressError, public_socket
from connectors.robots import ROBOTS_MAX_BYTES, RobotsCache, robots_url
from connectors.web_errors import (
    AddressError,
    ConnectError,
    RedirectError,
    RobotsError,
    StatusError,
    TimedOutError,
    TooLargeError,
    TransferError,
    UrlError,
    WebError,
    retry_after_s,
)

USER_AGENT: Final = "Wirebell/0.1 (news alarm; honours robots.txt)"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Limits:
    """What one fetch may cost, redirects and robots.txt included."""

    total_s: float = 20.0
    connect_s: float = 6.0
    # Unpacked. Whole-article feeds reach 5 MB; a page over 10 MB is no article.
    max_bytes: int = 10_000_000
    max_redirects: int = 5


@dataclass(frozen=True, slots=True)
class Response:
    """A 200 with its body, or a 304 without. `url` is where the redirects ended."""

    url: str
    status: int
    body: bytes = b""
    content_type: str = ""
    charset: str = ""
    etag: str = ""
    last_modified: str = ""


class WebClient:
    """Fetches public http(s) URLs. Make and close it inside a running event loop."""

    def __init__(self, limits: Limits | None = None, *, robots: bool = True) -> None:
        self.limits = limits or Limits()
        self._robots = RobotsCache() if robots else None
        self._guarded: aiohttp.ClientSession | None = None
        self._unguarded: aiohttp.ClientSession | None = None

    async def get(
        self, url: str, *, etag: str = "", last_modified: str = "", allow_private: bool = False
    ) -> Response:
        """Fetch a URL once, conditionally when `etag` or `last_modified` is known.

        `allow_private` holds for the host of `url` alone, not for where it redirects to.

        Raises:
            WebError: one of its kinds says what happened; see `connectors.web_errors`.
        """
        conditions = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        headers = {name: value for name, value in conditions.items() if value}
        private_host = _host(url) if allow_private else None
        try:
            async with asyncio.timeout(self.limits.total_s):
                return await self._follow(url, headers, private_host, self.limits.max_bytes)
        except TimeoutError as error:
            raise TimedOutError(f"no answer within {self.limits.total_s:g} s", url) from error

    def crawl_delay_s(self, url: str) -> float:
        """Seconds the host's robots.txt, if already read, asks to wait between requests."""
        return self._robots.crawl_delay_s(url) if self._robots else 0.0

    async def close(self) -> None:
        """Close all connections. May be called twice."""
        for session in (self._guarded, self._unguarded):
            if session is not None:
                await session.close()
        self._guarded = self._unguarded = None

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        await self.close()

    async def _follow(
        self, url: str, headers: dict[str, str], private_host: str | None, max_bytes: int
    ) -> Response:
        first_host = _host(url)
        for _hop in range(self.limits.max_redirects + 1):
            await self._check_robots(url, private_host)
            answer = await self._request(url, headers, private_host, max_bytes)
            if isinstance(answer, Response):
                return answer
            url = _next_hop(url, answer, first_host)
        raise RedirectError(f"more than {self.limits.max_redirects} redirects", url)

    async def _check_robots(self, url: str, private_host: str | None) -> None:
        _check_url(url)
        if self._robots is None:
            return
        if not self._robots.knows(url):
            async with self._robots.lock(url):
                if not self._robots.knows(url):
                    await self._load_robots(url, private_host)
        if not self._robots.allows(url):
            raise RobotsError("robots.txt does not allow it", url)

    async def _load_robots(self, url: str, private_host: str | None) -> None:
        assert self._robots is not None
        target = robots_url(url)
        try:
            for _hop in range(self.limits.max_redirects + 1):
                answer = await self._request(target, {}, private_host, ROBOTS_MAX_BYTES)
                if isinstance(answer, Response):
                    self._robots.learn(url, answer.body)
                    return
                target = _next_hop(target, answer, _host(target))
            self._robots.learn(url, b"")
        except StatusError as error:
            # RFC 9309: "unavailable" (4xx) allows everything, "unreachable" (5xx) nothing.
            if error.status == 429 or error.status >= 500:
                raise
            self._robots.learn(url, b"")
        except (TooLargeError, RedirectError):
            self._robots.learn(url, b"")

    async def _request(
        self, url: str, headers: dict[str, str], private_host: str | None, max_bytes: int
    ) -> Response | str:
        """One request: a `Response`, or the target of a redirect."""
        _check_url(url)
        session = self._session(private=private_host is not None and _host(url) == private_host)
        try:
            async with session.get(url, headers=headers, allow_redirects=False) as answer:
                location = answer.headers.get("Location", "")
                if answer.status in _REDIRECTS and location:
                    return location
                if answer.status not in (200, 203, 304):
                    raise StatusError(answer.status, url, retry_after_s(answer.headers))
                body = b"" if answer.status == 304 else await _read(answer, max_bytes, url)
                return _response(url, answer, body)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
                raise
            raise _translate(error, url) from error

    def _session(self, *, private: bool) -> aiohttp.ClientSession:
        session = self._unguarded if private else self._guarded
        if session is None:
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=50,
                    ttl_dns_cache=60,
                    socket_factory=None if private else public_socket,
                ),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.limits.connect_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"},
                trust_env=False,
                requote_redirect_url=False,
            )
            if private:
                self._unguarded = session
            else:
                self._guarded = session
        return session


async def _read(answer: aiohttp.ClientResponse, max_bytes: int, url: str) -> bytes:
    # Counted after unpacking; aiohttp unpacks in bounded steps, so a bomb stops here.
    body = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) > max_bytes:
            answer.close()
            raise TooLargeError(f"the answer is larger than {max_bytes} bytes", url)
    return bytes(body)


def _response(url: str, answer: aiohttp.ClientResponse, body: bytes) -> Response:
    return Response(
        url=public_url(url),
        status=304 if answer.status == 304 else 200,
        body=body,
        content_type=answer.content_type.lower() if "Content-Type" in answer.headers else "",
        charset=answer.charset or "",
        etag=answer.headers.get("ETag", "")[:500],
        last_modified=answer.headers.get("Last-Modified", "")[:100],
    )


def public_url(url: str) -> str:
    """The URL without a user name and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        ok = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        ok = False
    if not ok or len(url) > 8_000:
        raise UrlError("not an http(s) URL", "")


def _next_hop(url: str, location: str, first_host: str) -> str:
    try:
        target = urljoin(public_url(url), location)
        host = _host(target)
    except ValueError as error:
        raise RedirectError("it redirects to what is no URL", url) from error
    if not target.lower().startswith(("http://", "https://")):
        raise RedirectError("it redirects to what is no http(s) URL", url)
    # A user name and password are for the host they were given for.
    if host == first_host and host == _host(url) and "@" in urlsplit(url).netloc:
        credentials = urlsplit(url).netloc.rpartition("@")[0]
        parts = urlsplit(target)
        same_origin = parts.scheme == urlsplit(url).scheme
        if same_origin and "@" not in parts.netloc:
            return urlunsplit(parts._replace(netloc=f"{credentials}@{parts.netloc}"))
    return target


def _translate(error: Exception, url: str) -> WebError:
    """The one place where aiohttp's errors get our names. Their texts may hold URLs with
    passwords, so none of them is quoted.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, PrivateAddressError):
            return AddressError("it leads to an address that is not public", url)
        seen = seen.__cause__ or seen.__context__
    os_error = getattr(error, "os_error", None)
    if isinstance(os_error, PrivateAddressError):
        return AddressError("it leads to an address that is not public", url)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return ConnectError("the name cannot be found", url)
    if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)):
        return ConnectError("the certificate or TLS handshake is not valid", url)
    if isinstance(error, aiohttp.ServerTimeoutError):
        return TimedOutError("no connection in time", url)
    if isinstance(error, aiohttp.ClientConnectorError):
        return ConnectError("the connection is refused", url)
    if isinstance(error, aiohttp.InvalidURL):
        return UrlError("not an http(s) URL", "")
    if isinstance(error, aiohttp.ClientPayloadError):
        return TransferError("the answer is cut short or broken", url)
    if isinstance(error, aiohttp.ClientResponseError):
        return TransferError("the answer is not HTTP", url)
    if isinstance(error, (aiohttp.ClientError, OSError)):
        return ConnectError("the connection was lost", url)
    return UrlError("not an http(s) URL", "")
