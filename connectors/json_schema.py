"""JSON Schema of our records, with what msgspec leaves out: that a time is a time.

Owns the schema's form. What is described, and where it is published, is its callers'.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import inspect

_TIME = {"type": "string", "format": "date-time"}


def schemas(kinds: Sequence[type], place: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A reference to each kind's schema, and all schemas by name; `place` is "#/.../{name}"."""
    references, parts = msgspec.json.schema_components(kinds, ref_template=place)
    for struct in _structs(inspect.multi_type_info(kinds)):
        part = parts[struct.cls.__name__]
        part["description"] = " ".join(part.get("description", "").split())
        for field in struct.fields:
            if _is_time(field.type):
                part["properties"][field.encode_name] = _said(field.type)
    return list(references), parts


def _is_time(kind: inspect.Type) -> bool:
    if isinstance(kind, inspect.UnionType):
        return any(_is_time(each) for each in kind.types)
    return isinstance(kind, inspect.DateTimeType)


def _said(kind: inspect.Type) -> dict[str, Any]:
    optional = isinstance(kind, inspect.UnionType) and kind.includes_none
    return {"anyOf": [_TIME, {"type": "null"}]} if optional else dict(_TIME)


def _structs(kinds: Sequence[inspect.Type]) -> Iterator[inspect.StructType]:
    """Every record that these hold, at any depth, once each."""
    waiting, seen = list(kinds), set[type]()
    while waiting:
        kind = waiting.pop()
        match kind:
            case inspect.StructType() if kind.cls not in seen:
                seen.add(kind.cls)
                waiting += [field.type for field in kind.fields]
                yield kind
            case inspect.UnionType():
                waiting += kind.types
            case inspect.ListType() | inspect.VarTupleType():
                waiting.append(kind.item_type)
            case inspect.DictType():
                waiting.append(kind.value_type)
