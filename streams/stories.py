"""The Redis side of stories: which story each article belongs to, decided atomically.

Owns the one round trip a batch (lua/stories.lua), the thresholds it decides with, and how long
things are kept. Members come back as facts and are folded here into stories and alerts.
"""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, cast

import msgspec
from redis.asyncio import Redis
from redis.client import NEVER_DECODE
from redis.exceptions import NoScriptError

from classifiers.topics import TOPIC_IDS
from classifiers.translations import LANGUAGES
from connectors.records import Alert, Story
from streams import facts as fact_store
from streams.chronicle import tell
from streams.entries import Entry, Member, decode_entry, standing
from streams.facts import encode_facts, material_digest
from streams.keys import Keys
from streams.screening import Screened
from streams.story import FOLD_VERSION, Folded, Step

_LUA: Final = Path(__file__).parent / "lua"
_SCRIPT: Final = b"".join((_LUA / f"{n}.lua").read_bytes() for n in ("stories_search", "stories"))
_SCRIPT_SHA: Final = hashlib.sha1(_SCRIPT, usedforsecurity=False).hexdigest()
_DAY_S: Final = 86_400

#: An article joins the story that it is most like, from this likeness on. It is a sum whose
#: shares a logistic regression chose on four read days of feeds, ECB+ and renderings in six
#: languages (benchmarks/fit_stories.py); divided by what a cosine counts there, so that a
#: likeness reads as one. A wrong merge hides news; a repeat does not.
JOIN_LIKENESS: Final = 0.43
#: The same for a text of fewer terms, as a feed's title and summary have: it has less in common
#: with anything.
JOIN_SHORT_LIKENESS: Final = 0.39
SHORT_TERMS: Final = 40
#: Of the likeness, the mean cosine to the story's three nearest members counts so much, the
#: nearest alone the rest.
MEAN_SHARE: Final = 0.735
#: Each term in common with the nearest member: many small ones tell more than a shared name.
SHARED_TERM: Final = 0.0194
#: The logarithm of the story's size: who writes of a large story uses other words.
SIZE_SHARE: Final = 0.018
#: The nearest is in another language: not every word has a translation. Not where what follows
#: speaks against it: like events elsewhere stay apart in any language.
TRANSLATED_BONUS: Final = 0.14
#: Against: neither text names the other's main town; neither its kind of incident (topics of the
#: aftermath contradict no kind); the story is about other countries altogether. The places count a
#: little more than the regression said: the like of it elsewhere is what editors mind most.
ELSEWHERE_COST: Final = 0.12
OTHER_KIND_COST: Final = 0.09
AFTERMATH: Final = frozenset({"arrest"})
APART_COST: Final = 0.12
#: Against, for each day since the story was last told: on three read days in a row precision
#: 0.96 to 0.98 at the same recall.
DAY_COST: Final = 0.08
#: No text this short must share two terms to be looked at.
FEW_TERMS: Final = 4
#: A copy shares this much of its words (5 % replaced: 0.90); or it is a cut of the other text:
#: this share of the shorter one's words, at no less than that share of the longer one's length.
COPY_ALIKE: Final = 0.75
COPY_COSINE: Final = 0.5
COPY_MIN_WORDS: Final = 12
CUT_MIN_WORDS: Final = 30
CUT_SHARE: Final = 0.4
CUT_CONTAINED: Final = 0.92
#: The script's work for one article is bounded, so that a batch never keeps Redis from others
#: for long: postings read of one term in one period, the length up to which such a list is read
#: before the others, postings in all, articles looked at.
MAX_LIST: Final = 48
SHORT_LIST: Final = 12
MAX_POSTINGS: Final = 600
MAX_MEMBERS: Final = 60
#: Less alike than this (cosine), a member says nothing of its story.
MEMBER_COSINE: Final = 0.10
#: A larger batch is cut: a script that runs for seconds keeps everybody else from Redis.
MAX_CALL: Final = 512
#: Heaviest terms that an article looks for others by, and that later ones find it by.
#: Fewer cost recall: 32 and 24 are B-cubed F1 -0.03 on ECB+, -0.006 on three read days.
MAX_ASKED: Final = 40
MAX_INDEXED: Final = 32
#: Redis drops an index period whole: half a window, so three periods cover a window.
PERIODS: Final = 3
#: Languages whose words are translated, as the script numbers them: below 8, and 0 is any other.
LANGUAGE_CODES: Final = {code: at for at, code in enumerate(("en", *LANGUAGES), start=1)}
#: Contents of one article that are remembered; a live page has hundreds, the oldest go first.
MAX_VERSIONS: Final = 32
#: A fold is kept in Redis when this many members have come since the last one.
KEEP_FOLD_EVERY: Final = 8


