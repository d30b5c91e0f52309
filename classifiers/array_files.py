"""Files of arrays that ship or come from elsewhere: written to the same bytes each time, read
without executing anything. Owns the container; what the arrays mean is their owners'.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: A file that would unpack to more than this is not one of ours.
MAX_UNPACKED_BYTES: Final = 256 * 1024 * 1024
_NO_DATE: Final = (1980, 1, 1, 0, 0, 0)


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
        size = sum(member.file_size for member in archive.infolist())
        if size > MAX_UNPACKED_BYTES:
            raise ArtifactError(f"unpacks to {size} bytes, more than any {what} of ours")
        found = {name.removesuffix(".npy") for name in archive.namelist()}
        if found != names:
            raise ArtifactError(f"holds {sorted(found)}, expected {sorted(names)}")
        return {
            name: np.lib.format.read_array(io.BytesIO(archive.read(f"{name}.npy")), False)
            for name in sorted(names)
        }


def digest(content: bytes) -> str:
    """The version of a file: 48 bits of SHA-256 over it."""
    return hashlib.sha256(content).hexdigest()[:12]
