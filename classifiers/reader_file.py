"""The reader's file: plain arrays and JSON in one npz, read without ever unpickling.

Owns the format and its checks. Weights of layers are whole numbers of 8 bits with a scale for
each output, those of pieces 4 bits. A file that is not exactly such a reader is refused whole.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifiers.array_files import (
    ArtifactError,
    Shape,
    digest,
    digest_of,
    glance,
    read_arrays,
    write_arrays,
)
from classifiers.encoder import BLOCK, Embeddings, Encoder, Layer
from classifiers.held_file import HeldFile
from classifiers.reader_pieces import UNKNOWN, Pieces

FORMAT: Final = 1
SHIPPED: Final = Path(__file__).parent / "artifacts" / "reader.npz"

#: The matrices of a layer; each has a bias too.
MATRICES: Final = ("attend", "mix", "widen", "narrow")
#: Sums that are brought back to mean 0 and variance 1.
NORMS: Final = ("mix_norm", "narrow_norm")
#: Nobody needs more: larger numbers would only make a hostile file cost memory and time.
MAX_LAYERS, MAX_PIECES, MAX_READ_PIECES = 24, 300_000, 512

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class ReaderOutline:
    """What is known of a reader before its network is in memory.

    A report is doubtful where the logit of one of its topics is between the two `doubt`s.
    `blend` is 3 x topics: what the fast model's logit and the reader's count, and what is added.
    """

    topic_ids: tuple[str, ...]
    doubt: tuple[float, float]
    blend: NDArray[np.float32]
    version: str


@dataclass(frozen=True, slots=True)
class ReaderParts:
    """A trained reader at rest.

    `arrays` are as `layout` says. `facts` say how and on what it was made.
    """

    topic_ids: tuple[str, ...]
    pieces: tuple[str, ...]
    characters: dict[int, str]
    heads: int
    doubt: tuple[float, float]
    arrays: Arrays
    facts: dict[str, Any]
    version: str = ""

    def outline(self) -> ReaderOutline:
        """What can be told without the network."""
        return ReaderOutline(self.topic_ids, self.doubt, self.arrays["blend"], self.version)

    def encoder(self) -> Encoder:
        """The network, with its layers' weights as floats."""
        return encoder_of(self.arrays, self.heads)

    def segmentation(self) -> Pieces:
        """The vocabulary, ready to cut texts."""
        return Pieces(self.pieces, self.arrays["piece_scores"].tolist(), self.characters)


def encoder_of(arrays: Arrays, heads: int) -> Encoder:
    """The network that arrays of this layout are."""
    layers = tuple(
        Layer(
            **{name: _widened(arrays, name, n) for name in MATRICES},
            **{f"{name}_bias": arrays[f"{name}_bias"][n] for name in MATRICES},
            **{name: arrays[name][n] for name in NORMS},
        )
        for n in range(len(arrays["attend"]))
    )
    return Encoder(
        Embeddings(arrays["nibbles"], arrays["nibble_scales"]),
        arrays["positions"].astype(np.float32),
        arrays["first_norm"],
        layers,
        heads,
        arrays["answer"],
        arrays["answer_bias"],
    )


