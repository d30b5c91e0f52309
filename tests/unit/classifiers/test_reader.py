"""The cascade: what the fast model doubts is read again, all else stays as it was."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import structlog

from classifiers import artifact, heap, reader, reader_file
from classifiers.array_files import ArtifactError
from classifiers.artifact import Artifact
from classifiers.held_file import HeldFile
from classifiers.model import TopicModel
from classifiers.reader import Reader
from classifiers.reader_file import ReaderParts
from classifiers.slow_network import LateNetwork
from classifiers.topics import TOPIC_IDS, Topic
from tests.unit.classifiers.small_reader import small_reader, spoil

CLEAR = "Central bank leaves interest rates unchanged"
DOUBTFUL = "Two hurt as fire breaks out near the depot; police do not rule out intent"
HOME = np.array([True])
ODD_TEXTS = ("", " \n", "x", "🔥" * 500, "Дрон 北京 ميناء", "\x00\x1b[31m\ud800", "a" * 50_000)


@pytest.fixture(scope="module")
def trained() -> Artifact:
    return artifact.load(artifact.SHIPPED)


@pytest.fixture(scope="module")
def fast(trained: Artifact) -> TopicModel:
    return TopicModel(trained)


def _cascade(trained: Artifact, low: float, high: float) -> TopicModel:
    return TopicModel(trained, slow=Reader.of(small_reader(doubt=(low, high))))


def test_only_what_is_doubtful_is_read_again(trained: Artifact, fast: TopicModel) -> None:
    texts = [CLEAR, DOUBTFUL, CLEAR]
    before = fast.predict(texts)
    doubt = np.abs(reader.logits(before)).min(axis=1)
    border = float(doubt.mean())
    assert doubt[1] < border < doubt[0]
    after = _cascade(trained, -border, border).predict(texts)
    assert np.array_equal(after[[0, 2]], before[[0, 2]])
    assert not np.allclose(after[1], before[1])


def test_another_language_is_doubted_further_from_even() -> None:
    slow = Reader.of(small_reader(doubt=(-0.5, 0.5)))
    logits = np.full((3, 14), -6, dtype=np.float32)
    logits[:, 3] = 0.4, 1.6, 2.0
    rows = np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)
    assert slow.doubtful(rows, np.array([True, True, True])).tolist() == [0]
    assert slow.doubtful(rows, np.array([True, False, False])).tolist() == [0, 1]


def test_a_text_has_the_same_answer_in_every_batch(trained: Artifact) -> None:
    model = _cascade(trained, -99, 99)
    texts = [DOUBTFUL, CLEAR, *ODD_TEXTS, DOUBTFUL * 30]
    together = model.predict(texts)
    assert np.array_equal(together, np.concatenate([model.predict([text]) for text in texts]))
    assert np.array_equal(together[::-1], model.predict(texts[::-1]))


def test_any_text_gives_finite_probabilities(trained: Artifact) -> None:
    rows = _cascade(trained, -99, 99).predict(ODD_TEXTS)
    assert rows.shape == (len(ODD_TEXTS), 14)
    assert ((rows >= 0) & (rows <= 1)).all()
    assert _cascade(trained, -99, 99).predict([]).shape == (0, 14)


def test_topics_that_the_reader_does_not_know_keep_their_answer(fast: TopicModel) -> None:
    known = TOPIC_IDS[3:6]
    slow = Reader.of(small_reader(known))
    model = TopicModel(artifact.load(artifact.SHIPPED), slow=slow)
    before, after = fast.predict([DOUBTFUL]), model.predict([DOUBTFUL])
    assert np.array_equal(np.delete(before, range(3, 6), axis=1), np.delete(after, range(3, 6), 1))
    assert not np.allclose(before[:, 3:6], after[:, 3:6])


def test_a_model_without_the_readers_topics_is_not_read_again(trained: Artifact) -> None:
    own = tuple(Topic(f"own_{t.id}", t.label, t.definition, 0.5) for t in trained.topics)
    model = TopicModel(replace(trained, topics=own), slow=Reader.of(small_reader()))
    assert np.array_equal(
        model.predict([DOUBTFUL]), TopicModel(replace(trained, topics=own)).predict([DOUBTFUL])
    )


def test_more_is_read_when_more_is_doubted_but_of_a_long_text_only_the_unsure(
    trained: Artifact, fast: TopicModel
) -> None:
    slow = Reader.of(small_reader(doubt=(-0.1, 0.1)))
    all_read = TopicModel(trained, slow=slow.doubting(30))
    texts = ["bank rates", DOUBTFUL]
    before, after = fast.predict(texts), all_read.predict(texts)
    assert np.array_equal(TopicModel(trained, slow=slow).predict(texts[:1]), before[:1])
    assert not np.allclose(before[0], after[0], atol=1e-3)
    sure = np.abs(reader.logits(before[1])) > 0.1
    assert sure.any()
    assert np.array_equal(before[1][sure], after[1][sure])


def test_the_blend_weighs_both_opinions(trained: Artifact) -> None:
    parts = small_reader()
    deaf = np.float32([[1.0], [0.0], [0.0]]).repeat(14, axis=1)
    slow = Reader.of(replace(parts, arrays=parts.arrays | {"blend": deaf}))
    rows = TopicModel(trained).predict([DOUBTFUL])
    assert slow.probabilities([DOUBTFUL], rows, HOME) == pytest.approx(rows, abs=1e-3)
    alone = Reader.of(replace(parts, arrays=parts.arrays | {"blend": deaf[[1, 0, 2]]}))
    heard = alone.opinions([DOUBTFUL])
    assert reader.logits(alone.probabilities([DOUBTFUL], rows, HOME)) == pytest.approx(
        heard, abs=1e-2
    )


def test_without_a_readers_file_the_fast_model_answers_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fast: TopicModel
) -> None:
    monkeypatch.setattr(reader_file, "SHIPPED", tmp_path / "none.npz")
    reader.shipped.cache_clear()
    try:
        assert np.array_equal(TopicModel.load().predict([DOUBTFUL]), fast.predict([DOUBTFUL]))
    finally:
        reader.shipped.cache_clear()


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small reader in the place of the one that ships; it doubts everything."""
    path = tmp_path / "reader.npz"
    reader_file.save(small_reader(), path)
    monkeypatch.setattr(reader_file, "SHIPPED", path)
    reader.shipped.cache_clear()
    yield path
    reader.shipped.cache_clear()


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files of readers that were loaded whole."""
    found: list[Path] = []
    load = reader_file.load

    def counted(source: HeldFile) -> ReaderParts:
        found.append(source.path)
        return load(source)

    monkeypatch.setattr(reader_file, "load", counted)
    return found


def test_a_late_reader_is_loaded_at_the_first_doubtful_text_and_answers_the_same(
    shipped: Path, loads: list[Path]
) -> None:
    late = TopicModel.load(late=True, doubt=0.001)
    late.predict([CLEAR] * 3)
    assert loads == []
    late = TopicModel.load(late=True)
    found = late.predict([DOUBTFUL])
    assert loads == [shipped]
    assert np.array_equal(found, TopicModel.load().predict([DOUBTFUL]))
    assert loads == [shipped]  # there is one for all


def test_the_fast_model_can_be_asked_alone(
    shipped: Path, loads: list[Path], fast: TopicModel
) -> None:
    late = TopicModel.load(late=True)
    assert np.array_equal(late.alone().predict([DOUBTFUL]), fast.predict([DOUBTFUL]))
    assert loads == []
    assert not np.array_equal(late.predict([DOUBTFUL]), fast.predict([DOUBTFUL]))


def test_threads_that_doubt_at_once_load_it_once(shipped: Path, loads: list[Path]) -> None:
    late = TopicModel.load(late=True)
    with ThreadPoolExecutor(4) as threads:
        rows = list(threads.map(late.predict, [[DOUBTFUL]] * 8))
    assert loads == [shipped]
    assert all(np.array_equal(row, rows[0]) for row in rows)


def test_a_late_reader_found_broken_is_told_once_and_the_fast_model_goes_on(
    shipped: Path, fast: TopicModel
) -> None:
    spoil(shipped, "widen.npy")
    late, wanted = TopicModel.load(late=True), fast.predict([DOUBTFUL, CLEAR])
    with structlog.testing.capture_logs() as told:
        for _ in range(2):
            assert np.array_equal(late.predict([DOUBTFUL, CLEAR]), wanted)
    assert [each["log_level"] for each in told] == ["error"]
    assert str(shipped) in told[0]["error"]


def test_a_file_that_was_replaced_meanwhile_is_not_mixed_with_the_old_one(
    shipped: Path, fast: TopicModel
) -> None:
    late = TopicModel.load(late=True)
    reader_file.save(replace(small_reader(), facts={"reports": 1}), shipped)
    with structlog.testing.capture_logs() as told:
        assert np.array_equal(late.predict([DOUBTFUL]), fast.predict([DOUBTFUL]))
    assert "not the file that was there" in told[0]["error"]


def test_where_a_whole_reader_is_asked_for_a_broken_one_is_refused(shipped: Path) -> None:
    spoil(shipped, "widen.npy")
    with pytest.raises(ArtifactError, match=str(shipped)):
        TopicModel.load()
    with pytest.raises(ArtifactError, match=str(shipped)):
        TopicModel.load(late=True).open_reader()


def test_a_reader_that_nobody_called_optional_is_not_left_out(
    shipped: Path, trained: Artifact
) -> None:
    spoil(shipped, "widen.npy")
    with pytest.raises(ArtifactError, match=str(shipped)):
        TopicModel(trained, slow=reader.shipped()).predict([DOUBTFUL])


def test_a_reader_that_rests_is_loaded_again_and_answers_the_same(
    shipped: Path, loads: list[Path]
) -> None:
    late = TopicModel.load(late=True)
    assert not late.rest(0)  # nothing is there to let go
    before = late.predict([DOUBTFUL])
    assert late.rest(0)
    assert not late.rest(0)
    assert np.array_equal(late.predict([DOUBTFUL]), before)
    assert loads == [shipped, shipped]


def test_a_reader_rests_when_nothing_was_read_for_long_enough() -> None:
    moment = 0.0
    network = LateNetwork(small_reader, clock=lambda: moment)
    with network.opened():
        moment = 100.0
        assert not network.rest(0)  # it is being read
    moment = 159.0
    assert not network.rest(60)
    moment = 160.0
    assert network.rest(60)


def test_threads_that_read_while_it_is_let_go_again_and_again_are_told_the_same(
    shipped: Path, loads: list[Path]
) -> None:
    late = TopicModel.load(late=True)
    before = late.predict([DOUBTFUL])
    with ThreadPoolExecutor(3) as threads:
        for _ in range(5):
            rows = [threads.submit(late.predict, [DOUBTFUL]) for _ in range(12)]
            while not all(row.done() for row in rows):
                late.rest(0)
            assert all(np.array_equal(row.result(), before) for row in rows)
            late.rest(0)
    assert len(loads) >= 5


def test_an_upgrade_that_puts_another_reader_there_changes_nothing_until_the_next_start(
    shipped: Path, tmp_path: Path
) -> None:
    late = TopicModel.load(late=True)
    before = late.predict([DOUBTFUL])
    other = replace(
        small_reader(), arrays=small_reader().arrays | {"blend": np.ones((3, 14), "f4")}
    )
    reader_file.save(other, tmp_path / "new.npz")
    (tmp_path / "new.npz").replace(shipped)
    assert late.rest(0)
    assert np.array_equal(late.predict([DOUBTFUL]), before)
    reader.shipped.cache_clear()
    assert not np.array_equal(TopicModel.load(late=True).predict([DOUBTFUL]), before)


def test_a_reader_whose_file_was_changed_in_its_place_stays_in_memory_which_is_told_once(
    shipped: Path,
) -> None:
    late = TopicModel.load(late=True)
    before = late.predict([DOUBTFUL])
    spoil(shipped, "widen.npy")
    with structlog.testing.capture_logs() as told:
        assert not late.rest(0)
        assert not late.rest(0)
        assert np.array_equal(late.predict([DOUBTFUL]), before)
    assert [each["log_level"] for each in told] == ["warning"]


def test_a_reader_that_rests_gives_its_memory_back() -> None:
    if not reader_file.SHIPPED.is_file():
        pytest.skip("no reader ships")
    late, this = Reader.look(), psutil.Process()

    def resident() -> int:
        heap.give_back()
        return int(this.memory_info().rss)

    late.opinions([DOUBTFUL])  # brings the library that reads, which stays
    assert late.rest(0)
    at_rest = resident()
    for _ in range(4):
        late.opinions([DOUBTFUL])
        taken = resident() - at_rest
        assert taken > 20_000_000
        assert late.rest(0)
        assert resident() - at_rest < taken / 3  # what lies scattered is filled by the next
