"""Customers and periods given to one segment each, and how often that is wrong.

D[k, w] = P(given to w | in k) is, for one draw of a mixture with memberships r,

    D[k, w] = Σ_i r_ik 1(w_i = w) / Σ_i r_ik

over the rows i of the panel (Vermunt 2010, Political Analysis 18, 450–469, equation 8). What was
assigned is the same in all draws; the memberships, and with them D, differ.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from softseg.checks import one_of
from softseg.families.base import Array
from softseg.likelihood.histories import Histories, Whole
from softseg.likelihood.labels import labels_as_statistics
from softseg.likelihood.statistics import Statistics
from softseg.models.evaluator import Evaluator, in_threads
from softseg.models.mixture import Values

Rule = Literal["modal", "lot"]
RULES: Final = ("modal", "lot")
LEAST = 1e-12
"""No error is held for less likely: a segment that is almost empty has almost no memberships."""


@dataclass(frozen=True)
class Assigned:
    """A panel whose rows are given to one segment each.

    Attributes
    ----------
    statistics
        One pattern per label.
    histories
        Distinct histories of labels; gaps and churn as they were.
    count
        Customers and periods of each pattern of the panel by label, (pattern, assigned).
    """

    statistics: Statistics
    histories: Histories
    count: Array


def assign(
    statistics: Statistics,
    histories: Histories,
    values: Values,
    *,
    rule: Rule = "modal",
    rng: np.random.Generator | None = None,
) -> Assigned:
    """Return the panel with every row given to one segment.

    Parameters
    ----------
    statistics, histories
        The panel's.
    values
        Aligned draws of the mixture, leading axis (sample).
    rule
        ``"modal"``: to the segment with the largest mean membership. ``"lot"``: by lot, with the
        mean memberships as chances; counts of histories must be whole numbers.
    rng
        Draws the lots.

    Raises
    ------
    UsageError
        Where the rule is unknown.
    """
    one_of(rule, "the rule of assignment", RULES)
    membership = mean_membership(statistics, values)
    n_labels = membership.shape[1]
    whole = histories.whole()
    if rule == "modal":
        labels = membership.argmax(axis=1)[np.maximum(_patterns(whole, statistics), 0)]
    else:
        whole = whole.take(np.repeat(np.arange(len(whole.count)), whole.count.astype(np.int64)))
        whole = Whole(
            whole.codes, whole.profiles, whole.begins, np.ones(len(whole.count)), whole.length
        )
        chances = membership.cumsum(axis=1)[np.maximum(_patterns(whole, statistics), 0)]
        drawn = (rng or np.random.default_rng()).random(whole.codes.shape)
        labels = np.minimum((drawn[..., None] >= chances).sum(axis=-1), n_labels - 1)
    return _assigned(whole, labels, statistics, histories, n_labels)


def _patterns(whole: Whole, statistics: Statistics) -> NDArray[np.int64]:
    """Return the pattern of each step, −1 where it has none, (history, period)."""
    return np.where(whole.codes < statistics.n_patterns, whole.codes, -1)


def _assigned(
    whole: Whole,
    labels: NDArray[np.int64],
    statistics: Statistics,
    histories: Histories,
    n_labels: int,
) -> Assigned:
    patterns = _patterns(whole, statistics)
    seen, n = patterns >= 0, statistics.n_patterns
    times = np.broadcast_to(whole.count[:, None], patterns.shape)
    count = np.zeros((n, n_labels))
    np.add.at(count, (patterns[seen], labels[seen]), times[seen])
    signs = np.where(whole.codes >= n, whole.codes - n + n_labels, -1)
    codes = np.where(seen, labels, signs)
    relabelled = Whole(codes, whole.profiles, whole.begins, whole.count, whole.length)
    quiet = np.zeros(n_labels, dtype=bool)
    found = relabelled.histories(
        quiet, histories.n_churns, histories.n_profiles, histories.n_begins
    )
    return Assigned(labels_as_statistics(count.sum(axis=0)), found, count)


def mean_membership(statistics: Statistics, values: Values) -> Array:
    """Return the mean over draws of the memberships of every pattern, (pattern, segment)."""
    evaluator = Evaluator(statistics, values)
    blocks = list(evaluator.blocks())
    parts = in_threads(lambda block: evaluator.memberships(block).mean(axis=-1), blocks)
    return np.concatenate(list(parts))


def classification_errors(statistics: Statistics, values: Values, count: Array) -> Array:
    """Return how often a segment's rows are given to each segment, draw by draw.

    Parameters
    ----------
    statistics
        The panel's patterns.
    values
        Draws of the mixture with one leading axis (sample).
    count
        Customers and periods of each pattern by label, (pattern, assigned).

    Returns
    -------
    numpy.ndarray
        D (sample, segment, assigned), rows sum to 1.
    """
    evaluator = Evaluator(statistics, values)
    n_labels = count.shape[1]

    def summed(block: slice) -> Array:
        member = evaluator.memberships(block)
        return count[block].T @ member.reshape(len(member), -1)

    total = np.zeros((n_labels, evaluator.n_segments * evaluator.n_draws))
    for part in in_threads(summed, list(evaluator.blocks())):
        total += part
    total = total.reshape(n_labels, evaluator.n_segments, evaluator.n_draws)
    errors = np.moveaxis(total, (0, 1, 2), (2, 1, 0)) + LEAST
    return errors / errors.sum(axis=-1, keepdims=True)
