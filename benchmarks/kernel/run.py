"""Time the passes of the kernel on one core, beside what the core can do at best.

``python -m benchmarks.kernel.run`` prints the tables of docs/benchmarks/kernel.md. Times are CPU
seconds, the best of several repetitions, because the machine may be shared.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import numpy as np
from numba import njit

from benchmarks.inference.problem import state
from softseg.families.base import Array
from softseg.families.namespace import NUMPY
from softseg.likelihood import block, kernel
from softseg.likelihood.statistics import Statistics

KINDS: Final = ("categorical", "mixed")
CASES: Final = tuple(f"{kind}:{n}" for n in (1000, 10_000, 100_000) for kind in KINDS)
REPEATS: Final = 7
SECONDS: Final = 0.05
"""Least duration of one repetition."""

EXPONENTIAL: Final = 34
"""Operations per pattern and segment: the polynomial, largest, total, weighing, size."""
LOGARITHM: Final = 26
"""Operations per pattern: the polynomial, its sum, the weight."""

STAGES: Final = ("look-ups", "look-ups and columns", "exponential", "logarithm", "sums")


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=CASES, help="kind:customers")
    given = parser.parse_args()
    best = dgemm()
    print(f"\ndgemm {best:.1f} GFLOP/s, reading {bandwidth():.1f} GB/s\n")
    print("\n".join(passes(given.cases, best)), end="\n\n")
    print("\n".join(stages(given.cases)))


def timed(work: Callable[[], object]) -> float:
    """Return CPU seconds of one call."""
    work()
    calls, best = 1, np.inf
    for _ in range(REPEATS):
        taken = 0.0
        while taken < SECONDS:
            begun = time.process_time()
            for _ in range(calls):
                work()
            taken = time.process_time() - begun
            if taken < SECONDS:
                calls *= 2
        best = min(best, taken / calls)
    return best


def dgemm(n: int = 768) -> float:
    """Return GFLOP/s of a product of square matrices."""
    a, b = np.random.default_rng(1).random((2, n, n))
    out = np.empty((n, n))
    return 2e-9 * n**3 / timed(lambda: np.matmul(a, b, out=out))


def bandwidth(n: int = 2**24) -> float:
    """Return GB/s at which a sum reads an array that no cache holds."""
    x = np.ones(n)
    return 8e-9 * n / timed(lambda: _sum(x))


@njit(fastmath=True)
def _sum(x):
    total = 0.0
    for value in x:
        total += value
    return total


def passes(cases: Sequence[str], best: float) -> Iterator[str]:
    """Give the table of whole passes, line by line."""
    yield "| data, patterns | gradient, µs | likelihood | draw | GFLOP/s | of dgemm | GB/s |"
    yield "|---|---|---|---|---|---|---|"
    for case in cases:
        s, weights = _inputs(case)
        rng = np.random.default_rng(1)
        data = (s.dense, s.joined, s.count, *weights)
        gradient = timed(lambda data=data: kernel.expected_kernel(*data))
        likelihood = timed(lambda data=data: kernel.likelihood_kernel(*data))
        draw = timed(lambda data=data, rng=rng: kernel.sampled_kernel(*data, rng))
        k, columns, codes = len(weights[0]), len(s.dense), len(s.joined.codes)
        operations = k * (4 * columns + 2 * codes + EXPONENTIAL) + LOGARITHM
        numbers = 8 * columns + 4 * codes + 8
        flops = 1e-9 * s.n_patterns * operations / gradient
        rate = 1e-9 * s.n_patterns * numbers / gradient
        times = " | ".join(f"{1e6 * t:.0f}" for t in (gradient, likelihood, draw))
        rates = f"{flops:.1f} | {flops / best:.0%} | {rate:.1f}"
        yield f"| {case}, {s.n_patterns} | {times} | {rates} |"


def stages(cases: Sequence[str]) -> Iterator[str]:
    """Give the table of the stages of a pass, ns per pattern."""
    yield f"| ns per pattern | {' | '.join(STAGES)} | tables, µs per pass |"
    yield "|---" * (len(STAGES) + 2) + "|"
    for case in cases:
        s, (start, weights, table) = _inputs(case)
        k = len(start)
        ready = block.ready(s.joined, start, weights, table)
        sums = block.nothing(ready[1], ready[2])
        arrays = (s.dense, s.joined.codes, s.count, *ready, block.room(k), sums, k)
        times = [timed(lambda i=i, arrays=arrays: _stage(i, *arrays)) for i in range(len(STAGES))]
        made = timed(lambda s=s, a=(start, weights, table), t=sums: _tables(s.joined, *a, t))
        shown = " | ".join(f"{1e9 * t / s.n_patterns:.2f}" for t in times)
        yield f"| {case} | {shown} | {1e6 * made:.1f} |"


def _inputs(case: str) -> tuple[Statistics, tuple[Array, Array, Array]]:
    """Return the patterns of a case with start, weights and table of its true parameters."""
    kind, n = case.split(":")
    problem = state(kind, int(n), 1)
    s, truth = problem.statistics(), problem.truth
    weights = s.layout.weights(truth.indicators, NUMPY)
    start = kernel.start_of(weights, truth.share)
    return s, (start, np.ascontiguousarray(weights.dense), np.ascontiguousarray(weights.table))


@njit(error_model="numpy")
def _stage(which, dense, codes, count, start, weights, tables, room, sums, k):
    """Run one stage for all patterns; what the stages hand on is finite whatever it is."""
    joint, largest, total = room
    joint[:] = 1.0
    for first in range(0, len(count), block.BLOCK):
        n = min(block.BLOCK, len(count) - first)
        if which == 0:
            block.fill_codes(codes, start, tables, first, n, joint)
        elif which == 1:
            block.fill(dense, codes, start, weights, tables, first, n, joint)
        elif which == 2:
            block.normalise(k, n, joint, largest, total)
        elif which == 3:
            total[:] = 2.0
            block.log_densities(count, first, n, largest, total)
        else:
            block.gather(dense, codes, k, first, n, joint, sums)


@njit(error_model="numpy")
def _tables(joined, start, weights, table, sums):
    """Make the joint tables of a pass and take their sums apart."""
    block.ready(joined, start, weights, table)
    return block.unpadded(joined, sums, table)


if __name__ == "__main__":
    main()
