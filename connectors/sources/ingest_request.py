"""One `POST /articles`: who may send, how much, and what is in it.

Owns the checks and their answers: 401, 403, 408, 413, 415 and 422, each with a reason.
Either all articles of a request are accepted or none.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from datetime import UTC, datetime

from aiohttp import web

from connectors.addresses import is_loopback
from connectors.records import Article, RecordError, encode
from connectors.sources.items import Origin, make_article
from connectors.sources.rows import RowError, decode_json, read_row, rows_of
from connectors.sources.settings import IngestSettings

MAX_ARTICLES = 500
# A sender slower than this is cut off.
BODY_S = 30.0
_MAX_ERRORS = 20
_CHUNK_BYTES = 65_536


class RequestError(Exception):
    """An answer that is not 202; the reason is meant for the sender."""

    def __init__(
        self,
        status: int,
        reason: str,
        places: list[dict[str, str]] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.status = status
        self._places = places
        self._retry_after_s = retry_after_s

    def body(self) -> dict[str, object]:
        """The JSON answer: the reason, and the places of the faults where there are some."""
        answer: dict[str, object] = {"error": str(self)}
        return answer | {"errors": self._places} if self._places else answer

    def headers(self) -> dict[str, str]:
        """Headers that HTTP asks for with this status."""
        if self.status == 401:
            return {"WWW-Authenticate": "Bearer"}
        return {"Retry-After": str(self._retry_after_s)} if self._retry_after_s else {}


def check_request(request: web.Request, settings: IngestSettings) -> None:
    """Check the sender's token and the kind of the body, before any of it is read.

    Raises:
        RequestError: 401, 403 or 415.
    """
    token = settings.token.get_secret_value()
    if token:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not _same(given.strip(), token):
            raise RequestError(401, "the bearer token is missing or wrong")
    elif not is_loopback(request.url.host or ""):
        # Without a token, a web page could reach us under a name of its own (rebinding).
        raise RequestError(403, "without a token only requests to a loopback name are taken")
    if request.content_type != "application/json":
        raise RequestError(415, "the body must be application/json")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise RequestError(415, "the body must not be compressed")


async def read_body(request: web.Request, max_bytes: int) -> bytes:
    """Read the body, at most `max_bytes`.

    Raises:
        RequestError: 413, or 408 when the sender is too slow.
    """
    too_large = RequestError(413, f"the body is larger than {max_bytes} bytes")
    if (request.content_length or 0) > max_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.content.iter_chunked(_CHUNK_BYTES):
                body += chunk
                if len(body) > max_bytes:
                    raise too_large
    except TimeoutError as error:
        raise RequestError(408, f"the body did not come within {BODY_S:g} s") from error
    return bytes(body)


def read_articles(body: bytes, origin: Origin) -> tuple[Article, ...]:
    """The articles of a body: one object, a list, or {"articles": [...]}. Blocking.

    Raises:
        RequestError: 422 with the place of each fault; then none is accepted.
    """
    try:
        rows = list(rows_of(decode_json(body)))
    except RowError as error:
        raise RequestError(422, str(error)) from error
    if not rows or len(rows) > MAX_ARTICLES:
        raise RequestError(422, f"1 to {MAX_ARTICLES} articles are expected, got {len(rows)}")
    now = datetime.now(UTC)
    first: dict[str, str] = {}
    articles: list[Article] = []
    faults: list[dict[str, str]] = []
    for place, value in rows:
        try:
            article = _read_one(value, origin, now, place)
        except (RowError, RecordError) as error:
            faults.append({"place": place, "reason": str(error)})
            continue
        before = first.setdefault(article.id, place)
        if before != place:
            faults.append({"place": place, "reason": f"the same id as {before}"})
        articles.append(article)
    if faults:
        summary = f"{faults[0]['place']}: {faults[0]['reason']}"
        raise RequestError(422, summary, faults[:_MAX_ERRORS])
    return tuple(articles)


def _read_one(value: object, origin: Origin, now: datetime, place: str) -> Article:
    made = make_article(read_row(value), origin, now, place)
    if not isinstance(made, Article):
        raise RowError(made.reason)
    encode(made)
    return made


def _same(given: str, expected: str) -> bool:
    # Equal lengths for compare_digest, so that not even the token's length shows.
    digests = (
        hashlib.sha256(t.encode("utf-8", "surrogateescape")).digest() for t in (given, expected)
    )
    return hmac.compare_digest(*digests)
