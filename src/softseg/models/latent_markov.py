"""The latent Markov model without a sampler: a mixture whose customers move and leave.

Generative model. In the first period of its history customer i is in segment z_i1 ~
Categorical(π). From period to period it moves: z_i,t+1 | z_it = j ~ Categorical(A_j), where state
S = K + 1, if there is one, is churned and never left: A_S = (0, …, 0, 1). In every period in which
the customer is there, its indicators are independent given the segment and follow their families
with the segment's parameters, the same in all periods. A period without cells contributes nothing,
which is not the same as staying. The states are summed out.

Rows of A are Dirichlet, with a prior that expects customers to stay, or, with covariates x of the
step, A_jk = softmax_k(Σ_c x_c β_jck), with β_jcj = 0: a multinomial logit whose reference is to
stay. With covariates w of the beginning, π_k = softmax_k(Σ_c w_c γ_kc).

A `LatentMarkov` is a `Mixture` with these parameters as extras, so that whatever reads a mixture's
priors, coordinates and steps reads it too. `Chain` says, as plain numbers, where they stand in
theta; `chain_of` makes shares and matrices of them, `chain_slopes` takes a gradient back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import NamedTuple, Self

import numpy as np
from numba import njit

from softseg.compiled import CACHED
from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.models.chain_priors import LogitPrior, RowPrior
from softseg.models.mixture import Extra, Mixture, specify
from softseg.names import INITIAL, TRANSITION
from softseg.tables.schema import Schema

STAY, STRENGTH = 0.8, 20.0
"""The default prior of a row: expected share that stays, and how many customers it is worth."""
LOGIT_SD, SLOPE_SD = 1.5, 1.0
"""Prior sds of the constants and the slopes of multinomial logits, per sd of a covariate."""


class Chain(NamedTuple):
    """Where the parameters of the chain stand in theta, for compiled code.

    Attributes
    ----------
    n_states
        Segments, and churned where customers churn.
    first
        First column of the transitions.
    design
        Covariates of each transition matrix, a constant first, (profile, covariate); no columns
        where the rows themselves are the parameters, profile after profile.
    begin
        First column of the coefficients of the beginning, −1 where the shares are the parameters.
    begin_design
        Covariates of the beginnings, a constant first, (beginning, covariate).
    """

    n_states: int
    first: int
    design: Array
    begin: int
    begin_design: Array


@dataclass(frozen=True)
class LatentMarkov(Mixture):
    """A mixture with transitions, for a given schema and number of segments.

    Attributes
    ----------
    churns
        Whether there is the state churned.
    symmetric
        Whether the priors of transitions and beginnings treat all segments alike.
    design, begin_design
        As in `Chain`.
    profiles
        Names of the transition matrices.
    """

    churns: bool = True
    symmetric: bool = True
    design: Array = field(default_factory=lambda: np.zeros((1, 0)))
    begin_design: Array = field(default_factory=lambda: np.zeros((1, 0)))
    profiles: tuple[str, ...] = ("all",)

    @property
    def n_states(self) -> int:
        """Number of states: the segments, and churned where there is churn."""
        return self.n_segments + self.churns

    @property
    def exchangeable(self) -> bool:
        """Whether the segments' labels carry no meaning."""
        return self.symmetric and (super().exchangeable or self._alike_but_share())

    def _alike_but_share(self) -> bool:
        """Return whether only the shares, which covariates replace, are fixed."""
        same = all(p.exchangeable for group in self.priors.values() for p in group.values())
        return same and self.begin_design.shape[1] > 0

    @property
    def n_parameters(self) -> int:
        """Number of free parameters; one segment's coefficients of the beginning are redundant."""
        return super().n_parameters - self.begin_design.shape[1]

    @property
    def logit(self) -> bool:
        """Whether covariates explain where customers begin or move."""
        return self.design.shape[1] > 0 or self.begin_design.shape[1] > 0

    def not_updatable(self) -> list[str]:
        """Return what has no Gibbs update: indicators by their priors, and covariates."""
        return super().not_updatable() + (["covariates"] if self.logit else [])

    def chain(self, n_columns: int) -> Chain:
        """Return where the chain's parameters stand after a number of columns of indicators."""
        width = self.begin_design.shape[1]
        begin = n_columns if width else -1
        first = n_columns + width
        return Chain(self.n_states, first, self.design, begin, self.begin_design)

    @classmethod
    def of(cls, mixture: Mixture, extras: Sequence[Extra], **more: object) -> Self:
        """Return a mixture with a chain."""
        kept = {each.name: getattr(mixture, each.name) for each in fields(Mixture)}
        return cls(**(kept | {"extras": tuple(extras)}), **more)  # pyright: ignore[reportArgumentType]


