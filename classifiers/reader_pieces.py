"""Text to the pieces that the reader knows: Unigram segmentation (Kudo 2018), as XLM-RoBERTa does.

Owns the normalisation of characters and the search for the likeliest pieces. Knows no weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

#: What stands for a space, and begins every word (SentencePiece).
SPACE: Final = "\u2581"
#: Ids of the pieces that are no text: beginning, padding, end, and what no piece covers.
BEGIN, PADDING, END, UNKNOWN = range(4)
#: A longer word is cut here: nobody writes one, and the search looks at every part of it.
MAX_WORD_CHARS: Final = 100
#: An unknown character costs this much more than the rarest piece (SentencePiece).
_UNKNOWN_PENALTY: Final = 10.0

_SPACES: Final = re.compile(" {2,}")
_WORD: Final = re.compile(
    rf"{SPACE}[^{SPACE}]{{0,{MAX_WORD_CHARS}}}|[^{SPACE}]{{1,{MAX_WORD_CHARS}}}"
)


class Pieces:
    """A vocabulary of pieces with the logarithms of their probabilities."""

    def __init__(
        self, pieces: Sequence[str], scores: Sequence[float], characters: Mapping[int, str]
    ) -> None:
        """Take the pieces in the order of their ids; `characters` says what becomes of some.

        The first four are the special ones; what they are called is never found in a text.
        """
        special = UNKNOWN + 1
        self._ids = {piece: index for index, piece in enumerate(pieces) if index >= special}
        self._scores = scores
        self._characters = dict(characters)
        self._longest = max(map(len, self._ids), default=1)
        self._unknown_score = min(scores[special:], default=0.0) - _UNKNOWN_PENALTY

    def ids(self, text: str, limit: int) -> list[int]:
        """The ids of a text's first pieces, between beginning and end: at most `limit` in all."""
        spaced = _SPACES.sub(" ", text.translate(self._characters))
        marked = (spaced if spaced.startswith(" ") else f" {spaced}").replace(" ", SPACE)
        found = [BEGIN]
        for word in _WORD.finditer(marked):
            found += self._likeliest(word.group())
            if len(found) >= limit - 1:
                break
        return [*found[: limit - 1], END]

    def _likeliest(self, word: str) -> list[int]:
        """The pieces of a word whose scores add up to most (Viterbi)."""
        n_chars = len(word)
        best = [0.0] + [float("-inf")] * n_chars
        way = [(0, UNKNOWN)] * (n_chars + 1)
        for start in range(n_chars):
            here = best[start]
            for end in range(start + 1, min(n_chars, start + self._longest) + 1):
                piece = self._ids.get(word[start:end])
                if piece is not None and here + self._scores[piece] > best[end]:
                    best[end], way[end] = here + self._scores[piece], (start, piece)
            if here + self._unknown_score > best[start + 1]:
                best[start + 1] = here + self._unknown_score
                way[start + 1] = (start, UNKNOWN)
        found, at = [], n_chars
        while at > 0:
            at, piece = way[at]
            found.append(piece)
        return found[::-1]
