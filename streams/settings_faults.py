"""Faults of the configuration in the words and keys of who wrote it.

Owns how a fault reads, and the references between tables: ids used twice, sinks and topics
that are not there. They are looked for in the document itself, so that they are told together
with the faults of single fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from streams.topic_settings import topic_faults

# What pydantic puts before our own words, and says of lists, in its own.
_PREFIX = "Value error, "
_TOO_SHORT = "too_short"
# An id that can stand in a key; one that is itself at fault cannot name its row.
_ID = re.compile(r"[a-z0-9][a-z0-9_-]*")


def readable_fault(fault: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    """One line a fault: its key as it stands in the file, and what is wrong there."""
    message = str(fault["msg"]).removeprefix(_PREFIX)
    if not fault["loc"]:  # the references, each already with its key
        yield from message.split("; ")
        return
    if fault["type"] == _TOO_SHORT:
        message = "must not be empty"
    yield f"{_key(tuple(fault['loc']), document)}: {message}"


def reference_faults(document: Mapping[str, Any]) -> list[str]:
    """Every reference in the document that leads nowhere, and every id that is used twice."""
    faults = []
    for table in ("sources", "subscriptions"):
        ids = [str(row.get("id", "")) for row in _rows(document.get(table))]
        faults += [
            f"{table}: id {name!r} is used twice"
            for name in sorted(set(ids))
            if name and ids.count(name) > 1
        ]
    sinks = document.get("sinks") if isinstance(document.get("sinks"), Mapping) else {}
    for row in _rows(document.get("subscriptions")):
        faults += [
            f"subscriptions.{row.get('id')}: there is no sink {target['sink']!r}"
            for target in _rows(row.get("deliver"))
            if target.get("sink") and target["sink"] not in (sinks or {})
        ]
    told = (document.get("page") or {}).get("incident_to")
    sink = told.get("sink") if isinstance(told, Mapping) else None
    if sink and sink not in (sinks or {}):
        faults.append(f"page.incident_to: there is no sink {sink!r}")
    subscriptions = _rows(document.get("subscriptions"))
    return faults + list(topic_faults(document.get("topics"), subscriptions))


def _rows(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    return [row for row in value if isinstance(row, Mapping)]


def _key(place: tuple[Any, ...], document: Mapping[str, Any]) -> str:
    """`sources.0.feed.url` as the file has it: `sources.bbc.url`."""
    parts = []
    inside: Any = document
    for part in place:
        known = isinstance(inside, Mapping) and part in inside
        listed = isinstance(inside, Sequence) and not isinstance(inside, str)
        if isinstance(inside, Mapping) and not known and part == inside.get("type"):
            continue  # the kind of a source or sink, which is no key of the file
        row = inside[part] if known or (listed and isinstance(part, int)) else None
        name = row.get("id") if listed and isinstance(row, Mapping) else None
        parts.append(name if isinstance(name, str) and _ID.fullmatch(name) else str(part))
        inside = row
    return ".".join(parts) or "configuration"
