"""Publishers' dates, in any language of ours, as aware UTC datetimes.

Owns the reading of date strings from feeds, pages and JSON. Does not decide whether a date
is plausible: that is `connectors.records.plausible_time`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

# Longer strings are prose, not dates.
MAX_DATE_CHARS = 120
# Seconds since 1970 above this are milliseconds (the year 5138 otherwise).
_MAX_EPOCH_S = 100_000_000_000

# Minutes east of UTC. BST is British summer time here; feedparser reads it as UTC.
_ZONES = {
    **dict.fromkeys(("Z", "UT", "UTC", "GMT", "WET"), 0),
    **dict.fromkeys(("BST", "WEST", "CET", "MEZ"), 60),
    **dict.fromkeys(("CEST", "MESZ", "EET", "SAST"), 120),
    **dict.fromkeys(("EEST", "MSK", "TRT", "МСК"), 180),
    **{"IST": 330, "SGT": 480, "HKT": 480, "AWST": 480, "JST": 540, "KST": 540},
    **{"AEST": 600, "AEDT": 660, "NZST": 720, "NZDT": 780},
    **{"AST": -240, "EDT": -240, "EST": -300, "CDT": -300, "CST": -360, "MDT": -360},
    **{"MST": -420, "PDT": -420, "PST": -480, "AKDT": -480, "AKST": -540, "HST": -600},
}

# The beginnings of month names: en de fr es it ru uk. A month word starts with one of them.
_MONTH_STEMS = (
    "jan jän gen ene янв січ",
    "feb fév fev фев лют",
    "mar mär mae mrz мар бер",
    "apr avr abr апр кві",
    "may mai mag май мая тра",
    "jun juin giu июн чер",
    "jul juil lug июл лип",
    "aug aoû aou ago авг сер",
    "sep set сен вер",
    "oct okt ott окт жов",
    "nov ноя лис",
    "dec déc dez dic дек гру",
)
_MONTHS = {stem: number for number, row in enumerate(_MONTH_STEMS, 1) for stem in row.split()}
_STEM_LENGTHS = sorted({len(stem) for stem in _MONTHS}, reverse=True)

_ISO = re.compile(
    r"^(\d{4})-(\d{1,2})(?:-(\d{1,2}))?(?:(?:T|\s)+(\d{1,2}:\d{2}.*))?$|"
    r"^(\d{4})(\d{2})(\d{2})(?:T?(\d{2}:?\d{2}.*))?$",
    re.IGNORECASE | re.ASCII,
)
_DAY_MONTH_YEAR = re.compile(
    r"\b(\d{1,2})(?:\.|er|º|°|st|nd|rd|th|-)?[\s-]*(?:(?:of|de|di)\s+)?"
    r"([^\W\d_]{3,12})\.?,?[\s-]*(?:(?:de|del)\s+)?(\d{4}|\d{2})\b"
)
_MONTH_DAY_YEAR = re.compile(r"\b([^\W\d_]{3,12})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})\b")
_ASCTIME = re.compile(r"\b([^\W\d_]{3})\s+(\d{1,2})\s+(?=\d{2}:\d{2}).*?\b(\d{4})$")
_NUMERIC = re.compile(r"\b(\d{1,2})([./])(\d{1,2})\2(\d{4})\b")
_TIME = re.compile(
    r"(?<!\d)(\d{1,2})(?::|h|\.)(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*([ap]\.?m\b)?|^(\d{2})(\d{2})(?:\d{2})?(?!\d)",
    re.IGNORECASE,
)
_OFFSET = re.compile(r"([+-])(\d{1,2}):?(\d{2})?\b")
_ZONE_NAME = re.compile(r"\b([A-ZМСК]{1,4})\b")


def parse_date(value: str, language: str = "") -> datetime | None:
    """Read a date in RFC 822, ISO 8601, asctime, numeric or spoken form; None if it is none.

    A time without a zone is taken as UTC, a date without a time as midnight UTC. `language`
    settles 03/04/2024: not read in English (two readings), day first elsewhere.
    """
    text = " ".join(value.split())
    if not text or len(text) > MAX_DATE_CHARS or not any(c.isdigit() for c in text):
        return None
    try:
        return _parse_iso(text) or _parse_spoken(text) or _parse_numeric(text, language)
    except (ValueError, OverflowError):
        return None


def parse_epoch(number: float) -> datetime | None:
    """Read seconds (or milliseconds) since 1970; None when no calendar has the moment."""
    try:
        seconds = number / 1000 if abs(number) > _MAX_EPOCH_S else number
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _parse_iso(text: str) -> datetime | None:
    match = _ISO.match(text)
    if match is None:
        return None
    year, month, day, clock = match.groups()[:4] if match[1] else match.groups()[4:]
    return _moment(int(year), int(month), int(day or 1), clock or "")


def _parse_spoken(text: str) -> datetime | None:
    lowered = text.lower()
    return (
        _search(_DAY_MONTH_YEAR, text, lowered, lambda m: (m[3], m[2], m[1]))
        or _search(_MONTH_DAY_YEAR, text, lowered, lambda m: (m[3], m[1], m[2]))
        or _search(_ASCTIME, text, lowered, lambda m: (m[3], m[1], m[2]))
    )


def _search(
    pattern: re.Pattern[str],
    text: str,
    lowered: str,
    order: Callable[[re.Match[str]], tuple[str, str, str]],
) -> datetime | None:
    # Lowering may change the length of exotic strings; the spans would then be wrong.
    if len(text) != len(lowered):
        return None
    for match in pattern.finditer(lowered):
        year, word, day = order(match)
        month = _month(word)
        if month:
            clock = (
                text[match.end(2) :].rsplit(" ", 1)[0]
                if pattern is _ASCTIME
                else f"{text[: match.start()]} {text[match.end() :]}"
            )
            return _moment(_full_year(year), month, int(day), clock)
    return None


def _parse_numeric(text: str, language: str) -> datetime | None:
    match = _NUMERIC.search(text)
    if match is None:
        return None
    first, second = int(match[1]), int(match[3])
    if match[2] == "/" and second > 12:
        first, second = second, first
    elif match[2] == "/" and first <= 12 and first != second and language in ("", "en"):
        return None
    clock = f"{text[: match.start()]} {text[match.end() :]}"
    return _moment(int(match[4]), second, first, clock)


def _moment(year: int, month: int, day: int, clock: str) -> datetime | None:
    hour = minute = second = 0
    match = _TIME.search(clock.strip())
    if match:
        hour, minute = int(match[1] or match[5]), int(match[2] or match[6])
        second = min(int(match[3] or 0), 59)
        if match[4]:
            hour = hour % 12 + (12 if match[4][0] in "pP" else 0)
        clock = clock.strip()[match.end() :]
    extra_days, hour = divmod(hour, 24)
    if extra_days > 1 or (extra_days == 1 and (hour or minute)):
        return None
    zone = _zone(clock) if match else UTC
    moment = datetime(year, month, day, hour, minute, second, tzinfo=zone)
    return (moment + timedelta(days=extra_days)).astimezone(UTC)


def _zone(rest: str) -> timezone:
    offset = _OFFSET.search(rest)
    if offset:
        minutes = int(offset[2]) * 60 + int(offset[3] or 0)
        return timezone(timedelta(minutes=-minutes if offset[1] == "-" else minutes))
    for name in _ZONE_NAME.findall(rest):
        if name in _ZONES:
            return timezone(timedelta(minutes=_ZONES[name]))
    return UTC


def _month(word: str) -> int | None:
    for length in _STEM_LENGTHS:
        month = _MONTHS.get(word[:length]) if len(word) >= length else None
        if month:
            return month
    return None


def _full_year(year: str) -> int:
    number = int(year)
    if len(year) == 4:
        return number
    return number + (2000 if number < 70 else 1900)
