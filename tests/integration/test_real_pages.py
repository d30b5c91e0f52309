"""181 real article pages: the body found, against what a person marked as the body."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from connectors.extraction import Page, extract_page

# Measured: 0.961. The promise is 0.95; a drop below it needs a person.
MIN_MEAN_F1 = 0.95


@pytest.fixture(scope="module")
def pages(shared: Path) -> list[tuple[dict[str, Any], Page]]:
    folder = shared / "pages" / "zyte"
    with (folder / "truth.jsonl").open() as lines:
        truths = [json.loads(line) for line in lines]
    return [
        (truth, extract_page(gzip.decompress((folder / truth["file"]).read_bytes()), truth["url"]))
        for truth in truths
    ]


def test_the_body_is_found(pages: list[tuple[dict[str, Any], Page]]) -> None:
    assert len(pages) == 181
    scores = [_token_f1(page.text, truth["text"]) for truth, page in pages]
    assert mean(scores) >= MIN_MEAN_F1


def test_nearly_every_page_has_a_title_and_a_date(
    pages: list[tuple[dict[str, Any], Page]],
) -> None:
    assert all(page.title for _, page in pages)
    assert sum(page.published_at is not None for _, page in pages) >= 170


def _token_f1(found: str, truth: str) -> float:
    ours, theirs = (Counter(re.findall(r"\w+", text)) for text in (found, truth))
    common = (ours & theirs).total()
    return 2 * common / (ours.total() + theirs.total()) if common else 0.0
