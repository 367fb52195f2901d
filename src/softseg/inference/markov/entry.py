"""NUTS for latent Markov models through nutpie's native entry, with covariates or without.

The C function is compiled once and kept on disk; panel, schema and priors reach it as arrays, as in
`softseg.inference.entry`.
"""

from functools import cache
from typing import Any

import numpy as np
from numba import carray, cfunc  # pyright: ignore[reportPrivateImportUsage]

from softseg.compiled import ENTRY
from softseg.errors import UsageError
from softseg.inference.entry import (
    CODE_PARTS,
    CODES,
    COORDINATE,
    COUNT,
    DENSE,
    Native,
    integer_matrix,
    integers,
    plan_at,
    real_matrix,
    reals,
)
from softseg.inference.markov.space import MarkovSpace, posterior_kernel
from softseg.inference.native import (
    CENTRE,
    DENSITY,
    FACTOR,
    Density,
    judged,
    moved,
    obstacle,
    shape_at,
    turned,
)
from softseg.likelihood.histories import Steps
from softseg.likelihood.joined import Joined
from softseg.likelihood.markov import Sequences
from softseg.models.latent_markov import Chain

(
    LOG_BASE, QUIET, STEP_CODES, PROFILES, ROWS, BLOCKS, BEGINS, TIMES,
    PLACES, DESIGN, BEGIN_DESIGN,
) = range(COUNT + 1, COUNT + 12)  # fmt: skip
"""Places in the table of pointers after those of a mixture."""


def markov_engine(space: MarkovSpace) -> Native:
    """Return a latent Markov model's posterior behind the native entry.

    Raises
    ------
    UsageError
        Where nutpie is not the version whose entry is known.
    """
    if problem := obstacle():
        raise UsageError(f"Use method='gibbs' or 'laplace': {problem}.")
    s, chain = space.sequences, space.chain
    places = np.array([chain.n_states, chain.first, chain.begin], dtype=np.int64)
    arrays: tuple[Any, ...] = (
        *space.plan, space.coordinate, s.dense, *s.joined, s.times, s.log_base, s.quiet,
        *s.steps, places, chain.design, chain.begin_design,
    )  # fmt: skip
    ready = tuple(np.ascontiguousarray(np.atleast_1d(array)) for array in arrays)
    return Native(space, Density(entry(), ready, space.size))


@cache
def entry() -> Any:
    """Return the C function of `density`."""
    return cfunc(DENSITY, **ENTRY)(density)


def density(size, position, gradient, value, table):  # pragma: no cover
    """Write the log density at a position y and its gradient; return the status."""
    n = np.int64(size)
    factor = real_matrix(table, FACTOR)
    whole: Any = (n,)
    point, slope, out = np.empty(n), np.empty(n), carray(gradient, whole)
    moved(carray(position, whole), reals(table, CENTRE), factor, point)
    codes = carray(table[CODES], shape_at(table, CODES), np.int32)
    places = integers(table, PLACES)
    n_steps: Any = (shape_at(table, STEP_CODES)[0],)
    n_histories: Any = (shape_at(table, BEGINS)[0],)
    value[0] = posterior_kernel(
        point,
        slope,
        plan_at(table),
        integer_matrix(table, COORDINATE),
        Chain(
            places[0],
            places[1],
            real_matrix(table, DESIGN),
            places[2],
            real_matrix(table, BEGIN_DESIGN),
        ),
        Sequences(
            real_matrix(table, DENSE),
            Joined(codes, integer_matrix(table, CODE_PARTS)),
            reals(table, COUNT),
            reals(table, LOG_BASE),
            integers(table, QUIET),
            Steps(
                carray(table[STEP_CODES], n_steps, np.int32),
                carray(table[PROFILES], n_steps, np.int32),
                integers(table, ROWS),
                integers(table, BLOCKS),
                carray(table[BEGINS], n_histories, np.int32),
                reals(table, TIMES),
            ),
        ),
    )
    turned(slope, factor, out)
    return judged(value[0], out)
