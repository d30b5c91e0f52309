"""An alert as the ledger keeps it in Redis, for weeks: deflated, to about three tenths.

Owns the form. What was written before there was one, plain JSON, is read as well.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable
from typing import Final, cast

from redis.asyncio import Redis

from streams.keys import Keys

#: Stands before what is deflated with the dictionary below; JSON never begins with it.
_DEFLATED: Final = b"\x01"
#: What every alert says anyway, as its JSON says it (connectors/records.py): zlib finds it here
#: instead of in the alert. An alert that was kept is read with the dictionary it was written
#: with, for weeks: another one needs another mark.
_DICTIONARY: Final = (
    b'"status":"withdrawn","corrected":"correction","kind":"correction","kind":"withdrawn",'
    b'"topic":"natural_disaster","label":"Natural disaster","topic":"explosion","topic":"accident",'
    b'"topic":"protest","label":"Protest","topic":"arrest","label":"Arrest",'
    b'"kind":"injured","number":"kind":"killed","number":1,"publisher":"'
    b'"changes":["more publishers: ","new place: "],"https://www."'
    b'{"id":":1","kind":"update","priority":"flash","priority":"urgent","priority":"routine",'
    b'{"id":":1","kind":"new","priority":"routine","priority_reason":" 1.00, killed",'
    b'"story":{"id":"","revision":1,"headline":" killed in after police said",'
    b'"language":"en","summary":" people were killed and injured in ",'
    b'"topics":[{"topic":"","label":"","probability":0.99'
    b'}],"evidence":[{"topic":"","words":["","","killed","police"],"sentence":"The ","first":null,'
    b'"unread":false}],"places":[{"name":"","country":"US","latitude":,"longitude":-}],'
    b'"tolls":[],"reports":[{"publisher":"","article_id":"","title":"","url":"https://www.'
    b'.com/news/world/","reported_at":"2026-01-01T00:00:00.000000Z","language":"en"}],'
    b'"article_count":1,"first_seen":"2026-01-01T00:00:00.000000Z","last_seen":"2026-01-01T'
    b'00:00:00.000000Z","changes":["first report"],"corrected":"","withdrawn":false,'
    b'"merged_into":"","muted":false},"published_at":null,"published_at":"2026-01-01T'
    b'00:00:00Z","fetched_at":"2026-01-01T00:00:00.000000Z","screened_at":"2026-01-01T'
    b'00:00:00.000000Z"}'
)
#: The fastest: more would win a tenth.
_LEVEL: Final = 1
# Raw deflate: no frame, no sums.
_WBITS: Final = -15


def pack_alert(raw: bytes) -> bytes:
    """An alert's JSON as it is kept."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WBITS, zdict=_DICTIONARY)
    return _DEFLATED + packer.compress(raw) + packer.flush()


def unpack_alert(kept: bytes) -> bytes:
    """An alert's JSON, of what is kept.

    Raises:
        ValueError: what Redis holds under our prefix is not ours.
    """
    if not kept.startswith(_DEFLATED):
        return kept
    try:
        return zlib.decompressobj(_WBITS, zdict=_DICTIONARY).decompress(kept[1:])
    except zlib.error as error:
        raise ValueError(f"a kept alert cannot be read: {error}") from error


async def kept_alert(redis: Redis, keys: Keys, story_id: str) -> bytes | None:
    """The latest alert of a story, None when it is forgotten."""
    name = f"{keys.tag}ledger:alert:{story_id}"
    kept = await cast(Awaitable[bytes | None], redis.hget(name, "raw"))
    return None if kept is None else unpack_alert(kept)
