"""Makes the table of word rarity that ships (`data/rarity.npz`) from a folder of reports.

Run by hand: `python -m classifiers.build_rarity --texts DIR`, where DIR holds JSON lines files
(each may be .gz) with a `text`. Keeps a byte for each hashed stem, no text; how the table is used
is `similarity.py`.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.array_files import write_arrays
from classifiers.similarity import (
    RARITY_BITS,
    RARITY_PATH,
    RARITY_STEPS,
    stems,
    term_hash,
)


def read_texts(folder: Path) -> Iterator[str]:
    """The distinct texts of every JSON lines file of a folder, in a fixed order."""
    seen: set[str] = set()
    for path in sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")]):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for line in content.splitlines():
            text = json.loads(line)["text"]
            if text not in seen:
                seen.add(text)
                yield text


def rarity_table(texts: Iterator[str]) -> NDArray[np.uint8]:
    """One in how many reports has a word of each hash: natural logarithm in steps of 1/16."""
    counts = np.zeros(1 << RARITY_BITS, dtype=np.int64)
    total = 0
    for text in texts:
        total += 1
        buckets = {term_hash(stem) & ((1 << RARITY_BITS) - 1) for stem in stems(text)}
        counts[list(buckets)] += 1
    rarity = np.log((total + 1) / (counts + 1)) * RARITY_STEPS
    table: NDArray[np.uint8] = np.clip(np.rint(rarity), 0, 255).astype(np.uint8)
    return table


def main() -> None:
    """Read the folder named on the command line and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=RARITY_PATH)
    arguments = parser.parse_args()
    table = rarity_table(read_texts(arguments.texts))
    write_arrays(arguments.out, {"rarity": table})
    print(f"{int((table < np.max(table)).sum())} stems -> {arguments.out}")


if __name__ == "__main__":
    main()
