"""`wirebell up` with the starter configuration: what a newcomer's first minute is like."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis

from connectors.records import Alert, decode_alert
from streams.backlog import count_backlog
from streams.canary import is_canary_alert
from streams.kafka_topics import ALERTS
from streams.keys import Keys
from streams.settings import KafkaSettings
from streams.source_status import decode_source_status
from streams.state_dir import LOCK_NAME
from tests.end_to_end.line_up import LineUp, starter_text
from tests.lanes import Lane, read_kafka_topic, wait_until

pytestmark = pytest.mark.slow

SAMPLE_ROWS = 63
# What is promised: seconds from the start to the first alert, and from Ctrl-C to the end.
FIRST_ALERT_S, END_S = 20.0, 10.0


@dataclass(frozen=True)
class Case:
    """A row of the sample and what it is: see streams/starter/sample/README.md."""

    url: str
    story: str | None
    role: str


CASES = [
    Case(row["url"], row["story"], row["role"])
    for line in (Path(__file__).parent / "expected.jsonl").read_text("utf-8").splitlines()
    for row in [json.loads(line)]
]
STORY_OF = {case.url: case.story for case in CASES}
STORIES = {case.story for case in CASES if case.story}


@dataclass
class FirstMinute:
    """What was seen of one whole run, and of a second one after it."""

    first_alert_s: float
    alerts: list[Alert]
    terminal: str
    lines: str
    refusal: subprocess.CompletedProcess[str]
    end_s: float
    left: list[str]
    code: int
    second_terminal: str
    second_lines: str
    second_code: int


def _wait_until_played(line: LineUp) -> None:
    """Until every row of the sample has been published and the worker has read them all."""
    holder = line.holder()
    redis = Redis.from_url(holder.redis_url)
    kafka = KafkaSettings(bootstrap_servers=holder.bootstrap_servers, embedded=True)

    def played() -> bool:
        raw = redis.hget(Keys("wirebell").sources, "sample")
        assert raw is None or isinstance(raw, bytes)
        status = decode_source_status(raw) if raw else None
        fresh = status is not None and status.counted_since >= holder.since
        return bool(status and fresh and status.articles_total >= SAMPLE_ROWS)

    wait_until(played, 60, "the sample is published: " + line.said())
    wait_until(lambda: count_backlog(kafka) == 0, 30, "the worker has read all: " + line.said())
    due = Keys("wirebell").tag + "ledger:due:*"
    wait_until(
        lambda: not any(redis.zcard(key) for key in redis.scan_iter(due)),
        30,
        "all is delivered: " + line.said(),
    )
    redis.close()


@pytest.fixture(scope="module")
def minute(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstMinute]:
    line = LineUp(tmp_path_factory.mktemp("up"), starter_text(per_second=8, feeds=True))
    line.start()
    try:
        yield _watch(line)
    finally:
        line.clear_away()


def _watch(line: LineUp) -> FirstMinute:
    wait_until(lambda: line.out.stat().st_size > 0, 60, "the first alert: " + line.said())
    first_alert_s = time.monotonic() - line.started_at
    refusal = subprocess.run(
        line.command(),
        check=False,
        cwd=line.folder,
        env=line.environment(),
        capture_output=True,
        text=True,
        timeout=30,
    )
    _wait_until_played(line)
    wait_until(lambda: "feeds cannot be read" in line.err.read_text(), 60, line.said())
    lane = Lane("embedded", line.holder().bootstrap_servers, "", None)
    alerts = {
        alert.id: alert
        for record in read_kafka_topic(lane, ALERTS)
        for alert in [decode_alert(record.value)]
        if not is_canary_alert(alert)
    }
    end_s = line.interrupt()
    terminal, lines, code = line.out.read_text(), line.err.read_text(), line.process.returncode
    left = [path.name for path in line.state_dir.iterdir()]
    line.start()
    wait_until(lambda: "has started" in line.err.read_text(), 30, line.said())
    _wait_until_played(line)
    line.interrupt()
    return FirstMinute(
        first_alert_s,
        list(alerts.values()),
        terminal,
        lines,
        refusal,
        end_s,
        left,
        code,
        line.out.read_text(),
        line.err.read_text(),
        line.process.returncode,
    )


def _label(alert: Alert) -> str | None:
    """The story of the sample that an alert is about, by its first report."""
    return STORY_OF.get(alert.story.reports[0].url)


def _last(minute: FirstMinute, label: str) -> Alert:
    """The last alert of the story that began with the label's first report."""
    first = next(case.url for case in CASES if case.story == label and case.role == "first")
    of_story = [each for each in minute.alerts if each.story.reports[0].url == first]
    assert of_story, f"no alert of {label}"
    return max(of_story, key=lambda each: each.story.revision)


