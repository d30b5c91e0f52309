"""Who may see the page: loopback without a token, everyone else with one.

Owns the token (header or cookie), the host names that may be asked for, and the headers
that keep a browser from running or sending anything that is not ours.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

COOKIE = "wirebell"
COOKIE_AGE_S = 30 * 86_400
# Reached without a token: liveness for machines, and what the sign-in form needs.
_OPEN_PATHS = frozenset({"/healthz", "/readyz", "/sign-in", "/static/page.css"})
_OPEN_PREFIXES = ("/static/vendor/", "/static/tape.svg")

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "wirebell",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine only."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def refusal(host: str, token: str) -> str:
    """Why the page must not listen there; "" when it may."""
    if token or is_loopback(host):
        return ""
    return f"page.host {host} can be reached by others: set page.token, or listen on 127.0.0.1"


def cookie_value(token: str) -> str:
    """What the browser keeps instead of the token."""
    return hmac.new(token.encode(), b"wirebell page", hashlib.sha256).hexdigest()


def token_matches(given: str, token: str) -> bool:
    """Compare in constant time."""
    # Headers may hold bytes that are no text; they are wrong, not a fault of ours.
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


def guard(token: str) -> Middleware:
    """The middleware that lets in or turns away, and sets the headers on every answer."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if not token and not is_loopback(_host(request)):
                # A page elsewhere that had its own name point here (DNS rebinding).
                raise web.HTTPForbidden(text="asked for by a name that is not this machine's\n")
            if token and not _is_open(request.path) and not _has_token(request, token):
                raise _turned_away(request)
            response = await handler(request)
        except web.HTTPException as answer:
            answer.headers.update(HEADERS)
            raise
        if not response.prepared:
            response.headers.update(HEADERS)
            # Asked for again each time, answered 304: an upgrade is never half in a cache.
            response.headers.setdefault("Cache-Control", "no-cache")
        return response

    return check


def _host(request: web.Request) -> str:
    host = request.host
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _is_open(path: str) -> bool:
    return path in _OPEN_PATHS or path.startswith(_OPEN_PREFIXES)


def _has_token(request: web.Request, token: str) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token_matches(given.strip(), token)
    return token_matches(request.cookies.get(COOKIE, ""), cookie_value(token))


def _turned_away(request: web.Request) -> web.HTTPException:
    if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
        return web.HTTPSeeOther("/sign-in")
    return web.HTTPUnauthorized(
        text="a token is needed\n", headers={"WWW-Authenticate": 'Bearer realm="wirebell"'}
    )
