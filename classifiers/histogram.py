"""How probabilities fall: counts by topic and tenth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classifiers.drift import BINS

Counts = NDArray[np.int64]


def histogram(probabilities: NDArray[np.floating]) -> Counts:
    """n x topics probabilities to topics x BINS counts."""
    n_topics = probabilities.shape[1]
    bins = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1).clip(min=0)
    places = bins + np.arange(n_topics) * BINS
    return np.bincount(places.ravel(), minlength=n_topics * BINS).reshape(n_topics, BINS)
