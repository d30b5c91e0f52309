"""The model file: plain arrays and JSON in one npz, read without ever unpickling.

Owns the format, its checks and the version, which is the digest of the file's bytes. A file that
is not exactly such a model is refused whole.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifiers.array_files import ArtifactError, digest, read_arrays, write_arrays
from classifiers.topics import Topic

FORMAT: Final = 3
SHIPPED: Final = Path(__file__).parent / "artifacts" / "topics.npz"

_ARRAYS: Final = {
    "weights", "idf", "intercepts", "english", "english_intercept", "slopes", "offsets",
    "incident", "incident_intercept", "incident_curves", "meta",
}  # fmt: skip

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Artifact:
    """A trained model at rest.

    `weights` are features x topics, `idf` one weight a feature; a window's score is the product
    of both over its length, plus `intercepts`; `slopes` and `offsets` turn a report's pooled
    score into the logit of a probability. `incident` is one more such model: whether a report
    tells of an incident of any kind; `incident_curves` are its slope and offset, English first.
    `facts` say how and on what it was made.
    """

    topics: tuple[Topic, ...]
    weights: F32
    idf: F32
    intercepts: F32
    english: F32
    english_intercept: F32
    slopes: F32
    offsets: F32
    incident: F32
    incident_intercept: F32
    incident_curves: F32
    facts: dict[str, Any]
    version: str = ""

    @property
    def bits(self) -> int:
        """The base-2 logarithm of the number of hashed features."""
        return int(self.weights.shape[0]).bit_length() - 1


def save(artifact: Artifact, path: Path) -> str:
    """Write the model and return its version. Equal models give equal bytes."""
    meta = {
        "format": FORMAT,
        "topics": [
            {"id": t.id, "label": t.label, "definition": t.definition, "threshold": t.threshold}
            for t in artifact.topics
        ],
        "facts": artifact.facts,
    }
    encoded = json.dumps(meta, ensure_ascii=False, sort_keys=True).encode()
    arrays: dict[str, NDArray[Any]] = {
        "weights": artifact.weights.astype(np.float16),
        "idf": artifact.idf.astype(np.float16),
        "intercepts": artifact.intercepts.astype(np.float32),
        "english": artifact.english.astype(np.float16),
        "english_intercept": artifact.english_intercept.astype(np.float32),
        "slopes": artifact.slopes.astype(np.float32),
        "offsets": artifact.offsets.astype(np.float32),
        "incident": artifact.incident.astype(np.float16),
        "incident_intercept": artifact.incident_intercept.astype(np.float32),
        "incident_curves": artifact.incident_curves.astype(np.float32),
        "meta": np.frombuffer(encoded, dtype=np.uint8),
    }
    write_arrays(path, arrays)
    return digest(path.read_bytes())


def load(path: Path) -> Artifact:
    """Read a model.

    Raises:
        ArtifactError: the file is missing, is no model of ours, or holds what could not have
            come from training. Nothing of it has been executed.
    """
    try:
        content = path.read_bytes()
        arrays = read_arrays(content, _ARRAYS, "model")
        meta = json.loads(arrays["meta"].tobytes())
        artifact = _assemble(arrays, meta, digest(content))
    except ArtifactError:
        raise
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as err:
        raise ArtifactError(f"{path}: not a topic model: {err}") from err
    _check(artifact, path)
    return artifact


def _assemble(arrays: dict[str, NDArray[Any]], meta: dict[str, Any], version: str) -> Artifact:
    if meta["format"] != FORMAT:
        raise ArtifactError(f"format {meta['format']}, this version reads {FORMAT}")
    topics = tuple(
        Topic(str(t["id"]), str(t["label"]), str(t["definition"]), float(t["threshold"]))
        for t in meta["topics"]
    )
    parts = {name: arrays[name].astype(np.float32) for name in _ARRAYS - {"meta"}}
    return Artifact(topics=topics, facts=dict(meta["facts"]), version=version, **parts)


def _check(artifact: Artifact, path: Path) -> None:
    n_features, n_topics = len(artifact.idf), len(artifact.topics)
    shapes = {
        "weights": (n_features, n_topics),
        "idf": (1 << artifact.bits,),
        "intercepts": (n_topics,),
        "english": (n_features,),
        "english_intercept": (1,),
        "slopes": (2, n_topics),
        "offsets": (2, n_topics),
        "incident": (n_features,),
        "incident_intercept": (1,),
        "incident_curves": (2, 2),
    }
    for name, shape in shapes.items():
        part: F32 = getattr(artifact, name)
        if part.shape != shape or not n_topics:
            raise ArtifactError(f"{path}: {name} has shape {part.shape}, expected {shape}")
        if not np.isfinite(part).all():
            raise ArtifactError(f"{path}: {name} holds what is not finite")
    if not all(0.0 <= topic.threshold <= 1.0 for topic in artifact.topics):
        raise ArtifactError(f"{path}: a threshold is outside [0, 1]")
