"""The canary: an article of ours that goes through the whole line and is told to nobody.

Owns what it looks like and how it is known: by ids with a colon, which no source, sink or
story can have. Who sends it is streams/canary_watch.py, how a worker treats it
streams/canary_lane.py.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime

import msgspec

from connectors.records import Alert, Article
from streams.keys import Keys

# Its source, its story, its sink and its publisher.
CANARY = "wirebell:canary"
_SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo zu".split()
_WORDS, _SYLLABLES_A_WORD = 40, 4


def make_canary(sent_at: datetime) -> Article:
    """The canary of this moment. Its words are invented anew each time, so that it is never
    taken for a copy of another; its number are the milliseconds since 1970.
    """
    number = int(sent_at.timestamp() * 1000)
    chance = random.Random(number)  # noqa: S311 - guards nothing
    words = [
        "".join(chance.choice(_SYLLABLES) for _ in range(_SYLLABLES_A_WORD)) for _ in range(_WORDS)
    ]
    return Article(
        id=f"{CANARY}:{number}",
        source_id=CANARY,
        publisher=CANARY,
        title=" ".join(words[:6]).capitalize(),
        text=" ".join(words).capitalize() + ".",
        language="en",
        fetched_at=sent_at.astimezone(UTC),
    )


def is_canary(article: Article) -> bool:
    """Whether an article is a canary."""
    return article.source_id == CANARY


def is_canary_alert(alert: Alert) -> bool:
    """Whether an alert is a canary's."""
    return alert.story.id == CANARY


def number_of(article_id: str) -> int:
    """The number in a canary's id.

    Raises:
        ValueError: it is none.
    """
    return int(article_id.removeprefix(f"{CANARY}:"))


def as_canary(alert: Alert, article: Article) -> Alert:
    """The alert of a canary: of the one story that all canaries are in the ledger, whose
    revision is the canary's number. So the ledger keeps one story, not one a minute.
    """
    number = number_of(article.id)
    story = msgspec.structs.replace(alert.story, id=CANARY, revision=number)
    return msgspec.structs.replace(alert, id=f"{CANARY}:{number}", kind="new", story=story)


def canary_keys(prefix: str) -> Keys:
    """The canary's own stories and ledger; no line can have this prefix."""
    return Keys(f"{prefix}:canary")
