"""The webhook's body: under 20 KB whatever the story, and as the published schema says."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.records import Evidence, Toll
from connectors.sinks.webhook_body import MAX_BODY_BYTES, encode_body
from connectors.sinks.webhook_schema import schema
from connectors.sinks.webhook_summary import encode_summary
from tests.fakes.alerts import make_alert, make_report

SCHEMA = Path(__file__).parents[3] / "docs" / "webhook.schema.json"


def test_the_published_schema_is_the_schema_of_the_code() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == schema(), (
        "run: python -m connectors.sinks.webhook_schema > docs/webhook.schema.json"
    )


def test_a_body_fits_its_schema_and_is_whole() -> None:
    body = json.loads(encode_body(make_alert(revision=5)))
    jsonschema.validate(body, schema())
    assert (body["type"], body["cut"]) == ("story.update", False)
    assert [report["publisher"] for report in body["data"]["story"]["reports"]] == [
        f"Gazette {number}" for number in range(1, 6)
    ]


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=3_000), number=st.integers(0, 400))
def test_no_story_makes_a_body_over_the_limit(text: str, number: int) -> None:
    alert = make_alert(
        headline=text,
        summary=text,
        corrected=text,
        changes=(text,) * number,
        evidence=tuple(Evidence(topic=text, words=(text,) * 20, sentence=text) for _ in range(14)),
        tolls=tuple(Toll(kind="killed", number=n, publisher=text) for n in range(20)),
        reports=tuple(make_report(n, publisher=text, title=text, url=text) for n in range(number)),
    )
    raw = encode_body(alert)
    assert len(raw) <= MAX_BODY_BYTES
    assert raw == encode_body(alert)
    jsonschema.validate(json.loads(raw), schema())


def test_the_first_publishers_are_what_stays_of_a_long_list() -> None:
    body = json.loads(encode_body(make_alert(revision=900)))
    reports = body["data"]["story"]["reports"]
    assert body["cut"] and 10 <= len(reports) < 900
    assert reports[0]["publisher"] == "Gazette 1"
    assert body["data"]["story"]["article_count"] == 900


def test_a_summary_says_how_many_more_there_are_than_fit() -> None:
    urgent = make_alert("grave", priority="urgent")
    long = [make_alert(f"s{n}", priority="routine", headline="Ä" * 300) for n in range(59)]
    raw = encode_summary([*long, urgent], "cap")
    body = json.loads(raw)
    jsonschema.validate(body, schema())
    data = body["data"]
    assert (body["type"], data["reason"], data["number"]) == ("stories.summary", "cap", 60)
    assert len(raw) <= MAX_BODY_BYTES
    assert 20 < len(data["stories"]) == 60 - data["more"] < 60
    assert data["stories"][0]["id"] == "grave"
    assert encode_summary([urgent, *reversed(long)], "cap") == raw


def test_a_summary_of_a_few_names_them_all() -> None:
    data = json.loads(encode_summary([make_alert("a"), make_alert("b")], "digest"))["data"]
    assert ({story["id"] for story in data["stories"]}, data["more"]) == ({"a", "b"}, 0)
    assert data["stories"][0]["url"].startswith("https://gazette1.example/")
