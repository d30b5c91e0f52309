"""How fast a story is reported: so fast, against what is usual, that it is breaking. Pure.

Owns the count of reports in an hour of the publishers' clocks. That speed rings is material.py's.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

HOUR_S = 3_600.0
#: Times that are kept of one story: an hour with more reports than that is breaking anyway.
MAX_TIMES = 48
#: The newsroom's usual is less: of 3,410 stories in a real month of 27 publishers' feeds 11 ever
#: have so many reports within an hour, 22 have four. `wirebell backtest` counts jumps in any file.
BREAKING_REPORTS = 5
#: One publisher's live page is not a story that breaks.
BREAKING_PUBLISHERS = 3
#: And so many times the story's own usual.
JUMP = 3.0
#: A story that keeps its speed has not jumped again.
CALM_S = 6 * HOUR_S


class Speed(msgspec.Struct, frozen=True, array_like=True):
    """Reports within an hour that ended at `at` (seconds), by how many publishers; `usual` is
    the story's own number an hour before it.
    """

    at: float
    reports: int
    publishers: int
    usual: float


def jump(times: Sequence[tuple[float, str]], before: Speed | None) -> Speed | None:
    """The speed of the last hour of (seconds, publisher) in order, if it is a jump; None when
    it is usual, or the story has jumped `before`, and lately.
    """
    if not times:
        return None
    newest = times[-1][0]
    last = [name for time, name in times if newest - time <= HOUR_S]
    earlier = len(times) - len(last)
    hours = max(1.0, (newest - times[0][0]) / HOUR_S - 1.0)
    speed = Speed(newest, len(last), len(set(last)), earlier / hours)
    breaks = speed.reports >= BREAKING_REPORTS and speed.publishers >= BREAKING_PUBLISHERS
    if not breaks or speed.reports < JUMP * speed.usual or still_breaking(newest, before):
        return None
    return speed


def still_breaking(newest: float, broke: Speed | None) -> bool:
    """Whether a story with its newest report at this time jumped within the last hours."""
    return broke is not None and newest - broke.at < CALM_S
