"""The kernel for histories as one node of a PyTensor graph, with its gradient: the twin of `op`.

The expected statistics come from the same pass as the log-likelihood and are its gradient by
Fisher's identity. Patterns and histories are inputs of the node, shared variables in a graph, so
that the code that numba caches on disk serves every panel under the same frozen schema.
"""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from numba import njit
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_default_op_cache_key

from softseg.compiled import CACHED, stamp
from softseg.likelihood.histories import Histories, Steps
from softseg.likelihood.joined import Joined
from softseg.likelihood.markov import (
    Sequences,
    emission_kernel,
    expected_of,
    gather_members,
    sequences_of,
)
from softseg.likelihood.statistics import Statistics

N_WEIGHTS = 5
"""The first inputs, `start`, `weights`, `table`, `log_begin` and `moves`: those with a gradient."""

VECTOR, MATRIX, CUBE = (None,), (None, None), (None, None, None)
INPUT_TYPES = tuple(
    pt.TensorType(dtype, shape=shape)
    for dtype, shape in (
        ("float64", VECTOR), ("float64", MATRIX), ("float64", MATRIX), ("float64", MATRIX),
        ("float64", CUBE),
        ("float64", MATRIX), ("int32", MATRIX), ("int64", MATRIX), ("float64", VECTOR),
        ("float64", VECTOR), ("int64", VECTOR),
        ("int32", VECTOR), ("int32", VECTOR), ("int64", VECTOR), ("int64", VECTOR),
        ("int32", VECTOR), ("float64", VECTOR),
    )
)  # fmt: skip


@njit(**CACHED)
def histories_kernel(sequences, start, weights, table, log_begin, moves):  # pragma: no cover
    """Log-likelihood without base and its gradient by the five weights."""
    n_states = moves.shape[1]
    density, top = emission_kernel(
        sequences.dense, sequences.joined, start, weights, table, sequences.quiet,
        sequences.log_base, n_states,
    )  # fmt: skip
    begin = np.zeros((log_begin.shape[0], n_states))
    begin[:, : log_begin.shape[1]] = np.exp(log_begin)
    log_lik, members, begun, crossed = expected_of(sequences.steps, density, begin, moves)
    for p in range(len(top)):
        log_lik += sequences.times[p] * top[p]
    by_dense, by_table, sizes = gather_members(
        sequences.dense, sequences.joined, members, n_states, weights, table
    )
    return log_lik, sizes, by_dense, by_table, begun[:, : log_begin.shape[1]].copy(), crossed


