"""Training the reader: labelled reports to the upper layers of a small multilingual transformer.

Owns how its weights are found. How it and the fast model answer together is found in
reader_blend.py, on reports that neither of them has seen.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from classifiers import reader, train
from classifiers.examples import Example
from classifiers.lessons import label_matrix
from classifiers.model import TopicModel
from classifiers.reader_blend import fit_blend
from classifiers.reader_file import ReaderParts
from classifiers.reader_network import Network, by_length
from classifiers.reader_pieces import UNKNOWN, Pieces
from classifiers.reader_source import Source
from classifiers.topics import Topic

#: Every character below this is kept as a piece of its own: Latin, Greek, Cyrillic, punctuation.
_PLAIN_CHARACTERS: Final = 0x530
_WARM_UP: Final = 0.1
_LONGEST_STEP: Final = 1.0
_DECAY: Final = 0.01

F32 = NDArray[np.float32]
Labels = NDArray[np.bool_]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ReaderRecipe:
    """What can be chosen about a training run; the defaults are those of the shipped reader.

    Of the base model's layers the first `layers` are kept, and the first `frozen` of those never
    change. `rate` is the learning rate of the uppermost, `decay` what it loses a layer further
    down. One group in `held_out` is kept for the blend. A report is doubtful where the fast
    model's logit of a topic is within `doubt` of even.
    """

    layers: int = 12
    frozen: int = 6
    epochs: int = 4
    batch: int = 32
    rate: float = 2e-4
    answer_rate: float = 3e-3
    decay: float = 0.9
    dropout: float = 0.1
    pieces_read: int = 96
    held_out: int = 10
    doubt: float = 0.65
    seed: int = 0


def fit(
    examples: Sequence[Example],
    topics: Sequence[Topic],
    source: Source,
    *,
    recipe: ReaderRecipe,
    by_reader: Sequence[Example] = (),
    corpus: Iterable[str] = (),
    say: Say = lambda told: None,
) -> ReaderParts:
    """Train on reports that people labelled for every topic.

    Those that a reader labelled are for the fast model only. Pieces are kept that occur in
    `corpus` or in the reports. `say` is told of progress.
    """
    known, held = _split(examples, recipe.held_out)
    kept = _kept_pieces(source, [*corpus, *(example.text for example in examples)])
    cut = Pieces([source.pieces[n] for n in kept], source.scores[kept].tolist(), source.characters)
    say(f"{len(known)} reports to learn from, {len(held)} to blend on, {len(kept)} pieces")
    torch.manual_seed(recipe.seed)
    network = Network(source, kept, recipe.layers, recipe.frozen, len(topics))
    ids = [cut.ids(example.text, recipe.pieces_read) for example in known]
    _learn(network, network.below(ids), label_matrix(known, topics), recipe, say)
    arrays = network.arrays(recipe.pieces_read)
    arrays["piece_scores"] = source.scores[kept].astype(np.float32)
    arrays["blend"] = np.zeros((3, len(topics)), dtype=np.float32)
    parts = ReaderParts(
        topic_ids=tuple(topic.id for topic in topics),
        pieces=tuple(source.pieces[n] for n in kept),
        characters=source.characters,
        heads=source.heads,
        doubt=(0.0, 0.0),
        arrays={name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)},
        facts={"reports": len(known), "held_out": len(held), "recipe": asdict(recipe)},
    )
    return settle(parts, examples, topics, recipe, by_reader)


def opinions(parts: ReaderParts, texts: Sequence[str]) -> F32:
    """A reader's logits, texts x topics, counted by torch: many texts at once."""
    cut, network = parts.segmentation(), Network.restored(parts)
    pieces = [cut.ids(text, len(parts.arrays["positions"])) for text in texts]
    return network.predict(network.below(pieces))


def settle(
    parts: ReaderParts,
    examples: Sequence[Example],
    topics: Sequence[Topic],
    recipe: ReaderRecipe,
    by_reader: Sequence[Example] = (),
) -> ReaderParts:
    """The same network with its blend fitted anew, beside the fast model of today.

    Neither has seen the reports of the blend: the groups that training kept for it.
    """
    known, held = _split(examples, recipe.held_out)
    fast = TopicModel(train.fit([*known, *by_reader], train.Recipe(), topics))
    texts = [example.text for example in held]
    read = opinions(parts, texts)
    blend = fit_blend(reader.logits(fast.predict(texts)), read, label_matrix(held, topics))
    return replace(
        parts, doubt=(-recipe.doubt, recipe.doubt), arrays=parts.arrays | {"blend": blend}
    )


def _split(examples: Sequence[Example], one_in: int) -> tuple[list[Example], list[Example]]:
    """Most, and one group in so many; by the groups' names, so always the same."""
    known: list[Example] = []
    held: list[Example] = []
    for example in examples:
        chosen = zlib.crc32(example.group.encode()) % one_in == 0
        (held if chosen else known).append(example)
    return known, held


def _kept_pieces(source: Source, texts: Iterable[str]) -> list[int]:
    """The special pieces, single plain characters, and all that occur in the texts."""
    whole = Pieces(source.pieces, source.scores.tolist(), source.characters)
    kept = set(range(UNKNOWN + 1))
    for words in {word for text in texts for word in text.split(" ")}:
        kept.update(whole.ids(words, 2 * len(words) + 4))
    kept.update(
        n
        for n, piece in enumerate(source.pieces)
        if len(piece) == 1 and ord(piece) < _PLAIN_CHARACTERS
    )
    return sorted(kept)


def _learn(
    network: Network, texts: Sequence[Any], labels: Labels, recipe: ReaderRecipe, say: Say
) -> None:
    """Binary cross-entropy by AdamW, the rate rising for a tenth of the way, then falling."""
    random = np.random.default_rng(recipe.seed)
    truth = torch.tensor(labels, dtype=torch.float32)
    groups = [
        {"params": [tensor], "weight_decay": _DECAY if tensor.ndim > 1 and below else 0.0,
         "rate": recipe.rate * recipe.decay ** (below - 1) if below else recipe.answer_rate}
        for below, _, tensor in network.learning()
    ]  # fmt: skip
    optimizer = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), fused=True)
    tensors = [tensor for _, _, tensor in network.learning()]
    step, steps = 0, recipe.epochs * -(-len(texts) // recipe.batch)
    for epoch in range(recipe.epochs):
        total = 0.0
        for chosen in by_length(texts, recipe.batch, random):
            pace = min(1.0, step / (_WARM_UP * steps)) * max(0.02, 1 - step / steps)
            for group in optimizer.param_groups:
                group["lr"] = group["rate"] * pace
            scores = network.answers([texts[n] for n in chosen], recipe.dropout)
            loss = functional.binary_cross_entropy_with_logits(
                scores, truth[chosen], reduction="sum"
            ) / len(chosen)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(tensors, _LONGEST_STEP)
            optimizer.step()
            total += float(loss.detach())
            step += 1
            if step % 50 == 0:
                say(f"step {step} of {steps}")
        say(f"epoch {epoch + 1}: loss {total * recipe.epochs / steps:.3f}")
