"""How inputs move together: the correlation matrix of their normal scores, and what is wrong in it.

Latent factors come first: inputs i and j, which load on factors with the correlation matrix C, have
the correlation l_i' C l_j. Single rank correlations (Spearman) come second and replace what the
factors say of a pair; the normal scores of a Gaussian copula then have the correlation
r = 2 sin(π ρ / 6) (Kruskal 1958). Numbers given pair by pair need not fit together. Where they do
not, the nearest matrix that is a correlation matrix takes their place (Higham 2002, IMA Journal of
Numerical Analysis 22, 329–343), and every pair that moved is reported.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from softseg.decisions.inputs.ranges import marginal
from softseg.decisions.inputs.schema import Assumptions, Dependence, Factor
from softseg.errors import SchemaError
from softseg.families.base import Array
from softseg.wording import number, percent, say

SMALLEST_EIGENVALUE: Final = 1e-8
"""Below this a matrix has no usable Cholesky factor and is repaired."""

REPORTED: Final = 0.005
"""Changes of a rank correlation by more than this are reported."""

IMPOSSIBLE: Final = 0.2
"""Changes by more than this say that the correlations contradict each other."""

ROUNDING: Final = 1e-9

type Fault = tuple[str, dict[str, str], str | None, str | None]
"""Key in the catalogue, values, id of the input where one is meant, field as a dotted path."""


@dataclass(frozen=True)
class Matrix:
    """Correlations of the normal scores of inputs.

    Attributes
    ----------
    names
        Ids in the order of the rows.
    matrix
        Positive definite, ones on the diagonal.
    changes
        Pairs that had to move so that all fit together: ids, rank correlation asked and got.
    """

    names: tuple[str, ...]
    matrix: Array
    changes: tuple[tuple[str, str, float, float], ...]


def related(assumptions: Assumptions) -> tuple[str, ...]:
    """Return the ids of the inputs that a factor or a correlation names, in the file's order."""
    dependence = assumptions.dependence
    named = {name for factor in dependence.factors.values() for name in factor.loads}
    named |= {name for pair in dependence.correlations for name in pair.between}
    return tuple(name for name in assumptions.inputs if name in named)


def original(assumptions: Assumptions, name: str) -> str:
    """Return the id of the input that an input is a copy of (`same_as`), its own where it is none.

    Raises
    ------
    SchemaError
        Where the copies lead to nothing, or round in a circle.
    """
    way = [name]
    while (source := assumptions.inputs[way[-1]].same_as) is not None:
        if source not in assumptions.inputs or source in way:
            values = {"input": way[-1], "original": source}
            raise SchemaError(say("dependence.copy_of_nothing", assumptions.language, **values))
        way.append(source)
    return way[-1]


def correlation_matrix(assumptions: Assumptions, names: Sequence[str]) -> Matrix:
    """Return the correlations of the normal scores of some inputs, repaired where needed.

    Parameters
    ----------
    assumptions
        With dependence that has no faults.
    names
        Ids of the inputs; what the file says of others is left out.
    """
    asked = _asked(assumptions.dependence, names)
    if len(names) == 0 or np.linalg.eigvalsh(asked)[0] >= SMALLEST_EIGENVALUE:
        return Matrix(tuple(names), asked, ())
    got = nearest_correlation(asked)
    ranks = zip(rank_of(asked), rank_of(got), strict=True)
    changes = [
        (names[i], names[j], float(before[j]), float(after[j]))
        for i, (before, after) in enumerate(ranks)
        for j in range(i + 1, len(names))
        if abs(after[j] - before[j]) > REPORTED
    ]
    return Matrix(tuple(names), got, tuple(changes))


def score_correlation(rank: float) -> float:
    """Return the correlation of normal scores that gives a rank correlation (Spearman)."""
    return float(2.0 * np.sin(np.pi * rank / 6.0))


def rank_of(correlation: Array) -> Array:
    """Return the rank correlations (Spearman) that correlations of normal scores give."""
    return 6.0 / np.pi * np.arcsin(np.clip(correlation, -1.0, 1.0) / 2.0)


def nearest_correlation(matrix: Array, most: int = 2000) -> Array:
    """Return the positive definite correlation matrix nearest to a symmetric one (Frobenius).

    Alternating projections on the matrices without small eigenvalues and on those with ones on
    the diagonal; Dykstra's correction makes them end at the nearest one (Higham 2002, algorithm
    3.3).

    Parameters
    ----------
    matrix
        Symmetric.
    most
        Bound on the number of steps.
    """
    unit, correction = matrix.copy(), np.zeros_like(matrix)
    for _ in range(most):
        before = unit
        definite = _definite(before - correction)
        correction += definite - before
        unit = definite.copy()
        np.fill_diagonal(unit, 1.0)
        if np.abs(unit - before).max() < ROUNDING:
            break
    definite = _definite(unit)
    scale = 1.0 / np.sqrt(np.diag(definite))
    found = definite * scale * scale[:, None]
    np.fill_diagonal(found, 1.0)
    return found


