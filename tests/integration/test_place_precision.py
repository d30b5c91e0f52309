"""Places in real reports of seven languages, read one by one: nine of ten are the right ones.

`place_labels.json` holds, by the id of a report (drawn at random; the texts do not ship), which of
the first four places found are meant by it. `pytest -s` prints the figure.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from classifiers.places import find_places

LABELS = Path(__file__).parent / "place_labels.json"
LEAST_PRECISION = 0.90
#: What is found and was never read counts neither way; too much of it, and the figure says nothing.
LEAST_READ = 0.9


def test_nine_of_ten_places_are_the_right_ones(shared: Path) -> None:
    labels = json.loads(LABELS.read_text(encoding="utf-8"))
    right = wrong = unread = 0
    for report, text in _texts(shared / "topics"):
        if report not in labels:
            continue
        for place in find_places(text)[:4]:
            said = f"{place.name}, {place.country}"
            right += said in labels[report]["right"]
            wrong += said in labels[report]["wrong"]
            unread += said not in (*labels[report]["right"], *labels[report]["wrong"])
    found = right + wrong + unread
    print(f"places: precision {right / (right + wrong):.3f} of {found} found, {unread} not read")
    assert right / (right + wrong) >= LEAST_PRECISION
    assert found - unread >= LEAST_READ * found > 100


def _texts(topics: Path) -> list[tuple[str, str]]:
    with gzip.open(topics / "unlabelled.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    with (topics / "train_multilingual.jsonl").open(encoding="utf-8") as lines:
        rows += [json.loads(line) for line in lines]
    return [(row["id"], row["text"]) for row in rows]
