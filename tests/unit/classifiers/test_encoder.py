"""The network's arithmetic, against the textbook's written out number by number."""

from __future__ import annotations

import math

import numpy as np
import pytest

from classifiers.encoder import Embeddings, Encoder, Layer
from tests.unit.classifiers.small_reader import HEADS, small_reader

IDS = [0, 41, 7, 12, 3, 2]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return small_reader().encoder()


def test_logits_are_those_of_the_textbook(encoder: Encoder) -> None:
    rows = [
        [float(a + b) for a, b in zip(vector, encoder.positions[place], strict=True)]
        for place, vector in enumerate(encoder.embeddings.of(IDS))
    ]
    rows = [_normalized(row, encoder.first_norm) for row in rows]
    for layer in encoder.layers:
        mixed = _attended(rows, layer)
        rows = [_normalized(_sum(a, b), layer.mix_norm) for a, b in zip(rows, mixed, strict=True)]
        told = [_fed(row, layer) for row in rows]
        rows = [_normalized(_sum(a, b), layer.narrow_norm) for a, b in zip(rows, told, strict=True)]
    mean = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    assert encoder.logits(IDS) == pytest.approx(
        _times(mean, encoder.answer, encoder.answer_bias), abs=2e-3
    )


def test_an_embedding_is_its_nibbles_less_eight_times_the_scale() -> None:
    nibbles = np.zeros((2, 1, 16), np.uint8)
    nibbles[1, 0, 0], nibbles[1, 0, 15] = 0x9F, 0x08
    vector = Embeddings(nibbles, np.float16([[1.0], [0.5]])).of([1])[0]
    assert vector[0] == 3.5  # low half of the first byte: 15
    assert vector[16] == 0.5  # its high half: 9
    assert vector[15] == 0.0
    assert vector[31] == -4.0


def test_the_same_pieces_in_another_order_are_another_text(encoder: Encoder) -> None:
    assert not np.allclose(encoder.logits(IDS), encoder.logits(IDS[::-1]), atol=1e-3)


def _times(row: list[float], matrix: np.ndarray, bias: np.ndarray) -> list[float]:
    return [
        sum(value * float(matrix[n, column]) for n, value in enumerate(row)) + float(bias[column])
        for column in range(matrix.shape[1])
    ]


def _sum(one: list[float], other: list[float]) -> list[float]:
    return [a + b for a, b in zip(one, other, strict=True)]


def _normalized(row: list[float], norm: np.ndarray) -> list[float]:
    mean = sum(row) / len(row)
    spread = math.sqrt(sum((value - mean) ** 2 for value in row) / len(row) + 1e-12)
    return [
        (value - mean) / spread * float(norm[0, n]) + float(norm[1, n])
        for n, value in enumerate(row)
    ]


def _attended(rows: list[list[float]], layer: Layer) -> list[list[float]]:
    width = len(rows[0])
    size = width // HEADS
    parts = [_times(row, layer.attend, layer.attend_bias) for row in rows]
    mixed = [[0.0] * width for _ in rows]
    for head in range(HEADS):
        first = head * size
        for place, asked in enumerate(parts):
            scores = [
                sum(asked[first + n] * other[width + first + n] for n in range(size))
                / math.sqrt(size)
                for other in parts
            ]
            whole = sum(math.exp(score) for score in scores)
            for n in range(size):
                mixed[place][first + n] = sum(
                    math.exp(score) / whole * other[2 * width + first + n]
                    for score, other in zip(scores, parts, strict=True)
                )
    return [_times(row, layer.mix, layer.mix_bias) for row in mixed]


def _fed(row: list[float], layer: Layer) -> list[float]:
    wide = _times(row, layer.widen, layer.widen_bias)
    bent = [0.5 * value * (1 + math.erf(value / math.sqrt(2))) for value in wide]
    return _times(bent, layer.narrow, layer.narrow_bias)