class MarkovLogLikelihood(Op):
    """Log-likelihood of histories without base measure, with its gradient.

    Inputs: `start` (segment,), the constant part of each segment without shares, `weights`
    (segment, column) and `table` (segment, cell) as in `MixtureLogLikelihood`; `log_begin`
    (beginning, segment), the logs of the shares; `moves` (profile, state, state_to); then the
    arrays of a `Sequences` one by one. Outputs: the log-likelihood, and its derivatives by the
    first five inputs in their shapes: expected sizes, dense statistics, table, customers that
    begin, and customers that cross over each transition, divided by it. Only the first output may
    be differentiated.
    """

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        """Return the node of these inputs, after a check of their types."""
        tensors: list[Any] = [
            wanted.filter_variable(pt.as_tensor(given))
            for wanted, given in zip(INPUT_TYPES, inputs, strict=True)
        ]
        outputs = [pt.dscalar(), *(variable.type() for variable in tensors[:N_WEIGHTS])]
        return Apply(self, tensors, outputs)

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: Any) -> None:
        """Run the kernel from Python, where the graph is not compiled by numba."""
        arrays = [np.ascontiguousarray(given) for given in inputs]
        log_lik, *gradient = histories_kernel(_sequences(arrays[N_WEIGHTS:]), *arrays[:N_WEIGHTS])
        for storage, result in zip(output_storage, (np.asarray(log_lik), *gradient), strict=True):
            storage[0] = result

    def infer_shape(self, node: Apply, shapes: Sequence[Any]) -> list[Any]:
        """Return the shapes of the outputs: those of the inputs they are the gradient of."""
        return [(), *shapes[:N_WEIGHTS]]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Return which outputs have a gradient: the log-likelihood, and by weights only."""
        n_outputs = len(node.outputs)
        return [[i < N_WEIGHTS] + [False] * (n_outputs - 1) for i in range(len(node.inputs))]

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        """Return the gradient: the other outputs, times that of the log-likelihood."""
        upstream: Any = cotangents[0]
        gradient = [upstream * expected for expected in outputs[1:]]
        return [*gradient, *(disconnected_type() for _ in inputs[N_WEIGHTS:])]


markov_log_likelihood = MarkovLogLikelihood()


@register_funcify_default_op_cache_key(MarkovLogLikelihood)
def _in_numba(op: MarkovLogLikelihood, node: Apply, **kwargs: Any) -> tuple[Any, int]:
    """Return the node in nopython mode, and the version under which its code is cached."""

    @numba_njit
    def markov_log_likelihood(
        start, weights, table, log_begin, moves, dense, codes, parts, times, log_base, quiet,
        step_codes, profiles, rows, blocks, begins, count,
    ):  # fmt: skip  # pragma: no cover
        log_lik, sizes, by_dense, by_table, begun, crossed = histories_kernel(
            Sequences(
                np.ascontiguousarray(dense),
                Joined(np.ascontiguousarray(codes), np.ascontiguousarray(parts)),
                np.ascontiguousarray(times),
                np.ascontiguousarray(log_base),
                np.ascontiguousarray(quiet),
                Steps(
                    np.ascontiguousarray(step_codes),
                    np.ascontiguousarray(profiles),
                    np.ascontiguousarray(rows),
                    np.ascontiguousarray(blocks),
                    np.ascontiguousarray(begins),
                    np.ascontiguousarray(count),
                ),
            ),
            np.ascontiguousarray(start),
            np.ascontiguousarray(weights),
            np.ascontiguousarray(table),
            np.ascontiguousarray(log_begin),
            np.ascontiguousarray(moves),
        )
        return np.asarray(log_lik), sizes, by_dense, by_table, begun, crossed

    return markov_log_likelihood, _version_of_kernel()


def _sequences(arrays: Sequence[Any]) -> Sequences:
    """Return patterns and histories from the arrays that `_arrays` gives."""
    dense, codes, parts, times, log_base, quiet, *steps = arrays
    return Sequences(dense, Joined(codes, parts), times, log_base, quiet, Steps(*steps))


def _arrays(sequences: Sequences) -> dict[str, Any]:
    """Return patterns and histories as named arrays, in the order of the node's inputs."""
    s = sequences
    steps = {f"step_{name}": array for name, array in s.steps._asdict().items()}
    return {
        "dense": s.dense, **s.joined._asdict(), "count": s.times, "log_base": s.log_base,
        "quiet": s.quiet, **steps,
    }  # fmt: skip


def log_likelihood(
    statistics: Statistics,
    histories: Histories,
    start: Any,
    weights: Any,
    table: Any,
    log_begin: Any,
    moves: Any,
) -> Any:
    """Return the log-likelihood of a panel as a PyTensor scalar, base measure included.

    Parameters
    ----------
    start, weights, table, log_begin, moves
        Tensors as in `MarkovLogLikelihood`.
    """
    make = pytensor.shared  # pyright: ignore[reportPrivateImportUsage]
    arrays = _arrays(sequences_of(statistics, histories))
    shared = [make(array, name, borrow=True) for name, array in arrays.items()]
    outputs: Any = markov_log_likelihood(start, weights, table, log_begin, moves, *shared)
    return outputs[0] + float(statistics.count @ statistics.log_base)


@cache
def _version_of_kernel() -> int:
    """Return a number that changes with the kernel's source, as in `op`."""
    sources = stamp(histories_kernel.py_func).encode() + Path(__file__).read_bytes()
    return int.from_bytes(sha256(sources).digest()[:8])