def test_the_first_alert_comes_in_time(minute: FirstMinute) -> None:
    print(f"\nfirst alert {minute.first_alert_s:.1f} s after `wirebell up` was started")
    assert minute.first_alert_s <= FIRST_ALERT_S


def test_every_story_rings_with_its_first_report(minute: FirstMinute) -> None:
    rung = {each.story.reports[0].url for each in minute.alerts if each.kind == "new"}
    assert {case.url for case in CASES if case.role == "first"} <= rung


# Of 14 articles about no topic, so many ring. Lower it when the model gets better; raising it
# needs a reason in the commit.
MOST_FALSE_ALARMS = 2


def test_noise_is_silent_but_for_the_false_alarms_that_are_pinned(minute: FirstMinute) -> None:
    noise = {case.url for case in CASES if case.role == "noise"}
    heard = noise & {report.url for each in minute.alerts for report in each.story.reports}
    print(f"\n{len(heard)} of {len(noise)} articles about no topic rang: {sorted(heard)}")
    assert len(heard) <= MOST_FALSE_ALARMS


def test_copies_are_silent(minute: FirstMinute) -> None:
    copies = {case.url for case in CASES if case.role == "copy"}
    told = {report.url for each in minute.alerts for report in each.story.reports}
    assert not told & copies


def test_two_incidents_of_one_kind_are_never_one_story(minute: FirstMinute) -> None:
    for each in minute.alerts:
        labels = {STORY_OF[report.url] for report in each.story.reports if report.url in STORY_OF}
        assert len(labels) == 1, labels


# Of 20 rewrites and follow-ups in another language than the first report, so many ring as
# stories of their own. Joining across languages is where the rules are weakest; this pins how
# weak. Lower it when they get better; raising it needs a reason in the commit.
MOST_RUNG_AGAIN = 2


def test_within_its_language_a_story_rings_once(minute: FirstMinute) -> None:
    news = Counter(
        (_label(each), each.story.reports[0].language)
        for each in minute.alerts
        if each.kind == "new"
    )
    assert {story: count for story, count in news.items() if count > 1} == {}


def test_across_languages_no_more_stories_ring_again_than_pinned(minute: FirstMinute) -> None:
    news = Counter(_label(each) for each in minute.alerts if each.kind == "new" and _label(each))
    again = {label: count - 1 for label, count in news.items() if count > 1}
    print(f"\n{sum(news.values())} new alerts for {len(STORIES)} stories; rung again: {again}")
    assert sum(again.values()) <= MOST_RUNG_AGAIN


@pytest.mark.parametrize(
    ("label", "kind", "number"),
    [("izmail", "killed", 4), ("popayan", "killed", 5), ("quake", "killed", 9)],
)
def test_a_higher_toll_is_told(minute: FirstMinute, label: str, kind: str, number: int) -> None:
    tolls = {toll.kind: toll.number for toll in _last(minute, label).story.tolls}
    assert tolls.get(kind) == number


def test_an_arrest_is_told_as_an_update(minute: FirstMinute) -> None:
    for label in ("rail", "mayor"):
        last = _last(minute, label)
        assert last.kind == "update"
        assert "arrest" in {score.topic for score in last.story.topics}


def test_the_correction_is_told_as_one(minute: FirstMinute) -> None:
    corrections = [each for each in minute.alerts if each.kind == "correction"]
    assert [_label(each) for each in corrections] == ["bus"]
    assert corrections[0].story.corrected
    assert "correction" in minute.terminal.lower()


def test_an_edited_article_is_no_second_report(minute: FirstMinute) -> None:
    for label in ("kassel", "quake"):
        reports = _last(minute, label).story.reports
        assert len({report.article_id for report in reports}) == len(reports)


def test_feeds_that_cannot_be_reached_are_one_line(minute: FirstMinute) -> None:
    assert "24 of 24 feeds cannot be read" in minute.lines
    assert minute.lines.count("\n") < 15, minute.lines


def test_nothing_else_goes_wrong(minute: FirstMinute) -> None:
    assert "ended (" not in minute.lines, minute.lines
    assert "Traceback" not in minute.lines + minute.terminal


def test_a_second_up_is_refused_and_told_who_holds_the_directory(minute: FirstMinute) -> None:
    assert minute.refusal.returncode == 1
    assert "in use by another `wirebell up` (process " in minute.refusal.stderr
    assert minute.refusal.stdout == ""


def test_ctrl_c_ends_everything_in_time_and_leaves_no_lock(minute: FirstMinute) -> None:
    print(f"\nall had ended {minute.end_s:.1f} s after Ctrl-C")
    assert minute.end_s <= END_S
    assert minute.code == 0
    assert LOCK_NAME not in minute.left


def test_after_a_restart_no_story_rings_twice(minute: FirstMinute) -> None:
    assert minute.second_code == 0
    assert minute.second_terminal == ""
    assert "What rang before stays silent" in minute.second_lines
    assert "What rang before" not in minute.lines
