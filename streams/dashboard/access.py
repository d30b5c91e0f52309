"""Who may see the page and who may act: loopback without a token, everyone else with one.

Owns the tokens (header or cookie) and their roles, the host names that may be asked for, and
the headers that keep a browser from running or sending anything that is not ours.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Literal
from urllib.parse import unquote

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from connectors.addresses import is_loopback
from streams.logs import escape

Role = Literal["read", "act"]
COOKIE, NAME_COOKIE = "wirebell", "wirebell-name"
NAME_HEADER, MAX_NAME_CHARS = "X-Wirebell-Who", 60
_READING = frozenset({"GET", "HEAD"})
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


def cookie_value(token: str) -> str:
    """What the browser keeps instead of the token."""
    return hmac.new(token.encode(), b"wirebell page", hashlib.sha256).hexdigest()


def token_matches(given: str, token: str) -> bool:
    """Compare in constant time."""
    # Headers may hold bytes that are no text; they are wrong, not a fault of ours.
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


def role_of(request: web.Request, token: str, act_token: str) -> Role | None:
    """What the one who asks may do; None: nothing. Where there is an `act_token`, `token` (or
    being on this machine, without one) lets one read only.
    """
    if act_token and _shows(request, act_token):
        return "act"
    if token and not _shows(request, token):
        return None
    return "read" if act_token else "act"


def name_of(request: web.Request) -> str:
    """The name that was given at sign-in or by a program; nobody has checked it. May be empty."""
    given = request.headers.get(NAME_HEADER) or unquote(request.cookies.get(NAME_COOKIE, ""))
    return escape(" ".join(given.split())[:MAX_NAME_CHARS])


def who_asks(request: web.Request) -> str:
    """Who acts, for the log: the name that was given and where from."""
    name = name_of(request)
    return f"{name} ({request.remote})" if name else str(request.remote)


def guard(token: str, act_token: str = "") -> Middleware:
    """The middleware that lets in or turns away, and sets the headers on every answer."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if not token and not is_loopback(_host(request)):
                # A page elsewhere that had its own name point here (DNS rebinding).
                raise web.HTTPForbidden(text="asked for by a name that is not this machine's\n")
            role = role_of(request, token, act_token)
            if role is None and not _is_open(request.path):
                raise _turned_away(request)
            if role == "read" and request.method not in _READING and not _is_open(request.path):
                raise web.HTTPForbidden(text="acting needs page.act_token: sign in with it\n")
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


def _shows(request: web.Request, token: str) -> bool:
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
