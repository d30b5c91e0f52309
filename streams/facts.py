"""Facts: what is kept of one article of a story, and all that a story is made from.

Owns the record and its compact form in Redis. Facts never change once written: an edited
article adds new facts, it does not replace the old.
"""

from __future__ import annotations

import hashlib
import zlib
from datetime import UTC, datetime

import msgspec

from connectors.records import ArticleStatus

MAX_TITLE_CHARS = 300
MAX_URL_CHARS = 500
MAX_SUMMARY_CHARS = 400
MAX_SENTENCE_CHARS = 240
MAX_PLACES = 6
MAX_EVIDENCE = 3


class EvidenceFact(msgspec.Struct, frozen=True, array_like=True):
    """The words, and their sentence, that decided for a topic; `first` is the probability that
    they gave it where a second reading gave another, `unread` that one was due and left out.
    """

    topic: str
    words: tuple[str, ...]
    sentence: str = ""
    first: float | None = None
    unread: bool = False


class PlaceFact(msgspec.Struct, frozen=True, array_like=True):
    """A place of the article, best first."""

    name: str
    country: str
    latitude: float
    longitude: float
    is_country: bool = False


class Facts(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One article as its story sees it. Times are seconds since 1970, UTC.

    `said_by` names who said the number of a kind, where the text does. A copy (syndicated text)
    carries who published it, when, and its numbers (an agency's next version is the same text
    with a higher toll), and what a story of its own needs, should an editor split it off.
    """

    article_id: str
    publisher: str
    fetched_at: float
    screened_at: float
    published_at: float | None = None
    status: ArticleStatus = "published"
    copy: bool = False
    title: str = ""
    url: str = ""
    language: str = ""
    summary: str = ""
    topics: tuple[tuple[str, float], ...] = ()
    evidence: tuple[EvidenceFact, ...] = ()
    places: tuple[PlaceFact, ...] = ()
    tolls: tuple[tuple[str, int], ...] = ()
    said_by: tuple[tuple[str, str], ...] = ()

    @property
    def reported_at(self) -> datetime:
        """When it was reported, as far as anybody knows: the publisher's clock, else ours."""
        return moment(self.fetched_at if self.published_at is None else self.published_at)

    def as_copy(self) -> Facts:
        """The same article as a syndicated copy."""
        return Facts(
            article_id=self.article_id,
            publisher=self.publisher,
            fetched_at=self.fetched_at,
            screened_at=self.screened_at,
            published_at=self.published_at,
            copy=True,
            title=self.title,
            url=self.url,
            language=self.language,
            topics=self.topics,
            places=self.places[:1],
            tolls=self.tolls,
            said_by=self.said_by,
        )


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Facts)
# Raw deflate: the six bytes of zlib's frame are a per cent of what is kept.
_WBITS = -15


def encode_facts(facts: Facts) -> bytes:
    """The compact form: msgpack, deflated (to about half)."""
    packer = zlib.compressobj(6, zlib.DEFLATED, _WBITS)
    return packer.compress(_encoder.encode(facts)) + packer.flush()


def decode_facts(raw: bytes) -> Facts:
    """Read the compact form.

    Raises:
        ValueError: not facts; what Redis holds under our prefix is not ours.
    """
    try:
        return _decoder.decode(zlib.decompress(raw, _WBITS))
    except (zlib.error, msgspec.DecodeError) as error:
        raise ValueError(f"facts cannot be read: {error}") from error


def material_digest(facts: Facts) -> bytes:
    """Four bytes over what could be material: an edit that leaves them alone is silent."""
    named = sorted((place.country, place.name) for place in facts.places)
    matter = (facts.status, facts.title, sorted(name for name, _ in facts.topics), named)
    return hashlib.sha256(_encoder.encode((matter, sorted(facts.tolls)))).digest()[:4]


def seconds(when: datetime) -> float:
    """A moment as it is kept: seconds since 1970, to the millisecond."""
    return round(when.timestamp(), 3)


def moment(at_s: float) -> datetime:
    """The moment that `seconds` made."""
    return datetime.fromtimestamp(at_s, UTC)
