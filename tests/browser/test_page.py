"""The ops page in a real browser, filled by a real line."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, Witness
from tests.browser.line import HOSTILE_PUBLISHER, HOSTILE_TITLE, BrowserLine
from tests.lanes import wait_until

pytestmark = pytest.mark.browser

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WRITE_SCREENSHOTS = os.environ.get("WIREBELL_WRITE_SCREENSHOTS") == "1"
SOME = re.compile(r"^[1-9]")


def open_all_stories(page: Page) -> None:
    while page.locator("#more-stories").is_visible():
        page.locator("#more-stories").click()


def test_every_view_is_filled_by_a_real_run(open_page: OpenPage) -> None:
    page = open_page()
    expect(page.locator("#verdict-state")).to_have_text(re.compile("Healthy|Degraded"))
    expect(page.locator("#verdict-since")).to_contain_text("Since")
    for stage in ("received", "screened", "dropped", "stories", "alerts", "delivered"):
        expect(page.locator(f"#stage-{stage} .total")).to_have_text(SOME)
    expect(page.locator("#dropped li").first).to_contain_text("off topic")
    expect(page.locator("#latencies tr")).to_have_count(3)
    expect(page.locator("#latencies tr").nth(1)).to_contain_text(re.compile(r"\d (ms|s)"))
    expect(page.locator("#lag-rows tr")).to_have_count(8)
    expect(page.locator("#map circle").first).to_be_attached()
    expect(page.locator("#charts canvas")).to_have_count(4)
    expect(page.locator("#source-rows tr")).to_have_count(2)
    expect(page.locator("#destination-rows tr")).to_have_count(2)
    expect(page.locator("#attempt-rows tr").first).to_be_visible()
    expect(page.locator("#letter-rows")).to_contain_text("undecodable")
    for role in ("page", "sources", "worker"):
        expect(page.locator("#process-rows")).to_contain_text(role)
    expect(page.locator("#model-rows")).to_contain_text("in force")
    quality = page.locator("#quality-rows tr", has_text="Drone strike")
    expect(quality.locator("svg rect.live").first).to_be_attached(timeout=30_000)
    expect(quality).to_contain_text(re.compile(r"[1-9]\d* / 0"), timeout=20_000)


def test_a_story_tells_priority_topics_evidence_publishers_and_places(open_page: OpenPage) -> None:
    page = open_page()
    open_all_stories(page)
    story = page.locator(".story", has=page.locator(".facts .places", has_text="Izma")).first
    expect(story.locator(".priority")).to_have_text(re.compile("flash|urgent|routine"))
    expect(story.locator(".topic").first).to_contain_text(re.compile(r"Drone strike \d+ %"))
    expect(story.locator(".evidence")).not_to_be_empty()
    expect(story.locator(".publishers")).not_to_be_empty()
    story.locator("summary").click()
    expect(story.locator(".reports li").first).to_be_visible()
    expect(story.locator(".reports a").first).to_have_attribute("href", re.compile("^https://"))


def test_a_dead_feed_and_a_refusing_webhook_are_named(open_page: OpenPage) -> None:
    page = open_page()
    feed = page.locator("#source-rows tr", has_text="northmoor")
    expect(feed).to_contain_text("dead")
    expect(feed).to_contain_text("refused")
    hook = page.locator("#destination-rows tr", has_text="planning")
    expect(hook).to_contain_text("failing for")
    expect(page.locator("#findings")).to_contain_text("northmoor")


def test_text_from_outside_stays_text(open_page: OpenPage, witness: Witness) -> None:
    page = open_page()
    open_all_stories(page)
    story = page.locator(".story", has_text=HOSTILE_TITLE).first
    expect(story.locator("h3")).to_have_text(HOSTILE_TITLE)
    expect(story.locator(".publishers")).to_contain_text(HOSTILE_PUBLISHER)
    story.locator("summary").click()
    expect(story.locator(".reports li").first).to_contain_text(HOSTILE_TITLE)
    assert story.locator("img, script").count() == 0
    assert page.locator('a[href^="javascript"]').count() == 0
    assert "Wirebell" in page.title()
    assert witness.complaints == []


def test_nothing_is_asked_of_another_host_and_nothing_complains(
    open_page: OpenPage, line: BrowserLine, witness: Witness
) -> None:
    page = open_page()
    expect(page.locator("#charts canvas")).to_have_count(4)
    page.locator("#theme").click()
    page.locator(".story summary").first.click()
    assert witness.hosts == {f"127.0.0.1:{line.port}"}
    assert witness.complaints == []


def test_the_policy_forbids_whatever_is_not_ours(line: BrowserLine) -> None:
    with urlopen(line.url) as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "*" not in policy


def test_the_page_is_used_by_keyboard_alone(open_page: OpenPage) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#verdict")).to_be_focused()
    summary = page.locator(".story summary").first
    for _ in range(60):
        page.keyboard.press("Tab")
        if summary.evaluate("node => node === document.activeElement"):
            break
    expect(summary).to_be_focused()
    outline = summary.evaluate("node => getComputedStyle(node).outlineStyle")
    assert outline != "none"
    page.keyboard.press("Enter")
    expect(page.locator(".story details").first).to_have_attribute("open", "")


def test_a_theme_that_was_chosen_is_kept(open_page: OpenPage) -> None:
    page = open_page("light")
    paper = "() => getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.get_by_role("button", name="Dark theme").click()
    dark = page.evaluate(paper)
    page.reload()
    expect(page.get_by_role("button", name="Light theme")).to_be_visible()
    assert light != dark == page.evaluate(paper)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1360), ("dark", 390)])
def test_axe_finds_nothing(open_page: OpenPage, scheme: str, width: int) -> None:
    page = open_page(scheme, width)
    expect(page.locator("#charts canvas")).to_have_count(4)
    page.locator(".story summary").first.click()
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    page.locator(".story h3 a").first.click()
    expect(page.locator("#timeline li").first).to_be_visible()
    page.locator("#wrong summary").click()
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("width", [320, 768, 1360])
def test_nothing_hangs_over_the_edge(open_page: OpenPage, width: int) -> None:
    page = open_page(width=width)
    open_all_stories(page)
    page.locator(".story summary").first.click()
    expect(page.locator("#charts canvas")).to_have_count(4)
    over = page.evaluate(
        "width => [...document.querySelectorAll('main *, header *')]"
        ".filter(node => !node.closest('.scroll') && node.getBoundingClientRect().right > width)"
        ".map(node => node.outerHTML.slice(0, 80))",
        width,
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width, over
    page.locator(".story h3 a").first.click()
    expect(page.locator("#timeline li").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_charts_move(open_page: OpenPage) -> None:
    page = open_page()
    painted = page.locator("#chart-rates canvas")
    expect(painted).to_be_visible()
    picture = "node => node.toDataURL()"
    before = painted.evaluate(picture)
    for _ in range(150):  # a point comes every five seconds
        if painted.evaluate(picture) != before:
            return
        page.wait_for_timeout(100)
    pytest.fail("no new point within 15 s")


def test_the_test_article_comes_back_and_is_no_story(open_page: OpenPage) -> None:
    page = open_page()
    note = page.locator("#canary-note")
    expect(note).to_contain_text(re.compile(r"came back .* in \d"), timeout=20_000)
    expect(note).to_contain_text("missed 0")
    open_all_stories(page)
    expect(page.locator("#stories")).not_to_contain_text("wirebell:canary")
    expect(page.locator("#destination-rows")).not_to_contain_text("wirebell:canary")


def test_everything_shown_is_there_as_json(line: BrowserLine) -> None:
    snapshot = json.loads(line.fetch("api/snapshot"))
    assert snapshot["verdict"]["state"] in {"healthy", "degraded"}
    assert {"way", "lag", "processes", "sources", "destinations", "attempts"} <= snapshot.keys()
    assert json.loads(line.fetch("api/stories"))[0]["reports"]
    assert json.loads(line.fetch("api/history"))[-1]["at"] > 0
    exposed = line.fetch("metrics")
    assert 'wirebell_health{state="down"} 0.0' in exposed
    assert re.search(r"^wirebell_line_articles_screened_total [1-9]", exposed, re.MULTILINE)
    assert line.fetch("healthz") == "ok\n"


def test_those_who_run_the_line_were_told_of_the_refusing_webhook(line: BrowserLine) -> None:
    log = line.folder / "page.log"
    wait_until(lambda: "DEGRADED  " in log.read_text(encoding="utf-8"), 90, "the incident told")


def test_the_terminal_says_what_the_page_says(open_page: OpenPage, line: BrowserLine) -> None:
    shown = open_page().locator("#verdict-state").inner_text().lower()
    said = line.run("status", "--json")
    assert json.loads(said.stdout)["verdict"]["state"] == shown
    assert said.returncode == {"healthy": 0, "degraded": 1, "down": 2}[shown]


def test_dead_letters_are_shown_and_replayed_after_a_count(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_role("button", name="Show dead letters: screen, undecodable").click()
    letter = page.locator("#letter-list li").first
    expect(letter.locator("pre")).to_have_text('{"id": "broken')
    before = int(
        page.locator("#letter-rows tr", has_text="undecodable").locator("td").nth(2).inner_text()
    )
    page.get_by_role("button", name="Replay all").click()
    page.get_by_role("button", name=re.compile(r"Replay \d+ now")).click()
    expect(page.locator("#letter-said")).to_contain_text("sent back")
    again = page.locator("#letter-rows tr", has_text="undecodable").locator("td").nth(2)
    expect(again).to_have_text(str(before + 1), timeout=15_000)  # it is as broken as before
    page.get_by_label("Words in a dead letter").fill("nothing like it")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#letter-said")).to_have_text("0")
    page.get_by_label("Words in a dead letter").fill("BROKEN {")
    page.get_by_role("button", name="Search").click()
    earlier = page.locator("#letter-list li").nth(1)
    expect(earlier).to_contain_text("replayed")
    expect(earlier).to_contain_text("Replay this one again")
    page.get_by_role("button", name=re.compile("^Replay the dead letter")).first.click()
    expect(letter).to_contain_text("sent back")


def test_a_story_says_who_was_told_what_and_can_be_sent_again(open_page: OpenPage) -> None:
    page = open_page()
    story = page.locator(".story").first
    story.locator("summary").click()
    told = story.locator(".told li", has_text="terminal")
    expect(told.first).to_contain_text(re.compile("revision [1-9] delivered"))
    before = told.count()
    story.get_by_role("button", name="Send again to terminal").click()
    expect(story.locator(".told [role=status]")).to_have_text("terminal is told again")
    for _ in range(50):  # the worker sends it within a second; the list is read when opened
        story.locator("summary").click()
        story.locator("summary").click()
        expect(told.first).to_be_visible()
        if told.count() > before:
            return
        page.wait_for_timeout(200)
    pytest.fail("it was not told again")


def test_a_story_s_page_tells_all_and_takes_what_people_decide(
    open_page: OpenPage, witness: Witness
) -> None:
    page = open_page()
    open_all_stories(page)
    page.locator(".story", has_text="Izma").locator("h3 a").first.click()
    expect(page.locator("#timeline .rang").first).to_contain_text("as revision 1: first report")
    expect(page.locator("#topics li").first).to_contain_text(re.compile(r"\d %"))
    expect(page.locator("#topics blockquote").first).not_to_be_empty()
    expect(page.locator("#map-picture circle").first).to_be_attached()
    expect(page.locator("#told-list")).to_contain_text("delivered")
    said = page.locator("#decide-said")
    page.get_by_role("button", name="Not relevant").click()
    expect(said).to_have_text("Noted as not relevant")
    page.get_by_text("Wrong topic", exact=True).click()
    page.get_by_label("Accident").check()
    page.get_by_role("button", name="Say so").click()
    expect(said).to_have_text("Noted as about something else")
    expect(page.locator("#decisions")).to_contain_text("wrong topic: Accident")
    page.get_by_role("button", name="Mute").click()
    expect(said).to_have_text("It rings no more")
    expect(page.locator("#timeline")).to_contain_text("Muted")
    page.get_by_role("button", name="Ring again").click()
    expect(said).to_have_text("It rings again")
    page.get_by_text("The same as another story").click()
    page.get_by_role("button", name="Merge").click()
    expect(said).to_have_text("The other story is part of this one now")
    expect(page.locator("#timeline")).to_contain_text("Another story was merged into this one")
    page.get_by_role("link", name="Wirebell").click()
    expect(page.locator("#action-list")).to_contain_text("story: merge")
    assert witness.complaints == []


def test_who_may_only_read_sees_no_button_that_acts(open_page: OpenPage) -> None:
    page = open_page()
    expect(page.locator("button:visible", has_text="Pause")).to_have_count(2)
    page.evaluate("document.documentElement.dataset.role = 'read'")
    looking = re.compile("^(Dark|Light|Show|Search|Show more|Show all)$")
    for words in page.locator("button:visible").all_inner_texts():
        assert looking.match(words), words


def test_a_span_of_time_is_counted_before_it_is_sent_again(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_role("button", name="Send again to terminal what it was told lately").click()
    expect(page.locator("#resend-box")).to_contain_text(re.compile(r"[1-9]\d* stories"))
    page.get_by_role("button", name="Send again now").click()
    expect(page.locator("#deliveries-said")).to_contain_text("are sent to terminal again")
    expect(page.locator("#action-list")).to_contain_text("terminal|: the last 15 min")


def test_a_source_is_paused_resumed_and_asked_now(open_page: OpenPage, line: BrowserLine) -> None:
    page = open_page()
    row = page.locator("#source-rows tr", has_text="northmoor")
    page.get_by_role("button", name="Pause northmoor").click()
    expect(row).to_contain_text("paused", timeout=10_000)
    expect(page.locator("#findings")).to_contain_text("paused (northmoor)")
    page.get_by_role("button", name="Resume northmoor").click()
    expect(row).to_contain_text("dead", timeout=10_000)
    page.get_by_role("button", name="Poll northmoor now").click()
    expect(page.locator("#sources-said")).to_have_text("northmoor is to be asked now")
    log = line.folder / "sources.log"
    wait_until(lambda: "to be asked now" in log.read_text(encoding="utf-8"), 10, "asked")
    assert "a person acted" in (line.folder / "page.log").read_text(encoding="utf-8")


def test_a_form_on_another_site_can_make_the_page_do_nothing(line: BrowserLine) -> None:
    wish = b'{"stage": "screen", "reason": "undecodable"}'
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "application/json"}):
        request = Request(line.url + "api/dead-letters/replay", wish, headers)
        with pytest.raises(HTTPError, match="403"):
            urlopen(request)


@pytest.mark.parametrize(
    ("name", "scheme", "width"),
    [("light", "light", 1360), ("dark", "dark", 1360), ("phone", "light", 390)],
)
def test_screenshots_are_taken(
    open_page: OpenPage, tmp_path: Path, name: str, scheme: str, width: int
) -> None:
    page = open_page(scheme, width, 1500 if width > 600 else 844)
    expect(page.locator("#charts canvas")).to_have_count(4)
    page.evaluate("document.fonts.ready")
    folder = IMAGES if WRITE_SCREENSHOTS else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"ops-page-{name}.png")
    page.locator(".story", has_text="Izma").locator("h3 a").first.click()
    expect(page.locator("#timeline li").first).to_be_visible()
    page.screenshot(path=folder / f"story-page-{name}.png")
    assert (folder / f"ops-page-{name}.png").stat().st_size > 20_000
