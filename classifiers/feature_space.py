"""The name of the features: two models of one space may be compared, joined and swapped.

Owns the name. It changes when a word would be hashed, grouped or weighed otherwise.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

from classifiers import features, lexicon

_PROBE: Final = (
    "Drones hit 12 depots near Kyiv. Police arrested two men.\n\nВибух на залізниці; sabotaggio."
)


@lru_cache(maxsize=4)
def feature_space(bits: int) -> str:
    """The name of the features hashed to `2**bits` columns."""
    found = features.extract([_PROBE], bits)
    digest = hashlib.sha256(found.columns.astype("<i8").tobytes() + found.kinds.tobytes())
    digest.update(repr(features.KIND_WEIGHTS).encode())
    digest.update(lexicon.CONCEPTS_FILE.read_bytes())
    return digest.hexdigest()[:12]
