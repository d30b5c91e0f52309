"""Rows of a table added up, span by span: scipy's compiled product of a sparse with a dense matrix.

Owns where that one function comes from. `scipy.sparse` brings a good part of numpy and scipy with
it that nothing here uses: 13 MB in every worker, and a fifth of a second at its start.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Final

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]

_PACKAGE, _MODULE = "scipy.sparse", "_sparsetools"


def sums_of_rows(table: F32, columns: I32, bounds: I32) -> F32:
    """n spans to n x width: the rows `columns[bounds[i]:bounds[i + 1]]` of the table, added one
    after the other. The table's rows must lie one behind the other, and all columns be there.
    """
    n_spans, width = len(bounds) - 1, table.shape[1]
    sums = np.zeros((n_spans, width), dtype=np.float32)
    ones = np.ones(len(columns), dtype=np.float32)
    _ADD_UP(n_spans, len(table), width, bounds, columns, ones, table.reshape(-1), sums.reshape(-1))
    return sums


def _compiled() -> Callable[..., None]:
    """csr_matvecs of scipy.sparse: alone where its file is found, else with all of its package."""
    module = _alone() if _PACKAGE not in sys.modules else None
    if not hasattr(module, "csr_matvecs"):
        module = importlib.import_module(f"{_PACKAGE}.{_MODULE}")
    found: Callable[..., None] = vars(module)["csr_matvecs"]
    return found


def _alone() -> ModuleType | None:
    scipy = importlib.util.find_spec(_PACKAGE.partition(".")[0])
    roots = (scipy and scipy.submodule_search_locations) or ()
    folders = [str(Path(root, "sparse")) for root in roots]
    found = PathFinder.find_spec(_MODULE, folders)
    if found is None or found.loader is None:
        return None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


_ADD_UP: Final = _compiled()
