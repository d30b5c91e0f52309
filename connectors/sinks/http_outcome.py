"""What an HTTP attempt came to: the one place where aiohttp's errors become outcomes.

The question is always: can the receiver have applied it? Before the request was sent it
cannot; after that, anything but its answer leaves doubt.
"""

from __future__ import annotations

import ssl

import aiohttp

from connectors.addresses import PrivateAddressError, public_socket
from connectors.sinks.lease import LeaseOverError, last_look
from connectors.sinks.sink import Result

# Half of it is left for the answer even when the connection takes its worst.
_CONNECT_SHARE = 0.5

# What to do about it stands beside: a receiver on one's own machine is the usual first try.
NOT_PUBLIC = (
    "it leads to an address that is not public (allow_private = true lets this sink reach one)"
)


def open_session(timeout_s: float, *, allow_private: bool) -> aiohttp.ClientSession:
    """A session of a sink's own: bounded in time, no cookies, no proxy of the environment,
    and unless `allow_private` no connection to an address that is not public.
    """
    connector = aiohttp.TCPConnector(
        limit=64, ttl_dns_cache=60, socket_factory=None if allow_private else public_socket
    )
    timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=timeout_s * _CONNECT_SHARE)
    return aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        trace_configs=[last_look()],
    )


def outcome_of(error: Exception) -> Result:
    """The result of an attempt that ended without an answer. Quotes no URL: it may be secret."""
    if _is_private(error):
        return Result("refused", detail=NOT_PUBLIC)
    if isinstance(error, LeaseOverError):
        return Result("not_sent", detail="its lease was over before it was sent")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Result("not_sent", detail="no connection in time")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Result("not_sent", detail="the name cannot be found")
    if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLCertVerificationError)):
        return Result("not_sent", detail="the certificate or TLS handshake is not valid")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Result("not_sent", detail="the connection is refused")
    if isinstance(error, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
        return Result("refused", detail="not an http(s) URL")
    if isinstance(error, TimeoutError):
        return Result("unknown", detail="no answer in time")
    if isinstance(error, aiohttp.ClientPayloadError):
        return Result("unknown", detail="the answer is cut short")
    if isinstance(error, (aiohttp.ClientError, OSError)):
        return Result("unknown", detail=f"the connection was lost ({type(error).__name__})")
    return Result("unknown", detail=f"the answer cannot be read ({type(error).__name__})")


def _is_private(error: BaseException | None) -> bool:
    while error is not None:
        inner = getattr(error, "os_error", None)
        if isinstance(error, PrivateAddressError) or isinstance(inner, PrivateAddressError):
            return True
        error = error.__cause__ or error.__context__
    return False
