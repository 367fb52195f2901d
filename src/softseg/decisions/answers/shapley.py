"""Shapley effects: what each input contributes to the variance, also where inputs move together.

With the closed index V(u) = Var E[Y | x_u] / Var Y of a set of inputs, the Shapley effect of an
input is the mean of V(u + i) − V(u) over all orders in which the inputs may become known (Owen &
Prieur 2017, SIAM/ASA J. Uncertainty Quantification 5, 986–1002). The effects add up to 1, and an
input without an effect of its own has a share where it moves together with one that has.

V is estimated from given draws by regression (Broto, Bachoc & Depecker 2020, ibid. 8, 693–716, for
given draws; Song, Nelson & Staum 2016, ibid. 4, 1060–1083, for random orders). All sets of one
order are nested, so that one Cholesky factor of the Gram matrix, its columns sorted by the input
that completes them, gives V of all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from softseg.decisions.answers.regression import (
    Design,
    Moments,
    columns_of,
    design,
    moments,
    standardised,
    strongest,
)
from softseg.decisions.model.timing import Array

EXACT: Final = 10
"""Up to so many players every set is evaluated."""

VISIBLE: Final = 1e-3
"""Share of the variance below which, alone and beside all others, an input joins the remainder."""

OTHER: Final = "other"
JACKKNIFE_ORDERS: Final = 8
"""Orders on which the error over replicates is computed, unless all sets are fewer."""


@dataclass(frozen=True)
class Effects:
    """Shares of the variance.

    Attributes
    ----------
    players
        Names of inputs or groups, in the order of the draws; last ``other`` where inputs without
        visible effect were put together.
    share
        Shapley effects, adding up to 1, (player, outcome).
    alone
        Share that the player explains alone, V(i), (player, outcome).
    last
        Share that only the player explains, 1 − V(all others), (player, outcome).
    error
        Standard error of the shares, over orders and over replicates, (player, outcome).
    covariance
        Over replicates, (outcome, player, player).
    unexplained
        Share of the variance that the regression on all inputs leaves, spread over the players in
        proportion, (outcome,).
    members
        Inputs of each player.
    n_orders
        Random orders used; 0: all orders.
    """

    players: tuple[str, ...]
    share: Array
    alone: Array
    last: Array
    error: Array
    covariance: Array
    unexplained: Array
    members: tuple[tuple[str, ...], ...]
    n_orders: int


def shapley_effects(
    y: Array,
    x: Mapping[str, Array],
    rng: np.random.Generator,
    *,
    groups: Mapping[str, str] | None = None,
    n_orders: int = 64,
    n_replicates: int = 1,
) -> Effects:
    """Return the Shapley effects of variables from given draws.

    Parameters
    ----------
    y
        Outcomes, (sample,) or (sample, outcome).
    x
        Variables by name, (sample,) each.
    rng
        Draws the orders.
    groups
        Name of the group of each variable; the groups are then the players.
    n_orders
        Random orders where there are more than `EXACT` players, each used forwards and backwards.
    n_replicates
        Equal consecutive parts of the draws that are independent of each other. With one part the
        error is NaN.
    """
    outcomes = y[:, None] if y.ndim == 1 else y
    centred, _, _ = standardised(outcomes)
    player_of = {name: name for name in x} if groups is None else dict(groups)
    made = design(x, strongest(centred, x))
    parts = moments(made, centred, n_replicates)
    whole = sum(parts[1:], parts[0])
    if len(set(player_of.values())) > EXACT:
        player_of = _screened(whole, made, player_of)
    game = _Game.of(made, player_of)
    return _effects(game, parts, whole, rng, n_orders)


@dataclass(frozen=True)
class _Game:
    """Who the players are, and which of them complete each column of the regression.

    `needs` (column, player) says whose variables a column is made of.
    """

    players: tuple[str, ...]
    members: tuple[tuple[str, ...], ...]
    needs: NDArray[np.bool_]

    @classmethod
    def of(cls, made: Design, player_of: Mapping[str, str]) -> "_Game":
        named = dict.fromkeys(player_of.values())
        players = tuple(sorted(named, key=lambda name: name == OTHER))
        members = tuple(
            tuple(name for name, player in player_of.items() if player == one) for one in players
        )
        needs = np.array(
            [[not column.isdisjoint(group) for group in members] for column in made.members]
        ).reshape(len(made.members), len(players))
        return cls(players, members, needs)

    def explained(self, sums: Moments, known: tuple[int, ...], *, adjust: bool = True) -> Array:
        """Return V of a set of players, (outcome,), with `adjust` less what chance fits."""
        unknown = np.ones(len(self.players), dtype=bool)
        unknown[list(known)] = False
        return sums.explained(np.flatnonzero(~self.needs[:, unknown].any(axis=1)), adjust=adjust)

    def exact(self, sums: Moments) -> Array:
        """Return the Shapley effects from all sets, (player, outcome)."""
        n = len(self.players)
        value = {
            known: self.explained(sums, known, adjust=False)
            for size in range(n + 1)
            for known in combinations(range(n), size)
        }
        effect = np.zeros((n, len(sums.squares)))
        for known, before in value.items():
            for player in set(range(n)) - set(known):
                weight = factorial(len(known)) * factorial(n - 1 - len(known)) / factorial(n)
                after = value[tuple(sorted((*known, player)))]
                effect[player] += weight * (after - before)
        return effect

    def in_order(self, sums: Moments, order: NDArray[np.intp]) -> Array:
        """Return what each player adds when they become known in an order, (player, outcome)."""
        place = np.empty(len(order), dtype=np.intp)
        place[order] = np.arange(len(order))
        entry = np.where(self.needs, place, -1).max(axis=1)
        columns = np.argsort(entry, kind="stable")
        _, gram, cross = sums.scaled
        lower = cholesky(
            gram[np.ix_(columns, columns)], lower=True, overwrite_a=True, check_finite=False
        )
        parts = solve_triangular(lower, cross[columns], lower=True, check_finite=False)
        fitted = np.cumsum(parts**2, axis=0)
        ends = np.searchsorted(entry[columns], np.arange(-1, len(order)), side="right")
        return np.diff(sums.share(fitted[ends - 1]), axis=0)[place]


def _effects(
    game: _Game, parts: list[Moments], whole: Moments, rng: np.random.Generator, n_orders: int
) -> Effects:
    n = len(game.players)
    pairs = _orders(n, n_orders, rng)
    if n <= EXACT:
        share, over_orders, used = game.exact(whole), 0.0, 0
    else:
        added = np.stack(
            [np.mean([game.in_order(whole, o) for o in pair], axis=0) for pair in pairs]
        )
        share, used = added.mean(axis=0), 2 * len(pairs)
        over_orders = added.std(axis=0, ddof=1) / np.sqrt(len(pairs)) / share.sum(axis=0)
    few = [order for pair in pairs[: JACKKNIFE_ORDERS // 2] for order in pair]
    bias, covariance = _jackknife(game, parts, whole, few)
    variance = np.einsum("opp->po", covariance)
    everyone = tuple(range(n))
    total = game.explained(whole, everyone)
    others = [tuple(i for i in everyone if i != player) for player in everyone]
    return Effects(
        players=game.players,
        share=share / share.sum(axis=0) - bias,
        alone=np.array([game.explained(whole, (player,)) for player in everyone]),
        last=total - np.array([game.explained(whole, rest) for rest in others]),
        error=np.sqrt(over_orders**2 + variance),
        covariance=covariance,
        unexplained=1.0 - total,
        members=game.members,
        n_orders=used,
    )


def _orders(n: int, n_orders: int, rng: np.random.Generator) -> list[tuple[NDArray[np.intp], ...]]:
    """Return random orders in pairs, each with its reverse, whose errors partly cancel."""
    forwards = [rng.permutation(n) for _ in range(max(n_orders // 2, 2))]
    return [(order, order[::-1]) for order in forwards]


def _jackknife(
    game: _Game, parts: list[Moments], whole: Moments, orders: list[NDArray[np.intp]]
) -> tuple[Array, Array]:
    """Return the bias (player, outcome) and the covariance (outcome, player, player) of the shares.

    Each replicate is left out once (Quenouille 1956, Biometrika 43, 353–360; Tukey 1958). The bias
    is what chance fits, and is taken off: the adjusted R² would take off too much, because
    quasi-random draws leave less to chance. Every run uses the same few orders, so that only the
    draws differ. With one replicate the bias is taken as 0 and the covariance is NaN.
    """
    few = 2 ** len(game.players) <= 2 * len(orders)

    def shares(sums: Moments) -> Array:
        if few:
            effect = game.exact(sums)
        else:
            effect = np.mean([game.in_order(sums, order) for order in orders], axis=0)
        return effect / effect.sum(axis=0)

    n, n_outcomes, n_parts = len(game.players), len(whole.squares), len(parts)
    if n_parts < 2:
        return np.zeros((n, n_outcomes)), np.full((n_outcomes, n, n), np.nan)
    left_out = np.stack([shares(whole - part) for part in parts])
    mean = left_out.mean(axis=0)
    away = left_out - mean
    covariance = (n_parts - 1) / n_parts * np.einsum("rpo,rqo->opq", away, away)
    return (n_parts - 1) * (mean - shares(whole)), covariance


def _screened(sums: Moments, made: Design, player_of: Mapping[str, str]) -> dict[str, str]:
    """Put players together that explain nothing visible, neither alone nor beside all others.

    Both are looked at: an input without an effect of its own has a share if it moves together with
    one that has, and an input that only works together with others explains nothing alone.
    """
    everything = frozenset(player_of)
    whole = sums.explained(columns_of(made, everything))
    found = {}
    for player in dict.fromkeys(player_of.values()):
        mine = {name for name, other in player_of.items() if other == player}
        alone = sums.explained(columns_of(made, mine))
        last = whole - sums.explained(columns_of(made, everything - mine))
        found[player] = bool((np.fmax(alone, last) > VISIBLE).any())
    hidden = [player for player, seen in found.items() if not seen]
    if len(hidden) < 2:
        return dict(player_of)
    return {name: OTHER if player in hidden else player for name, player in player_of.items()}
