"""What each destination has been told of each story, and what is still to be told.

Owns the Redis side of delivery: every transition is one Lua script, so that any number of
workers may use it and any of them may die between two calls. Level-triggered: a job is
"bring destination S up to the latest revision of story X". Does not talk to sinks, and does
not decide when to retry: `streams/retries.py` does.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast

import msgspec
import redis.asyncio

from connectors.records import Alert, Priority, encode
from connectors.sinks.pace import Pace
from connectors.sinks.sink import Receipt, Verdict
from streams.kept_alerts import kept_alert, pack_alert, unpack_alert
from streams.keys import Keys
from streams.subscriptions import Wish

# The longest attempt takes 15 s; after it 45 s are left in which a receiver may still apply
# a request that it has accepted. So when a lease ends, looking back sees the truth.
LEASE_S = 60.0
# So nothing is sent later than this after the last look at the lease.
SEND_WITHIN_S = 15.0
# Between claim and hold lies one round trip; a worker that dies there delays nobody long.
CLAIM_LEASE_S = 20.0
# What was told is remembered for longer than the longest schedule (78 h) runs, and than a story
# whose reports say nothing new can stay open.
MIN_KEEP_S, KEEP_WINDOWS = 14 * 86_400.0, 4
# Of the delivery log, some 3 MB; as in ledger_settle.lua.
KEPT_ATTEMPTS = 10_000

State = Literal["new", "unknown"]
Hold = Literal["held", "lost", "done"]
_verdict_decoder = msgspec.json.Decoder(Verdict)
RANKS: dict[Priority, int] = {"flash": 0, "urgent": 1, "routine": 2}

_LUA = Path(__file__).parent / "lua"
_SCRIPTS = ("want", "claim", "hold", "settle", "turn_on", "resend", "decide")
_NO_GATHERING: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Claim:
    """One delivery that this worker holds under a lease. `state` is "unknown" when an
    earlier attempt may have been applied: look back before sending. Times are epoch
    seconds; `failing_since` and `failed_times` (half days with a failure) are of the whole
    destination. `together` says why it may come in one message with others; claims with the same
    `message` go into one. `stance` is "mute" or "follow" where somebody chose so.
    """

    job: str
    fence: int
    state: State
    destination: str
    target: str
    subscriptions: str
    done_revision: int
    receipt: Receipt
    failures: int
    first_sent: float | None
    last_sent: float | None
    failing_since: float | None
    failed_times: int
    together: str
    stance: str
    verdicts: tuple[Verdict, ...]
    message: str
    revision: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Retry:
    """When to try again (epoch seconds). `unknown`: this attempt may have been applied, and
    looking back is true from `settled_at`. `blocked_until` holds the whole destination. `counts`
    among the message's failures; `fails`: the destination has failed in any case.
    """

    due: float
    unknown: bool = False
    settled_at: float = 0.0
    blocked_until: float = 0.0
    counts: bool = True
    fails: bool = False


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the delivery log."""

    at: datetime
    sink: str
    target: str
    story_id: str
    revision: int
    outcome: str
    attempt: int = 1
    status: int | None = None
    detail: str = ""
    took_s: float = 0.0
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DestinationState:
    """How one destination stands. `off` says why it was turned off; epoch seconds."""

    id: str
    sink: str
    target: str
    waiting: int
    in_flight: int
    not_before: float | None = None
    failing_since: float | None = None
    told_at: float | None = None
    off: str = ""


