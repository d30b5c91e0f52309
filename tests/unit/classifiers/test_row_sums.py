"""Rows added up by scipy's own function, without scipy's package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from classifiers import row_sums
from classifiers.row_sums import sums_of_rows

ROOT = Path(__file__).parents[3]


def test_rows_are_added_as_scipys_product_adds_them() -> None:
    random = np.random.default_rng(5)
    counts = sparse.random(40, 300, 0.2, format="csr", dtype=np.float32, rng=random)
    counts.data[:] = 1
    counts = sparse.vstack([counts, sparse.csr_matrix((2, 300), dtype=np.float32)], format="csr")
    table = random.normal(size=(300, 17)).astype(np.float32)
    found = sums_of_rows(table, counts.indices, counts.indptr)
    assert np.array_equal(found, counts @ table)


def test_what_a_worker_loads_leaves_the_rest_of_scipy_out_and_does_not_disturb_it() -> None:
    said = """
import sys
import streams.assembly, streams.commands.worker
print([name for name in ("scipy.sparse", "sklearn", "numpy.f2py") if name in sys.modules])
from scipy import sparse
print((sparse.eye_array(3).tocsr() @ sparse.eye_array(3).toarray()).sum())
"""
    told = subprocess.run(
        [sys.executable, "-c", said], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout.split("\n")[:2] == ["[]", "3.0"]


def test_where_the_file_is_not_found_all_of_scipy_sparse_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(row_sums, "_alone", lambda: None)
    monkeypatch.delitem(sys.modules, "scipy.sparse")
    monkeypatch.setattr(row_sums, "_ADD_UP", row_sums._compiled())
    table = np.arange(6, dtype=np.float32).reshape(3, 2)
    found = sums_of_rows(table, np.array([0, 2, 2], np.int32), np.array([0, 2, 3], np.int32))
    assert found.tolist() == [[4, 6], [4, 5]]
