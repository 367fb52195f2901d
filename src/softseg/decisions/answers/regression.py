"""What some variables say about an outcome, from draws that are already there.

E[Y | x] is a least-squares fit. Alone, a variable enters with its value and with a cubic spline of
its normal score. Together, variables enter with shorter splines and with the products of their
values two by two, because a cash flow is a sum of products. A variable with two values, such as
whether the programme works, is a switch: the others may have different effects on either side.

Only sums over the draws are kept (the Gram matrix), so that the fit on any subset of the variables
costs one small Cholesky factor and memory does not grow with the number of products.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from scipy.linalg import cho_factor, cho_solve
from scipy.special import ndtri

from softseg.decisions.model.timing import Array

FEW_LEVELS: Final = 12
"""Variables with at most so many values have a mean per value instead of a spline."""

REACH: Final = 3.0
"""Knots are evenly spaced between these normal scores."""

KNOTS_TOGETHER: Final = 3
PAIRED: Final = 14
"""At most so many variables, the strongest, have products with each other."""

RIDGE: Final = 1e-10
"""Relative to columns of length 1; keeps the Cholesky factor of collinear columns defined."""

ROUNDING: Final = 1e-12

BLOCK: Final = 4096
"""Rows of the design that are in memory at once."""


@dataclass(frozen=True)
class Design:
    """The columns of a regression.

    Attributes
    ----------
    main
        A constant, then the columns of each variable, (sample, main).
    left, right
        Columns of `main` that are multiplied with each other, (product,).
    switch
        Variable with two values that multiplies all columns once more, (sample,), or None; the
        last one where there are several.
    members
        Names of the variables that each column is made of.
    """

    main: Array
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    switch: Array | None
    members: tuple[frozenset[str], ...]

    def rows(self, which: slice | NDArray[np.intp]) -> Array:
        """Return some rows with all columns, (row, column)."""
        core = self.main[which]
        if len(self.left):
            core = np.hstack([core, core[:, self.left] * core[:, self.right]])
        if self.switch is not None:
            core = np.hstack([core, core * self.switch[which, None]])
        return core

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Go through all rows, a block at a time."""
        for start in range(0, len(self.main), BLOCK):
            which = slice(start, min(start + BLOCK, len(self.main)))
            yield which, self.rows(which)


def design(
    x: Mapping[str, Array],
    paired: Sequence[str] | None = None,
    n_knots: int = KNOTS_TOGETHER,
) -> Design:
    """Return the columns for a regression on variables.

    Parameters
    ----------
    x
        Draws by name, (sample,) each. Variables without spread have no columns.
    paired
        Names of the variables that have products with each other. None: all. The others explain
        little, and enter with their value alone.
    n_knots
        Inner knots of the splines.
    """
    n = len(next(iter(x.values())))
    found = {name: _columns(value, n_knots) for name, value in x.items()}
    if paired:
        found = {name: own if name in paired else own[:, :1] for name, own in found.items()}
    binary = [name for name, columns in found.items() if columns.shape[1] == 1]
    switch = found.pop(binary[-1])[:, 0] if binary else None
    columns, members, first = [np.ones((n, 1))], [frozenset[str]()], {}
    for name, own in found.items():
        if own.shape[1]:
            first[name] = len(members)
            columns.append(own)
            members += [frozenset({name})] * own.shape[1]
    products = [name for name in first if paired is None or name in paired]
    pairs = [(a, b) for i, a in enumerate(products) for b in products[i + 1 :]]
    members += [frozenset(pair) for pair in pairs]
    if switch is not None:
        members += [member | {binary[-1]} for member in members]
    places = np.array([(first[a], first[b]) for a, b in pairs], dtype=np.intp).reshape(-1, 2)
    main = np.hstack(columns)
    return Design(main, places[:, 0], places[:, 1], switch, tuple(members))


