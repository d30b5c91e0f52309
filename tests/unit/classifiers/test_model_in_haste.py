"""A model in haste answers as the fast one alone, and tells what it would have had read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classifiers import artifact, reader, reader_file
from classifiers.model import TopicModel
from classifiers.reader import Reader
from tests.unit.classifiers.small_reader import small_reader, spoil

CLEAR = "Central bank leaves interest rates unchanged"
DOUBTFUL = "Two hurt as fire breaks out near the depot; police do not rule out intent"
TEXTS = [CLEAR, DOUBTFUL, CLEAR]


def _doubting(fast: TopicModel) -> tuple[float, float]:
    """A width of doubt that lies between both texts."""
    doubt = np.abs(reader.logits(fast.predict([CLEAR, DOUBTFUL]))).min(axis=1)
    return -float(doubt.mean()), float(doubt.mean())


def test_in_haste_the_fast_models_answer_stands_and_its_doubt_is_told() -> None:
    trained = artifact.load(artifact.SHIPPED)
    fast = TopicModel(trained)
    patient = TopicModel(trained, slow=Reader.of(small_reader(doubt=_doubting(fast))))
    hasty = patient.in_haste().read(TEXTS)
    assert np.array_equal(hasty.probabilities, fast.predict(TEXTS))
    assert (hasty.first, hasty.unread) == ({}, {1: "behind"})
    read = patient.read(TEXTS)
    assert (list(read.first), read.unread) == ([1], {})
    assert not np.array_equal(read.probabilities, hasty.probabilities)
    assert fast.in_haste().read(TEXTS).unread == {}  # there is no reader to wait for


def test_what_a_broken_reader_should_have_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = TopicModel(artifact.load(artifact.SHIPPED))
    shipped = tmp_path / "reader.npz"
    reader_file.save(small_reader(doubt=_doubting(fast)), shipped)
    spoil(shipped, "widen.npy")
    monkeypatch.setattr(reader_file, "SHIPPED", shipped)
    reader.shipped.cache_clear()
    try:
        broken = TopicModel.load(late=True)
        for _ in range(2):
            reading = broken.read(TEXTS)
            assert np.array_equal(reading.probabilities, fast.predict(TEXTS))
            assert (reading.first, reading.unread) == ({}, {1: "broken"})
    finally:
        reader.shipped.cache_clear()
