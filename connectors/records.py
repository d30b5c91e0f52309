"""The records that cross Kafka: Article and Alert, their JSON form, their schema version.

Owns encoding, validated decoding and size limits. Knows nothing of Kafka itself: the
publisher puts `SCHEMA_HEADER` on each message, the worker hands the raw bytes back here.

A version may add fields; an older reader passes over them, so that sources and workers can be
brought up to date in any order. What an older reader would misread gets a Kafka topic of its own.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

SCHEMA_VERSION = 1
SCHEMA_HEADER = ("schema", b"1")

# Apache Kafka refuses messages over 1 MiB by default; the JSON form must stay below it.
MAX_RECORD_BYTES = 900_000
# 100,000 characters hold every article of the test pages 3 times over; longer is a dump.
MAX_TEXT_CHARS = 100_000
MAX_TITLE_CHARS = 1_000
# The year a clock can be wrong by before we call the date no date at all.
MIN_YEAR, MAX_FUTURE_DAYS = 1990, 2

ArticleStatus = Literal["published", "correction", "withdrawn"]
AlertKind = Literal["new", "update", "correction", "withdrawn"]
Priority = Literal["flash", "urgent", "routine"]

# Query parameters that say where a reader came from, never which article it is.
_TRACKING_PREFIXES = ("utm_", "at_", "mc_", "pk_")
_TRACKING_NAMES = frozenset({"fbclid", "gclid", "ocid", "cmpid", "smid", "ref", "rss", "partner"})


class RecordError(ValueError):
    """A record that cannot be decoded or is over a limit; permanent, goes to dead letters."""


class Article(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One report of one publisher, as a source found it.

    `published_at` is the publisher's clock (None when it gave none or an impossible one);
    `fetched_at` is ours. Both are aware UTC. `language` is ISO 639-1 or "" when unknown.
    """

    id: str
    source_id: str
    publisher: str
    title: str
    fetched_at: datetime
    url: str = ""
    text: str = ""
    language: str = ""
    published_at: datetime | None = None
    status: ArticleStatus = "published"


class TopicScore(msgspec.Struct, frozen=True, kw_only=True):
    """A topic with the probability (0 to 1) that the story reports on it."""

    topic: str
    label: str
    probability: float


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What decided for a topic: words in the article's own language, and their sentence. `first`
    is the probability that the words gave it where a second reading gave another; `unread` says
    that a second reading was due, and left out.
    """

    topic: str
    words: tuple[str, ...]
    sentence: str = ""
    first: float | None = None
    unread: bool = False

    @property
    def remark(self) -> str:
        """That these words did not decide alone, or should not have, for a reader of the alert;
        "" where they did.
        """
        if self.unread:
            return "doubtful, and not read twice"
        return "" if self.first is None else f"read twice; {self.first:.0%} by these words alone"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A place of the story: ISO 3166-1 alpha-2 country, degrees north and east."""

    name: str
    country: str
    latitude: float
    longitude: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One publisher's first report in a story. Copies and editions do not add another."""

    publisher: str
    article_id: str
    title: str
    url: str
    reported_at: datetime
    language: str = ""


class Toll(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The highest number said of one kind ("killed", "injured", ...) and who said it: whom the
    report names ("police"; "" when it names nobody), and the publisher of the report.
    """

    kind: str
    number: int
    publisher: str
    said_by: str = ""


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """What an editor threads together, at one revision. `topics` come highest first,
    `reports` in order of first report. `changes` says why `revision` rose to what it is.
    Editors may have made it part of another (`merged_into`, that story's id) or muted it.
    """

    id: str
    revision: int
    headline: str
    language: str
    summary: str
    topics: tuple[TopicScore, ...]
    evidence: tuple[Evidence, ...]
    places: tuple[Place, ...]
    tolls: tuple[Toll, ...]
    reports: tuple[Report, ...]
    article_count: int
    first_seen: datetime
    last_seen: datetime
    changes: tuple[str, ...]
    corrected: str = ""
    withdrawn: bool = False
    merged_into: str = ""
    muted: bool = False


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A story at a revision, whole: a receiver needs nothing else.

    `id` is `<story id>:<revision>`, the same however often it is made. `priority_reason`
    explains the priority in words. The last three datetimes are our clocks, for latency.
    """

    id: str
    kind: AlertKind
    priority: Priority
    priority_reason: str
    story: Story
    published_at: datetime | None
    fetched_at: datetime
    screened_at: datetime


_article_decoder = msgspec.json.Decoder(Article)
_alert_decoder = msgspec.json.Decoder(Alert)
_encoder = msgspec.json.Encoder()


def encode(record: Article | Alert) -> bytes:
    """Encode a record as UTF-8 JSON.

    Raises:
        RecordError: the JSON is over `MAX_RECORD_BYTES`, or a text is no Unicode (half of a
            surrogate pair).
    """
    try:
        raw = _encoder.encode(record)
    except UnicodeEncodeError as error:
        raise RecordError(f"not Unicode: {error.reason} at {error.start}") from error
    if len(raw) > MAX_RECORD_BYTES:
        raise RecordError(f"record is {len(raw)} bytes, the limit is {MAX_RECORD_BYTES}")
    return raw


def decode_article(raw: bytes) -> Article:
    """Decode and validate an article; naive datetimes and unknown statuses are refused.

    Raises:
        RecordError: not an article; the message names the place in the JSON.
    """
    article = _decode(_article_decoder, raw)
    assert isinstance(article, Article)
    if not article.id or not (article.title or article.text):
        raise RecordError("article has no id, or neither title nor text")
    if article.fetched_at.tzinfo is None or (
        article.published_at is not None and article.published_at.tzinfo is None
    ):
        raise RecordError("article has a datetime without time zone")
    return article


def decode_alert(raw: bytes) -> Alert:
    """Decode and validate an alert.

    Raises:
        RecordError: not an alert; the message names the place in the JSON.
    """
    alert = _decode(_alert_decoder, raw)
    assert isinstance(alert, Alert)
    return alert


def article_id(publisher: str, guid_or_url: str) -> str:
    """The id of an article: 128 bits of SHA-256 over publisher and guid or canonical URL."""
    digest = hashlib.sha256(f"{publisher}\n{guid_or_url}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32]


def canonical_url(url: str) -> str:
    """The URL without fragment and tracking parameters, scheme and host in lower case."""
    parts = urlsplit(url.strip())
    query = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if name.lower() not in _TRACKING_NAMES and not name.lower().startswith(_TRACKING_PREFIXES)
    ]
    path = parts.path or "/"
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), path, urlencode(query), ""))


def plausible_time(moment: datetime | None, now: datetime) -> datetime | None:
    """The moment in UTC, or None when it is missing, naive, before 1990 or in the future.

    Publishers send the year 9999 and the year 1; an article with such a date has no date.
    """
    if moment is None or moment.tzinfo is None:
        return None
    try:
        moment = moment.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    ahead_days = (moment - now).total_seconds() / 86_400
    return moment if moment.year >= MIN_YEAR and ahead_days <= MAX_FUTURE_DAYS else None


def _decode(
    decoder: msgspec.json.Decoder[Article] | msgspec.json.Decoder[Alert], raw: bytes
) -> Article | Alert:
    if len(raw) > MAX_RECORD_BYTES:
        raise RecordError(f"record is {len(raw)} bytes, the limit is {MAX_RECORD_BYTES}")
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(str(error)) from error
    except RecursionError as error:
        raise RecordError("JSON is nested too deeply") from error