@dataclass(frozen=True)
class Moments:
    """Sums over the draws, from which every fit on a subset of the columns follows.

    Attributes
    ----------
    count
        Number of draws.
    gram
        Products of columns, (column, column).
    cross
        Products of columns and outcomes, (column, outcome).
    squares
        Squares of the outcomes, (outcome,).
    """

    count: float
    gram: Array
    cross: Array
    squares: Array

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            self.count + other.count,
            self.gram + other.gram,
            self.cross + other.cross,
            self.squares + other.squares,
        )

    def __sub__(self, other: "Moments") -> "Moments":
        return self + Moments(-other.count, -other.gram, -other.cross, -other.squares)

    @cached_property
    def scaled(self) -> tuple[Array, Array, Array]:
        """Return the lengths of the columns, and `gram` with ridge and `cross` for length 1."""
        length = np.sqrt(np.diag(self.gram))
        length = np.where(length > 0.0, length, 1.0)
        gram = self.gram / length / length[:, None]
        np.fill_diagonal(gram, 1.0 + RIDGE)
        return length, gram, self.cross / length[:, None]

    def explained(self, which: NDArray[np.intp], *, adjust: bool = True) -> Array:
        """Return the share of the variance that some columns explain, (outcome,).

        `which` holds column 0, the constant. With `adjust` less what chance fits.
        """
        _, gram, cross = self.scaled
        part = cross[which]
        factor = cho_factor(gram[np.ix_(which, which)], lower=True, check_finite=False)
        fitted = (part * cho_solve(factor, part, check_finite=False)).sum(axis=0)
        return self.share(fitted, len(which) if adjust else 1)

    def share(self, fitted: Array, n_columns: int | NDArray[np.intp] = 1) -> Array:
        """Return shares of variance from sums of squares of fits.

        With the number of columns the adjusted R²: the residual sum of squares counts per degree
        of freedom. That is right for independent draws, and too much for quasi-random ones.
        """
        _, _, cross = self.scaled
        whole = self.squares - cross[0] ** 2
        left = (self.squares - fitted) / np.where(whole > 0.0, whole, np.nan)
        return 1.0 - left * (self.count - 1.0) / np.maximum(self.count - n_columns, 1.0)


def moments(made: Design, y: Array, n_parts: int = 1) -> list[Moments]:
    """Return the sums over equal consecutive parts of the draws, such as replicates.

    Parameters
    ----------
    made
        Columns.
    y
        Outcomes, (sample, outcome); near mean 0, or precision is lost.
    n_parts
        Number of parts.
    """
    size = len(y) // n_parts
    found = []
    for part in range(n_parts):
        end = len(y) if part == n_parts - 1 else (part + 1) * size
        total: Moments | None = None
        for start in range(part * size, end, BLOCK):
            which = slice(start, min(start + BLOCK, end))
            rows, target = made.rows(which), y[which]
            new = Moments(len(rows), rows.T @ rows, rows.T @ target, (target**2).sum(axis=0))
            total = new if total is None else total + new
        if total is not None:
            found.append(total)
    return found


@dataclass(frozen=True)
class Fit:
    """A regression of outcomes on variables.

    Attributes
    ----------
    fitted
        E[Y | x] at every draw, (sample, outcome).
    explained
        Share of the variance, adjusted for the number of columns, (outcome,).
    covariance
        Of the coefficients of all outcomes, one outcome after the other; the residuals may have a
        different spread at every draw (White 1980, Econometrica 48, 817–838).
    design
        Columns.
    """

    fitted: Array
    explained: Array
    covariance: Array
    design: Design

    def deviations(self, rng: np.random.Generator, n: int, which: NDArray[np.intp]) -> Array:
        """Return by how much the fit would deviate in other draws, (resample, row, outcome)."""
        n_outcomes = self.fitted.shape[1]
        values, vectors = np.linalg.eigh(self.covariance)
        normal = rng.standard_normal((n, len(values))) * np.sqrt(np.maximum(values, 0.0))
        away = (normal @ vectors.T).reshape(n, n_outcomes, -1)
        return np.einsum("rc,soc->sro", self.design.rows(which), away, optimize=True)

    def error(self, which: NDArray[np.intp]) -> Array:
        """Return the standard error of the fit at some rows, (row, outcome)."""
        rows = self.design.rows(which)
        n = rows.shape[1]
        parts = [self.covariance[i : i + n, i : i + n] for i in range(0, len(self.covariance), n)]
        # Where a fit is exact, as where nothing works, rounding may leave less than 0.
        found = [np.maximum(((rows @ part) * rows).sum(axis=1), 0.0) for part in parts]
        return np.sqrt(np.stack(found, axis=1))


