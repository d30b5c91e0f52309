"""Runs the chaos suite and writes what it came to into docs/reliability.md.

    python -m tests.chaos_report --load 10      (what `make chaos` does)

Every figure on the page comes from this run: the tests count at the receivers.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reliability.md"
FIGURES = ("owed", "lost", "doubled", "faults")
FRESH_GOAL_S = 10.0
TEST_TIMEOUT_S = 1_800


@dataclass(slots=True)
class Row:
    """One test over all its cases. `figures` is empty where the test only asserts; `fresh_s` are
    the seconds that a new urgent alert took into Slack after each fault had ended.
    """

    name: str
    cases: int = 0
    passed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    figures: dict[str, int] = field(default_factory=dict)
    fresh_s: list[float] = field(default_factory=list)


def read_rows(report: ET.Element) -> list[Row]:
    """The rows of a JUnit report, in its order."""
    rows: dict[str, Row] = {}
    for case in report.iter("testcase"):
        name = re.sub(r"\[.*", "", case.get("name", "")).removeprefix("test_").replace("_", " ")
        row = rows.setdefault(name, Row(name))
        row.cases += 1
        row.seconds += float(case.get("time", "0"))
        if case.find("skipped") is not None:
            row.skipped += 1
        elif case.find("failure") is None and case.find("error") is None:
            row.passed += 1
        for entry in case.iter("property"):
            figure = entry.get("name", "")
            if figure == "fresh":
                row.fresh_s += [float(each) for each in entry.get("value", "").split(",")]
            if figure in FIGURES:
                row.figures[figure] = row.figures.get(figure, 0) + int(entry.get("value", "0"))
    return list(rows.values())


def page(rows: Iterable[Row], load: int, where: str) -> str:
    """The page, in Markdown."""
    rows = [row for row in rows if row.cases > row.skipped]
    took_s = sum(row.seconds for row in rows)
    total: dict[str, int] = defaultdict(int)
    for row in rows:
        for name, value in row.figures.items():
            total[name] += value
    failed = sum(row.cases - row.passed - row.skipped for row in rows)
    verdict = "every case held" if not failed else f"{failed} CASES FAILED"
    lines = [
        "# Reliability",
        "",
        f"Written by `make chaos` (`python -m tests.chaos_report --load {load}`): {verdict}. "
        f"Load {load} of 10, on {where}, in {took_s / 60:.0f} minutes of tests. Apache Kafka and a "
        "Valkey with an append-only file, each a process of its own, as are the workers.",
        "",
        f"Owed {total['owed']:,} messages, choices and articles under {total['faults']:,} faults "
        f"and kills: **lost {total['lost']:,}, doubled {total['doubled']:,}**, counted at the "
        "receivers. Tests without figures assert the same of their own counts.",
        *_fresh_words([seconds for row in rows for seconds in row.fresh_s]),
        "",
        "| what was tried | cases held | owed | lost | doubled | faults and kills "
        "| fresh after, s: median, longest | took, s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        held = f"{row.passed} of {row.cases}" + (f" ({row.skipped} skipped)" if row.skipped else "")
        figures = [f"{row.figures[name]:,}" if name in row.figures else "" for name in FIGURES]
        fresh = ""
        if row.fresh_s:
            fresh = f"{statistics.median(row.fresh_s):.1f}, {max(row.fresh_s):.1f}"
        lines.append(
            f"| {row.name} | {held} | {' | '.join(figures)} | {fresh} | {row.seconds:.0f} |"
        )
    lines += [
        "",
        "A fault is a request that a fake Slack or receiver broke (reset, timeout, cut, late, 429, "
        "5xx); a kill is a process that died in the middle. In the tests of whole lines (workers "
        "that are ended, join, stand still; the broker and Redis killed, away, empty) the ledger's "
        "clock runs ten times as fast, so that a lease is six seconds; the test that says so has "
        "the leases of a real line. `kafka.session_timeout_s` is 6 in all of them. What cannot be "
        "promised is in [guarantees.md](guarantees.md).",
    ]
    return "\n".join(lines) + "\n"


def _fresh_words(fresh_s: list[float]) -> list[str]:
    if not fresh_s:
        return []
    within = sum(seconds <= FRESH_GOAL_S for seconds in fresh_s)
    return [
        "",
        f"After {len(fresh_s)} faults of whole lines had ended, a new urgent alert was in Slack "
        f"within {FRESH_GOAL_S:.0f} s {within} times; median {statistics.median(fresh_s):.1f} s, "
        f"longest {max(fresh_s):.1f} s. That includes the start of a process, and "
        "the backlog that the fault left, where there is one.",
    ]


def run_file(name: str, load: int, kept: Path) -> int:
    """Run one file of tests in a process of its own; its report is kept. pytest's exit code."""
    report = kept / f"{Path(name).stem}.xml"
    command = [sys.executable, "-m", "pytest", "-q", name, f"--junitxml={report}"]
    command += ["-o", f"timeout={TEST_TIMEOUT_S}", "-o", "junit_family=xunit1"]
    environment = {**os.environ, "WIREBELL_CHAOS": str(load)}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def main(arguments: list[str]) -> int:
    """Run each file, write the page after each; the last of pytest's exit codes that is not 0."""
    parser = argparse.ArgumentParser(description="Run the chaos suite, write docs/reliability.md.")
    parser.add_argument("--load", type=int, default=10, help="1 is what `make test` runs")
    parser.add_argument("--keep", type=Path, help="a folder of reports: the page shows all in it")
    parser.add_argument("tests", nargs="*", help="files instead of all of tests/chaos")
    given = parser.parse_args(arguments)
    names = given.tests or sorted(str(path) for path in (ROOT / "tests/chaos").glob("test_*.py"))
    where = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    worst = 0
    with tempfile.TemporaryDirectory() as folder:
        kept = given.keep or Path(folder)
        kept.mkdir(parents=True, exist_ok=True)
        for name in names:
            worst = run_file(name, given.load, kept) or worst
            reports = sorted(kept.glob("*.xml"))
            rows = [row for each in reports for row in read_rows(ET.parse(each).getroot())]
            PAGE.write_text(page(rows, given.load, where), encoding="utf-8")
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
