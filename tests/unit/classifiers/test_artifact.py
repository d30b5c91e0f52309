"""A model file is read without running anything in it, or refused whole."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from classifiers import artifact, reader_file
from classifiers.array_files import MAX_UNPACKED_BYTES, ArtifactError
from classifiers.artifact import Artifact
from classifiers.topics import TOPICS


def _small() -> Artifact:
    random = np.random.default_rng(1)
    return Artifact(
        topics=TOPICS,
        weights=random.normal(size=(16, 14)).astype(np.float32),
        idf=np.ones(16, np.float32),
        intercepts=np.zeros(14, np.float32),
        english=np.zeros(16, np.float32),
        english_intercept=np.ones(1, np.float32),
        slopes=np.ones((2, 14), np.float32),
        offsets=np.zeros((2, 14), np.float32),
        incident=np.zeros(16, np.float32),
        incident_intercept=np.ones(1, np.float32),
        incident_curves=np.ones((2, 2), np.float32),
        facts={"reports": 3},
    )


class _Bomb:
    """Would write a file if it were ever unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.write_text, (self.path, "boom")


def _rewritten(path: Path, name: str, content: bytes) -> None:
    """Replace one member of the archive."""
    with zipfile.ZipFile(path) as old:
        members = {member: old.read(member) for member in old.namelist()}
    members[name] = content
    with zipfile.ZipFile(path, "w") as new:
        for member, data in members.items():
            new.writestr(member, data)


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    version = artifact.save(_small(), tmp_path / "model.npz")
    loaded = artifact.load(tmp_path / "model.npz")
    assert loaded.version == version
    assert loaded.topics == TOPICS
    assert loaded.facts == {"reports": 3}
    np.testing.assert_allclose(loaded.weights, _small().weights, atol=2e-3)


def test_equal_models_are_equal_files_and_others_have_another_version(tmp_path: Path) -> None:
    one = artifact.save(_small(), tmp_path / "one.npz")
    two = artifact.save(_small(), tmp_path / "two.npz")
    other = artifact.save(replace(_small(), facts={"reports": 4}), tmp_path / "other.npz")
    assert one == two != other
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_a_pickle_inside_is_refused_and_never_run(tmp_path: Path) -> None:
    path, victim = tmp_path / "model.npz", tmp_path / "victim"
    artifact.save(_small(), path)
    _rewritten(path, "weights.npy", _npy(np.array([_Bomb(victim)], dtype=object)))
    with pytest.raises(ArtifactError, match="not a topic model"):
        artifact.load(path)
    assert not victim.exists()


def test_a_pickle_instead_of_a_model_is_refused_and_never_run(tmp_path: Path) -> None:
    path, victim = tmp_path / "model.npz", tmp_path / "victim"
    path.write_bytes(pickle.dumps(_Bomb(victim)))
    with pytest.raises(ArtifactError):
        artifact.load(path)
    assert not victim.exists()


def test_a_file_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights.npy", b"\0" * (MAX_UNPACKED_BYTES + 1))
    with pytest.raises(ArtifactError, match="unpacks"):
        artifact.load(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("idf.npy", _npy(np.ones(8, np.float16))),
        ("weights.npy", _npy(np.full((16, 14), np.nan, np.float16))),
        ("slopes.npy", _npy(np.ones(3, np.float32))),
        ("slopes.npy", b"no array"),
        ("extra.npy", _npy(np.ones(3, np.float32))),
        ("meta.npy", _npy(np.frombuffer(b"{not json", np.uint8))),
        ("meta.npy", _npy(np.frombuffer(json.dumps({"format": 99}).encode(), np.uint8))),
    ],
    ids=["shape", "not finite", "topics", "no array", "extra", "no json", "format"],
)
def test_a_damaged_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / "model.npz"
    artifact.save(_small(), path)
    _rewritten(path, name, content)
    with pytest.raises(ArtifactError):
        artifact.load(path)


def _claims(description: str, shape: str) -> bytes:
    """An array by its header alone."""
    header = f"{{'descr':{description},'fortran_order':False,'shape':{shape}}}".ljust(9_000) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


@pytest.mark.parametrize(
    ("description", "shape"),
    [
        ("'<f4'", "(100000000000,)"),
        ("'|V2147483647'", "(3,)"),
        ("'<f4'", "(-5,)"),
        ("'<f4'", "(4611686018427387904, 4611686018427387904)"),
        ("-" * 5_000 + "1", "(3,)"),
        ("(" * 3_000 + ")" * 3_000, "(3,)"),
        ("'|O'", "(0,)"),
    ],
    ids=["400 GB", "wide", "negative", "overflow", "signs", "brackets", "objects"],
)
@pytest.mark.parametrize("load", [artifact.load, reader_file.load], ids=["model", "reader"])
def test_a_file_that_claims_to_be_huge_is_refused_before_memory_is_taken(
    tmp_path: Path, load: Callable[[Path], object], description: str, shape: str
) -> None:
    shipped = artifact.SHIPPED if load is artifact.load else reader_file.SHIPPED
    with zipfile.ZipFile(shipped) as model:
        names = model.namelist()
    path, before = tmp_path / "model.npz", psutil.Process().memory_info().rss
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, _claims(description, shape))
    with pytest.raises(ArtifactError):
        load(path)
    assert psutil.Process().memory_info().rss - before < 64_000_000


def test_a_missing_file_is_an_artifact_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"gone\.npz"):
        artifact.load(tmp_path / "gone.npz")


def test_the_shipped_files_are_small() -> None:
    size = sum(file.stat().st_size for file in artifact.SHIPPED.parent.iterdir())
    assert size < 40 * 1024 * 1024
