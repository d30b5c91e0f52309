"""What Kafka's client libraries say of an outage, said once and not a hundred times a second.

Owns a filter on its loggers: the same message once in a while, and as a warning: it recovers
by itself and nothing is lost. What an outage means for us is said by `outages.py`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

EVERY_S = 30.0
_FAMILIES = ("aiokafka", "kafka")


class OnceInAWhile(logging.Filter):
    """Lets the same message (before its values are filled in) through once in `EVERY_S`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said_at: dict[object, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is let through; lowers it to a warning if so."""
        now, message = self._clock(), (record.name, record.msg)
        if now - self._said_at.get(message, float("-inf")) < EVERY_S:
            return False
        if len(self._said_at) > 1_000:  # messages that were put together before logging
            self._said_at.clear()
        self._said_at[message] = now
        if record.levelno > logging.WARNING:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


def calm_library_logs() -> None:
    """Put the filter on every logger of the libraries that exists. Once, after their import."""
    calm = OnceInAWhile()
    for name in {*_FAMILIES, *logging.root.manager.loggerDict}:
        if name.partition(".")[0] in _FAMILIES:
            logging.getLogger(name).addFilter(calm)
