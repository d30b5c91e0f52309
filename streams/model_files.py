"""Model files in a directory: each under its version, written whole or not at all.

Owns the directory. What a file holds is checked where it is read: a version is the digest of the
file's bytes, so that one changed on its way is refused.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

import msgspec

import classifiers
from streams.model_records import ModelRecord

#: Said here too, because reading classifiers/artifact.py costs the page numpy.
SHIPPED = Path(classifiers.__file__).parent / "artifacts" / "topics.npz"
SHIPPED_RECORD = SHIPPED.with_suffix(".json")
#: A model of ours takes about 5 MB; what is far larger is none.
MOST_BYTES = 64 * 1024 * 1024
_VERSION = re.compile(r"[0-9a-f]{12}")
_LAST = "in-force"


class ModelFileError(ValueError):
    """A model's bytes cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The models of one directory. Every method raises OSError when the disk fails."""

    directory: Path

    def path(self, version: str) -> Path:
        """Where a version is, or would be.

        Raises:
            ModelFileError: that is no version.
        """
        if not _VERSION.fullmatch(version):
            raise ModelFileError(f"{version[:40]!r} is no version of a model")
        return self.directory / f"{version}.npz"

    def put(self, version: str, content: bytes) -> Path:
        """Keep the bytes of a version, which they must be.

        Raises:
            ModelFileError: they are not.
        """
        check_bytes(version, content)
        path = self.path(version)
        _write(path, content)
        return path

    def read(self, version: str) -> bytes | None:
        """The bytes of a version; None where they are not here, or are not what they were."""
        try:
            content = self.path(version).read_bytes()
            check_bytes(version, content)
        except (FileNotFoundError, ModelFileError):
            return None
        return content

    def put_record(self, record: ModelRecord) -> None:
        """Keep what is known of a version beside it."""
        path = self.path(record.version).with_suffix(".json")
        _write(path, msgspec.json.format(msgspec.json.encode(record)))

    def records(self) -> list[ModelRecord]:
        """What is known of every version here."""
        found = []
        for path in sorted(self.directory.glob("*.json")):
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=ModelRecord))
            except (msgspec.DecodeError, UnicodeDecodeError, FileNotFoundError):
                continue
        return found

    def remember(self, version: str) -> None:
        """Note which version was last in force here: what a worker starts with."""
        _write(self.directory / _LAST, version.encode())

    def remembered(self) -> str:
        """The version last in force here; "" for the one that ships, or none."""
        try:
            noted = (self.directory / _LAST).read_text(encoding="utf-8", errors="replace").strip()
        except FileNotFoundError:
            return ""
        return noted if _VERSION.fullmatch(noted) else ""


def version_of(content: bytes) -> str:
    """The version of a model file with these bytes (classifiers/artifact.py)."""
    return hashlib.sha256(content).hexdigest()[:12]


def check_bytes(version: str, content: bytes) -> None:
    """Refuse what is not the version that it is said to be.

    Raises:
        ModelFileError: it is not.
    """
    if len(content) > MOST_BYTES:
        raise ModelFileError(f"model {version}: {len(content)} bytes, more than any of ours")
    if version_of(content) != version:
        raise ModelFileError(f"model {version}: its bytes are another's ({version_of(content)})")


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, also when the process is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(path)
