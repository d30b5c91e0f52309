"""A broker that is away for an hour fills no disk with the same line."""

from __future__ import annotations

import logging

from streams.library_logs import EVERY_S, OnceInAWhile


def _record(message: str, number: int) -> logging.LogRecord:
    return logging.LogRecord("aiokafka.conn", logging.ERROR, "conn.py", 1, message, (number,), None)


def test_the_same_message_comes_once_in_a_while_and_as_a_warning() -> None:
    now = [0.0]
    calm = OnceInAWhile(lambda: now[0])
    first = _record("Unable connect to node with id %s", 1)
    assert calm.filter(first)
    assert first.levelname == "WARNING"
    assert not any(
        calm.filter(_record("Unable connect to node with id %s", number)) for number in range(99)
    )
    assert calm.filter(_record("Failed fetch messages from %s", 1))
    now[0] += EVERY_S
    assert calm.filter(_record("Unable connect to node with id %s", 1))
