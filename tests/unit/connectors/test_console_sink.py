"""What the terminal shows."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from connectors.sinks.console import render
from connectors.sinks.plain_text import one_line, safe_url
from connectors.sinks.sink import Delivery
from connectors.sinks.told import encode_told, told_of
from tests.fakes.alerts import make_alert, make_report

KYIV = ZoneInfo("Europe/Kyiv")


def shown(delivery: Delivery) -> str:
    return render(delivery, KYIV).plain


def test_an_alert_shows_what_where_why_and_who() -> None:
    alert = make_alert(revision=7, priority="flash")
    text = shown(Delivery(alert.id, "desk", "", alert))
    assert text.startswith(" FLASH  update 10:00  Fuel depot at Lindholm set alight")
    for expected in (
        "Sabotage 91% · Arson 74%",
        "Lindholm SE",
        "set alight, fuel depot; sabotage with injured",
        "10:00  Gazette 1  https://gazette1.example/news/1?a=1&b=2",
        "and 2 more",
    ):
        assert expected in text


def test_an_update_says_what_is_new_instead_of_all_again() -> None:
    first, grown = make_alert(), make_alert(revision=3)
    update = Delivery(grown.id, "desk", "", grown, receipt={"told": encode_told(told_of(first))})
    assert "6 injured (was 2), according to Gazette 1" in shown(update)
    assert grown.story.summary not in shown(update)
    broken = replace(update, receipt={"told": "{"})
    assert grown.story.summary in shown(broken)


def test_an_update_of_one_more_publisher_alone_says_so() -> None:
    first = make_alert()
    grown = make_alert(revision=2, tolls=first.story.tolls)
    update = Delivery(grown.id, "desk", "", grown, receipt={"told": encode_told(told_of(first))})
    assert "new  Also reported by Gazette 2" in shown(update)


@given(st.text(max_size=300))
def test_no_text_from_outside_breaks_a_line_or_sends_a_control_character(text: str) -> None:
    alert = make_alert(
        headline=text, summary=text, reports=(make_report(publisher=text, title=text, url=text),)
    )
    lines = shown(Delivery(alert.id, "desk", "", alert)).split("\n")
    assert all(line.isprintable() or not _controls(line) for line in lines)
    assert len(lines) <= 8


def _controls(line: str) -> bool:
    return any(
        ord(sign) < 32 or 0x7F <= ord(sign) < 0xA0 or sign in "\u2028\u202e" for sign in line
    )


def test_text_is_cut_with_an_ellipsis() -> None:
    assert one_line("a  b\n\tc", 10) == "a b c"
    assert one_line("abcdef", 4) == "abc…"
    assert one_line("a" + "\u0301" * 50, 100) == "a" + "\u0301" * 4
    assert one_line("می\u200cخواهم", 20) == "می\u200cخواهم"


def test_only_urls_that_people_may_be_sent_to_are_shown() -> None:
    assert safe_url("https://a.example/x?y=1#z") == "https://a.example/x?y=1#z"
    assert safe_url("https://bank.example@evil.example/") == "https://evil.example/"
    assert safe_url("http://[2001:db8::1]:8080/") == "http://[2001:db8::1]:8080/"
    assert safe_url("https://a.example/\u202egnp.<b>") == "https://a.example/%E2%80%AEgnp.%3Cb%3E"
    for refused in ("javascript:alert(1)", "//a.example", "https://", "http://[::1", "ftp://a.b/"):
        assert safe_url(refused) == ""
