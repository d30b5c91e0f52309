"""The starter configuration and its sample: sound, and what their own words say they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from classifiers.model import TopicModel, compose
from classifiers.topics import TOPIC_IDS
from connectors.sources.settings import FeedSettings, FilesSettings, IngestSettings
from streams.settings import STARTER, load_settings

ROOT = Path(__file__).parents[2]
SAMPLE = STARTER.parent / "sample"
FILES = ("01-night", "02-morning", "03-day")
LANGUAGES = {"en", "ru", "uk", "it", "de", "fr", "es"}


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for name in FILES
        for line in (SAMPLE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]


@pytest.fixture(scope="module")
def cases() -> list[dict[str, Any]]:
    path = ROOT / "tests" / "end_to_end" / "expected.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_starter_needs_no_environment_and_opens_nothing_to_the_world() -> None:
    settings = load_settings(STARTER, {}, join_running=False)
    assert settings.page.host == "127.0.0.1"
    hosts = {source.host for source in settings.sources if isinstance(source, IngestSettings)}
    assert hosts == {"127.0.0.1"}
    paths = [source.path for source in settings.sources if isinstance(source, FilesSettings)]
    assert paths == [SAMPLE]


def test_the_feeds_speak_all_our_languages_and_no_host_is_asked_in_the_clear() -> None:
    feeds = [
        source
        for source in load_settings(STARTER, {}, join_running=False).sources
        if isinstance(source, FeedSettings)
    ]
    assert len(feeds) >= 20
    assert {feed.language for feed in feeds} == LANGUAGES
    assert all(feed.publisher and feed.url.scheme == "https" for feed in feeds)


def test_the_sample_is_large_varied_and_invented(rows: list[dict[str, Any]]) -> None:
    assert len(rows) >= 48
    assert {row["language"] for row in rows} == LANGUAGES
    for row in rows:
        assert urlsplit(row["url"]).hostname.endswith(".example"), row["id"]
        assert 2 <= row["text"].count(". ") + 1 <= 6, row["id"]


def test_every_row_has_its_case_and_the_cases_of_every_kind_occur(
    rows: list[dict[str, Any]], cases: list[dict[str, Any]]
) -> None:
    assert [row["url"] for row in rows] == [case["url"] for case in cases]
    roles = {case["role"] for case in cases}
    assert roles == {"first", "copy", "rewrite", "followup", "edited", "correction", "noise"}
    text_of = {row["url"]: row["text"] for row in rows}
    for row, case in zip(rows, cases, strict=True):
        assert (row.get("status") == "correction") == (case["role"] == "correction")
        assert (case["story"] is None) == (case["role"] == "noise")
        if case["role"] == "copy":
            original = next(url for url in text_of if url.endswith("/" + case["of"]))
            assert text_of[original] == row["text"]


def test_the_sample_s_readme_names_every_row(rows: list[dict[str, Any]]) -> None:
    readme = (SAMPLE / "README.md").read_text(encoding="utf-8")
    assert f"{len(rows)} articles in seven languages" in readme
    for row in rows:
        assert row["id"].startswith("n-") or f"`{row['id']}`" in readme, row["id"]


def test_all_fourteen_topics_occur(rows: list[dict[str, Any]]) -> None:
    model = TopicModel.load()
    chosen = [
        model.choose(row) for row in model.predict([compose(r["title"], r["text"]) for r in rows])
    ]
    assert {topic for topics in chosen for topic in topics} == set(TOPIC_IDS)
