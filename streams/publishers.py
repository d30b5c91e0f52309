"""Who is speaking: which names are one publisher.

Owns the rule that nine editions of one publisher are one publisher. Sources are configured with
one name for all editions; this catches what is left: domains and edition suffixes.
"""

from __future__ import annotations

import functools
import re

_DOMAIN = re.compile(r"^(?:https?://)?([a-z0-9-]+(?:\.[a-z0-9-]+)+)(?:[/:].*)?$")
# "co.uk", "com.au", "gov.ua": the second level is not the publisher's own name.
_SECOND_LEVEL = frozenset({"co", "com", "org", "net", "gov", "gob", "gouv", "ac", "edu", "or"})
# What follows the name in feed titles: "BBC News - World", "Le Monde | International".
_EDITION = re.compile(r"\s+[-–—|:·»>]\s+.*$|\s*\([^)]*\)\s*$|,.*$")
_WORD = re.compile(r"[^\W_]+")
# Words that name a section, a country's edition or a medium, never a publisher by themselves.
_EDITION_WORDS = frozenset(
    "news online world international europe asia africa americas us uk en english edition "
    "rss feed feeds latest top breaking stories headlines live".split()
)


@functools.lru_cache(maxsize=50_000)
def publisher_key(name: str) -> str:
    """What two names of one publisher have in common; never empty for a name that is not."""
    folded = name.strip().casefold()
    domain = _DOMAIN.match(folded)
    if domain:
        return _domain_name(domain[1])
    bare = _EDITION.sub("", folded) or folded
    words = _WORD.findall(bare)
    while words and words[0] == "the":
        words = words[1:]
    kept = list(words)
    while len(kept) > 1 and kept[-1] in _EDITION_WORDS:
        kept.pop()
    return "".join(kept) or folded


def _domain_name(host: str) -> str:
    labels = host.split(".")
    if len(labels) > 2 and labels[-2] in _SECOND_LEVEL:
        return labels[-3]
    return labels[-2]
