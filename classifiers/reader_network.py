"""The reader's network while it learns: the arithmetic of encoder.py in torch, many texts at once.

Owns the forward pass in training and the way back to plain arrays. Needs torch, so only the
training of a reader imports it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from classifiers import reader_file
from classifiers.reader_pieces import PADDING
from classifiers.reader_source import Source

_MASKED: Final = -30_000.0
_EPSILON: Final = 1e-12
_ANSWER_SPREAD: Final = 0.06
#: Most reports have none of the topics: where the answers begin.
_FIRST_ANSWER: Final = -2.0
#: Texts of one product when nothing is learned.
_BATCH: Final = 64

Tensor = Any


class Network:
    """Layers of the base model below, of which the upper ones learn, and one answer a topic."""

    def __init__(
        self, source: Source, kept: Sequence[int], n_layers: int, n_frozen: int, n_topics: int
    ) -> None:
        """Begin as the base model: its pieces `kept`, its first `n_layers` layers.

        The first `n_frozen` of them, the embeddings and the norm below them never change.
        """
        self.heads, self.width = source.heads, source.width
        self.n_layers, self.n_frozen = n_layers, n_frozen
        scales, nibbles = source.blocks("emb.word", source.n_pieces)
        self.scales, self.nibbles = scales[list(kept)], nibbles[list(kept)]
        rows = source.floats("emb.pos").reshape(-1, self.width)
        self.positions = rows + source.floats("emb.type")[: self.width]
        self.first_norm = np.stack([source.floats("emb.ln.w"), source.floats("emb.ln.b")])
        self.layers = [_layer(source, n) for n in range(n_layers)]
        self.answer = torch.randn(self.width, n_topics) * _ANSWER_SPREAD
        self.answer_bias = torch.full((n_topics,), _FIRST_ANSWER)
        for _, _, tensor in self.learning():
            tensor.requires_grad_(True)

    @classmethod
    def restored(cls, parts: reader_file.ReaderParts) -> Network:
        """The network of a reader's file, in which nothing learns any more."""
        network = cls.__new__(cls)
        arrays, encoder = parts.arrays, parts.encoder()
        network.heads, network.width = parts.heads, arrays["attend"].shape[1]
        network.n_layers = network.n_frozen = len(encoder.layers)
        network.scales, network.nibbles = arrays["nibble_scales"], arrays["nibbles"]
        network.positions = arrays["positions"].astype(np.float32)
        network.first_norm = arrays["first_norm"]
        names = [f"{matrix}{end}" for matrix in reader_file.MATRICES for end in ("", "_bias")]
        network.layers = [
            {name: torch.tensor(getattr(layer, name)) for name in (*names, *reader_file.NORMS)}
            for layer in encoder.layers
        ]
        network.answer = torch.tensor(arrays["answer"])
        network.answer_bias = torch.tensor(arrays["answer_bias"])
        return network

    def learning(self) -> Iterator[tuple[int, str, Tensor]]:
        """What changes: how many layers it lies below the answers, its name, itself."""
        yield 0, "answer", self.answer
        yield 0, "answer_bias", self.answer_bias
        for n in range(self.n_frozen, self.n_layers):
            for name, tensor in self.layers[n].items():
                yield self.n_layers - n, name, tensor

    def below(self, texts: Sequence[Sequence[int]]) -> list[Tensor]:
        """What the frozen layers make of each text: pieces x width, once for all epochs."""
        made: list[Tensor] = [None] * len(texts)
        words = _embeddings(self.scales, self.nibbles)
        norm = torch.tensor(self.first_norm)
        for chosen in by_length(texts, _BATCH, None):
            ids, there = _padded_ids([texts[n] for n in chosen])
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                rows = words[ids] + torch.tensor(self.positions[: ids.shape[1]])
                rows = _normalized(rows, norm).bfloat16()
                for layer in self.layers[: self.n_frozen]:
                    rows = self._passed(rows, _mask(there), layer, 0.0)
            for row, n in enumerate(chosen):
                made[n] = rows[row, : len(texts[n])].clone()
        return made

    def answers(self, texts: Sequence[Tensor], dropout: float) -> Tensor:
        """Texts as `below` made them, to texts x topics logits."""
        rows, there = _padded_rows(texts)
        mask = _mask(there)
        with torch.autocast("cpu", torch.bfloat16):
            for layer in self.layers[self.n_frozen :]:
                rows = self._passed(rows, mask, layer, dropout)
        rows = rows.float() * there[:, :, None]
        mean = rows.sum(1) / there.sum(1, keepdim=True)
        return _dropped(mean, dropout) @ self.answer + self.answer_bias

    def predict(self, texts: Sequence[Tensor]) -> NDArray[np.float32]:
        """Logits of many texts, learning nothing."""
        found = np.zeros((len(texts), self.answer.shape[1]), dtype=np.float32)
        with torch.no_grad():
            for chosen in by_length(texts, _BATCH, None):
                found[chosen] = self.answers([texts[n] for n in chosen], 0.0).numpy()
        return found

    def arrays(self, n_read: int) -> reader_file.Arrays:
        """The network as the arrays of a file, for texts of at most `n_read` pieces."""
        arrays: reader_file.Arrays = {
            "nibbles": self.nibbles,
            "nibble_scales": self.scales,
            "positions": self.positions[:n_read].astype(np.float16),
            "first_norm": self.first_norm,
            "answer": self.answer.detach().numpy(),
            "answer_bias": self.answer_bias.detach().numpy(),
        }
        for name in self.layers[0]:
            parts = [layer[name].detach().numpy() for layer in self.layers]
            if name in reader_file.MATRICES:
                narrow = [reader_file.narrowed(part) for part in parts]
                arrays[name] = np.stack([weights for weights, _ in narrow])
                arrays[f"{name}_scales"] = np.stack([scales for _, scales in narrow])
            else:
                arrays[name] = np.stack(parts)
        return arrays

    def _passed(self, rows: Tensor, mask: Tensor, layer: dict[str, Tensor], dropout: float) -> Any:
        """Texts through one layer."""
        n_texts, n_pieces, width = rows.shape
        parts = rows @ layer["attend"] + layer["attend_bias"].bfloat16()
        shape = (n_texts, n_pieces, 3, self.heads, width // self.heads)
        asked, offered, told = parts.view(shape).permute(2, 0, 3, 1, 4)
        scores = (asked * (width // self.heads) ** -0.5) @ offered.transpose(2, 3)
        shares = torch.softmax(scores + mask, -1, dtype=torch.float32).bfloat16()
        mixed = (shares @ told).transpose(1, 2).reshape(rows.shape)
        mixed = mixed @ layer["mix"] + layer["mix_bias"].bfloat16()
        rows = _normalized(rows + _dropped(mixed, dropout), layer["mix_norm"]).bfloat16()
        wide = functional.gelu(rows @ layer["widen"] + layer["widen_bias"].bfloat16())
        narrow = wide @ layer["narrow"] + layer["narrow_bias"].bfloat16()
        return _normalized(rows + _dropped(narrow, dropout), layer["narrow_norm"]).bfloat16()


def by_length(
    texts: Sequence[Any], size: int, random: np.random.Generator | None
) -> list[NDArray[np.intp]]:
    """Batches of about equally long texts; with `random`, mixed a little and in any order."""
    lengths = np.array([len(text) for text in texts], dtype=np.float64)
    if random is None:
        order = np.argsort(lengths, kind="stable")
    else:
        order = np.argsort(lengths + random.uniform(-6, 6, len(texts)))
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    if random is not None:
        random.shuffle(batches)
    return batches


def _layer(source: Source, n: int) -> dict[str, Tensor]:
    width = source.width

    def bias(name: str) -> NDArray[np.float32]:
        return source.floats(f"l{n}.{name}.b")

    def norm(name: str) -> NDArray[np.float32]:
        return np.stack([source.floats(f"l{n}.{name}.w"), bias(name)])

    asked = [source.matrix(f"l{n}.{name}.w", width) for name in "qkv"]
    plain = {
        "attend": np.concatenate(asked, axis=1),
        "attend_bias": np.concatenate([bias(name) for name in "qkv"]),
        "mix": source.matrix(f"l{n}.ao.w", width),
        "mix_bias": bias("ao"),
        "mix_norm": norm("aln"),
        "widen": source.matrix(f"l{n}.fi.w", 4 * width),
        "widen_bias": bias("fi"),
        "narrow": source.matrix(f"l{n}.fo.w", width),
        "narrow_bias": bias("fo"),
        "narrow_norm": norm("oln"),
    }
    return {name: torch.tensor(part) for name, part in plain.items()}


def _embeddings(scales: NDArray[np.float16], nibbles: NDArray[np.uint8]) -> Tensor:
    weights = np.concatenate([nibbles & 15, nibbles >> 4], axis=2).astype(np.float32) - 8
    weights *= scales.astype(np.float32)[:, :, None]
    return torch.tensor(weights.reshape(len(weights), -1))


def _padded_ids(texts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    ids = np.full((len(texts), max(map(len, texts))), PADDING, dtype=np.int64)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = text
    return torch.tensor(ids), torch.tensor(ids != PADDING)


def _padded_rows(texts: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    longest = max(map(len, texts))
    rows = torch.zeros(len(texts), longest, texts[0].shape[1], dtype=torch.bfloat16)
    there = torch.zeros(len(texts), longest, dtype=torch.bool)
    for row, text in enumerate(texts):
        rows[row, : len(text)] = text
        there[row, : len(text)] = True
    return rows, there


def _mask(there: Tensor) -> Tensor:
    flat = torch.zeros(there.shape, dtype=torch.bfloat16).masked_fill(~there, _MASKED)
    return flat[:, None, None, :]


def _normalized(rows: Tensor, norm: Tensor) -> Tensor:
    return functional.layer_norm(rows.float(), rows.shape[-1:], norm[0], norm[1], _EPSILON)


def _dropped(values: Tensor, share: float) -> Tensor:
    """Dropout by random bytes: torch's own takes a fifth of a training step on a processor."""
    if share == 0:
        return values
    count = values.numel()
    drawn = torch.randint(-(2**63), 2**63 - 1, (count // 8 + 1,), dtype=torch.int64)
    kept = drawn.view(torch.uint8)[:count].view(values.shape) >= int(share * 256)
    return values * kept.to(values.dtype) / (1 - share)