def layout(n_pieces: int, n_read: int, n_layers: int, width: int, n_topics: int) -> dict[str, Any]:
    """The name, shape and type of every array of a reader of these sizes."""
    sizes = {
        "attend": (width, 3 * width),
        "mix": (width, width),
        "widen": (width, 4 * width),
        "narrow": (4 * width, width),
    }
    blocks = width // BLOCK
    shapes: dict[str, Any] = {
        "nibbles": ((n_pieces, blocks, BLOCK // 2), np.uint8),
        "nibble_scales": ((n_pieces, blocks), np.float16),
        "piece_scores": ((n_pieces,), np.float32),
        "positions": ((n_read, width), np.float16),
        "first_norm": ((2, width), np.float32),
        "answer": ((width, n_topics), np.float32),
        "answer_bias": ((n_topics,), np.float32),
        "blend": ((3, n_topics), np.float32),
    }
    for name, (inputs, outputs) in sizes.items():
        shapes[name] = ((n_layers, inputs, outputs), np.int8)
        shapes[f"{name}_scales"] = ((n_layers, outputs), np.float32)
        shapes[f"{name}_bias"] = ((n_layers, outputs), np.float32)
    return shapes | dict.fromkeys(NORMS, ((n_layers, 2, width), np.float32))


def narrowed(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Inputs x outputs weights in 8 bits, and the scale of each output."""
    scales = np.maximum(np.abs(matrix).max(axis=0), 1e-12) / 127
    return np.rint(matrix / scales).astype(np.int8), scales.astype(np.float32)


def save(parts: ReaderParts, path: Path) -> str:
    """Write the reader and return its version. Equal readers give equal bytes."""
    meta = {
        "format": FORMAT,
        "topics": list(parts.topic_ids),
        "pieces": "\n".join(parts.pieces),
        "characters": {str(code): text for code, text in parts.characters.items()},
        "heads": parts.heads,
        "doubt": list(parts.doubt),
        "facts": parts.facts,
    }
    encoded = json.dumps(meta, ensure_ascii=False, sort_keys=True).encode()
    arrays = parts.arrays | {"meta": np.frombuffer(encoded, dtype=np.uint8)}
    write_arrays(path, {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)})
    return digest(path.read_bytes())


def load(source: Path | HeldFile) -> ReaderParts:
    """Read a reader.

    Raises:
        ArtifactError: the file is missing, is no reader of ours, or holds what could not have
            come from training. Nothing of it has been executed.
    """
    with _reading(source) as file:
        content = file.read()
        arrays = read_arrays(content, _names(), "reader")
        parts = _assemble(arrays, json.loads(arrays.pop("meta").tobytes()), digest(content))
        _check(parts, _shapes(arrays))
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise ArtifactError(f"{name} holds what is not finite")
        return parts


def look(source: Path | HeldFile) -> ReaderOutline:
    """Read of a reader what is known before its network: a tenth of a `load`.

    Raises:
        ArtifactError: as `load`, but damage inside the network's arrays is not seen.
    """
    with _reading(source) as file:
        shapes, found = glance(file, _names(), {"meta", "blend"}, "reader")
        parts = _assemble(found, json.loads(found.pop("meta").tobytes()), digest_of(file))
        _check(parts, shapes)
        if not np.isfinite(found["blend"]).all():
            raise ArtifactError("blend holds what is not finite")
        return parts.outline()


def hold(path: Path) -> HeldFile:
    """Keep a reader's file, whatever is put in its place.

    Raises:
        ArtifactError: there is none.
    """
    with _refusing(path):
        return HeldFile(path)


def is_still(source: HeldFile, version: str) -> bool:
    """Whether a `load` would find this version, as far as its bytes can tell."""
    try:
        with source.reading() as file:
            return digest_of(file) == version
    except OSError:
        return False


def _names() -> set[str]:
    return {*layout(0, 0, 0, BLOCK, 0), "meta"}


@contextmanager
def _reading(source: Path | HeldFile) -> Iterator[BufferedReader]:
    """A file from its beginning; whatever can be wrong with it as the one error."""
    with _refusing(source if isinstance(source, Path) else source.path):
        held = HeldFile(source) if isinstance(source, Path) else source
        with held.reading() as file:
            yield file


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Whatever can be wrong with a file, as the one error."""
    try:
        yield
    except ArtifactError as err:
        raise ArtifactError(f"{path}: {err}") from err
    except (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError) as err:
        raise ArtifactError(f"{path}: not a reader: {err}") from err
    except (zipfile.BadZipFile, zlib.error, RuntimeError) as err:
        raise ArtifactError(f"{path}: not a reader: {err}") from err


def _assemble(arrays: Arrays, meta: dict[str, Any], version: str) -> ReaderParts:
    if meta["format"] != FORMAT:
        raise ArtifactError(f"format {meta['format']}, this version reads {FORMAT}")
    low, high = (float(value) for value in meta["doubt"])
    return ReaderParts(
        topic_ids=tuple(str(topic) for topic in meta["topics"]),
        pieces=tuple(str(meta["pieces"]).split("\n")),
        characters={int(code): str(text) for code, text in meta["characters"].items()},
        heads=int(meta["heads"]),
        doubt=(low, high),
        arrays=arrays,
        facts=dict(meta["facts"]),
        version=version,
    )


def _check(parts: ReaderParts, shapes: Mapping[str, Shape]) -> None:
    n_pieces, (n_layers, width) = len(parts.pieces), shapes["attend"][0][:2]
    n_read = shapes["positions"][0][0]
    if not (0 < n_layers <= MAX_LAYERS and UNKNOWN < n_pieces <= MAX_PIECES):
        raise ArtifactError(f"{n_layers} layers over {n_pieces} pieces")
    if not 2 < n_read <= MAX_READ_PIECES:
        raise ArtifactError(f"reads {n_read} pieces")
    if not parts.topic_ids or parts.heads < 1 or width % parts.heads or width % BLOCK:
        raise ArtifactError(f"{parts.heads} heads of {width} for {len(parts.topic_ids)} topics")
    wanted = layout(n_pieces, n_read, n_layers, width, len(parts.topic_ids))
    for name, (shape, kind) in wanted.items():
        found, of = shapes[name]
        if found != shape or of != kind:
            raise ArtifactError(f"{name} is {of} {found}, expected {np.dtype(kind)} {shape}")
    if not parts.doubt[0] <= parts.doubt[1]:
        raise ArtifactError(f"doubt is {parts.doubt}")


def _shapes(arrays: Arrays) -> dict[str, Shape]:
    return {name: (array.shape, array.dtype) for name, array in arrays.items()}


def _widened(arrays: Arrays, name: str, layer: int) -> NDArray[np.float32]:
    """A matrix as floats."""
    weights = arrays[name][layer].astype(np.float32)
    return np.asarray(weights * arrays[f"{name}_scales"][layer], dtype=np.float32)
