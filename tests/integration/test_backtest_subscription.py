"""`wirebell backtest --subscription`: what one subscription would have been told."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from streams.cli import _app
from tests.reports import DEPOT, FERRY

CONFIG = """
[sinks.terminal]
type = "console"
[[subscriptions]]
id = "everything"
deliver = [{ sink = "terminal" }]
[[subscriptions]]
id = "depots"
words = ["depot"]
deliver = [{ sink = "terminal" }]
"""


def _backtest(folder: Path, subscription: str, columns: str = "160") -> Result:
    (folder / "wirebell.toml").write_text(CONFIG)
    rows = [
        {"id": number, "date": f"2026-03-04T09:0{number}:00Z", "title": title, "text": text}
        for number, (title, text) in enumerate((DEPOT, FERRY))
    ]
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = [str(folder / "in.jsonl"), "--out", str(folder / "out.jsonl")]
    options = ["--config", str(folder / "wirebell.toml"), "--subscription", subscription]
    return CliRunner().invoke(_app, ["backtest", *files, *options], env={"COLUMNS": columns})


def test_a_subscription_is_shown_what_it_asks_for(tmp_path: Path) -> None:
    everything, depots = _backtest(tmp_path, "everything"), _backtest(tmp_path, "depots")
    assert (everything.exit_code, depots.exit_code) == (0, 0), everything.output + depots.output
    assert "Subscription everything: 2 rings" in everything.stdout
    told = depots.stdout.partition("Subscription depots: 1 rings")[2]
    assert "1 alerts that it does not ask for" in told
    assert "2026-03-04 09:00" in told
    assert "2026-03-04 09:01" not in told


def test_a_narrow_terminal_cuts_the_headline_and_not_the_time(tmp_path: Path) -> None:
    assert "2026-03-04 09:00  rings  " in _backtest(tmp_path, "depots", columns="60").stdout


def test_a_subscription_that_does_not_exist_is_one_line_with_those_that_do(tmp_path: Path) -> None:
    result = _backtest(tmp_path, "sports")
    assert result.exit_code == 1
    assert "there is no subscription 'sports'; known: everything, depots" in result.stderr
