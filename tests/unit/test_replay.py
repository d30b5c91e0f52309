"""What a replay of a file counts as a fault (benchmarks/replay.py)."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from benchmarks import replay
from benchmarks.replay import Outcome

SCREENED = "wirebell_articles_screened_total"
CLEAN = Outcome(
    expected=10,
    articles=10,
    seconds=2.0,
    cpu_s=1.0,
    stories=3,
    counts={
        SCREENED: 10.0,
        "wirebell_alerts_total{new}": 3.0,
        "wirebell_alerts_total{update}": 1.0,
    },
    log="",
)
LETTERS = {**CLEAN.counts, "wirebell_dead_letters_total{story_failed,screen}": 2.0}


def _ends(outcome: Outcome, monkeypatch: pytest.MonkeyPatch, *options: str) -> str:
    """What the command ends with after a replay that came to this; "" when all is well."""
    monkeypatch.setattr(replay, "replay", lambda *_: outcome)
    monkeypatch.setattr(sys, "argv", ["replay", "file.jsonl", *options])
    try:
        replay.main()
    except SystemExit as end:
        return str(end.code)
    return ""


def test_a_replay_in_which_all_went_well_passes_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _ends(CLEAN, monkeypatch, "--check") == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"articles": 8}, "2 of 10 articles lost"),
        ({"counts": LETTERS}, "2 dead letters"),
        ({"expected": 0, "articles": 0}, "the file holds no article"),
    ],
)
def test_a_replay_that_lost_something_fails_the_check_and_says_what(
    change: dict[str, object], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = dataclasses.replace(CLEAN, **change)  # type: ignore[arg-type]
    assert _ends(outcome, monkeypatch, "--check") == said
    assert _ends(outcome, monkeypatch) == ""  # who only measures is not told so


def test_a_replay_tells_what_it_came_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _ends(CLEAN, monkeypatch)
    told = dict(line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines()[1:])
    rows = {name.strip(): value for name, value in told.items()}
    assert rows["articles a second, end to end"] == "5"
    assert rows["articles a CPU second of the worker"] == "10"
    assert (rows["stories"], rows["alerts"]) == ("3", "4")


def test_a_row_that_comes_twice_is_expected_once(tmp_path: Path) -> None:
    row = '{"id": "1", "source": "Paper", "title": "Title", "text": "Text", "lang": "en"}\n'
    path = tmp_path / "rows.jsonl"
    path.write_text(row + row + row.replace('"1"', '"2"') + "no row\n", encoding="utf-8")
    assert replay.count_articles(path) == 2
