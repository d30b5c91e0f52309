"""The reader's file: what was written is read, and anything else is refused unexecuted."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifiers import array_files, artifact, reader_file
from classifiers.array_files import ArtifactError
from tests.unit.classifiers.small_reader import small_reader, spoil


class _Trap:
    """Unpickled, it would leave a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "reader.npz"
    reader_file.save(small_reader(), path)
    return path


def _changed(path: Path, **members: bytes | None) -> Path:
    """The file with some members replaced, or left out."""
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    kept.update(
        {f"{name}.npy": content for name, content in members.items() if content is not None}
    )
    for name, content in members.items():
        if content is None:
            del kept[f"{name}.npy"]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in kept.items():
            archive.writestr(name, content)
    return path


def _array(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def _meta(**changes: object) -> bytes:
    parts = small_reader()
    meta: dict[str, object] = {
        "format": reader_file.FORMAT,
        "topics": list(parts.topic_ids),
        "pieces": "\n".join(parts.pieces),
        "characters": {},
        "heads": parts.heads,
        "doubt": [-1.0, 1.0],
        "facts": {},
    }
    return _array(np.frombuffer(json.dumps(meta | changes).encode(), np.uint8))


def test_a_reader_is_read_as_it_was_written(written: Path) -> None:
    read, made = reader_file.load(written), small_reader()
    assert replace(read, arrays={}, version="") == replace(made, arrays={}, version="")
    assert all(np.array_equal(read.arrays[name], made.arrays[name]) for name in made.arrays)
    assert np.array_equal(read.encoder().logits([0, 5, 2]), made.encoder().logits([0, 5, 2]))


def test_equal_readers_give_equal_files(tmp_path: Path) -> None:
    assert reader_file.save(small_reader(), tmp_path / "a") == reader_file.save(
        small_reader(), tmp_path / "b"
    )


def test_a_pickle_inside_is_refused_and_not_executed(written: Path, tmp_path: Path) -> None:
    trap = tmp_path / "executed"
    hostile = _array(np.array([_Trap(trap)], dtype=object))
    with pytest.raises(ArtifactError):
        reader_file.load(_changed(written, blend=hostile))
    written.write_bytes(pickle.dumps(_Trap(trap)))
    with pytest.raises(ArtifactError):
        reader_file.load(written)
    assert not trap.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"answer": None},
        {"more": _array(np.zeros(3))},
        {"answer": _array(np.zeros((3, 3), np.float32))},
        {"answer": _array(np.zeros((32, 14)))},
        {"blend": _array(np.full((3, 14), np.nan, np.float32))},
        {"attend": _array(np.zeros((0, 32, 96), np.int8))},
        {"attend": _array(np.zeros((), np.int8))},
        {"positions": _array(np.zeros((9_999, 32), np.float16))},
        {"meta": _meta(format=99)},
        {"meta": _meta(heads=0)},
        {"meta": _meta(heads=5)},
        {"meta": _meta(doubt=[1.0, -1.0])},
        {"meta": _meta(doubt=[float("nan"), 1.0])},
        {"meta": _meta(topics=[])},
        {"meta": _meta(pieces="a\nb")},
        {"meta": _meta(characters=[])},
        {"meta": _array(np.frombuffer(b"[" * 100_000, np.uint8))},
        {"meta": _array(np.frombuffer(b"not json", np.uint8))},
        {"answer": b"no array"},
        {"answer": b"\x93NUMPY\x01\x00" + (9_000).to_bytes(2, "little") + b"-" * 9_000},
    ],
    ids="-".join,
)
@pytest.mark.parametrize("read", [reader_file.load, reader_file.look])
def test_what_no_training_makes_is_refused(
    written: Path, changes: dict[str, Any], read: Callable[[Path], object]
) -> None:
    with pytest.raises(ArtifactError, match=str(written)):
        read(_changed(written, **changes))


def test_a_glance_tells_what_a_load_tells(written: Path) -> None:
    seen, read = reader_file.look(written), reader_file.load(written).outline()
    assert replace(seen, blend=None) == replace(read, blend=None)  # type: ignore[arg-type]
    assert np.array_equal(seen.blend, read.blend)


def test_damage_deep_inside_is_refused_when_it_is_read(written: Path) -> None:
    spoil(written, "widen.npy")
    reader_file.look(written)
    with pytest.raises(ArtifactError, match=str(written)):
        reader_file.load(written)


def test_an_archive_cut_short_is_refused_at_a_glance(written: Path) -> None:
    written.write_bytes(written.read_bytes()[:-1_000])
    with pytest.raises(ArtifactError, match=str(written)):
        reader_file.look(written)


def test_a_file_that_unpacks_to_more_than_any_reader_is_refused(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array_files, "MAX_UNPACKED_BYTES", 1_000)
    with pytest.raises(ArtifactError, match="unpacks"):
        reader_file.load(written)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"reader"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "reader.npz"
    path.write_bytes(content)
    with pytest.raises(ArtifactError):
        reader_file.load(path)
    for file in (path, tmp_path / "missing.npz"):
        with pytest.raises(ArtifactError):
            reader_file.look(file)
    with pytest.raises(ArtifactError):
        reader_file.load(tmp_path / "missing.npz")


def test_both_models_that_ship_are_no_more_than_forty_megabytes() -> None:
    sizes = [path.stat().st_size for path in (artifact.SHIPPED, reader_file.SHIPPED)]
    assert sum(sizes) <= 40e6
