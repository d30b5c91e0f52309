"""Text from outside: what it may try in Slack's newer messages, in documents and in rules. What
stories, the page and the log do with it is tried elsewhere (`test_catalogue.py` says where).
"""

from __future__ import annotations

import json
import time
from zoneinfo import ZoneInfo

import pytest

from connectors.decoding import decode
from connectors.extraction import ExtractionError, extract_page
from connectors.sinks.sink import Verdict
from connectors.sinks.slack_actions import choices_block, reply_of
from connectors.sinks.slack_blocks import story_message
from connectors.sinks.slack_bundle import bundle_message
from streams.settings import SubscriptionSettings, Target
from streams.subscriptions import matches
from tests.fakes.alerts import MORNING, make_alert, make_report
from tests.fakes.slack_server import check_message

UTC = ZoneInfo("UTC")
ATTACKS = (
    *("<!channel>", "<!here|here>", "<!everyone>", "<@U012AB3CD>", "<#C024BE7LR|general>"),
    *("<!subteam^S1|all>", "<!date^1392734382^{date}^https://evil.example/|x>"),
    *("<https://evil.example|bank.example>", "<mailto:a@b.example|write>", "&lt;!channel&gt;"),
    *("\u202egnp.exe", "\u2066x\u2069", "a\u200bb", "\x1b[2J", "\u2028@channel", "\U000e0041"),
    *("*_~`bold`~_*", "```\n<!channel>\n```", "> quote", "@channel", ":fire:" * 50),
)
HIDDEN = set("\u202e\u2066\u2069\u200b\x1b\u2028\U000e0041")


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_text_rings_a_channel_through_a_message_of_several(attack: str) -> None:
    reports = (make_report(publisher=attack, title=attack, url="https://e.example/" + attack),)
    alerts = [make_alert(f"s{n}", headline=attack, reports=reports) for n in range(3)]
    message = bundle_message(alerts, "burst", UTC)
    shown = {"text": message.text, "blocks": message.blocks, "metadata": message.metadata}
    assert check_message(shown) == []
    assert not HIDDEN & set(json.dumps(message.blocks, ensure_ascii=False) + message.text)


@pytest.mark.parametrize("attack", ATTACKS)
def test_who_names_himself_after_a_channel_rings_nobody(attack: str) -> None:
    """The name of a Slack user is outside text too."""
    verdict = Verdict(id="v", choice="relevant", who=attack, at=MORNING)
    alert = make_alert(attack)
    choices = choices_block(alert, attack)
    message = story_message(alert, UTC, None, [verdict], choices=choices)
    assert check_message({"text": message.text, "blocks": message.blocks}) == []
    decided = [block for block in message.blocks if block["type"] == "context"][-1]
    assert decided["elements"][0]["type"] == "plain_text"


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_answer_to_the_slash_command_is_plain_text(attack: str) -> None:
    answer = reply_of([attack, attack * 100])
    assert check_message(answer) == []
    assert {block["text"]["type"] for block in answer["blocks"]} == {"plain_text"}
    assert not HIDDEN & set(json.dumps(answer, ensure_ascii=False))


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/hostname">]><html><body><p>&x;</p></body>',
        '<!DOCTYPE html [<!ENTITY % p SYSTEM "http://127.0.0.1/x.dtd"> %p;]><html><p>x</p></html>',
        '<?xml version="1.0"?><!DOCTYPE h [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">'
        '<!ENTITY c "&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;">]><html><p>&d;</p></html>',
        '<html xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/hostname" '
        'parse="text"/></html>',
        '<?xml-stylesheet href="file:///etc/hostname" type="text/xsl"?><html><p>x</p></html>',
    ],
)
def test_a_page_brings_nothing_in_by_its_entities(document: str) -> None:
    try:
        found = extract_page(document.encode(), "https://news.example/a")
    except ExtractionError:
        return
    with open("/etc/hostname", encoding="utf-8") as file:  # noqa: PTH123 - what the attack names
        inside = file.read().strip()
    assert inside not in found.text
    assert "aaaaaaaaaaaaaaaaaaaa" not in found.text


_MANY = tuple(f"a{n}" for n in range(60_000))


@pytest.mark.parametrize(
    "page",
    [
        "<p " + "=b ".join(_MANY) + ">x",
        "<p a='>' " + "/".join(_MANY) + ">x",
        "<p " + "='<'".join(_MANY[:14_000]) + ">x",
        '<p q=b" ' + " ".join(_MANY) + ">x",
        # Behind what is no tag, or a quotation mark that has no end or a late one.
        '<!-- <p a=" --> <p ' + " ".join(_MANY) + '>x "',
        '<script><a y="</script> <p ' + " ".join(_MANY) + '>x "',
        "<title><!--</title> <p " + " ".join(_MANY) + ">x",
    ],
    ids=[
        "plain",
        "an end in quotes",
        "a start in quotes",
        "a loose quote",
        "comment",
        "script",
        "x",
    ],
)
def test_a_tag_of_countless_attributes_is_refused_unparsed(page: str) -> None:
    """The HTML parser takes half a minute for each of them."""
    started = time.process_time()
    with pytest.raises(ExtractionError, match="attributes"):
        extract_page(page.encode())
    assert time.process_time() - started < 2


def test_an_image_inside_its_own_tag_is_no_such_tag() -> None:
    image = f'<img alt="x" src="data:image/png;base64,{"QUJD" * 50_000}">'
    report = "<p>" + "The depot at the harbour burned for two hours. " * 20 + "</p>"
    page = f"<html><body><article>{report}{image}</article></body></html>"
    assert "depot" in extract_page(page.encode()).text


@pytest.mark.parametrize("name", ["punycode", "PunyCode", "idna", "unicode_escape", "undefined"])
def test_no_transformation_of_python_is_a_charset(name: str) -> None:
    """Its "punycode" inserts letter by letter: a feed of a few MB would take minutes."""
    started = time.process_time()
    text = decode(b"\xff-" + b"99999b" * 200_000, name)
    assert time.process_time() - started < 2
    assert text.endswith("99999b")


@pytest.mark.parametrize("word", ["(a+)+$", "(.*)*x", "([a-z]+)*!", "a" * 5_000 + "*", "(?:x|x)*y"])
def test_no_word_of_a_rule_is_a_catastrophic_pattern(word: str) -> None:
    target = (Target(sink="s"),)
    wish = SubscriptionSettings(id="w", words=(word,), without_words=(word + "?",), deliver=target)
    alert = make_alert(headline="a" * 20_000 + "!", summary="x" * 20_000)
    started = time.process_time()
    matches(wish, alert)
    assert time.process_time() - started < 1
