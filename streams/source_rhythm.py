"""How long a source is usually silent at this hour of the week, learned from its own past.

Pure. For each hour of the week it keeps the longest silence that reached into that hour, week
by week: a gap from 22:00 to 06:00 is usual at each hour of that night and at no other.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

HOURS = 168
# Fewer weeks of an hour say nothing of it; then the same hour of other days may, if it was
# seen on so many of them.
MIN_WEEKS, MIN_DAYS = 2, 3
# A week counts a third: a source's habits change with its staff and its seasons.
WEIGHT = 1 / 3


class Hour(msgspec.Struct, array_like=True):
    """One hour of the week: the last week in which a silence reached into it and the longest
    one of that week, the mean of the weeks before, and how many they were. Seconds.
    """

    week: int
    longest_s: float
    mean_s: float = 0.0
    weeks: int = 0


class Rhythm(msgspec.Struct):
    """A source's silences by the hour of the week ("0" is Monday's first, UTC)."""

    hours: dict[int, Hour] = {}

    def learn(self, began: datetime, ended: datetime) -> None:
        """Take in a silence between two articles; one of a week and longer is no habit."""
        length_s = (ended - began).total_seconds()
        if not 0 < length_s < HOURS * 3600:
            return
        moment = began.replace(minute=0, second=0, microsecond=0)
        while moment <= ended:
            self._note(moment, length_s)
            moment += timedelta(hours=1)

    def usual_s(self, now: datetime) -> float | None:
        """The usual longest silence at this hour, in seconds; None while it is not known."""
        week, hour = _place(now)
        found = self.hours.get(hour)
        if found is not None and _weeks_before(found, week) >= MIN_WEEKS:
            return _mean(found, week)
        days = [self.hours[one] for one in range(hour % 24, HOURS, 24) if one in self.hours]
        if len(days) < MIN_DAYS:
            return None
        return max(max(day.longest_s, day.mean_s) for day in days)

    def _note(self, moment: datetime, length_s: float) -> None:
        week, number = _place(moment)
        hour = self.hours.get(number)
        if hour is None:
            self.hours[number] = Hour(week, length_s)
        elif hour.week == week:
            hour.longest_s = max(hour.longest_s, length_s)
        else:
            mean_s = _mean(hour, week)
            self.hours[number] = Hour(week, length_s, mean_s, hour.weeks + 1)


def _place(moment: datetime) -> tuple[int, int]:
    """The number of the week and of the hour in it."""
    hours = int(moment.timestamp()) // 3600 - 4 * 24  # 1970 began on a Thursday
    return hours // HOURS, hours % HOURS


def _weeks_before(hour: Hour, week: int) -> int:
    return hour.weeks + (hour.week < week)


def _mean(hour: Hour, week: int) -> float:
    """Over the weeks before this one."""
    if hour.week == week:
        return hour.mean_s
    if hour.weeks == 0:
        return hour.longest_s
    return hour.mean_s + WEIGHT * (hour.longest_s - hour.mean_s)
