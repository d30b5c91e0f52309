"""`wirebell backtest` and `wirebell story`, with the shipped model on a Redis of their own."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from classifiers.model import TopicModel
from streams.cli import _app
from streams.keys import Keys
from streams.redis_client import connect_redis
from streams.screening import screen
from streams.stories import Stories
from tests.reports import DEPOT, DEPOT_RETOLD, FERRY, START, article

SPORT = ("Corvera win the cup", "Corvera won the island cup with a late goal by Mateo Ruiz.")


def _row(number: int, told: tuple[str, str], minute: int, **more: Any) -> dict[str, Any]:
    date = f"2026-03-04 09:{minute:02}:00+00:00"
    return {"id": f"r{number}", "date": date, "title": told[0], "text": told[1], **more}


def _backtest(folder: Path, lines: list[bytes], *options: str) -> tuple[Result, list[Any]]:
    (folder / "in.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    out = folder / "out.jsonl"
    arguments = ["backtest", str(folder / "in.jsonl"), "--out", str(out), *options]
    result = CliRunner().invoke(_app, arguments, env={"COLUMNS": "160"})
    if result.exit_code:
        return result, []
    return result, [json.loads(line) for line in out.read_text().splitlines()]


def _encoded(*rows: dict[str, Any]) -> list[bytes]:
    return [json.dumps(row).encode() for row in rows]


def test_decisions_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    result, answers = _backtest(
        tmp_path,
        _encoded(
            _row(1, DEPOT_RETOLD, 20, publisher="Courier"),
            _row(2, SPORT, 5),
            _row(3, DEPOT, 10, publisher="Ledger"),
            _row(4, FERRY, 30, publisher="Post"),
            _row(5, DEPOT, 40, publisher="Copier"),
            _row(3, DEPOT, 10, publisher="Ledger"),
        ),
    )
    assert result.exit_code == 0
    assert [answer["id"] for answer in answers] == ["r1", "r2", "r3", "r4", "r5", "r3"]
    assert [answer["decision"] for answer in answers] == [
        "update",
        "off_topic",
        "new",
        "new",
        "duplicate",
        "duplicate",
    ]
    assert set(answers[0]) == {"id", "chosen", "story", "decision"}
    assert answers[2]["chosen"]
    stories = [answer["story"] for answer in answers]
    assert stories[1] is None
    assert stories[0] == stories[2] == stories[4] == stories[5] != stories[3]
    assert "2 stories, 3 alerts" in result.stdout
    assert "Largest stories" in result.stdout
    assert DEPOT[0] in result.stdout


def test_same_file_gives_the_same_output(tmp_path: Path) -> None:
    lines = _encoded(_row(1, DEPOT, 1), _row(2, DEPOT_RETOLD, 2), _row(3, FERRY, 3))
    first, second = (_backtest(tmp_path, lines)[1] for _ in range(2))
    assert first == second


def test_broken_rows_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    good = _encoded(_row(1, DEPOT, 1), _row(2, FERRY, 2))
    result, answers = _backtest(tmp_path, [good[0], b"{broken", b'{"id": 7}', good[1]])
    assert result.exit_code == 0
    assert [answer["id"] for answer in answers] == ["r1", "r2"]
    assert "line 2: not JSON" in result.output
    assert "line 3: article 7 has neither title nor text" in result.output
    assert "2 broken rows left out" in result.output


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_empty_file_gives_an_empty_output(tmp_path: Path, content: bytes) -> None:
    result, answers = _backtest(tmp_path, [content])
    assert result.exit_code == 0
    assert answers == []


def test_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    arguments = ["backtest", str(tmp_path / "none.jsonl"), "--out", str(tmp_path / "out.jsonl")]
    result = CliRunner().invoke(_app, arguments)
    assert result.exit_code == 1
    assert "No such file" in result.output
    assert "Traceback" not in result.output


def test_all_articles_are_joined_when_asked(tmp_path: Path) -> None:
    lines = _encoded(_row(1, SPORT, 1), _row(2, SPORT, 2))
    _, answers = _backtest(tmp_path, lines, "--all-articles")
    assert answers[0]["decision"] == "new"
    assert answers[1]["story"] == answers[0]["story"]


def test_corrections_of_editors_judge_the_joins(tmp_path: Path) -> None:
    rows = _encoded(_row(1, DEPOT, 1), _row(2, DEPOT_RETOLD, 2), _row(3, FERRY, 3))
    _, answers = _backtest(tmp_path, rows)
    said = {"who": "u", "who_name": "u", "at": "2026-03-05T00:00:00Z", "destination": ""}
    said |= {"language": "en", "story_id": answers[0]["story"]}
    split = said | {"id": "d1", "verdict": "split", "article_id": "r2", "article_ids": ["r1", "r2"]}
    merge = said | {"id": "d2", "verdict": "merge", "other_story_id": answers[2]["story"]}
    both = [{"revision": 1, "topics": [], "texts": [], "article_ids": ["r1"]} | split]
    both += [{"revision": 1, "topics": [], "texts": [], "article_ids": ["r1"]} | merge]
    (tmp_path / "feedback.jsonl").write_bytes(b"\n".join(_encoded(*both)))
    corrections = ("--corrections", str(tmp_path / "feedback.jsonl"))
    result, again = _backtest(tmp_path, rows, *corrections)
    assert result.exit_code == 0, result.output
    assert again == answers
    assert "merged 1 and split 1 of 2 stories (50.0 and 50.0 in a hundred)" in result.output
    assert "1 of 1 wrong joins come again: 1 as" in result.output
    assert "1 of 1 stories stay apart again" in result.output
    missing, _ = _backtest(tmp_path, rows, "--corrections", str(tmp_path / "none.jsonl"))
    assert missing.exit_code == 1


async def _tell_a_story(url: str, prefix: str) -> str:
    redis = connect_redis(url)
    try:
        stories = Stories(redis, Keys(prefix), 72 * 3600)
        batch = [
            article("a1", DEPOT, "Ledger", 0),
            article("a2", DEPOT_RETOLD, "Courier", 9),
            article("a3", DEPOT, "Copier", 12),
            article("a1", DEPOT, "Ledger", 20, status="correction"),
        ]
        decisions = await stories.assign(screen(batch, TopicModel.load(), START), START)
        return decisions[0].story_id or ""
    finally:
        await redis.aclose()


def test_story_tells_how_it_came_about(redis_url: str, redis_prefix: str) -> None:
    story = asyncio.run(_tell_a_story(redis_url, redis_prefix))
    environment = {
        "WIREBELL_REDIS__URL": redis_url,
        "WIREBELL_REDIS__PREFIX": redis_prefix,
    }
    result = CliRunner().invoke(_app, ["story", story], env=environment)
    assert result.exit_code == 0, result.output
    for said in (
        f"{story}  revision 3",
        "began the story",
        "joined (likeness 0.",
        "Lirov",
        "places: Bryansk",
        "copy of an earlier text",
        "2 independent publishers",
        "corrected by Ledger",
        "3 articles, 2 independent publishers: Ledger, Courier",
    ):
        assert said in result.output
    missing = CliRunner().invoke(_app, ["story", "0" * 12], env=environment)
    assert missing.exit_code == 1
    assert "there is no story" in missing.output
