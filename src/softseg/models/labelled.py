"""The latent Markov model of labels: a segment is seen as one of several labels, right or wrong.

Generative model. Segments move as in `latent_markov`. In a period in which the customer is there,
one label w is seen, with probability D[k, w] in segment k, whatever was seen before. So the only
indicator is the label, and D its parameters: fixed numbers (classification errors that are known),
or with a prior for each row.
"""

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.likelihood.labels import label_names
from softseg.models.latent_markov import LatentMarkov, RowPrior, specify_markov
from softseg.models.mixture import specify
from softseg.names import ASSIGNED
from softseg.tables.schema import Frozen, IndicatorSchema, PriorSchema, Schema

PROBABILITY: Final = "probability"
STRONG: Final = 50.0
"""A prior of misclassification says something where a row is worth so many customers."""
ROW_SUM: Final = 1e-6
"""How far a row of a matrix may be off 1."""


def held(matrix: Array) -> RowPrior:
    """Return fixed rows, (segment, column)."""
    return RowPrior(np.ones(np.shape(matrix)), np.array(matrix, dtype=float))


def labelled(model: LatentMarkov, errors: RowPrior) -> LatentMarkov:
    """Return the same chain seen through labels.

    Parameters
    ----------
    model
        Its shares, transitions and covariates are kept; its indicators are not.
    errors
        Prior of D, or D itself, (segment, assigned).
    """
    schema = _schema(errors, model.schema.share)
    priors = specify(schema, model.n_segments).priors
    return replace(model, schema=schema, priors=priors, symmetric=False)


def specify_observed(
    n_segments: int, *, errors: Array | RowPrior | None = None, **options: Any
) -> LatentMarkov:
    """Return the model of states that somebody has written down.

    Parameters
    ----------
    n_segments
        Number of segments K; labels are numbered like them.
    errors
        Misclassification D[k, w] = P(w is written | k is true), (segment, assigned): a matrix; a
        prior whose rows are fixed or strong; None where what is written is true.
    options
        As in `specify_markov`: churns, alpha, fixed, profiles and covariates.

    Raises
    ------
    UsageError
        Where the matrix is none of probabilities, or where both transitions and misclassification
        are left free, which panels do not identify (Bolck, Croon and Hagenaars 2004).
    """
    prior = _prior(np.eye(n_segments) if errors is None else errors, n_segments)
    schema = _schema(prior, Schema.model_fields["share"].default)
    model = labelled(specify_markov(schema, n_segments, **options), prior)
    free = any(bool(np.isnan(extra.prior.fixed).any()) for extra in model.extras)
    weak = _weak_rows(prior)
    if free and len(weak):
        raise UsageError(
            "Fix the misclassification, or give each of its rows a strong prior: a panel cannot "
            "tell a move from a wrong label where transitions and misclassification are both free. "
            f"Expected rows of a prior worth at least {STRONG:g} customers, more than half of them "
            f"with the right label; got weaker ones for the segments {[int(k) + 1 for k in weak]}."
        )
    return model


def error_columns(model: LatentMarkov) -> int:
    """Return how many columns of theta hold D: the first ones, one per label."""
    return model.priors[ASSIGNED][PROBABILITY].fixed.shape[1]


def _prior(errors: Array | RowPrior, n_segments: int) -> RowPrior:
    prior = errors if isinstance(errors, RowPrior) else held(np.asarray(errors, dtype=float))
    shape = (n_segments, n_segments)
    if prior.fixed.shape != shape or prior.alpha.shape != shape:
        raise UsageError(
            "Give the misclassification one row per segment with one number per label: expected "
            f"the shape {shape}, got {prior.fixed.shape}."
        )
    rows = prior.fixed[~np.isnan(prior.fixed).all(axis=1)]
    good = (rows >= 0.0).all() and np.allclose(rows.sum(axis=1), 1.0, rtol=0.0, atol=ROW_SUM)
    if not good:
        raise UsageError(
            "Give each row of the misclassification as probabilities that sum to 1, got "
            f"{rows.tolist()}."
        )
    return prior


def _weak_rows(prior: RowPrior) -> NDArray[np.intp]:
    total, right = prior.alpha.sum(axis=1), np.diagonal(prior.alpha)
    says = (total >= STRONG) & (right > 0.5 * total)
    return np.flatnonzero(np.isnan(prior.fixed).any(axis=1) & ~says)


def _schema(errors: RowPrior, share: PriorSchema) -> Schema:
    """Return the schema of the one indicator, its coding and priors frozen."""
    levels = label_names(errors.fixed.shape[1])
    rows = [
        PriorSchema(distribution="Dirichlet", alpha=list(map(float, alpha)))  # pyright: ignore[reportCallIssue]
        if np.isnan(fixed).any()
        else PriorSchema(distribution="Fixed", value=list(map(float, fixed)))  # pyright: ignore[reportCallIssue]
        for alpha, fixed in zip(errors.alpha, errors.fixed, strict=True)
    ]
    even = PriorSchema(distribution="Dirichlet", alpha=[1.0] * len(levels))  # pyright: ignore[reportCallIssue]
    indicator = IndicatorSchema(
        family="categorical",
        levels=levels,
        priors={PROBABILITY: rows},
        frozen=Frozen(levels=levels, priors={PROBABILITY: even}),
    )
    return Schema(indicators={ASSIGNED: indicator}, share=share)
