"""Where the reader begins and how it learns. What needs torch is tested where torch is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifiers.examples import Example
from classifiers.reader import Reader
from classifiers.reader_source import Source, SourceError
from classifiers.topics import TOPICS
from tests.unit.classifiers import small_base

FEW = TOPICS[:2]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    path = tmp_path / "base.bin"
    small_base.write_base(path)
    return Source(path)


def test_the_base_models_vocabulary_is_read(source: Source) -> None:
    assert tuple(source.pieces) == small_base.PIECES
    assert tuple(source.scores) == small_base.SCORES
    assert source.characters == small_base.CHARACTERS
    assert (source.width, source.n_layers, source.heads) == (32, 2, 4)


def test_a_matrix_is_turned_to_inputs_by_outputs(source: Source) -> None:
    scales, nibbles = source.blocks("l1.fi.w", 128)
    matrix = source.matrix("l1.fi.w", 128)
    assert matrix.shape == (32, 128)
    assert matrix[3, 5] == (int(nibbles[5, 0, 3] & 15) - 8) * np.float32(scales[5, 0])
    assert matrix[19, 5] == (int(nibbles[5, 0, 3] >> 4) - 8) * np.float32(scales[5, 0])


def test_another_file_is_no_base_model(tmp_path: Path) -> None:
    small_base.write_base(tmp_path / "other.bin", magic=b"GGUF")
    (tmp_path / "short.bin").write_bytes(b"E5S1\x01")
    for name in ("other.bin", "short.bin", "missing.bin"):
        with pytest.raises(SourceError):
            Source(tmp_path / name)


def _examples() -> list[Example]:
    random = np.random.default_rng(2)
    found = []
    for n in range(160):
        first, second = (bool(drawn < 0.5) for drawn in random.random(2))
        words = ["x"] * first + ["y"] * second + list(random.choice(list("abcde"), 4))
        topics = frozenset(t.id for t, true in zip(FEW, (first, second), strict=True) if true)
        text = " ".join(random.permutation(words))
        found.append(Example(f"e{n}", text, topics, "en", "2020-01-01", f"e{n}"))
    return found


def test_what_was_learned_is_what_is_read(source: Source) -> None:
    pytest.importorskip("torch", reason="training a reader needs torch")
    from classifiers import reader_training
    from classifiers.reader_training import ReaderRecipe

    examples = _examples()
    recipe = ReaderRecipe(
        layers=2, frozen=0, epochs=15, batch=8, rate=3e-3, answer_rate=3e-2, dropout=0, held_out=4
    )
    parts = reader_training.fit(examples, FEW, source, recipe=recipe)
    reader = Reader.of(parts)
    truth = np.array([[t.id in example.topics for t in FEW] for example in examples])
    opinions = reader.opinions([example.text for example in examples])
    assert ((opinions > 0) == truth).mean() > 0.9
    again = reader_training.settle(parts, examples, FEW, recipe)
    assert np.array_equal(again.arrays["blend"], parts.arrays["blend"])
    other = reader_training.settle(parts, examples, FEW, replace(recipe, doubt=1.5), examples)
    assert np.array_equal(other.arrays["answer"], parts.arrays["answer"])
    assert other.doubt == (-1.5, 1.5)


def test_the_network_answers_as_the_encoder_does(source: Source) -> None:
    torch = pytest.importorskip("torch", reason="training a reader needs torch")
    from classifiers.reader_network import Network

    torch.manual_seed(0)
    kept = range(len(small_base.PIECES))
    network = Network(source, kept, n_layers=2, n_frozen=1, n_topics=3)
    ids = [[0, 7, 5, 9, 2], [0, 31, 2]]
    trained = network.predict(network.below(ids))
    parts = network.arrays(n_read=16)
    from classifiers.reader_file import encoder_of

    encoder = encoder_of(parts, source.heads)
    told = np.stack([encoder.logits(text) for text in ids])
    assert trained == pytest.approx(told, abs=0.15)  # one in 16-bit, the other in 8-bit weights