@dataclass(frozen=True, slots=True)
class Keep:
    """How long Redis keeps what, in seconds of its own clock; never less than the window.

    `stories_s`: Kafka may deliver an article again for 7 days, and its story must fold then.
    `articles_s`: about as long as feeds list an article. `index_s` is for benchmarks that play
    a month in a minute (None: as long as the window asks for).
    """

    stories_s: float = 7 * _DAY_S
    articles_s: float = 14 * _DAY_S
    index_s: float | None = None


Kind = Literal["new", "update", "joined", "duplicate", "off_topic"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of an article.

    `reason` is one of metrics.DROP_REASONS when nobody is to be told, else "". `repeated` says
    that Redis knew this very article already; its decision and its alert are the first ones.
    `score` is the likeness (0 to 1) by which it joined.
    """

    kind: Kind
    reason: str = ""
    story_id: str | None = None
    alert: Alert | None = None
    repeated: bool = False
    score: float = 0.0


OFF_TOPIC: Final = Decision("off_topic", "off_topic")


class Stories:
    """All stories of one line. Any number of workers may share them; keeps nothing it needs."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        window_s: float,
        languages: tuple[str, ...] = ("en",),
        keep: Keep | None = None,
    ) -> None:
        """Take a connected client, of whatever decoding; `languages` are the newsroom's."""
        self._redis = redis
        self._keys = keys
        self._window_s = window_s
        self._languages = languages
        self._keep = keep or Keep(max(7 * _DAY_S, window_s), max(14 * _DAY_S, window_s))
        # The newsroom's languages choose the headline: they change the fold as code does.
        self._version = f"{FOLD_VERSION}:{','.join(languages)}"
        # Folds to keep with the next call. Only a cache: losing them costs reading, no truth.
        self._unkept: dict[str, tuple[int, bytes]] = {}

    async def assign(self, batch: Sequence[Screened], now: datetime) -> list[Decision]:
        """Decide on a batch, in order, in one round trip (up to 512 articles with a topic).

        `now` is the event time. May be repeated, by any worker: an article that Redis knows
        gets its first decision and its first alert again, whatever it is taken for now: in doubt
        another worker, or this one in haste, may have chosen otherwise.

        Raises:
            redis.exceptions.RedisError: Redis is away or refuses; no article is half done. Wait
                and repeat the same batch.
        """
        decisions = [OFF_TOPIC] * len(batch)
        asked = [index for index, one in enumerate(batch) if one.facts is not None or one.doubt]
        for at in range(0, len(asked), MAX_CALL):
            part = asked[at : at + MAX_CALL]
            unkept, self._unkept = self._unkept, {}
            answers, folds = await self._call([batch[index] for index in part], now, unkept)
            steps = self._fold(answers, folds)
            for index, answer in zip(part, answers, strict=True):
                decisions[index] = _decision(answer, steps)
        return decisions

    @property
    def keep(self) -> Keep:
        """How long Redis keeps what."""
        return self._keep

    async def current(self, story_id: str) -> str | None:
        """The story that this one is part of now (itself, where nobody merged it); None when it
        is not kept.
        """
        into = await self._read("HGET", self._keys.tag + "into", story_id)
        story = story_id if into is None else cast(bytes, into).decode()
        return story if await self._read("EXISTS", self._keys.story(story)) else None

    async def entries(self, story_id: str) -> list[Entry]:
        """All entries of a story's list, in order: its articles and the marks of editors."""
        found = await self._read("LRANGE", self._keys.story(story_id) + ":m", 0, -1)
        return [decode_entry(raw) for raw in cast(list[bytes], found)]

    async def members(self, story_id: str) -> list[Member]:
        """Every article of a story, in order, each with the likeness by which it joined."""
        return standing(await self.entries(story_id))

    async def steps(self, story_id: str) -> list[Step]:
        """How a story came about: every step of its fold; empty when it is not kept."""
        told = tell(None, await self.entries(story_id), story_id, self._languages)
        return [step for step in told if step is not None]

    async def recent(self, limit: int = 50) -> list[Story]:
        """The stories last seen, newest first, each at its latest revision."""
        found = await self._read("ZREVRANGE", self._keys.stories, 0, limit - 1)
        steps = [await self.steps(raw.decode()) for raw in cast(list[bytes], found)]
        return [story[-1].folded.story for story in steps if story]

    def arguments(self, batch: Sequence[Screened], now: datetime) -> list[bytes]:
        """A batch as the script reads it: the settings, then five arguments an article."""
        limits = msgspec.msgpack.encode({**self._limits(now), "articles": len(batch)})
        return [limits, *(argument for one in batch for argument in _packed(one))]

    async def _call(
        self, batch: list[Screened], now: datetime, unkept: dict[str, tuple[int, bytes]]
    ) -> tuple[list[Any], list[Any]]:
        arguments: list[Any] = [1, self._keys.tag, *self.arguments(batch, now)]
        for story, (seq, raw) in unkept.items():
            arguments += (story, seq, self._version, raw)
        try:
            answer = await self._read("EVALSHA", _SCRIPT_SHA, *arguments)
        except NoScriptError:
            answer = await self._read("EVAL", _SCRIPT, *arguments)
        answers, folds = cast(list[list[Any]], answer)
        return answers, folds

    async def _read(self, *command: Any) -> Any:
        """One command whose answer stays bytes, whatever the client is set to."""
        execute: Any = self._redis.execute_command
        return await execute(*command, **{NEVER_DECODE: True})

    def _fold(self, answers: list[Any], folds: list[Any]) -> dict[tuple[bytes, int], Step]:
        """The step of every (story, seq) that was asked for."""
        wanted = {(answer[1], answer[2]) for answer in answers if answer[0] in _FOLDED_FLAGS}
        steps: dict[tuple[bytes, int], Step] = {}
        for story, seq, kept, members in folds:
            folded = _decode_folded(kept) if kept else None
            story_id = story.decode()
            entries = [decode_entry(raw) for raw in members]
            told = tell(folded, entries, story_id, self._languages)
            for at, step in enumerate(told, start=seq + 1):
                folded = step.folded if step is not None else folded
                if step is not None and (story, at) in wanted:
                    steps[story, at] = step
            if folded is not None and len(members) >= KEEP_FOLD_EVERY:
                self._unkept[story_id] = (seq + len(members), msgspec.msgpack.encode(folded))
        return steps

    def _limits(self, now: datetime) -> dict[str, float | int | str]:
        """The numbers the script decides with. Cosines are sums of products of bytes there."""
        period_s = self._window_s / (PERIODS - 1)
        return {
            "now": now.timestamp(),
            "window": self._window_s,
            "period": period_s,
            "periods": PERIODS,
            "keep_index": int(self._keep.index_s or period_s * PERIODS) + 1,
            "keep_stories": int(self._keep.stories_s) + 1,
            "keep_articles": int(self._keep.articles_s) + 1,
            "join": JOIN_LIKENESS,
            "join_short": JOIN_SHORT_LIKENESS,
            "short_terms": SHORT_TERMS,
            "mean": MEAN_SHARE,
            "shared": SHARED_TERM,
            "size": SIZE_SHARE,
            "many": SIZE_SHARE * math.log(100),
            "translated": TRANSLATED_BONUS,
            "elsewhere": ELSEWHERE_COST,
            "other_kind": OTHER_KIND_COST,
            "apart": APART_COST,
            "day": DAY_COST,
            "few_terms": FEW_TERMS,
            "copy_cosine": COPY_COSINE * 255**2,
            "copy_alike": COPY_ALIKE,
            "copy_min_words": COPY_MIN_WORDS,
            "copy_tries": 8,
            "cut_min_words": CUT_MIN_WORDS,
            "cut_share": CUT_SHARE,
            "cut_contained": CUT_CONTAINED,
            "least": MEMBER_COSINE * 255**2,
            "max_members": MAX_MEMBERS,
            "max_list": MAX_LIST,
            "short_list": SHORT_LIST,
            "max_postings": MAX_POSTINGS,
            "max_asked": MAX_ASKED,
            "max_indexed": MAX_INDEXED,
            "max_versions": MAX_VERSIONS,
            "version": self._version,
        }


