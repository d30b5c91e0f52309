"""How topics are configured: built-in ones turned off or made stricter, and topics of one's own.

Owns what the configuration makes of a model's thresholds. Knows no model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field

from classifiers.topic_names import OwnTopic, name_faults
from classifiers.topics import TOPIC_IDS, Topic
from streams.subscription_settings import SubscriptionSettings, Table

#: No probability reaches it.
OFF: Final = 2.0
_OWN_KEYS: Final = ("label", "definition", "examples")


class TopicSettings(Table):
    """One topic: on or off, and the probability from which it counts. A topic of your own has a
    label, a definition and examples; `wirebell train --with-feedback` teaches it.
    """

    enabled: bool = True
    """Whether the topic rings at all."""
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Probability from which the topic counts; left out, the model's own."""
    label: str = ""
    """What editors read; of a topic of your own."""
    definition: str = ""
    """One sentence that says what counts; of a topic of your own."""
    examples: Path | None = None
    """JSON lines with at least 30 labelled reports (`id`, `text`, `topics`); of a topic of your
    own."""

    @property
    def is_own(self) -> bool:
        """Whether it is a topic of the newsroom's own."""
        return self.examples is not None


def own_topics(tables: Mapping[str, TopicSettings]) -> list[OwnTopic]:
    """The topics of the newsroom's own, in the order of their ids."""
    return [
        OwnTopic(Topic(name, entry.label, entry.definition), entry.examples)
        for name, entry in sorted(tables.items())
        if entry.examples is not None
    ]


def default_thresholds(
    topics: Iterable[Topic], tables: Mapping[str, TopicSettings]
) -> dict[str, float]:
    """The threshold of each of a model's topics. One that is turned off is never reached, nor one
    of its own that the configuration does not name any more.
    """
    found = {}
    for topic in topics:
        entry = tables.get(topic.id)
        found[topic.id] = topic.threshold
        if entry is None:
            found[topic.id] = topic.threshold if topic.id in TOPIC_IDS else OFF
        elif not entry.enabled:
            found[topic.id] = OFF
        elif entry.threshold is not None:
            found[topic.id] = entry.threshold
    return found


def lowest_thresholds(
    defaults: Mapping[str, float], subscriptions: Sequence[SubscriptionSettings]
) -> dict[str, float]:
    """What the line has to screen at, so that every subscription gets what it asks for. A topic
    that is turned off stays off.
    """
    lowest = dict(defaults)
    for subscription in subscriptions:
        for topic, asked in subscription.thresholds.items():
            if lowest.get(topic, OFF) < OFF:
                lowest[topic] = min(lowest[topic], asked)
    return lowest


def topic_faults(tables: Any, subscriptions: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """What is wrong with the topics of a document, and with who asks for them."""
    tables = tables if isinstance(tables, Mapping) else {}
    own = [name for name, table in tables.items() if _is_own(table)]
    known = (*TOPIC_IDS, *(name for name in own if name not in TOPIC_IDS))
    for name, table in tables.items():
        if name in own:
            if not table.get("examples"):
                yield f"topics.{name}: a topic of your own needs examples: a file of 30 or more"
            topic = Topic(name, str(table.get("label") or ""), str(table.get("definition") or ""))
            yield from (f"topics.{name}: {fault}" for fault in name_faults(topic))
        elif name not in TOPIC_IDS:
            yield (
                f"topics.{name}: unknown topic; known: {', '.join(known)} "
                "(one of your own needs label, definition and examples)"
            )
    labels = [str(tables[name].get("label", "")).casefold() for name in own]
    yield from (
        f"topics.{name}: the label is used twice"
        for name, label in zip(own, labels, strict=True)
        if label and labels.count(label) > 1
    )
    for row in subscriptions:
        for key in ("topics", "thresholds"):
            asked = row.get(key)
            listed = asked if isinstance(asked, Sequence | Mapping) else ()
            unknown = [str(topic) for topic in listed if topic not in known]
            if unknown and not isinstance(asked, str):
                yield (
                    f"subscriptions.{row.get('id')}.{key}: unknown topic {', '.join(unknown)}; "
                    f"known: {', '.join(known)}"
                )


def _is_own(table: Any) -> bool:
    return isinstance(table, Mapping) and any(table.get(key) for key in _OWN_KEYS)
