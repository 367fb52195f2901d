"""When a programme has paid back.

Inside a year the calculation knows no dates. For the payback time, and only for it, all costs of a
year are due at its beginning and its benefit comes evenly through it. A programme that costs 145
and brings 1900 in its first year has then paid back after 145/1900 of the year. At the end of a
year the cumulative flow is the discounted one of every other answer, whatever the convention.
"""

from typing import NamedTuple

import numpy as np

from softseg.decisions.answers.estimates import (
    Table,
    atomic_quantiles,
    columns,
    estimate,
    mean,
)
from softseg.decisions.model.simulate import Outcome
from softseg.families.base import Array


class Payback(NamedTuple):
    """Payback times in years, each (replicate, draw).

    Attributes
    ----------
    first
        When the cumulative discounted net flow is for the first time back at 0 or above after
        having been below; 0 where it never is below, +inf where it is not back in the horizon.
    last
        When it is back for good, seen at the ends of the years; +inf where it ends below 0. It
        differs from `first` where flows change their sign more than once.
    """

    first: Array
    last: Array


def payback(outcome: Outcome) -> Payback:
    """Return the payback times of every draw."""
    return crossings(outcome.net, discounted_cost(outcome))


def discounted_cost(outcome: Outcome) -> Array:
    """Return the present value of the costs of each year, (replicate, draw, year)."""
    shape = outcome.net.shape[:0:-1]
    pairs = zip(outcome.flows, outcome.factors, strict=True)
    return np.stack([np.broadcast_to(d * f.cost, shape).T for f, d in pairs])


def crossings(net: Array, cost: Array) -> Payback:
    """Return the payback times of net flows and costs, both (…, year)."""
    before = np.zeros(net.shape[:-1])
    first, last = np.full(before.shape, np.inf), before
    ever_below = np.zeros(before.shape, dtype=bool)
    for year in range(net.shape[-1]):
        paid, after = before - cost[..., year], before + net[..., year]
        lasting = (before < 0.0) & (after >= 0.0)
        back = lasting | ((paid < 0.0) & (after >= 0.0))
        gained = after - paid
        inside = np.clip(-paid / np.where(back & (gained > 0.0), gained, np.inf), 0.0, 1.0)
        first = np.where(back & np.isinf(first), year + inside, first)
        last = np.where(lasting, year + inside, last)
        ever_below |= (paid < 0.0) | (after < 0.0)
        before = after
    first = np.where(ever_below, first, 0.0)
    return Payback(first, np.where(before < 0.0, np.inf, np.maximum(first, last)))


def payback_table(outcome: Outcome) -> Table:
    """Return quantiles of the payback time, and what there is beside them.

    ``payback`` and ``last_payback`` have +inf as an atom; ``payback_if_reached`` holds the
    quantiles of the draws that pay back. ``p_no_payback`` is the probability of the atom,
    ``p_payback_lost`` that of falling below 0 again after the first payback, and
    ``restricted_mean_payback`` the mean of the payback time or the horizon, whichever is shorter.
    """
    horizon = outcome.net.shape[-1]
    first, last = payback(outcome)
    found = {
        "payback": estimate(atomic_quantiles(), first),
        "last_payback": estimate(atomic_quantiles(), last),
        "payback_if_reached": estimate(lambda x: atomic_quantiles()(x[np.isfinite(x)]), first),
        "p_no_payback": estimate(mean, np.isinf(first)),
        "p_payback_lost": estimate(mean, last > first),
        "restricted_mean_payback": estimate(mean, np.minimum(first, horizon)),
    }
    table: Table = {}
    for name, one in found.items():
        table |= columns(name, one, *(("quantile",) if one.value.ndim else ()))
    return table
