"""Training the reader: labelled reports to the upper layers of a small multilingual transformer.

Owns how its weights and its blend with the fast model are found. The blend is fitted on reports
that neither the reader nor the fast model of that fit has seen.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from classifiers import reader, train
from classifiers.examples import Example
from classifiers.lessons import label_matrix
from classifiers.model import TopicModel
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
#: How strongly the blend of a topic is drawn to that of all topics, in reports.
_BLEND_PULL: Final = 3.0
_BLEND_STEPS: Final = 500

F32 = NDArray[np.float32]
Labels = NDArray[np.bool_]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ReaderRecipe:
    """What can be chosen about a training run; the defaults are those of the shipped reader.

    Of the base model's layers the first `layers` are kept, and the first `frozen` of those never
    change. `rate` is the learning rate of the uppermost, `decay` what it loses a layer further
    down. One group in `held_out` is kept for the blend. A report is doubtful where the fast
    model's logit of a topic is within `doubt` of even: 9 % of the natural mix, 4 % of feeds.
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
    doubt: float = 0.55
    seed: int = 0


def fit(
    examples: Sequence[Example],
    topics: Sequence[Topic],
    source: Source,
    *,
    recipe: ReaderRecipe,
    corpus: Iterable[str] = (),
    say: Say = lambda told: None,
) -> ReaderParts:
    """Train on reports that are labelled for every topic.

    Pieces are kept that occur in `corpus` or in the reports. `say` is told of progress.
    """
    known, held = _split(examples, recipe.held_out)
    kept = _kept_pieces(source, [*corpus, *(example.text for example in examples)])
    cut = Pieces([source.pieces[n] for n in kept], source.scores[kept].tolist(), source.characters)
    say(f"{len(known)} reports to learn from, {len(held)} to blend on, {len(kept)} pieces")
    torch.manual_seed(recipe.seed)
    network = Network(source, kept, recipe.layers, recipe.frozen, len(topics))
    ids = [cut.ids(example.text, recipe.pieces_read) for example in known]
    _learn(network, network.below(ids), label_matrix(known, topics), recipe, say)
    fast = TopicModel(train.fit(known, train.Recipe(), topics))
    unseen = [example.text for example in held]
    read = network.predict(network.below([cut.ids(t, recipe.pieces_read) for t in unseen]))
    blend = fit_blend(reader.logits(fast.predict(unseen)), read, label_matrix(held, topics))
    arrays = network.arrays(recipe.pieces_read)
    arrays["piece_scores"] = source.scores[kept].astype(np.float32)
    arrays["blend"] = blend
    return ReaderParts(
        topic_ids=tuple(topic.id for topic in topics),
        pieces=tuple(source.pieces[n] for n in kept),
        characters=source.characters,
        heads=source.heads,
        doubt=(-recipe.doubt, recipe.doubt),
        arrays={name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)},
        facts={"reports": len(known), "held_out": len(held), "recipe": asdict(recipe)},
    )


def fit_blend(fast: F32, read: F32, labels: Labels) -> F32:
    """3 x topics: what both opinions' logits count for each topic, and what is added.

    A logistic regression of all topics together, in which each topic may differ a little.
    """
    both = torch.tensor(np.stack([fast, read.clip(-8, 8), np.ones_like(fast)]))
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
