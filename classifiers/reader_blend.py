"""How the reader and the fast model answer together: a logistic regression of both opinions.

Owns its fit. Needs torch: training only.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from classifiers.reader import MAX_LOGIT

#: How strongly the blend of a topic is drawn to that of all topics, in reports.
_BLEND_PULL: Final = 3.0
_BLEND_STEPS: Final = 500

F32 = NDArray[np.float32]
Labels = NDArray[np.bool_]


def fit_blend(fast: F32, read: F32, labels: Labels) -> F32:
    """3 x topics: what both opinions' logits count for each topic, and what is added.

    A logistic regression of all topics together, in which each topic may differ a little.
    """
    both = torch.tensor(np.stack([fast, read.clip(-MAX_LOGIT, MAX_LOGIT), np.ones_like(fast)]))
    truth = torch.tensor(labels, dtype=torch.float32)
    common = torch.tensor([[0.5], [0.5], [0.0]], requires_grad=True)
    own = torch.zeros(3, fast.shape[1], requires_grad=True)
    steps = torch.optim.LBFGS([common, own], max_iter=_BLEND_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Any:
        steps.zero_grad()
        scores = ((common + own)[:, None, :] * both).sum(0)
        wrong = functional.binary_cross_entropy_with_logits(scores, truth, reduction="sum")
        total = wrong + _BLEND_PULL * (own**2).sum()
        total.backward()
        return total

    steps.step(loss)
    return np.asarray((common + own).detach().numpy(), dtype=np.float32)
