"""Whatever the outside says: Slack accepts the message, and it mentions and disguises nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.records import Evidence, Place, Toll, TopicScore
from connectors.sinks.sink import Reason, Verdict
from connectors.sinks.slack_blocks import Message, news_message, story_message
from connectors.sinks.slack_bundle import MOST_TOGETHER, bundle_message
from connectors.sinks.slack_text import link
from connectors.sinks.told import Told, news_since, told_of
from tests.fakes.alerts import MORNING, make_alert, make_report
from tests.fakes.slack_server import check_message

KYIV = ZoneInfo("Europe/Kyiv")
ATTACKS = (
    "<!channel>",
    "<!here|here>",
    "<@U012AB3CD>",
    "<#C024BE7LR>",
    "<https://evil.example|bank.example>",
    "<mailto:a@b.example|c>",
    "&lt;!channel&gt;",
    "*bold* _it_ ~no~ `code` ```",
    "\u202egnp.exe",
    "\x00\x1b[31m\u2028",
)
words = st.one_of(st.sampled_from(ATTACKS), st.text(max_size=60))
hostile = st.lists(words, max_size=40).map(" ".join)
urls = st.one_of(
    st.sampled_from(
        (
            "javascript:alert(1)",
            "https://a.example/<!channel>|x",
            "https://user:pass@bank.example@evil.example/",
            "HTTPS://Пример.example/путь?q=<&>",
            "http://[::1",
            "https://xn--/",
        )
    ),
    hostile,
    hostile.map(lambda text: "https://news.example/" + text),
)


def shown(message: Message) -> dict[str, Any]:
    return {"text": message.text, "blocks": message.blocks, "metadata": message.metadata}


def story_of(text: str, url: str) -> dict[str, Any]:
    return {
        "headline": text,
        "summary": text,
        "corrected": text,
        "topics": tuple(TopicScore(topic="arson", label=text, probability=0.5) for _ in range(14)),
        "evidence": tuple(Evidence(topic="arson", words=(text,) * 9, sentence=text) for _ in "12"),
        "places": tuple(Place(name=text, country="SE", latitude=0, longitude=0) for _ in range(9)),
        "tolls": tuple(Toll(kind=text[:20], number=10**9, publisher=text) for _ in range(9)),
        "reports": tuple(make_report(n, publisher=text, title=text, url=url) for n in range(30)),
    }


@settings(max_examples=150, deadline=None)
@given(text=hostile, url=urls)
def test_no_text_from_outside_mentions_or_links_and_all_limits_hold(text: str, url: str) -> None:
    alert = make_alert("s<1>", 7, priority="flash", **story_of(text, url))
    for message in (
        story_message(alert, KYIV),
        story_message(alert, KYIV, MORNING),
        news_message(alert, news_since(Told(), alert), "d" * 60),
        bundle_message([alert] * 20, "digest", KYIV),
    ):
        assert check_message(shown(message)) == []
        assert len(json.dumps(message.blocks, ensure_ascii=False)) < 16_000
        sent = json.dumps(shown(message), ensure_ascii=False)
        assert not {"\u202e", "\x00", "\x1b", "\u2028"} & set(sent)


@pytest.mark.parametrize("reason", ["burst", "waking", "digest", "cap"])
def test_as_many_stories_as_may_come_together_fit_and_each_is_found_again(reason: Reason) -> None:
    alerts = [make_alert(f"{count:032x}", 999) for count in range(MOST_TOGETHER)]
    message = bundle_message(alerts, reason, KYIV)
    assert check_message(shown(message)) == []
    assert len(message.metadata["event_payload"]["stories"]) == MOST_TOGETHER
    assert "…" not in [block["text"]["text"] for block in message.blocks[1:-1]]
    assert f"and {MOST_TOGETHER - 15} more" in json.dumps(message.blocks)


def test_a_summary_says_what_was_corrected_beside_a_headline_that_may_not() -> None:
    message = bundle_message(
        [make_alert(kind="correction", corrected="Wire: 11 died, not 17")] * 2, "digest", KYIV
    )
    line = message.blocks[1]["text"]["text"]
    assert "CORRECTED · Fuel depot" in line
    assert "Wire: 11 died, not 17" in line


def test_the_fake_slack_would_have_noticed_a_mention() -> None:
    block = {"type": "section", "text": {"type": "mrkdwn", "text": "hi <!channel>"}}
    assert check_message({"text": "x", "blocks": [block]})
    disguised = {"type": "mrkdwn", "text": "<https://evil.example/|bank.example>"}
    assert check_message({"text": "x", "blocks": [{"type": "section", "text": disguised}]})


def test_a_message_says_what_an_editor_needs() -> None:
    alert = make_alert(revision=12, priority="urgent", at=MORNING)
    later = MORNING + timedelta(minutes=5)
    message = story_message(alert, KYIV, later, sent_at=MORNING + timedelta(minutes=1))
    text = json.dumps(message.blocks, ensure_ascii=False)
    for expected in (
        "URGENT · Fuel depot at Lindholm set alight",
        "Police speak of sabotage.",
        "Sabotage 91% · Arson 74%",
        "“set alight”",
        "Lindholm (SE)",
        "24 injured (Gazette 1)",
        "urgent: sabotage with injured",
        "1. 10:00 Gazette 1 <https://gazette1.example/news/1?a=1&amp;b=2|gazette1.example>",
        "and 4 more",
        "published 10:00 · seen 10:00 · sent 10:01 · updated 10:05",
        "Europe/Kyiv",
    ):
        assert expected in text, expected


def test_a_number_says_who_said_it() -> None:
    toll = Toll(kind="injured", number=7, publisher="Gazette 1", said_by="the police")
    alert = make_alert(tolls=(toll,))
    text = json.dumps(story_message(alert, KYIV).blocks)
    assert "7 injured (the police, Gazette 1)" in text
    assert news_since(Told(), alert).lines[0] == "7 injured, according to the police"


def test_below_a_number_stands_the_link_of_who_says_it() -> None:
    reports = tuple(make_report(n, MORNING + timedelta(minutes=n)) for n in (1, 2))
    toll = Toll(kind="killed", number=4, publisher="Gazette 1")
    numbers, rest = (
        make_alert(reports=reports, tolls=(toll,)),
        make_alert(reports=reports, tolls=()),
    )
    for alert, publisher in ((numbers, "Gazette 1"), (rest, "Gazette 2")):
        message = news_message(alert, news_since(Told(), alert), "d")
        assert message.blocks[0]["text"]["text"].splitlines()[-1].startswith(publisher)


def test_a_choice_takes_the_place_of_the_one_that_it_undoes() -> None:
    chosen = (("mute", "ann"), ("relevant", "ann"), ("relevant", "bob"), ("follow", "bob"))
    verdicts = [
        Verdict(str(number), choice, who, MORNING)
        for number, (choice, who) in enumerate((*chosen, ("not_relevant", "ann")))
    ]
    row = story_message(make_alert(), KYIV, verdicts=verdicts).blocks[-1]
    said = [element["text"] for element in row["elements"]]
    assert said == ["relevant: bob 10:00", "followed: bob 10:00", "not relevant: ann 10:00"]


def test_publishers_stand_in_order_of_their_first_report() -> None:
    reports = tuple(
        make_report(number, MORNING + timedelta(minutes=number)) for number in range(1, 5)
    )
    blocks = story_message(make_alert(reports=reports), KYIV).blocks
    listed = blocks[3]["text"]["text"].splitlines()
    assert [line.split(" ")[1] for line in listed] == ["10:01", "10:02", "10:03", "10:04"]


def test_who_does_not_fit_for_long_links_is_counted() -> None:
    long = "https://gazette.example/" + "x" * 500
    reports = tuple(make_report(number, url=long) for number in range(1, 12))
    listed = story_message(make_alert(reports=reports), KYIV).blocks[3]["text"]["text"]
    shown = listed.count(long)
    assert 1 <= shown < 8
    assert listed.splitlines()[-1] == f"and {11 - shown} more"


def test_a_time_of_another_day_has_its_date() -> None:
    reports = (make_report(1), make_report(2, MORNING + timedelta(days=2)))
    late = MORNING + timedelta(days=2, minutes=5)
    text = json.dumps(story_message(make_alert(reports=reports), KYIV, late).blocks)
    assert "1. 10:00 Gazette 1" in text
    assert "2. 06 Mar 10:00 Gazette 2" in text
    assert "updated 06 Mar 10:05" in text


def test_the_last_of_many_decisions_is_shown() -> None:
    said = [
        Verdict(f"v{number}", "wrong_topic", f"{number} " + "x" * 57, MORNING, "y" * 80)
        for number in range(5)
    ]
    message = story_message(make_alert(), KYIV, MORNING, said)
    assert check_message(shown(message)) == []
    assert ": 4 xxx" in json.dumps(message.blocks[-1])


def test_a_summary_says_what_was_withdrawn_before_it_was_told() -> None:
    gone = make_alert(revision=2, kind="withdrawn", withdrawn=True)
    message = bundle_message([gone, make_alert("s2", priority="urgent")], "waking", KYIV)
    assert "*WITHDRAWN · Fuel depot" in message.blocks[2]["text"]["text"]
    assert "WITHDRAWN · Fuel depot" in message.text


def test_a_correction_is_written_into_the_first_message() -> None:
    alert = make_alert(revision=2, kind="correction", corrected="It was a bakery.")
    blocks = story_message(alert, KYIV).blocks
    assert blocks[0]["text"]["text"].startswith("CORRECTED · ")
    assert blocks[1]["text"]["text"] == "*Correction:* It was a bakery."
    gone = make_alert(revision=3, kind="withdrawn", withdrawn=True)
    assert story_message(gone, KYIV).blocks[0]["text"]["text"].startswith("WITHDRAWN · ")


def test_a_link_shows_the_host_that_it_leads_to() -> None:
    assert link("https://www.gazette.example/a?b=1&c=2") == (
        "<https://www.gazette.example/a?b=1&amp;c=2|gazette.example>"
    )
    assert link("https://bank.example@evil.example/") == "<https://evil.example/|evil.example>"
    assert link("javascript:alert(1)") == ""


def test_news_is_what_was_not_told_however_many_revisions_lie_between() -> None:
    told = told_of(make_alert(revision=1))
    grown = make_alert(revision=5, priority="flash")
    news = news_since(told, grown)
    assert news.lines == (
        "10 injured (was 2), according to Gazette 1",
        "Now flash: sabotage with injured",
    )
    assert news.louder
    same = make_alert(revision=6, tolls=grown.story.tolls, priority="flash")
    assert news_since(told_of(grown), same).lines == ()