@dataclass(slots=True)
class Ledger:
    """The ledger of one line. `window_s` is how long a story stays open; `clock` is epoch
    seconds. Every method raises RedisError when Redis is away: wait and repeat.
    """

    redis: redis.asyncio.Redis
    keys: Keys
    window_s: float = 72 * 3600
    clock: Callable[[], float] = time.time
    _scripts: dict[str, Any] = field(default_factory=dict, repr=False)
    _remembers: bool = False
    _starts: dict[str, float] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        common = (_LUA / "ledger_common.lua").read_text(encoding="utf-8")
        for name in _SCRIPTS:
            text = (_LUA / f"ledger_{name}.lua").read_text(encoding="utf-8")
            self._scripts[name] = self.redis.register_script(common + text)

    async def starts(self, subscriptions: Sequence[str]) -> Mapping[str, float]:
        """When each subscription began: the first time that any worker asked, in epoch seconds.

        Asked once: it does not change, and a Redis that was emptied learns it from `want`.
        """
        if all(name in self._starts for name in subscriptions):
            return self._starts
        now = self.clock()
        pipe = self.redis.pipeline(transaction=False)
        for name in subscriptions:
            pipe.hsetnx(self.keys.subscription_starts, name, self._starts.get(name, now))
        pipe.hmget(self.keys.subscription_starts, list(subscriptions))
        rows = (await pipe.execute())[-1]
        self._starts.update(zip(subscriptions, map(float, rows), strict=True))
        return self._starts

    async def want(
        self,
        wanted: Sequence[tuple[Alert, Sequence[Wish]]],
        settle_s: float,
        gather_s: Mapping[str, float] = _NO_GATHERING,
    ) -> int:
        """Bring destinations up to alerts. One round trip. Repeatable.

        `gather_s`: how long each sink gathers routine stories. Returns how many deliveries
        this set going.
        """
        pipe = self.redis.pipeline(transaction=False)
        for alert, wishes in wanted:
            args = self._about(alert, settle_s)
            for wish in wishes:
                place = wish.destination
                args += [place.id, place.sink, place.target, ",".join(place.subscriptions)]
                args += [int(wish.matches), wish.not_before, int(wish.follows), wish.together]
                args += [int(wish.silent), wish.max_per_hour, gather_s.get(place.sink, 0.0)]
            await self._scripts["want"](keys=[self.keys.tag], args=args, client=pipe)
        for name, start in self._starts.items():
            pipe.hsetnx(self.keys.subscription_starts, name, start)
        started = (await pipe.execute())[: len(wanted)]
        self._remembers = True
        return sum(map(int, started))

    @property
    def _keep_s(self) -> int:
        return int(max(MIN_KEEP_S, KEEP_WINDOWS * self.window_s))

    def _about(self, alert: Alert, settle_s: float) -> list[Any]:
        story = alert.story
        first = "" if alert.published_at is None else _earliest(alert).timestamp()
        return [
            self.clock(),
            story.id,
            story.revision,
            pack_alert(encode(alert)),
            RANKS[alert.priority],
            first,
            int(self._remembers),
            settle_s,
            self.window_s,
            self._keep_s,
        ]

    async def claim(self, sink: str, limit: int, pace: Pace) -> tuple[list[Claim], float | None]:
        """Take up to `limit` due deliveries of a sink, most urgent first, and say when the
        next is due (None: nothing waits). What others hold is not seen.
        """
        limits = [pace.target_in_flight, pace.target_interval_s, pace.most_together]
        args = [self.clock(), sink, limit, CLAIM_LEASE_S, LEASE_S, *limits]
        head, rows = await self._call("claim", args)
        return [_claim(row) for row in rows], _seconds(head)

    async def hold(self, claim: Claim) -> Hold:
        """Just before sending: is the lease still ours? Extends it and marks the attempt."""
        args = [self.clock(), claim.job, claim.fence, claim.revision, LEASE_S]
        return cast(Hold, (await self._call("hold", args)).decode())

    async def found(self, claim: Claim, revision: int, receipt: Receipt) -> bool:
        """Looking back found this revision; the claim goes on. False: the lease is lost."""
        return await self._settle(claim, "found", revision, receipt=receipt)

    async def receipt(
        self, claim: Claim, revision: int, receipt: Receipt, attempt: Attempt
    ) -> bool:
        """The destination has `revision`. Written down even when the lease was lost."""
        return await self._settle(claim, "receipt", revision, receipt=receipt, attempt=attempt)

    async def retry(self, claim: Claim, retry: Retry, attempt: Attempt) -> bool:
        """Try again later. False: the lease was lost, the schedule is another worker's."""
        return await self._settle(claim, "retry", claim.revision, retry=retry, attempt=attempt)

    async def bury(self, claim: Claim, unknown: bool, off: str, attempt: Attempt) -> bool:
        """Never again, unless a higher revision or a replayed alert wants it. Call it after
        the dead letter is confirmed. `off` turns the whole destination off and says why.
        """
        settled_at = self.clock() + LEASE_S - SEND_WITHIN_S if unknown else 0.0
        retry = Retry(due=0, unknown=unknown, settled_at=settled_at)
        return await self._settle(claim, "dead", claim.revision, retry, off=off, attempt=attempt)

    async def apart(self, claim: Claim, due: float) -> bool:
        """Nothing was sent; from now on it goes in a message of its own."""
        return await self._settle(claim, "apart", claim.revision, Retry(due=due))

    async def release(self, claim: Claim) -> bool:
        """Give a claim back untouched; it is due at once."""
        return await self._settle(claim, "release", claim.revision, Retry(due=self.clock()))

    async def turn_on(self, destination: str) -> bool:
        """Turn a destination on again; what it missed is due. False when it was not off."""
        return bool(await self._call("turn_on", [self.clock(), destination]))

    async def alert(self, story_id: str) -> bytes | None:
        """The latest alert of a story, None when it is forgotten."""
        return await kept_alert(self.redis, self.keys, story_id)

    async def decide(self, destination: str, story_id: str, verdict: Verdict) -> bool:
        """Note what somebody decided about a story at a destination, and bring its message up
        to it. A muted story rings no more there, one that is followed tells all. Repeatable.
        False when the destination was never told of it.
        """
        raw = msgspec.json.encode(verdict)
        args = [self.clock(), f"{destination}|{story_id}", verdict.id, raw, verdict.choice]
        return bool(await self._call("decide", args))

    async def resend(self, destination: str, story_id: str) -> bool:
        """Tell a destination again, as the story stands: a webhook with the same id, Slack by
        an edit. False when the ledger has forgotten the story or its alert.
        """
        return bool(await self._call("resend", [self.clock(), f"{destination}|{story_id}"]))

    async def told_since(self, destination: str, since: float) -> list[str]:
        """The ids of the stories that a destination was told of since then, or should have been
        (dead letters), oldest first. Walks over its jobs; for a person's command, not for a loop.
        """
        prefix = f"{self.keys.tag}ledger:job:{destination}|"
        pattern = re.sub(r"([\\*?\[\]])", r"\\\1", prefix) + "*"
        found: list[tuple[float, str]] = []
        async for name in self.redis.scan_iter(match=pattern, count=1_000):
            told_at, story, dead, wanted_at = await cast(
                Awaitable[list[bytes | None]],
                self.redis.hmget(name, ["told_at", "story", "dead", "wanted_at"]),
            )
            at = max(float(told_at or 0), float(wanted_at or 0) if dead else 0.0)
            if story is not None and at >= since:
                found.append((at, story.decode()))
        return [story for _, story in sorted(found)]

    async def attempts(self, limit: int = 100) -> list[Attempt]:
        """The last attempts, newest first (`KEPT_ATTEMPTS` are kept)."""
        asked = self.redis.lrange(self.keys.delivery_log, 0, limit - 1)
        rows = await cast(Awaitable[list[bytes]], asked)
        return [msgspec.json.decode(row, type=Attempt) for row in rows]

    async def destinations(self) -> list[DestinationState]:
        """How every destination stands, by id."""
        known = await cast(Awaitable[set[bytes]], self.redis.smembers(self.keys.destinations))
        names = sorted(name.decode() for name in known)
        pipe = self.redis.pipeline(transaction=False)
        for name in names:
            pipe.hgetall(f"{self.keys.tag}ledger:dest:{name}")
            pipe.zcard(f"{self.keys.tag}ledger:busy:{name}")
            for rank in RANKS.values():
                pipe.zcard(f"{self.keys.tag}ledger:due:{name}:{rank}")
        rows = await pipe.execute()
        return [_state(name, *rows[5 * at : 5 * at + 5]) for at, name in enumerate(names)]

    async def _settle(
        self,
        claim: Claim,
        what: str,
        revision: int,
        retry: Retry | None = None,
        *,
        receipt: Receipt | None = None,
        off: str = "",
        attempt: Attempt | None = None,
    ) -> bool:
        retry = retry or Retry(due=0)
        args = [
            self.clock(),
            claim.job,
            claim.fence,
            what,
            revision,
            msgspec.json.encode(dict(receipt or {})),
            retry.due,
            int(retry.unknown),
            retry.settled_at,
            retry.blocked_until,
            int(retry.counts),
            off,
            self._keep_s,
            msgspec.json.encode(attempt) if attempt else "",
            int("bundle" not in (receipt or {})),
            int(retry.counts or retry.fails),
        ]
        return bool(await self._call("settle", args) == b"settled")

    async def _call(self, name: str, args: list[Any]) -> Any:
        return await self._scripts[name](keys=[self.keys.tag], args=args)


