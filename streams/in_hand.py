"""What a worker had in hand when it died: so that a record that kills workers (a hang, a crash
of the interpreter, memory) is found and buried, instead of stopping the line for good.

Owns a small file per agent, written before each batch and cleared after it, and what is read
from it at the next start. A file and not Redis: it costs microseconds, and the agent's one
round trip stays one. Each worker learns for itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from streams.batches import Held
from streams.dead_letters import Stage

# Died once: anything can kill a process. Twice with the same records in hand: from now on
# they are taken one by one. A third time with one alone: that one goes.
ALONE_AFTER, CONDEMNED_AFTER = 2, 3
MOST_WORKERS = 64


class Span(msgspec.Struct, frozen=True, array_like=True):
    """Records of one partition, first to last, and how often a worker has died of them."""

    kafka_topic: str
    partition: int
    first: int
    last: int
    deaths: int


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(list[Span])


class InHand:
    """The file of one agent. Locked by this process until it ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._suspects = [
            msgspec.structs.replace(span, deaths=span.deaths + 1) for span in self._read()
        ]

    @property
    def suspects(self) -> Sequence[Span]:
        """What the worker before had in hand when it died, and has not been settled since."""
        return tuple(self._suspects)

    def deaths(self, held: Held) -> int:
        """How often in a row a worker has died with this record in hand."""
        return max((span.deaths for span in self._suspects if _holds(span, held)), default=0)

    def parts(self, batch: Sequence[Held]) -> Iterator[Sequence[Held]]:
        """The batch in order, in parts: suspects alone, all others together."""
        if not self._suspects:
            yield batch
            return
        together: list[Held] = []
        for held in batch:
            if self.deaths(held) < ALONE_AFTER:
                together.append(held)
                continue
            if together:
                yield together
                together = []
            yield [held]
        if together:
            yield together

    def take(self, part: Sequence[Held]) -> None:
        """The worker is about to work on these records."""
        by_place: dict[tuple[str, int], list[Held]] = {}
        for held in part:
            by_place.setdefault((held.origin.kafka_topic, held.origin.partition), []).append(held)
        self._write(
            [
                Span(
                    *place,
                    records[0].origin.offset,
                    records[-1].origin.offset,
                    max(map(self.deaths, records)) if self._suspects else 0,
                )
                for place, records in by_place.items()
            ]
        )

    def put_down(self, part: Sequence[Held]) -> None:
        """The worker lives, whatever became of these records."""
        self._write([])
        if self._suspects:
            self._suspects = [
                span
                for span in self._suspects
                if not any(_holds(span, held) and held.origin.offset == span.last for held in part)
            ]

    def close(self) -> None:
        """Leave the file as it is to the next worker."""
        os.close(self._descriptor)

    def _read(self) -> list[Span]:
        line = os.pread(self._descriptor, 1_000_000, 0).split(b"\n", 1)[0]
        try:
            return _decoder.decode(line) if line else []
        except msgspec.DecodeError:
            return []  # another version's

    def _write(self, spans: list[Span]) -> None:
        # One write: a kill cannot cut it in two. What an older, longer line left behind the
        # line's end is never read. A full disk must not stop the line: this is only an aid.
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, _encoder.encode(spans) + b"\n", 0)


def open_in_hand(directory: Path, stage: Stage) -> InHand:
    """The first file of this agent that no other worker of this machine holds.

    Raises:
        OSError: the directory cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for number in range(MOST_WORKERS):
        path = directory / f"in-hand-{stage}-{number}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            continue
        return InHand(descriptor)
    raise OSError(f"{directory} has {MOST_WORKERS} workers already")


def _holds(span: Span, held: Held) -> bool:
    origin = held.origin
    return (
        span.kafka_topic == origin.kafka_topic
        and span.partition == origin.partition
        and span.first <= origin.offset <= span.last
    )
