"""A browser, a line to look at, and pages that remember everything that went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.chromium import FLAGS, find_chromium
from tests.browser.line import BrowserLine


@dataclass
class Witness:
    """What a page complained of, and where it sent requests."""

    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def watch(self, page: Page) -> None:
        """Listen to a page from its first request on."""
        page.on("console", lambda said: self._say(said.type, said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))

    def _say(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)


OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window; skips where there is none. Not for the whole session: while
    Playwright is open its event loop is in the way of every other test's.
    """
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium on this machine, and it could not be installed")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield found
        found.close()


@pytest.fixture(scope="module")
def line(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserLine]:
    """A line at work. The browser comes first: without one nothing is started."""
    running = BrowserLine(tmp_path_factory.mktemp("line"))
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def witness() -> Witness:
    """What the test's pages did."""
    return Witness()


@pytest.fixture
def open_page(browser: Browser, line: BrowserLine, witness: Witness) -> Iterator[OpenPage]:
    """Opens the ops page in a browser of its own: scheme, width and height may be chosen."""
    contexts = []

    def open_it(scheme: str = "light", width: int = 1360, height: int = 900) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        witness.watch(page)
        page.goto(line.url)
        page.locator("#verdict[data-state=unknown]").wait_for(state="detached")
        return page

    yield open_it
    for context in contexts:
        context.close()
