"""The viewers of the page: each event is encoded once and given to all, the latest only.

A viewer that reads slowly skips to the latest instead of making a queue grow.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator


class Broadcast:
    """The latest body of each kind of event, and who waits for the next."""

    def __init__(self) -> None:
        self._latest: dict[str, tuple[int, bytes]] = {}
        self._number = 0
        self._changed = asyncio.Event()

    def publish(self, event: str, body: bytes) -> None:
        """Give all viewers a new body (one line of JSON) for this event."""
        self._number += 1
        message = b"event: " + event.encode("ascii") + b"\ndata: " + body + b"\n\n"
        self._latest[event] = (self._number, message)
        self._changed.set()
        self._changed = asyncio.Event()

    async def messages(self) -> AsyncIterator[bytes]:
        """What is known now, then whatever is new, without end."""
        seen = 0
        while True:
            changed = self._changed
            # In the order of first publication: the snapshot brings the clock and time zone
            # by which the rest is written.
            fresh = [entry for entry in self._latest.values() if entry[0] > seen]
            if fresh:
                seen = self._number
                yield b"".join(message for _, message in fresh)
            else:
                await changed.wait()
