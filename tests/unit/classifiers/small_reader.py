"""A reader of toy size with random weights, for tests that need one quickly."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from classifiers import reader_file
from classifiers.reader_file import ReaderParts
from classifiers.topics import TOPIC_IDS

WIDTH, HEADS, LAYERS, READ = 32, 4, 2, 24
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
ALPHABET = tuple("abcdefghijklmnopqrstuvwxyz.,0123456789")
PIECES = (*SPECIAL, "\u2581", *ALPHABET, "\u2581the", "\u2581drone", "\u2581fire", "ing", "ed")


def small_reader(
    topic_ids: tuple[str, ...] = TOPIC_IDS, doubt: tuple[float, float] = (-99.0, 99.0)
) -> ReaderParts:
    """Always the same weights for as many topics."""
    random = np.random.default_rng(4)
    arrays: dict[str, Any] = {}
    shapes = reader_file.layout(len(PIECES), READ, LAYERS, WIDTH, len(topic_ids))
    for name, (shape, kind) in shapes.items():
        if kind in {np.int8, np.uint8}:
            limits = (-127, 128) if kind is np.int8 else (0, 256)
            arrays[name] = random.integers(*limits, shape).astype(kind)
        else:
            arrays[name] = (random.normal(size=shape) * 0.3).astype(kind)
    for name in reader_file.MATRICES:
        arrays[f"{name}_scales"] = np.full_like(arrays[f"{name}_scales"], 0.002)
    arrays["nibble_scales"] = np.full_like(arrays["nibble_scales"], 0.1)
    arrays["piece_scores"] = -np.arange(len(PIECES), dtype=np.float32)
    arrays["blend"] = np.tile(np.float32([[0.5], [0.5], [0.0]]), (1, len(topic_ids)))
    return ReaderParts(topic_ids, PIECES, {ord("É"): "e"}, HEADS, doubt, arrays, {"reports": 0})


def spoil(path: Path, member: str) -> None:
    """Turn a byte over in the middle of a packed array, as a failing disk would."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(member)
    content = bytearray(path.read_bytes())
    content[info.header_offset + info.compress_size // 2] ^= 0xFF
    path.write_bytes(content)
