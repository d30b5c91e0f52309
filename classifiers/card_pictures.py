"""The model card's pictures: small PNGs drawn pixel by pixel, so that no plotting library ships.

Owns the drawing. What is drawn is measured in cards.py.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SIDE, _MARGIN = 480, 40
#: Of the sets, in their order in the card: blue, orange, green, purple.
_COLOURS: Final = ((31, 99, 170), (214, 112, 22), (70, 140, 70), (140, 80, 160))
_INK: Final = 120
_GRID: Final = 228

Canvas = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Dot:
    """A place in the unit square, and the radius of what is drawn there, in pixels."""

    across: float
    up: float
    radius: float


def plot(series: Sequence[Sequence[Dot]], *, diagonal: bool) -> bytes:
    """A square with a grid of tenths and the dots of each series in its colour, as a PNG."""
    canvas: Canvas = np.full((_SIDE, _SIDE, 3), 255, dtype=np.uint8)
    span = _SIDE - 2 * _MARGIN
    for step in range(11):
        at = _MARGIN + span * step // 10
        ink = _INK if step in {0, 10} else _GRID
        canvas[_MARGIN : _SIDE - _MARGIN + 1, at] = canvas[at, _MARGIN : _SIDE - _MARGIN + 1] = ink
    if diagonal:
        along = np.arange(span + 1)
        canvas[_SIDE - _MARGIN - along, _MARGIN + along] = _INK
    rows, columns = np.mgrid[0:_SIDE, 0:_SIDE]
    for colour, dots in zip(_COLOURS, series, strict=False):
        for dot in dots:
            x, y = _MARGIN + dot.across * span, _SIDE - _MARGIN - dot.up * span
            canvas[(rows - y) ** 2 + (columns - x) ** 2 <= dot.radius**2] = colour
    return _png(canvas)


def _png(canvas: Canvas) -> bytes:
    """An 8-bit RGB PNG (ISO/IEC 15948), filter 0 on each line."""
    height, width, _ = canvas.shape
    raw = b"".join(b"\0" + line.tobytes() for line in canvas)

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(raw, 9))
        + chunk(b"IEND", b"")
    )