def sticky(n_segments: int, churns: bool, stay: float = STAY, strength: float = STRENGTH) -> Array:
    """Return the concentrations of rows that expect customers to stay, (segment, state).

    What does not stay is spread evenly over the other states.

    Parameters
    ----------
    stay
        Expected share that stays in its segment from one period to the next, inside (0, 1).
    strength
        How many customers the prior is worth, above 0.

    Raises
    ------
    UsageError
        Where a number is out of its range.
    """
    if not 0.0 < stay < 1.0:
        raise UsageError(f"Give the expected share that stays inside (0, 1), got {stay}.")
    if not strength > 0.0:
        raise UsageError(f"Give the prior of transitions a strength above 0, got {strength}.")
    n_states = n_segments + churns
    others = max(n_states - 1, 1)
    alpha = np.full((n_segments, n_states), strength * (1.0 - stay) / others)
    alpha[np.arange(n_segments), np.arange(n_segments)] = strength * stay
    return alpha if n_states > 1 else np.ones((1, 1))


def prior_lifetime(alpha: Array) -> Array:
    """Return the periods until churn that rows with these mean shares imply, (segment,)."""
    rows = alpha / alpha.sum(axis=1, keepdims=True)
    inner = rows[:, : len(rows)]
    return np.linalg.solve(np.eye(len(rows)) - inner, np.ones(len(rows)))


def specify_markov(
    schema: Schema,
    n_segments: int,
    *,
    churns: bool = True,
    alpha: Array | None = None,
    fixed: Array | None = None,
    profiles: Sequence[str] = ("all",),
    design: Array | None = None,
    covariates: Sequence[str] = (),
    begin_design: Array | None = None,
    begin_covariates: Sequence[str] = (),
) -> LatentMarkov:
    """Return the latent Markov model of a frozen schema.

    Parameters
    ----------
    alpha
        Concentrations of the rows of transitions, (segment, state); `sticky` ones by default. With
        covariates they place the prior of the constants.
    fixed
        Fixed rows, NaN where estimated, (segment, state).
    profiles
        Names of the transition matrices, for instance one per period. Without covariates each has
        parameters of its own.
    design
        Standardised covariates of each matrix without a constant, (profile, covariate).
    covariates
        Their names.
    begin_design, begin_covariates
        The same for the first period, (beginning, covariate).

    Raises
    ------
    UsageError
        Where rows do not have one number per state, concentrations are not above 0, fixed rows are
        not whole or stand beside covariates, or covariates do not fit their names and matrices.
    """
    mixture = specify(schema, n_segments)
    n_states = n_segments + churns
    shape = (n_segments, n_states)
    alpha = sticky(n_segments, churns) if alpha is None else np.asarray(alpha, dtype=float)
    fixed = np.full(shape, np.nan) if fixed is None else np.asarray(fixed, dtype=float)
    _check_rows(alpha, fixed, shape)
    if design is not None:
        if not np.isnan(fixed).all():
            raise UsageError("Leave covariates of transitions away where rows are fixed: got both.")
        _check_design(design, covariates, len(profiles))
    if begin_design is not None:
        _check_design(begin_design, begin_covariates, len(begin_design))
    free = fixed if n_states > 1 else np.ones((1, 1))
    extras: list[Extra] = []
    whole_begin = np.zeros((1, 0))
    if begin_design is not None:
        whole_begin = _with_constant(begin_design)
        mixture = _without_shares(mixture)
        nothing = np.full((n_segments, 1), np.nan)
        for i, name in enumerate(("constant", *begin_covariates)):
            sd = LOGIT_SD if i == 0 else SLOPE_SD
            prior = LogitPrior(np.zeros((n_segments, 1)), sd, nothing)
            extras.append(Extra(INITIAL, name, "real", prior))
    whole = np.zeros((len(profiles), 0))
    if design is None:
        rows = RowPrior(alpha, free)
        extras += [Extra(TRANSITION, name, "simplex", rows) for name in profiles]
    else:
        whole = _with_constant(design)
        stay = np.full(shape, np.nan)
        stay[np.arange(n_segments), np.arange(n_segments)] = 0.0
        centre = np.log(alpha) - np.log(np.diagonal(alpha))[:, None]
        for i, name in enumerate(("constant", *covariates)):
            mean, sd = (centre, LOGIT_SD) if i == 0 else (np.zeros(shape), SLOPE_SD)
            extras.append(Extra(TRANSITION, name, "real", LogitPrior(mean, sd, stay)))
    return LatentMarkov.of(
        mixture,
        extras,
        churns=churns,
        symmetric=bool(_equivariant(alpha) and np.isnan(fixed).all()),
        design=whole,
        begin_design=whole_begin,
        profiles=tuple(profiles),
    )


