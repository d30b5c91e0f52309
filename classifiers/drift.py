"""Drift: whether a model's probabilities still fall as they fell on its training reports.

Owns the histogram and the measure. Does not count live articles (streams/quality.py does) and
does not say why: a new war, a new publisher, a broken feed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Ten bins of a tenth each. The first is left out of the measure: how many reports are about
#: something else altogether is the wire's mix, and no wire has the mix of training reports.
BINS: Final = 10
FIRST_COMPARED: Final = 1
#: Fewer reports than this above the first bin tell nothing: an index of 0.1 would be chance.
MIN_REPORTS: Final = 100
#: The usual reading of the index in banks, where it comes from: below 0.1 stable, above 0.25
#: another population.
MOVED, CHANGED = 0.1, 0.25

Counts = NDArray[np.int64]


def histogram(probabilities: NDArray[np.floating]) -> Counts:
    """n x topics probabilities to topics x BINS counts."""
    n_topics = probabilities.shape[1]
    bins = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1).clip(min=0)
    places = bins + np.arange(n_topics) * BINS
    return np.bincount(places.ravel(), minlength=n_topics * BINS).reshape(n_topics, BINS)


def stability_index(live: Sequence[float], reference: Sequence[float]) -> float | None:
    """The population stability index of two histograms of BINS counts, over the bins that are
    compared; None where either has too few reports. Half a report is added to each bin, so that
    an empty one does not make it infinite. 0 is the same; it has no upper bound.
    """
    shares = []
    for counts in (live, reference):
        compared = np.asarray(counts[FIRST_COMPARED:], dtype=np.float64)
        if compared.sum() < MIN_REPORTS:
            return None
        smoothed = compared + 0.5
        shares.append(smoothed / smoothed.sum())
    ours, theirs = shares
    return float(((ours - theirs) * np.log(ours / theirs)).sum())
