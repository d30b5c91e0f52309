"""Drift: a histogram of probabilities, and how far two of them are apart."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.drift import BINS, CHANGED, MIN_REPORTS, MOVED, stability_index
from classifiers.histogram import histogram

SURE = [900, 5, 4, 3, 3, 4, 6, 15, 40, 120]


def test_every_probability_is_counted_in_its_tenth() -> None:
    rows = np.array([[0.0, 0.55], [0.099, 1.0], [0.1, 0.9999]], dtype=np.float32)
    counts = histogram(rows)
    assert counts.shape == (2, BINS)
    assert counts[0].tolist() == [2, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert counts[1].tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 2]


def test_a_batch_without_texts_counts_nothing() -> None:
    assert histogram(np.zeros((0, 3), dtype=np.float32)).sum() == 0


def test_the_same_shape_in_another_number_is_no_drift() -> None:
    index = stability_index([10 * count for count in SURE], SURE)
    assert index is not None
    assert index < 0.01


def test_another_share_of_articles_about_something_else_is_no_drift() -> None:
    assert stability_index([90_000, *SURE[1:]], SURE) == pytest.approx(0.0)


def test_a_model_that_has_become_unsure_has_drifted() -> None:
    unsure = [900, 30, 30, 30, 25, 25, 20, 20, 15, 10]
    index = stability_index(unsure, SURE)
    assert index is not None
    assert index > CHANGED


def test_chance_alone_is_no_drift() -> None:
    shares = np.array(SURE[1:]) / sum(SURE[1:])
    chance = np.random.default_rng(7)
    found = [
        stability_index([0, *chance.multinomial(5 * MIN_REPORTS, shares).tolist()], SURE)
        for _ in range(200)
    ]
    assert np.mean([index is not None and index < MOVED for index in found]) > 0.95


def test_few_reports_tell_nothing() -> None:
    assert stability_index([10_000, 99, 0, 0, 0, 0, 0, 0, 0, 0], SURE) is None
    assert stability_index(SURE, [0] * BINS) is None
