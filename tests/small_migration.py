"""A small panel, fitted once, for the tests of states, estimator and command line."""

from functools import cache
from typing import Any

import numpy as np

from softseg.estimators import SegmentMigration
from softseg.inference.markov.fit import MarkovFit, fit_markov, lay_out, model_for
from softseg.models.mixture import Values
from softseg.results.migration.assemble import state_names
from softseg.results.migration.states import States, states_of
from softseg.tables.panel.panel import Panel
from softseg.tables.panel.prepare import prepare_panel
from softseg.tables.panel.synthetic import SyntheticPanel, synthetic_panel

QUICK = {"n_draws": 300, "n_tune": 100, "n_starts": 4}


@cache
def small_synthetic(churn: str = "observed") -> SyntheticPanel:
    """Return 150 customers over 12 months."""
    return synthetic_panel(5, 150, 12, churn)  # pyright: ignore[reportArgumentType]


@cache
def small_panel(churn: str = "observed") -> Panel:
    """Return them as a checked panel."""
    found = small_synthetic(churn)
    return prepare_panel(found.frame, found.schema)


@cache
def small_fit(churn: str = "observed") -> MarkovFit:
    """Return the fit of three segments."""
    return fit_markov(small_panel(churn), 3, seed=1, cores=1, **QUICK)


def small_states(churn: str = "observed", n_draws: int = 8) -> States:
    """Return the customers' states under a few draws."""
    fit = small_fit(churn)
    values = fit.draws.values.flattened().at(slice(None, None, 100))
    names = state_names(fit.panel.schema, fit.model)
    return states_of(fit.model, fit.layout, fit.panel, values.at(slice(0, n_draws)), names)


def prior_states(panel: Panel, n_segments: int, n_draws: int = 3) -> States:
    """Return the customers' states under draws of the prior, which take no fit."""
    layout = lay_out(panel)
    model = model_for(panel, layout, n_segments)
    rng = np.random.default_rng(1)
    drawn = [model.draw_prior(rng) for _ in range(n_draws)]
    indicators = {
        group: {name: np.stack([d.indicators[group][name] for d in drawn]) for name in named}
        for group, named in drawn[0].indicators.items()
    }
    values = Values(np.stack([d.share for d in drawn]), indicators)
    return states_of(model, layout, panel, values, state_names(panel.schema, model))


@cache
def small_model() -> SegmentMigration:
    """Return the fitted estimator."""
    found = small_synthetic()
    more: dict[str, Any] = QUICK
    return SegmentMigration(found.schema, 3, cores=1, **more).fit(found.frame)