def _check_rows(alpha: Array, fixed: Array, shape: tuple[int, int]) -> None:
    for name, rows in (("concentrations", alpha), ("fixed rows", fixed)):
        if rows.shape != shape:
            raise UsageError(
                f"Give the transitions one row of {name} per segment with one number per state: "
                f"expected the shape {shape}, got {rows.shape}."
            )
    if not np.all(alpha > 0.0):
        raise UsageError(f"Give the transitions concentrations above 0, got {alpha.min()}.")
    for row in fixed[~np.isnan(fixed).all(axis=1)]:
        if not (np.all(row >= 0.0) and np.isclose(row.sum(), 1.0)):
            raise UsageError(
                "Give a fixed row of transitions whole, or NaN in all its states: expected shares "
                f"that add up to 1, got {row.tolist()}."
            )


def _check_design(design: Array, names: Sequence[str], n_rows: int) -> None:
    expected, got = (n_rows, len(names)), np.shape(design)
    if got != expected:
        raise UsageError(
            "Give the covariates one row per transition matrix or beginning and one column per "
            f"name: expected the shape {expected}, got {got}."
        )
    if not np.all(np.isfinite(design)):
        raise UsageError("Give covariates without gaps: expected finite numbers, got others.")


def _with_constant(design: Array) -> Array:
    design = np.asarray(design, dtype=float)
    return np.ascontiguousarray(np.concatenate([np.ones((len(design), 1)), design], axis=1))


def _without_shares(mixture: Mixture) -> Mixture:
    """Return the mixture with shares that are not parameters: coefficients take their place."""
    even = np.full(mixture.n_segments, 1.0 / mixture.n_segments)
    return replace(mixture, fixed_share=even)


def _equivariant(alpha: Array) -> bool:
    """Return whether permuting segments changes no concentration."""
    k = len(alpha)
    stay = np.diagonal(alpha)
    off = alpha[:, :k][~np.eye(k, dtype=bool)]
    return all(np.ptp(part) == 0.0 for part in (stay, off, alpha[:, k:]) if part.size)


@njit(**CACHED)
def chain_of(chain, share, theta):  # pragma: no cover
    """Initial shares (beginning, state) and transitions (profile, state, state_to)."""
    n_segments, n_states = len(share), chain.n_states
    begin = np.zeros((chain.begin_design.shape[0], n_states))
    for b in range(begin.shape[0]):
        if chain.begin < 0:
            begin[b, :n_segments] = share
        else:
            for k in range(n_segments):
                for c in range(chain.begin_design.shape[1]):
                    begin[b, k] += chain.begin_design[b, c] * theta[k, chain.begin + c]
            softmax(begin[b, :n_segments])
    n_profiles, n_covariates = chain.design.shape
    moves = np.zeros((n_profiles, n_states, n_states))
    for p in range(n_profiles):
        for j in range(n_segments):
            row = moves[p, j]
            if n_covariates == 0:
                at = chain.first + p * n_states
                row[:] = theta[j, at : at + n_states]
            else:
                for c in range(n_covariates):
                    at = chain.first + c * n_states
                    for s in range(n_states):
                        row[s] += chain.design[p, c] * theta[j, at + s]
                softmax(row)
        if n_states > n_segments:
            moves[p, n_segments, n_segments] = 1.0
    return begin, moves


@njit(**CACHED)
def softmax(row):  # pragma: no cover
    """Turn logits into probabilities in place."""
    row -= row.max()
    row[:] = np.exp(row)
    row /= row.sum()


@njit(**CACHED)
def chain_slopes(chain, begin, moves, begun, crossed, slopes, sizes):  # pragma: no cover
    """Write the gradient by theta, and into `sizes` that by the log shares.

    `begun` (beginning, state) are expected customers; `crossed` (profile, state, state_to) is the
    gradient by the entries of the transitions.
    """
    n_segments, n_states = len(sizes), chain.n_states
    for k in range(n_segments):
        sizes[k] = begun[:, k].sum() if chain.begin < 0 else 0.0
    if chain.begin >= 0:
        for b in range(begun.shape[0]):
            total = begun[b].sum()
            for k in range(n_segments):
                beyond = begun[b, k] - total * begin[b, k]
                for c in range(chain.begin_design.shape[1]):
                    slopes[k, chain.begin + c] += chain.begin_design[b, c] * beyond
    n_covariates = chain.design.shape[1]
    for p in range(crossed.shape[0]):
        for j in range(n_segments):
            if n_covariates == 0:
                at = chain.first + p * n_states
                for s in range(n_states):
                    slopes[j, at + s] += crossed[p, j, s]
                continue
            total = 0.0
            for s in range(n_states):
                total += crossed[p, j, s] * moves[p, j, s]
            for s in range(n_states):
                beyond = moves[p, j, s] * (crossed[p, j, s] - total)
                for c in range(n_covariates):
                    slopes[j, chain.first + c * n_states + s] += chain.design[p, c] * beyond