_decode_folded = msgspec.msgpack.Decoder(Folded).decode
_FOLDED_FLAGS: Final = (b"m", b"c")
_PUBLISHED: Final = {"published": 1, "correction": 0, "withdrawn": 2}


def story_id(article_id: str, digest: bytes) -> str:
    """The id of the story that an article begins: twelve hexadecimal digits, always the same."""
    return hashlib.sha256(article_id.encode("utf-8", "surrogatepass") + digest).hexdigest()[:12]


def content_digest(one: Screened) -> bytes:
    """Six bytes over what the publisher wrote: the same content is the same article again."""
    article = one.article
    said = f"{article.status}\0{article.title}\0{article.text}"
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).digest()[:6]


def _packed(one: Screened) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """An article as the script reads it; the order is written at the script's top. One without
    a topic has no facts: it is only looked up.
    """
    facts, printed = one.facts, one.fingerprint
    digest = content_digest(one)
    if facts is None or printed is None:
        nothing = msgspec.msgpack.encode(("", 1, 0, 0, "", 0, 0, 0))
        return one.article.id.encode("utf-8", "surrogatepass"), nothing, digest, b"", b""
    numbers = [number for term in printed.terms for number in term]
    terms = struct.pack(">" + "IB" * len(printed.terms), *numbers)
    said = msgspec.msgpack.encode(
        (
            story_id(facts.article_id, digest),
            _PUBLISHED[facts.status],
            int(bool(one.chosen)),
            printed.words,
            " ".join(sorted({place.country for place in facts.places[:3]})),
            LANGUAGE_CODES.get(facts.language[:2].lower(), 0),
            _kinds(facts),
            5 * len(printed.terms),
        )
    )
    return (
        facts.article_id.encode("utf-8", "surrogatepass"),
        said,
        digest + material_digest(facts) + _towns(facts) + terms + printed.signature,
        encode_facts(facts),
        encode_facts(facts.as_copy()),
    )