def _earliest(alert: Alert) -> datetime:
    """When the story can first have been told, by its publishers' clocks."""
    moments = [alert.story.first_seen, *(report.reported_at for report in alert.story.reports)]
    if alert.published_at is not None:
        moments.append(alert.published_at)
    return min(moments)


def _claim(row: list[Any]) -> Claim:
    texts = [value.decode() if isinstance(value, bytes) else value for value in row[:-2]]
    receipt = msgspec.json.decode(texts[7], type=dict[str, str]) if texts[7] else {}
    return Claim(
        job=texts[0],
        fence=int(texts[1]),
        state=cast(State, texts[2]),
        destination=texts[3],
        target=texts[4],
        subscriptions=texts[5],
        done_revision=int(texts[6]),
        receipt=receipt,
        failures=int(texts[8]),
        first_sent=_seconds(texts[9]),
        last_sent=_seconds(texts[10]),
        failing_since=_seconds(texts[11]),
        failed_times=int(texts[12]),
        together=texts[13],
        stance=texts[14],
        verdicts=tuple(map(_verdict_decoder.decode, texts[15].splitlines())),
        message=texts[16],
        revision=int(row[-2]),
        raw=unpack_alert(row[-1]),
    )


def _state(name: str, about: dict[bytes, bytes], busy: int, *queued: int) -> DestinationState:
    text = {key.decode(): value.decode() for key, value in about.items()}
    return DestinationState(
        id=name,
        sink=text.get("sink", ""),
        target=text.get("target", ""),
        waiting=sum(queued),
        in_flight=busy,
        not_before=_seconds(text.get("not_before")),
        failing_since=_seconds(text.get("failing_since")),
        told_at=_seconds(text.get("told_at")),
        off=text.get("off", ""),
    )


def _seconds(text: str | bytes | None) -> float | None:
    return float(text) if text else None
