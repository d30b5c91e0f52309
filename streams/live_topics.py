"""The `[topics]` tables of the configuration as they stand now, also when they were changed since
the process began.

Owns noticing and reading. All other tables are read once, at the start; a change that has faults
is told and waits until it has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import structlog

from classifiers.topics import TOPICS
from streams.settings import Settings, SettingsError, load_settings
from streams.topic_settings import TopicSettings, own_topics

_log = structlog.get_logger("wirebell.topics")


class LiveTopics:
    """The tables of one configuration file; those that it began with where there is no file."""

    def __init__(self, settings: Settings) -> None:
        """Begin with what was read at the start."""
        self.tables: Mapping[str, TopicSettings] = settings.topics
        self._path = settings.origin
        self._seen = settings.origin_changed

    def stale(self) -> bool:
        """Whether the file has changed since it was read; some microseconds."""
        return self._path is not None and changed_at(self._path) not in (self._seen, 0)

    def read(self) -> None:
        """Read the file again. Blocks for some 50 ms."""
        assert self._path is not None
        self._seen = changed_at(self._path)
        try:
            self.tables = load_settings(self._path).topics
        except SettingsError as error:
            _log.warning(
                "the configuration has changed and has faults: its topics stay as they were",
                faults=list(error.faults),
            )


def choices_of(tables: Mapping[str, TopicSettings]) -> list[tuple[str, str]]:
    """What people can say a report is about, id and label: the built-in topics, and the
    newsroom's own, learned or not.
    """
    own = [each.topic for each in own_topics(tables)]
    return [(topic.id, topic.label) for topic in (*TOPICS, *own)]


def changed_at(path: Path) -> int:
    """When a file was changed last, in nanoseconds; 0 where it cannot be seen."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