def _towns(facts: fact_store.Facts) -> bytes:
    """The best towns, two bytes each, main one first: the same words about another town are
    another report, not a copy.
    """
    named = [f"{p.country}:{p.name}" for p in facts.places if not p.is_country][:4]
    hashes = [zlib.crc32(name.encode()) % 65_535 + 1 for name in named]
    return struct.pack(">4H", *hashes, *[0] * (4 - len(hashes)))


def _kinds(facts: fact_store.Facts) -> int:
    """The kinds of incident reported, as bits; 0 where the text is about its aftermath alone."""
    names = {name for name, _ in facts.topics} - AFTERMATH
    return sum(1 << TOPIC_IDS.index(name) for name in names if name in TOPIC_IDS)


def _decision(answer: list[Any], steps: dict[tuple[bytes, int], Step]) -> Decision:
    flag, story, seq, repeated, score, *moved = answer
    if flag == b"o":
        return OFF_TOPIC
    # Where editors have merged or split, the story that it is in now is another.
    named, again, likeness = (moved or [story])[0].decode(), bool(repeated), score / 255
    step = steps.get((story, seq)) if flag in _FOLDED_FLAGS else None
    if step is not None and step.alert is not None:
        return Decision(step.outcome, "", named, step.alert, again, likeness)
    kind: Kind = "duplicate" if flag == b"c" else "joined"
    reason = "near_duplicate" if flag == b"c" else "joined_silently"
    if again or flag == b"g":
        reason = "same_article"
    return Decision(kind, reason, named, None, again, likeness)
