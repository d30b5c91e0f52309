"""Stands for a kill: raised where the code under test says so, and caught by nothing of it."""

from __future__ import annotations

from collections.abc import Callable


class Crash(BaseException):
    """The process dies here; nothing after it runs."""


def die_at(place: str, count: int) -> Callable[[str], None]:
    """Die when a place is reached for the n-th time, and anywhere after that."""
    left = count

    def reached(passed: str) -> None:
        nonlocal left
        left -= passed == place
        if left <= 0:
            raise Crash(place)

    return reached
