"""The reader's network: a transformer encoder (BERT) for one short text at a time, in numpy.

Owns the arithmetic of prediction. One text is one product after the other, never padded or put
together with others: so what it answers for a text cannot depend on the batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

#: Weights of one embedding that share a scale, two to a byte (the Q4_0 format of llama.cpp).
BLOCK: Final = 32
_EPSILON: Final = np.float32(1e-12)
_GELU: Final = np.float32(math.sqrt(2 / math.pi))


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer's weights, inputs x outputs, and biases; norms are 2 x width: scale and shift."""

    attend: F32
    attend_bias: F32
    mix: F32
    mix_bias: F32
    mix_norm: F32
    widen: F32
    widen_bias: F32
    narrow: F32
    narrow_bias: F32
    narrow_norm: F32


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The vectors of the pieces, 4 bits a weight: too many to lay out as floats.

    `nibbles` are pieces x blocks x 16 bytes, the low halves the first 16 weights of a block;
    `scales` are pieces x blocks.
    """

    nibbles: NDArray[np.uint8]
    scales: NDArray[np.float16]

    def of(self, pieces: Sequence[int]) -> F32:
        """The vectors of some pieces, one row each."""
        found = self.nibbles[list(pieces)]
        weights = np.concatenate([found & 15, found >> 4], axis=2).astype(np.float32) - 8
        weights *= self.scales[list(pieces)].astype(np.float32)[:, :, None]
        return weights.reshape(len(pieces), -1)


@dataclass(frozen=True, slots=True)
class Encoder:
    """The whole network: embeddings, layers, and a linear answer over the mean of the pieces."""

    embeddings: Embeddings
    positions: F32
    first_norm: F32
    layers: tuple[Layer, ...]
    heads: int
    answer: F32
    answer_bias: F32

    def logits(self, pieces: Sequence[int]) -> F32:
        """What the network says of one text: one logit a topic."""
        rows = self.embeddings.of(pieces) + self.positions[: len(pieces)]
        rows = _normalized(rows, self.first_norm)
        for layer in self.layers:
            rows = _normalized(rows + self._attended(rows, layer), layer.mix_norm)
            wide = _gelu(rows @ layer.widen + layer.widen_bias)
            rows = _normalized(rows + (wide @ layer.narrow + layer.narrow_bias), layer.narrow_norm)
        return np.asarray(rows.mean(axis=0) @ self.answer + self.answer_bias, dtype=np.float32)

    def _attended(self, rows: F32, layer: Layer) -> F32:
        """Each piece's mixture of all pieces, by as many heads as there are."""
        n_pieces, width = rows.shape
        size = width // self.heads
        parts = (rows @ layer.attend + layer.attend_bias).reshape(n_pieces, 3, self.heads, size)
        asked, offered, told = parts.transpose(1, 2, 0, 3)
        shares = (asked * np.float32(size**-0.5)) @ offered.transpose(0, 2, 1)
        shares -= shares.max(axis=2, keepdims=True)
        np.exp(shares, out=shares)
        shares /= shares.sum(axis=2, keepdims=True)
        mixed = (shares @ told).transpose(1, 0, 2).reshape(n_pieces, width)
        return np.asarray(mixed @ layer.mix + layer.mix_bias, dtype=np.float32)


def _normalized(rows: F32, norm: F32) -> F32:
    """Each row to mean 0 and variance 1, then scaled and shifted."""
    rows = rows - rows.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", rows, rows)[:, None] / np.float32(rows.shape[1])
    return np.asarray(rows / np.sqrt(variance + _EPSILON) * norm[0] + norm[1], dtype=np.float32)


def _gelu(values: F32) -> F32:
    """The Gaussian error linear unit by its tanh form: 5e-4 away at most, and a third the time."""
    bent = np.tanh(_GELU * (values + np.float32(0.044715) * values * values * values))
    return np.asarray(np.float32(0.5) * values * (1 + bent), dtype=np.float32)
