"""The law of the rooms: who may import whom, no cycles, file and function sizes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("connectors", "classifiers", "streams")
FORBIDDEN = {
    "connectors": {"classifiers", "streams", "faust", "redis", "valkey", "sklearn", "mode"},
    "classifiers": {
        "connectors",
        "streams",
        "faust",
        "redis",
        "valkey",
        "kafka",
        "aiokafka",
        "aiohttp",
        "slack_sdk",
    },
    "streams": set[str](),
}
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 60


def _modules() -> dict[str, Path]:
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def _imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, function-level imports counted too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_imports_what_it_must_not_know(room: str) -> None:
    offences = [
        f"{name} imports {imported}"
        for name, path in _modules().items()
        if name.split(".")[0] == room
        for imported in _imports(path)
        if imported.split(".")[0] in FORBIDDEN[room]
    ]
    assert offences == []


def test_there_is_no_import_cycle() -> None:
    modules = _modules()
    graph = {
        name: {imported for imported in _imports(path) if imported in modules and imported != name}
        for name, path in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {error.args[1]}")


def test_every_file_is_one_room_and_every_function_one_thought() -> None:
    offences = []
    for path in _modules().values():
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > MAX_FILE_LINES:
            offences.append(f"{path.relative_to(ROOT)} has {text.count(chr(10))} lines")
        offences += [
            f"{path.relative_to(ROOT)}:{node.lineno} {node.name} is {length} lines"
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
        ]
    assert offences == []


def test_broad_excepts_stand_only_where_said() -> None:
    """`except Exception` needs a `noqa: BLE001` with its reason beside it; ruff enforces the
    noqa, this enforces the reason.
    """
    offences = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _modules().values()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "noqa: BLE001" in line and len(line.split("BLE001", 1)[1].strip(" -:)")) < 8
    ]
    assert offences == []