def dependence_faults(assumptions: Assumptions) -> list[Fault]:
    """Return everything that is wrong in the dependence of the inputs.

    Whether the correlations fit together is told once nothing else is wrong.
    """
    found = [
        *_factor_faults(assumptions),
        *_pair_faults(assumptions),
        *_input_faults(assumptions),
    ]
    return found or list(_impossible(assumptions))


def _asked(dependence: Dependence, names: Sequence[str]) -> Array:
    loads = np.array(
        [[factor.loads.get(name, 0.0) for factor in dependence.factors.values()] for name in names]
    ).reshape(len(names), len(dependence.factors))
    asked = loads @ _between_factors(dependence.factors) @ loads.T
    place = {name: i for i, name in enumerate(names)}
    for pair in dependence.correlations:
        first, second = pair.between
        if first in place and second in place:
            asked[place[first], place[second]] = score_correlation(pair.rank)
            asked[place[second], place[first]] = score_correlation(pair.rank)
    np.fill_diagonal(asked, 1.0)
    return asked


def _between_factors(factors: dict[str, Factor]) -> Array:
    """Return the correlations of the factors, each told at either of the two."""
    place = {name: i for i, name in enumerate(factors)}
    found = np.eye(len(factors))
    for name, factor in factors.items():
        for other, correlation in factor.factors.items():
            if other in place:
                found[place[name], place[other]] = correlation
                found[place[other], place[name]] = correlation
    return found


def _definite(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, SMALLEST_EIGENVALUE)) @ vectors.T


def _factor_faults(assumptions: Assumptions) -> Iterator[Fault]:
    factors = assumptions.dependence.factors
    for name, factor in factors.items():
        path = f"dependence.factors.{name}"
        for entry in factor.loads:
            if entry not in assumptions.inputs:
                values = {"factor": name, "input": entry}
                yield "dependence.load_unknown", values, None, f"{path}.loads.{entry}"
        for other, correlation in factor.factors.items():
            values, field = {"factor": name, "other": other}, f"{path}.factors.{other}"
            if other not in factors:
                yield "dependence.factor_unknown", values, None, field
            elif other == name:
                yield "dependence.factor_itself", values, None, field
            elif factors[other].factors.get(name, correlation) != correlation and name > other:
                yield "dependence.factor_twice", values, None, field


def _pair_faults(assumptions: Assumptions) -> Iterator[Fault]:
    told: dict[frozenset[str], float] = {}
    for i, pair in enumerate(assumptions.dependence.correlations):
        first, second = pair.between
        path = f"dependence.correlations.{i}"
        for name in dict.fromkeys(pair.between):
            if name not in assumptions.inputs:
                values = {"first": first, "second": second, "input": name}
                yield "dependence.pair_unknown", values, None, f"{path}.between"
        if first == second:
            yield "dependence.pair_itself", {"input": first}, None, f"{path}.between"
        before = told.setdefault(frozenset(pair.between), pair.rank)
        if before != pair.rank:
            values = {
                "first": first,
                "second": second,
                "before": number(before, assumptions.language),
                "again": number(pair.rank, assumptions.language),
            }
            yield "dependence.pair_twice", values, None, f"{path}.rank"


def _input_faults(assumptions: Assumptions) -> Iterator[Fault]:
    """Yield the inputs that cannot move together with others, or that load too much."""
    factors = assumptions.dependence.factors
    between = _between_factors(factors)
    for name in related(assumptions):
        entry, path = assumptions.inputs[name], _path(assumptions.dependence, name)
        if entry.same_as is not None:
            yield "dependence.copy", {"input": name, "original": entry.same_as}, name, path
        elif entry.sample_set is not None:
            yield "dependence.sample_set", {"input": name, "set": entry.sample_set}, name, path
        elif _has_no_spread(assumptions, name):
            yield "dependence.no_spread", {"input": name}, name, path
        loads = np.array([factor.loads.get(name, 0.0) for factor in factors.values()])
        communality = float(loads @ between @ loads)
        if communality > 1.0 + ROUNDING:
            values = {"input": name, "share": percent(communality, assumptions.language)}
            yield "dependence.communality", values, name, path


def _has_no_spread(assumptions: Assumptions, name: str) -> bool:
    try:
        return marginal(assumptions.inputs[name]).is_point
    except SchemaError:  # a fault of the range, which is told with the ranges
        return False


def _path(dependence: Dependence, name: str) -> str:
    """Return the first place at which the dependence names an input."""
    for factor, entry in dependence.factors.items():
        if name in entry.loads:
            return f"dependence.factors.{factor}.loads.{name}"
    pairs = dependence.correlations
    return f"dependence.correlations.{next(i for i, p in enumerate(pairs) if name in p.between)}"


def _impossible(assumptions: Assumptions) -> Iterator[Fault]:
    changes = correlation_matrix(assumptions, related(assumptions)).changes
    if not changes:
        return
    first, second, asked, got = max(changes, key=lambda change: abs(change[3] - change[2]))
    if abs(got - asked) > IMPOSSIBLE:
        values = {
            "first": first,
            "second": second,
            "asked": number(asked, assumptions.language, 2),
            "got": number(got, assumptions.language, 2),
        }
        yield "dependence.impossible", values, None, "dependence"
