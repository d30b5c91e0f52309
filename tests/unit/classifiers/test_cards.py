"""The model card is measured and its picture is a picture."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from classifiers import artifact, card_pictures, cards, evaluate, examples, reader
from classifiers.model import TopicModel

ROOT = Path(__file__).parents[3]


def test_reliability_sets_promise_against_truth() -> None:
    truth = np.array([[True], [False], [True], [True]])
    probabilities = np.array([[0.05], [0.06], [0.95], [0.99]], dtype=np.float32)
    (low, high) = cards.reliability(truth, probabilities)
    assert low == (pytest.approx(0.055), 0.5, 2)
    assert high == (pytest.approx(0.97), 1.0, 2)


def test_the_committed_card_is_of_the_shipped_model() -> None:
    card = (ROOT / "docs" / "model-card.md").read_text(encoding="utf-8")
    slow = reader.shipped()
    assert slow is not None
    assert f"`{TopicModel.load().version}`" in card
    assert f"`{slow.version}`" in card
    for name in (cards.PICTURE, cards.TRADE_PICTURE):
        assert f"({name})" in card
        assert (ROOT / "docs" / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_a_dot_is_drawn_where_it_stands() -> None:
    picture = card_pictures.plot([[], [card_pictures.Dot(0.25, 0.75, 4)]], diagonal=False)
    size, start = int.from_bytes(picture[16:20], "big"), picture.index(b"IDAT") + 4
    raw = np.frombuffer(zlib.decompressobj().decompress(picture[start:]), np.uint8)
    pixels = raw.reshape(size, 1 + 3 * size)[:, 1:].reshape(size, size, 3)
    coloured = np.argwhere(pixels[:, :, 0] != pixels[:, :, 2])
    row, column = coloured.mean(axis=0)
    assert row < size / 2
    assert column < size / 2
    assert np.ptp(coloured, axis=0).tolist() == [8, 8]


def test_reports_kept_for_judging_are_never_learned_from() -> None:
    learned = {
        line.split("\t")[0]
        for table in (examples.REPORT_LABELS, examples.READER_LABELS)
        for line in table.read_text(encoding="utf-8").splitlines()
    }
    kept = [
        line.split("\t")[0]
        for line in examples.NATURAL_LABELS.read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    assert len(kept) > 300
    assert not learned & set(kept)


@pytest.mark.slow
def test_the_card_is_written_from_data(shared: Path, tmp_path: Path) -> None:
    path = tmp_path / "docs" / "card.md"
    cards.write_card(shared / "topics", artifact.load(artifact.SHIPPED), path)
    card = path.read_text(encoding="utf-8")
    assert "Natural mix" in card
    assert card == (ROOT / "docs" / "model-card.md").read_text(encoding="utf-8")


def test_the_shipped_model_holds_its_floors_on_what_was_drawn_at_random(shared: Path) -> None:
    topics = shared / "topics"
    natural = examples.read_labelled_since(
        topics / examples.UNLABELLED_FILE, examples.NATURAL_LABELS
    )
    floors = json.loads((ROOT / "classifiers" / "data" / "floors.json").read_text("utf-8"))
    model = TopicModel.load()
    for name, drawn in (("natural", natural), ("feed_items", examples.read_feed_items(topics))):
        judged = evaluate.judge(model, drawn)
        assert judged.reports > 250
        assert evaluate.below_floors(judged, floors[name]) == [], judged.as_text()
