"""The network on whole numbers says what the network in floats says."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import structlog

from classifiers import reader_file
from classifiers.quick_encoder import NoRuntimeError, QuickEncoder
from classifiers.reader import Reader
from classifiers.reader_file import ReaderParts
from tests.unit.classifiers.small_reader import HEADS, small_reader

IDS = [0, 41, 7, 12, 3, 2]
#: The blend halves a logit: no decision hangs on this.
CLOSE = 0.04
TEXTS = (
    "Two hurt as fire breaks out near the depot; police do not rule out intent",
    "Нічна атака дронів на порт: пошкоджено елеватор",
    "Sabotage présumé sur une ligne à grande vitesse, le trafic interrompu " * 12,
    "",
)


@pytest.fixture(scope="module")
def parts() -> ReaderParts:
    return reader_file.load(reader_file.SHIPPED)


def test_whole_numbers_say_what_floats_say(parts: ReaderParts) -> None:
    quick, exact, pieces = (
        QuickEncoder(parts.arrays, parts.heads),
        parts.encoder(),
        parts.segmentation(),
    )
    limit = len(parts.arrays["positions"])
    cut = [pieces.ids(text, limit) for text in TEXTS]
    assert len(cut[2]) == limit
    told = np.array([quick.logits(ids) for ids in cut])
    assert told == pytest.approx(np.array([exact.logits(ids) for ids in cut]), abs=CLOSE)
    with ThreadPoolExecutor(3) as threads:
        again = list(threads.map(quick.logits, cut[::-1]))[::-1]
    assert np.array_equal(told, again)  # to the bit, whatever runs beside it


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e3])
def test_an_outlier_among_the_inputs_does_not_drown_the_others(scale: float) -> None:
    made = small_reader()
    norms = made.arrays["mix_norm"].copy()
    norms[:, 0, 5] *= 40
    arrays = made.arrays | {"mix_norm": norms, "answer": made.arrays["answer"] * np.float32(scale)}
    wanted = replace(made, arrays=arrays).encoder().logits(IDS)
    assert QuickEncoder(arrays, HEADS).logits(IDS) == pytest.approx(
        wanted, rel=0.01, abs=CLOSE * scale
    )


def test_weights_at_their_largest_add_up_without_overflow() -> None:
    made = small_reader()
    full = {name: np.full_like(made.arrays[name], 127) for name in reader_file.MATRICES}
    wanted = replace(made, arrays=made.arrays | full).encoder().logits(IDS)
    assert QuickEncoder(made.arrays | full, HEADS).logits(IDS) == pytest.approx(wanted, abs=CLOSE)


def test_without_onnx_runtime_floats_answer_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Reader.of(small_reader()).opinions(TEXTS)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(NoRuntimeError):
        QuickEncoder(small_reader().arrays, HEADS)
    with structlog.testing.capture_logs() as told:
        found = Reader.of(small_reader()).opinions(TEXTS)
    assert found == pytest.approx(wanted, abs=CLOSE)
    assert ["ONNX Runtime" in each["event"] for each in told] == [True]


def test_a_graph_that_the_runtime_does_not_take_is_told_as_such() -> None:
    made = small_reader()
    with pytest.raises(NoRuntimeError):
        QuickEncoder(made.arrays | {"answer": made.arrays["answer"][:7]}, HEADS).logits(IDS)
