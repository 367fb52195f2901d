"""Which methods serve a model, and in which order ``"auto"`` tries them."""

from typing import Final, Literal

from softseg.errors import UsageError
from softseg.families.namespace import NUMPY
from softseg.inference.criteria import entropy_r2
from softseg.inference.search import Search, whole_counts
from softseg.likelihood.kernel import memberships
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Mixture
from softseg.models.plan import compilable

Method = Literal["auto", "laplace", "gibbs", "nuts"]
METHODS: Final = ("auto", "laplace", "gibbs", "nuts")
Reason = tuple[str, dict[str, str]]

SEPARATED = 0.8
"""Entropy R² at the best mode from which Gibbs sampling mixes well."""


def allowed(
    method: Method, mixture: Mixture, statistics: Statistics
) -> list[tuple[str, Reason]] | None:
    """Return the method that was asked for with its reason, None for ``"auto"``.

    Raises
    ------
    UsageError
        Where it does not serve the model.
    """
    if method not in METHODS:
        raise UsageError(f"Choose a method out of {list(METHODS)}, got {method!r}.")
    stuck = mixture.not_updatable()
    if method == "gibbs" and stuck:
        raise UsageError(
            f"Use method='nuts' or 'auto': Gibbs sampling needs priors with an update, and those "
            f"of {stuck} have none."
        )
    if method == "gibbs" and not whole_counts(statistics.count):
        raise UsageError(
            "Use method='nuts' or 'auto': Gibbs sampling needs whole-number counts, and the "
            "weights are not."
        )
    if method == "laplace" and not compilable(mixture):
        raise UsageError(
            "Use method='gibbs', 'nuts' or 'auto': importance sampling needs families with a "
            "compiled form, and not all of the schema's have one."
        )
    return None if method == "auto" else [(method, ("method.asked", {}))]


def candidates(mixture: Mixture, statistics: Statistics, found: Search) -> list[tuple[str, Reason]]:
    """Return the methods that ``"auto"`` tries in turn, each with its reason."""
    order: list[tuple[str, Reason]] = []
    if compilable(mixture) and mixture.n_parameters:
        order.append(("laplace", ("method.laplace", {})))
    stuck = mixture.not_updatable()
    if stuck:
        return [*order, ("nuts", ("method.no_update", {"indicators": ", ".join(stuck)}))]
    if not whole_counts(statistics.count):
        return [*order, ("nuts", ("method.weights", {}))]
    if (
        mixture.n_segments == 1
        or not mixture.n_parameters
        or _separation(statistics, found) >= SEPARATED
    ):
        order.append(("gibbs", ("method.separated", {})))
    return [*order, ("nuts", ("method.overlap", {}))] if mixture.n_parameters else order


def _separation(statistics: Statistics, found: Search) -> float:
    """Return the entropy R² at the best mode."""
    values = found.modes.best.values
    weights = statistics.layout.weights(values.indicators, NUMPY)
    return entropy_r2(memberships(statistics, weights, values.share)[0], statistics.count)
