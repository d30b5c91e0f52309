"""The topics are those of the guidelines, in their order."""

from __future__ import annotations

import re
from pathlib import Path

from classifiers.topics import TOPIC_IDS, TOPICS


def test_there_are_fourteen_topics_with_distinct_ids_and_labels() -> None:
    assert len(TOPIC_IDS) == len(set(TOPIC_IDS)) == 14
    assert len({topic.label for topic in TOPICS}) == 14
    assert all(topic.definition.endswith(".") for topic in TOPICS)


def test_the_order_is_that_of_the_guidelines(shared: Path) -> None:
    table = (shared / "topics" / "GUIDELINES.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \|", table, re.MULTILINE)
    assert tuple(row for row in rows if row != "id") == TOPIC_IDS
