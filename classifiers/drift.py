"""Drift: whether a model's probabilities still fall as they fell on its training reports.

Owns the measure. The histograms are made in histogram.py and counted by streams/quality.py; why
they differ (a new war, a new publisher, a broken feed) is for a person to find.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

#: Ten bins of a tenth each. The first is left out of the measure: how many reports are about
#: something else altogether is the wire's mix, and no wire has the mix of training reports.
BINS: Final = 10
FIRST_COMPARED: Final = 1
#: Fewer reports than this above the first bin tell nothing: an index of 0.1 would be chance.
MIN_REPORTS: Final = 100
#: The usual reading of the index in banks, where it comes from: below 0.1 stable, above 0.25
#: another population.
MOVED, CHANGED = 0.1, 0.25


def stability_index(live: Sequence[float], reference: Sequence[float]) -> float | None:
    """The population stability index of two histograms of BINS counts, over the bins that are
    compared; None where either has too few reports. Half a report is added to each bin, so that
    an empty one does not make it infinite. 0 is the same; it has no upper bound.
    """
    if min(sum(live[FIRST_COMPARED:]), sum(reference[FIRST_COMPARED:])) < MIN_REPORTS:
        return None
    ours, theirs = _shares(live), _shares(reference)
    return sum((one - two) * math.log(one / two) for one, two in zip(ours, theirs, strict=True))


def _shares(counts: Sequence[float]) -> list[float]:
    smoothed = [count + 0.5 for count in counts[FIRST_COMPARED:]]
    return [count / sum(smoothed) for count in smoothed]
