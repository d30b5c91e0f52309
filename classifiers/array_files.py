"""Files of arrays that ship or come from elsewhere: written to the same bytes each time, read
without executing anything. Owns the container; what the arrays mean is their owners'.
"""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from collections.abc import Mapping, Set
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

#: A file that would unpack to more than this is not one of ours.
MAX_UNPACKED_BYTES: Final = 256 * 1024 * 1024
_NO_DATE: Final = (1980, 1, 1, 0, 0, 0)
_COMPRESSIONS: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_VERSION_CHARS: Final = 12

#: What stands at the beginning of an array.
Shape = tuple[tuple[int, ...], np.dtype[Any]]


class ArtifactError(ValueError):
    """The model file cannot be trusted or understood; use another one."""


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an npz in the order given; equal arrays give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, values in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, values, allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy", _NO_DATE)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, buffer.getvalue())


def read_arrays(content: bytes, names: Set[str], what: str) -> dict[str, NDArray[Any]]:
    """The arrays of a file that must hold these and no other; `what` it is, for the error.

    Raises:
        ArtifactError: it unpacks to more than any of ours, or holds something else.
        ValueError, OSError, EOFError, zipfile.BadZipFile: it is broken, or holds objects.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        _refuse_others(archive, names, what)
        return {name: _array(archive, name) for name in sorted(names)}


def glance(
    file: IO[bytes], names: Set[str], whole: Set[str], what: str
) -> tuple[dict[str, Shape], dict[str, NDArray[Any]]]:
    """What `read_arrays` would find, told from the beginning of each array; `whole` ones are read.

    Costs a hundredth of reading all: nothing else is unpacked, so damage further on is not seen.

    Raises:
        ArtifactError, ValueError, OSError, EOFError, zipfile.BadZipFile: as `read_arrays`.
    """
    with zipfile.ZipFile(file) as archive:
        _refuse_others(archive, names, what)
        shapes = {name: _shape(archive, name) for name in sorted(names)}
        return shapes, {name: _array(archive, name) for name in sorted(whole)}


def digest(content: bytes) -> str:
    """The version of a file: 48 bits of SHA-256 over it."""
    return hashlib.sha256(content).hexdigest()[:_VERSION_CHARS]


def digest_of(file: BufferedReader) -> str:
    """`digest` of a file, from its beginning, that is not worth having in memory."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()[:_VERSION_CHARS]


def _refuse_others(archive: zipfile.ZipFile, names: Set[str], what: str) -> None:
    size = sum(member.file_size for member in archive.infolist())
    if size > MAX_UNPACKED_BYTES:
        raise ArtifactError(f"unpacks to {size} bytes, more than any {what} of ours")
    if {member.compress_type for member in archive.infolist()} - _COMPRESSIONS:
        raise ArtifactError("is packed as none of ours is")
    found = {name.removesuffix(".npy") for name in archive.namelist()}
    if found != names:
        raise ArtifactError(f"holds {sorted(found)}, expected {sorted(names)}")


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """An array, if it is as large as it says: memory is taken for what is there alone."""
    packed = io.BytesIO(archive.read(f"{name}.npy"))
    shape, _, kind = _header(packed, name)
    left = len(packed.getbuffer()) - packed.tell()
    if not kind.hasobject and (
        min(shape, default=0) < 0 or math.prod(shape) * kind.itemsize != left
    ):
        raise ArtifactError(f"{name} is not as large as it says")
    packed.seek(0)
    return np.asarray(np.lib.format.read_array(packed, allow_pickle=False))


def _shape(archive: zipfile.ZipFile, name: str) -> Shape:
    with archive.open(f"{name}.npy") as member:
        shape, by_columns, kind = _header(member, name)
    if by_columns:
        raise ArtifactError(f"{name} was not written by us")
    return shape, kind


def _header(packed: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it stands column by column, and type."""
    try:
        if np.lib.format.read_magic(packed) != (1, 0):
            raise ArtifactError(f"{name} was not written by us")
        return np.lib.format.read_array_header_1_0(packed)
    except (RecursionError, MemoryError) as error:  # of the reader of literals, by its nesting
        raise ArtifactError(f"{name} was not written by us") from error
