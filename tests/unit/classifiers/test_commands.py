"""The commands around the model: in order, with clear errors, no traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from classifiers.topics import TOPIC_IDS
from streams.commands import classify, evaluate, explain, train

run = CliRunner()


def _app(command: object) -> typer.Typer:
    app = typer.Typer(add_completion=False)
    app.command()(command)  # type: ignore[type-var]
    return app


def _write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_classify_writes_every_row_in_order_with_all_probabilities(tmp_path: Path) -> None:
    rows = [{"id": f"r{n}", "text": "Council meets"} for n in range(130)]
    rows[70] = {"id": "r70", "title": "Drones hit depot", "text": "Fire at the refinery"}
    rows[71] = {"id": "r71"}
    out = tmp_path / "out.jsonl"
    source = _write(tmp_path / "in.jsonl", *rows)
    result = run.invoke(_app(classify.command), [str(source), "--out", str(out)])
    assert result.exit_code == 0, result.output
    answers = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [answer["id"] for answer in answers] == [row["id"] for row in rows]
    assert all(tuple(answer["topics"]) == TOPIC_IDS for answer in answers)
    assert "drone_strike" in answers[70]["chosen"]
    assert answers[71]["chosen"] == []


def test_classify_names_the_line_that_is_broken(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"id": "a", "text": "b"}\n{broken', encoding="utf-8")
    out = tmp_path / "out.jsonl"
    result = run.invoke(_app(classify.command), [str(source), "--out", str(out)])
    assert result.exit_code == 1
    assert "in.jsonl:2" in result.output
    assert "Traceback" not in result.output


def test_classify_neither_writes_over_its_input_nor_leaves_half_a_file(tmp_path: Path) -> None:
    source = _write(tmp_path / "in.jsonl", {"id": "a", "text": "b"})
    before = source.read_bytes()
    result = run.invoke(_app(classify.command), [str(source), "--out", str(source)])
    assert result.exit_code == 1
    assert source.read_bytes() == before
    source.write_text('{"id": "a", "text": "b"}\n{broken', encoding="utf-8")
    run.invoke(_app(classify.command), [str(source), "--out", str(tmp_path / "out.jsonl")])
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_label_that_no_model_knows_is_named(tmp_path: Path) -> None:
    source = _write(tmp_path / "in.jsonl", {"id": "a7", "text": "b", "topics": ["dragons"]})
    result = run.invoke(_app(evaluate.command), [str(source)])
    assert result.exit_code == 1
    assert "'a7'" in result.output
    assert "'dragons'" in result.output


def test_a_day_that_is_none_trains_nothing(tmp_path: Path) -> None:
    out = tmp_path / "model.npz"
    result = run.invoke(_app(train.command), ["--before", "notadate", "--out", str(out)])
    assert result.exit_code == 1
    assert "notadate" in result.output
    assert not out.exists()


@pytest.mark.parametrize("command", [classify.command, evaluate.command])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, command: object) -> None:
    bad = tmp_path / "bad.npz"
    bad.write_bytes(b"PK\x03\x04 nothing")
    source = _write(tmp_path / "in.jsonl", {"id": "a", "text": "b", "topics": []})
    arguments = [str(source), "--model", str(bad)]
    if command is classify.command:
        arguments += ["--out", str(tmp_path / "out.jsonl")]
    result = run.invoke(_app(command), arguments)
    assert result.exit_code == 1
    assert "not a topic model" in result.output


def test_explain_tells_words_and_sentence() -> None:
    result = run.invoke(_app(explain.command), ["Saboteurs cut a rail cable. Trains stopped."])
    assert "sabotage" in result.output
    assert "Saboteurs cut a rail cable." in result.output


def test_explain_says_what_the_words_alone_gave_and_can_leave_the_reader_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WIREBELL_CLASSIFIER__DOUBT", "30")  # all is doubtful
    words = ["Saboteurs cut a rail cable.", "--topic", "sabotage"]
    twice = run.invoke(_app(explain.command), words)
    assert "by these words alone" in twice.stdout
    assert "read twice" in twice.stderr
    once = run.invoke(_app(explain.command), [*words, "--no-reader"])
    assert "read twice" not in once.output
    alone = twice.stdout.split("read twice; ")[1].split(" ")[0]
    assert f"sabotage  {alone}" in once.stdout


def test_explain_says_so_when_nothing_rings() -> None:
    result = run.invoke(_app(explain.command), ["The library opens on Monday"])
    assert result.stdout.startswith("No topic.")


def test_explain_reads_a_file_and_a_named_topic(tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    report.write_text("A flood destroyed the bridge.", encoding="utf-8")
    result = run.invoke(_app(explain.command), [str(report), "--topic", "natural_disaster"])
    assert "flood" in result.output
    unknown = run.invoke(_app(explain.command), [str(report), "--topic", "gossip"])
    assert (unknown.exit_code, "gossip" in unknown.output) == (2, True)


def test_evaluate_prints_text_and_json_and_holds_floors(tmp_path: Path) -> None:
    source = _write(
        tmp_path / "in.jsonl",
        {"id": "a", "text": "Earthquake of magnitude 6 kills ten", "topics": ["natural_disaster"]},
        {"id": "b", "text": "Parliament votes on budget", "topics": []},
    )
    app = _app(evaluate.command)
    assert "macro-F1" in run.invoke(app, [str(source)]).output
    told = json.loads(run.invoke(app, [str(source), "--json"]).stdout)
    assert told["topics"]["natural_disaster"]["recall"] == 1.0
    labels = tmp_path / "labels.tsv"
    labels.write_text("b\t-\n", encoding="utf-8")
    told = json.loads(run.invoke(app, [str(source), "--labels", str(labels), "--json"]).stdout)
    assert (told["reports"], told["topicless"]) == (1, 1)
    floors = _write(tmp_path / "floors.json", {"macro_f1": 1.01})
    assert run.invoke(app, [str(source), "--floors", str(floors)]).exit_code == 3
    floors = _write(tmp_path / "floors.json", {"macro": 1})
    assert run.invoke(app, [str(source), "--floors", str(floors)]).exit_code == 1


def test_train_without_data_says_what_is_missing(tmp_path: Path) -> None:
    result = run.invoke(_app(train.command), ["--data", str(tmp_path)])
    assert result.exit_code == 1
    assert "train.jsonl" in result.output


def test_train_writes_a_model_that_classify_reads(tmp_path: Path) -> None:
    lessons = [
        {"id": f"x-{n}-{topic}", "text": f"{topic} word{n}", "topics": [topic], "date": "2020"}
        for n in range(8)
        for topic in TOPIC_IDS
    ]
    _write(tmp_path / "train.jsonl", *lessons)
    model = tmp_path / "model.npz"
    trained = run.invoke(_app(train.command), ["--data", str(tmp_path), "--out", str(model)])
    assert trained.exit_code == 0, trained.output
    out = tmp_path / "out.jsonl"
    arguments = [str(tmp_path / "train.jsonl"), "--out", str(out), "--model", str(model)]
    assert run.invoke(_app(classify.command), arguments).exit_code == 0
    first = json.loads(out.read_text(encoding="utf-8").splitlines()[0])
    assert first["chosen"][0] == TOPIC_IDS[0]
