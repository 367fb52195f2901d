"""The kernel as one node of a PyTensor graph, with its gradient.

The node returns the log-likelihood and, from the same pass over the patterns, the expected
statistics. By Fisher's identity these are the gradient, so that differentiating the graph adds
no second pass. The patterns are inputs of the node, not part of it: as shared variables they
reach the compiled code through pointers, and the code that numba caches on disk serves every
table under the same frozen schema and number of segments; the numbers of the schema are part of it.
"""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_default_op_cache_key

from softseg.compiled import stamp
from softseg.likelihood.joined import Joined
from softseg.likelihood.kernel import expected_kernel
from softseg.likelihood.statistics import Statistics

N_WEIGHTS = 3
"""The first inputs, `start`, `weights` and `table`: those with a gradient."""

INPUT_TYPES = (
    pt.TensorType("float64", shape=(None,)),
    pt.TensorType("float64", shape=(None, None)),
    pt.TensorType("float64", shape=(None, None)),
    pt.TensorType("float64", shape=(None, None)),
    pt.TensorType("int32", shape=(None, None)),
    pt.TensorType("int64", shape=(None, None)),
    pt.TensorType("float64", shape=(None,)),
)


class MixtureLogLikelihood(Op):
    """Log-likelihood of a mixture without base measure, with its expected statistics.

    Inputs: `start` (segment,), `weights` (segment, column), `table` (segment, cell), and the
    patterns: `dense` (column, pattern) and `count` (pattern,) as in `Statistics`, with `codes` and
    `parts` as in `Joined` between them. Outputs: the log-likelihood, the expected sizes (segment,),
    the expected dense statistics (segment, column) and the expected table (segment, cell). Only the
    first output may be differentiated.
    """

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        """Return the node of these inputs, after a check of their types."""
        tensors: list[Any] = [
            wanted.filter_variable(pt.as_tensor(given))
            for wanted, given in zip(INPUT_TYPES, inputs, strict=True)
        ]
        weights = tensors[:N_WEIGHTS]
        outputs = [pt.dscalar(), *(variable.type() for variable in weights)]
        return Apply(self, tensors, outputs)

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: Any) -> None:
        """Run the kernel from Python, where the graph is not compiled by numba."""
        start, weights, table, dense, codes, parts, count = map(np.ascontiguousarray, inputs)
        log_lik, *expected = expected_kernel(
            dense, Joined(codes, parts), count, start, weights, table
        )
        by_dense, by_table, sizes = expected
        results = (np.asarray(log_lik), sizes, by_dense, by_table)
        for storage, result in zip(output_storage, results, strict=True):
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
        """Return the gradient: the expected statistics, times that of the log-likelihood."""
        upstream: Any = cotangents[0]
        gradient = [upstream * expected for expected in outputs[1:]]
        return [*gradient, *(disconnected_type() for _ in inputs[N_WEIGHTS:])]


mixture_log_likelihood = MixtureLogLikelihood()


@register_funcify_default_op_cache_key(MixtureLogLikelihood)
def _in_numba(op: MixtureLogLikelihood, node: Apply, **kwargs: Any) -> tuple[Any, int]:
    """Return the node in nopython mode, and the version under which its code is cached."""

    @numba_njit
    def mixture_log_likelihood(
        start, weights, table, dense, codes, parts, count
    ):  # pragma: no cover
        log_lik, by_dense, by_table, sizes = expected_kernel(
            np.ascontiguousarray(dense),
            Joined(np.ascontiguousarray(codes), np.ascontiguousarray(parts)),
            np.ascontiguousarray(count),
            np.ascontiguousarray(start),
            np.ascontiguousarray(weights),
            np.ascontiguousarray(table),
        )
        return np.asarray(log_lik), sizes, by_dense, by_table

    return mixture_log_likelihood, _version_of_kernel()


def log_likelihood(statistics: Statistics, start: Any, weights: Any, table: Any) -> Any:
    """Return the log-likelihood of a table as a PyTensor scalar, base measure included.

    Parameters
    ----------
    start, weights, table
        Tensors as in `MixtureLogLikelihood`.
    """
    patterns = {
        "dense": statistics.dense,
        "codes": statistics.joined.codes,
        "parts": statistics.joined.parts,
        "count": statistics.count,
    }
    make = pytensor.shared  # pyright: ignore[reportPrivateImportUsage]
    shared = [make(array, name, borrow=True) for name, array in patterns.items()]
    outputs: Any = mixture_log_likelihood(start, weights, table, *shared)
    return outputs[0] + float(statistics.count @ statistics.log_base)


@cache
def _version_of_kernel() -> int:
    """Return a number that changes with the kernel's source.

    The kernel is compiled into the cached code of every graph it stands in, which would otherwise
    outlive a change of the kernel.
    """
    sources = stamp(expected_kernel.py_func).encode() + Path(__file__).read_bytes()
    return int.from_bytes(sha256(sources).digest()[:8])
