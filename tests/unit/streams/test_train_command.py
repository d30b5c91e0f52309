"""What `wirebell train` says: what came of it, why it was refused, and what to do without data."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli import _app
from streams.commands.train import told
from streams.newsroom_training import Training
from streams.verdicts import Heard
from tests.fakes.small_models import make_record


def _training(*refusals: str, promoted: bool = False) -> Training:
    record = make_record(
        "0123456789ab",
        verdicts=21,
        people=3,
        own_topics=("border",),
        changes=("macro-F1, natural mix 0.870 -> 0.840",),
        refusals=refusals,
    )
    heard = Heard((), verdicts=21, people=3, reports=20, disputed=3, disputed_stories=1, textless=1)
    return Training(record, heard, (), promoted, ("Kafka was not read",))


def test_a_promotion_is_told_with_what_was_learned_and_the_figures() -> None:
    lines = told(_training(promoted=True))
    assert lines[0] == "Kafka was not read"
    assert lines[1].endswith("learned 21 verdicts of 3 people; topics border")
    assert "left out: people disagree about 1 story (3 reports)" in lines
    assert "left out: 1 verdict has no text any more" in lines
    assert "  macro-F1, natural mix 0.870 -> 0.840" in lines
    assert lines[-1].startswith("promoted: ")


def test_a_refusal_says_why_and_how_to_take_it_all_the_same() -> None:
    lines = told(_training("macro-F1 fell"))
    assert "  macro-F1 fell" in lines
    assert 'wirebell models promote 0123456789ab --force "REASON"' in lines[-1]


def test_a_model_that_nobody_wanted_promoted_waits() -> None:
    assert told(_training())[-1] == "ready: wirebell models promote 0123456789ab"


def test_a_newsroom_without_data_is_told_how_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(_app, ["train"])
    assert result.exit_code == 1
    assert "A newsroom trains with --with-feedback" in result.output
