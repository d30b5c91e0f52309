"""What the page says while parts of the line are killed under it."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.line import BrowserLine

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_killed_worker_turns_the_verdict_within_15_s_and_its_heir_turns_it_back(
    open_page: OpenPage, line: BrowserLine
) -> None:
    page = open_page()
    state = page.locator("#verdict-state")
    line.kill_process("worker")
    killed = time.monotonic()
    expect(state).to_have_text("Down", timeout=15_000)
    assert time.monotonic() - killed <= 15
    expect(page.locator("#verdict-words")).to_contain_text("No worker process is alive")
    expect(page.locator("#process-rows")).to_contain_text("silent")
    assert line.fetch("readyz") == ""  # answers 503
    line.start_process("worker")
    expect(state).not_to_have_text("Down", timeout=30_000)
    expect(page.locator("#turns-list")).to_contain_text("No worker process is alive")


def test_redis_away_is_said_and_is_over_when_it_is_back(
    open_page: OpenPage, line: BrowserLine
) -> None:
    page = open_page()
    line.redis.stop()
    expect(page.locator("#verdict-state")).to_have_text("Down", timeout=15_000)
    expect(page.locator("#verdict-words")).to_contain_text("Redis is away")
    line.redis.start()
    expect(page.locator("#verdict-state")).not_to_have_text("Down", timeout=30_000)


def test_a_page_that_lost_its_server_no_longer_claims_anything(
    open_page: OpenPage, line: BrowserLine
) -> None:
    page = open_page()
    line.kill_process("page")
    expect(page.locator("#verdict-state")).to_have_text("Unknown", timeout=15_000)
    line.start_process("page")
    expect(page.locator("#verdict-state")).to_have_text(
        re.compile("Healthy|Degraded"), timeout=30_000
    )
