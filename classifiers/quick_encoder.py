"""The reader's network on whole numbers, by ONNX Runtime: a third of the time of `encoder`, and a
quarter of the memory.

Owns the network as a graph, and how exactly it counts. A text is read alone, so what it is
answered cannot depend on its batch.

The weights stay the whole numbers of 8 bits that the file holds. What comes in is written as two
whole numbers of 7 bits, a coarse and a fine one, each row by its own largest value: 13 bits and
the sign. Both are multiplied in one product, whose sums are exact. 7 bits, because processors
without VNNI add two products in 16 bits: 2 x 127 x 127 fits, 2 x 255 x 127 would not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifiers.encoder import Embeddings
from classifiers.onnx_graph import Graph

F32 = NDArray[np.float32]

#: Rows are divided so that they reach this; shifted by the middle they are of 7 bits, unsigned.
_REACH: Final = 63
_MIDDLE: Final = 64
#: The coarse number leaves at most a half either way, which the fine one tells to this part.
_FINE: Final = 2 * _REACH
_EPSILON: Final = 1e-12
#: Operators that ONNX Runtime adds to the standard's.
_ADDED: Final = "com.microsoft"


class NoRuntimeError(Exception):
    """ONNX Runtime is not there, or cannot run this graph; count in floats."""


class QuickEncoder:
    """The network of a reader's arrays (reader_file.layout), ready to run in any thread."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], heads: int) -> None:
        """Compile the network; what is laid out of `arrays` is copied.

        Raises:
            NoRuntimeError: see there.
        """
        self._embeddings = Embeddings(arrays["nibbles"], arrays["nibble_scales"])
        self._positions = arrays["positions"].astype(np.float32)
        try:
            self._session = _session(_Writing(arrays, heads).network())
        except OSError as error:
            raise NoRuntimeError(f"no room for a temporary file: {error}") from error

    def logits(self, pieces: Sequence[int]) -> F32:
        """What the network says of one text: one logit a topic."""
        rows = self._embeddings.of(pieces) + self._positions[: len(pieces)]
        return np.asarray(self._session.run(None, {"rows": rows})[0], dtype=np.float32)


def _session(model: bytes) -> Any:
    """ONNX Runtime with the model: one thread, the caller's, and no memory kept in hand."""
    try:
        import onnxruntime
    except ImportError as error:
        raise NoRuntimeError(str(error)) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory(prefix="wirebell-") as directory:
        path = Path(directory) / "reader.onnx"  # what it is given as bytes it keeps for good
        path.write_bytes(model)
        try:
            return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its classes stand in its insides
            raise NoRuntimeError(str(error)) from error


class _Writing:
    """A reader's network on its way into a graph."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], heads: int) -> None:
        self._arrays, self._heads = arrays, heads
        self._graph = graph = Graph()
        self._one = graph.constant("one", np.float32(1))
        self._tiny = graph.constant("tiny", np.float32(_EPSILON))
        self._reach = graph.constant("reach", np.float32(_REACH))
        self._unit = graph.constant("unit", np.float32(1 / _REACH))
        self._fine = graph.constant("fine", np.float32(_FINE))
        self._fine_unit = graph.constant("fine_unit", np.float32(1 / _FINE))
        self._middle = graph.constant("middle", np.uint8(_MIDDLE))
        self._first = graph.constant("first", np.array([0], dtype=np.int64))

    def network(self) -> bytes:
        """All of it, as a model from "rows" to logits."""
        graph, arrays = self._graph, self._arrays
        n_layers, width = arrays["attend"].shape[:2]
        rows = self._normalized("rows", "first_norm", arrays["first_norm"])
        for layer in range(n_layers):
            mixed = self._biased(
                self._product(self._attended(rows, layer), "mix", layer), "mix", layer
            )
            rows = graph.step("Add", rows, mixed)
            rows = self._normalized(rows, f"mix_norm{layer}", arrays["mix_norm"][layer])
            bias = self._bias("widen", layer)
            wide = self._added("FastGelu", self._product(rows, "widen", layer), bias)
            told = self._biased(self._product(wide, "narrow", layer), "narrow", layer)
            rows = graph.step("Add", rows, told)
            rows = self._normalized(rows, f"narrow_norm{layer}", arrays["narrow_norm"][layer])
        mean = graph.step("ReduceMean", rows, axes=[0], keepdims=0)
        answer = graph.step("MatMul", mean, graph.constant("answer", arrays["answer"]))
        answer = graph.step("Add", answer, graph.constant("answer_bias", arrays["answer_bias"]))
        return graph.written("rows", ("n", width), answer, arrays["answer"].shape[1])

    def _product(self, rows: str, name: str, layer: int) -> str:
        """Rows times a matrix of whole numbers."""
        graph = self._graph
        largest = graph.step("ReduceMax", graph.step("Abs", rows), axes=[1], keepdims=1)
        largest = graph.step("Max", largest, self._tiny)
        coarse = graph.step("Mul", rows, graph.step("Div", self._reach, largest))
        left = graph.step("Sub", coarse, graph.step("Round", coarse))
        fine = graph.step("Mul", left, self._fine)
        both = graph.step("Concat", coarse, fine, axis=0)
        whole = graph.step("QuantizeLinear", both, self._one, self._middle)
        weights = graph.constant(f"{name}{layer}", self._arrays[name][layer])
        scales = graph.constant(f"{name}_scales{layer}", self._arrays[f"{name}_scales"][layer])
        sums = self._added("MatMulIntegerToFloat", whole, weights, self._one, scales, self._middle)
        coarse, fine = graph.steps("Split", [sums], {"axis": 0}, n_results=2)
        exact = graph.step("Add", coarse, graph.step("Mul", fine, self._fine_unit))
        return graph.step("Mul", exact, graph.step("Mul", largest, self._unit))

    def _attended(self, rows: str, layer: int) -> str:
        """Each piece's mixture of all pieces, by as many heads as there are."""
        graph = self._graph
        one_text = graph.step("Unsqueeze", self._product(rows, "attend", layer), self._first)
        parts = graph.steps("Split", [one_text], {"axis": 2}, n_results=3)
        (mixed,) = graph.steps(
            "MultiHeadAttention",
            [*parts, self._bias("attend", layer)],
            {"num_heads": self._heads},
            domain=_ADDED,
        )
        return graph.step("Squeeze", mixed, self._first)

    def _normalized(self, rows: str, name: str, norm: F32) -> str:
        """Each row to mean 0 and variance 1, then scaled and shifted."""
        scale = self._graph.constant(f"{name}_scale", norm[0])
        shift = self._graph.constant(f"{name}_shift", norm[1])
        return self._graph.step("LayerNormalization", rows, scale, shift, axis=-1, epsilon=_EPSILON)

    def _bias(self, name: str, layer: int) -> str:
        return self._graph.constant(f"{name}_bias{layer}", self._arrays[f"{name}_bias"][layer])

    def _biased(self, rows: str, name: str, layer: int) -> str:
        return self._graph.step("Add", rows, self._bias(name, layer))

    def _added(self, operator: str, *inputs: str) -> str:
        """What an operator that ONNX Runtime adds makes of its inputs."""
        return self._graph.steps(operator, inputs, {}, domain=_ADDED)[0]