def regress(y: Array, x: Mapping[str, Array] | Array, n_knots: int | None = None) -> Fit:
    """Return the regression of outcomes on one variable or a set.

    Parameters
    ----------
    y
        Outcomes, (sample,) or (sample, outcome).
    x
        One variable, (sample,), or several by name.
    n_knots
        Inner knots of the splines. None: few for several variables; for one, as many as the draws
        bear.
    """
    outcomes = y[:, None] if y.ndim == 1 else y
    variables = x if isinstance(x, Mapping) else {"x": x}
    target, centre, scale = standardised(outcomes)
    if n_knots is None:
        n_knots = _knots(len(target)) if len(variables) == 1 else KNOTS_TOGETHER
    made = design(variables, strongest(target, variables), n_knots)
    (sums,) = moments(made, target)
    length, gram, cross = sums.scaled
    factor = cho_factor(gram, lower=True, check_finite=False)
    coefficients = cho_solve(factor, cross, check_finite=False) / length[:, None]
    fitted = np.concatenate([rows @ coefficients for _, rows in made.blocks()])
    bread = cho_solve(factor, np.eye(len(gram)), check_finite=False) / length / length[:, None]
    covariance = _covariance(made, (target - fitted) * scale, bread)
    explained = sums.explained(np.arange(len(gram)))
    return Fit(fitted * scale + centre, explained, covariance, made)


def standardised(y: Array) -> tuple[Array, Array, Array]:
    """Return outcomes (sample, outcome) with mean 0 and spread 1, their means and their spreads.

    What differs by rounding only counts as without spread: it becomes 0, its spread 1.
    """
    centre, scale = y.mean(axis=0), y.std(axis=0)
    varies = scale > ROUNDING * np.abs(y).max(axis=0)
    scale = np.where(varies, scale, 1.0)
    return np.where(varies, (y - centre) / scale, 0.0), centre, scale


def strongest(y: Array, x: Mapping[str, Array], most: int = PAIRED) -> list[str] | None:
    """Return the names of the variables that explain most alone; None where all fit in.

    Parameters
    ----------
    y
        Outcomes of mean 0, (sample, outcome).
    x
        By name.
    most
        Number of variables to return.
    """
    if len(x) <= most:
        return None
    made = design(x, ())
    (sums,) = moments(made, y)
    names = np.array(list(x))
    strength = [sums.explained(columns_of(made, {name})).max() for name in names]
    return list(names[np.argsort(strength)[::-1][:most]])


def columns_of(made: Design, names: set[str] | frozenset[str]) -> NDArray[np.intp]:
    """Return the columns that some variables fill, the constant among them."""
    return np.array([i for i, member in enumerate(made.members) if member <= names], dtype=np.intp)


def _covariance(made: Design, residuals: Array, bread: Array) -> Array:
    n, n_outcomes = len(bread), residuals.shape[1]
    meat = np.zeros((n_outcomes, n, n_outcomes, n))
    for which, rows in made.blocks():
        scores = [rows * residual[:, None] for residual in residuals[which].T]
        for a in range(n_outcomes):
            for b in range(n_outcomes):
                meat[a, :, b] += scores[a].T @ scores[b]
    spread = np.einsum("ij,ajbk,kl->aibl", bread, meat, bread, optimize=True)
    free = len(residuals) / max(len(residuals) - n, 1)
    return spread.reshape(n_outcomes * n, n_outcomes * n) * free


def _knots(n: int) -> int:
    """Return the number of inner knots that so many draws can bear."""
    return int(np.clip(np.log2(max(n, 2)) - 7, 1, 9))


def _columns(x: Array, n_knots: int) -> Array:
    """Return the columns of one variable, (sample, column), the first its value; all mean 0."""
    order = np.argsort(x)
    ordered = x[order]
    new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    level = np.empty(len(x), dtype=np.intp)
    level[order] = np.cumsum(new) - 1
    counts = np.bincount(level)
    if len(counts) == 1:
        return np.empty((len(x), 0))
    if len(counts) <= FEW_LEVELS:
        curves = (level[:, None] == np.arange(1, len(counts) - 1)).astype(float)
    else:
        curves = _spline(ndtri((np.cumsum(counts) - 0.5 * counts) / len(x)), n_knots)[level]
    columns = np.column_stack([x, curves])
    columns -= columns.mean(axis=0)
    spread = columns.std(axis=0)
    return columns / np.where(spread > 0.0, spread, 1.0)


def _spline(score: Array, n_knots: int) -> Array:
    """Return a cubic B-spline basis less one column, which the constant stands for."""
    inner = np.linspace(-REACH, REACH, n_knots + 2)[1:-1]
    inner = inner[(inner > score[0]) & (inner < score[-1])]
    knots = np.concatenate([np.repeat(score[0], 4), inner, np.repeat(score[-1], 4)])
    return BSpline.design_matrix(score, knots, 3).toarray()[:, 1:]
