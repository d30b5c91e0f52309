"""Topics of a newsroom's own, as they are named in its configuration.

Owns what makes an id, a label and a definition usable. Reads no examples: own_topics.py does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from classifiers.topics import TOPIC_IDS, TOPICS, Topic

_ID: Final = re.compile(r"[a-z][a-z0-9_]{1,39}")


@dataclass(frozen=True, slots=True)
class OwnTopic:
    """A topic as configured: what it is called, what it means, where its examples are."""

    topic: Topic
    examples: Path


def name_faults(topic: Topic) -> list[str]:
    """What is wrong with the id, the label or the definition of a topic of one's own."""
    faults = []
    if topic.id in TOPIC_IDS:
        faults.append("is a built-in topic: choose another id for one of your own")
    if not _ID.fullmatch(topic.id):
        faults.append("an id is 2 to 40 small letters, digits and _, a letter first")
    if topic.label.casefold() in {each.label.casefold() for each in TOPICS}:
        faults.append(f"the label {topic.label!r} is a built-in topic's: choose another")
    if not topic.label.strip():
        faults.append("a topic of your own needs a label, which editors will read")
    if not topic.definition.strip():
        faults.append("a topic of your own needs a definition: one sentence that says what counts")
    return faults
