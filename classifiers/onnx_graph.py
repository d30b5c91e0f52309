"""A computation written down in the ONNX format: steps, constants, one input, one output.

Owns the bytes: the few messages of onnx.proto3 that such a computation needs, in protobuf's wire
format. Writes only; knows nothing of what is computed, and needs no library for it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: Versions of the format and of its sets of operators that every runtime since 2022 reads.
_FORMAT: Final = 8
_OPERATORS: Final = {"": 17, "com.microsoft": 1}
#: TensorProto.DataType.
_KINDS: Final = {"float32": 1, "uint8": 2, "int8": 3, "int64": 7}
_FLOAT: Final = 1

Attribute = float | int | Sequence[int]


class Graph:
    """Steps in the order they were added. What a step or a constant is called is its handle."""

    def __init__(self) -> None:
        self._steps: list[bytes] = []
        self._constants: dict[str, bytes] = {}
        self._n_results = 0

    def constant(self, name: str, values: NDArray[Any] | np.generic) -> str:
        """A constant, written once however often it is asked for."""
        if name not in self._constants:
            self._constants[name] = _message(5, _tensor(name, np.asarray(values)))
        return name

    def step(self, operator: str, *inputs: str, **attributes: Attribute) -> str:
        """What an operator of ONNX's own makes of its inputs."""
        return self.steps(operator, inputs, attributes)[0]

    def steps(
        self,
        operator: str,
        inputs: Sequence[str],
        attributes: Mapping[str, Attribute],
        *,
        n_results: int = 1,
        domain: str = "",
    ) -> tuple[str, ...]:
        """`step` for an operator of many results, or one that a runtime brings along."""
        results = tuple(f"r{self._n_results + number}" for number in range(n_results))
        self._n_results += n_results
        parts = [*(_message(1, name) for name in inputs), *(_message(2, name) for name in results)]
        parts.append(_message(4, operator))
        parts += [_message(5, _attribute(name, value)) for name, value in attributes.items()]
        parts.append(_message(7, domain))
        self._steps.append(_message(1, b"".join(parts)))
        return results

    def written(self, given: str, shape: Sequence[str | int], asked: str, n_asked: int) -> bytes:
        """The whole as a model: from the floats `given`, of this shape, to those `asked` for.

        A size with a name may differ from run to run.
        """
        graph = [
            *self._steps,
            _message(2, "reader"),
            *self._constants.values(),
            _message(11, _value(given, shape)),
            _message(12, _value(asked, (n_asked,))),
        ]
        operators = [
            _message(8, _message(1, domain) + _number(2, version))
            for domain, version in _OPERATORS.items()
        ]
        return b"".join([_number(1, _FORMAT), _message(7, b"".join(graph)), *operators])


def _tensor(name: str, values: NDArray[Any]) -> bytes:
    sizes = b"".join(_number(1, size) for size in values.shape)
    kind = _number(2, _KINDS[values.dtype.name])
    return sizes + kind + _message(8, name) + _message(9, values.tobytes())


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, float):
        return _message(1, name) + _key(2, 5) + struct.pack("<f", value) + _number(20, 1)
    if isinstance(value, int):
        return _message(1, name) + _number(3, value) + _number(20, 2)
    return _message(1, name) + b"".join(_number(8, each) for each in value) + _number(20, 7)


def _value(name: str, shape: Sequence[str | int]) -> bytes:
    sizes = b"".join(
        _message(1, _number(1, size) if isinstance(size, int) else _message(2, size))
        for size in shape
    )
    return _message(1, name) + _message(2, _message(1, _number(1, _FLOAT) + _message(2, sizes)))


def _key(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _number(field: int, value: int) -> bytes:
    return _key(field, 0) + _varint(value)


def _message(field: int, content: bytes | str) -> bytes:
    """A message, bytes or text, with its length before it."""
    encoded = content.encode() if isinstance(content, str) else content
    return _key(field, 2) + _varint(len(encoded)) + encoded


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; a negative number as 64 bits."""
    value &= (1 << 64) - 1
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
