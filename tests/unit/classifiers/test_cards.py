"""The model card is measured and its picture is a picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from classifiers import artifact, cards, evaluate, examples
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
    assert f"`{TopicModel.load().version}`" in card
    picture = (ROOT / "docs" / cards.PICTURE).read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")


def test_reports_kept_for_judging_are_never_learned_from() -> None:
    learned = {
        line.split("\t")[0]
        for line in examples.REPORT_LABELS.read_text(encoding="utf-8").splitlines()
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


def test_the_shipped_model_holds_its_floors_on_the_natural_mix(shared: Path) -> None:
    natural = examples.read_labelled_since(
        shared / "topics" / examples.UNLABELLED_FILE, examples.NATURAL_LABELS
    )
    floors = json.loads((ROOT / "classifiers" / "data" / "floors.json").read_text("utf-8"))
    judged = evaluate.judge(TopicModel.load(), natural)
    assert evaluate.below_floors(judged, floors["natural"]) == [], judged.as_text()
