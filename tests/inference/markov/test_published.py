"""Latent Markov models against published maximum-likelihood fits and a reference posterior.

A maximum-likelihood fit is a mode under priors whose density cancels the Jacobian of the
coordinates (Haldane's for probabilities, flat on the log scale for sds, wide normals for means and
coefficients): EM from many starts under their nearest proper relatives, then the gradient.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from oracles.reference_cases import ERRORS, distances, summary
from softseg.families.base import Array
from softseg.inference.markov.modes import Climber, alike, with_covariates
from softseg.inference.markov.sample import sample_markov
from softseg.inference.markov.space import MarkovSpace
from softseg.inference.threads import Stop
from softseg.likelihood.histories import Histories, histories_of
from softseg.likelihood.statistics import Statistics, reduce
from softseg.models.chain_priors import LogitPrior
from softseg.models.latent_markov import LatentMarkov, specify_markov
from softseg.models.mixture import Values
from softseg.priors import Prior
from softseg.tables.prepare import prepare
from softseg.tables.schema import IndicatorSchema, PriorSchema, Schema

Path_of = Callable[[str], Path]
NOTHING = 1e-9
"""Concentration of Haldane's prior."""
WIDE = 1e3
FLAT: dict[str, dict[str, Prior]] = {
    "gaussian": {
        "mean": Prior("Normal", mu=0.0, sigma=1e6),
        "sd": Prior("LogNormal", mu=0.0, sigma=1e6),
    },
    "categorical": {"probability": Prior("Dirichlet", alpha=NOTHING)},
    "bernoulli": {"probability": Prior("Beta", alpha=NOTHING, beta=NOTHING)},
}
PROPER = FLAT | {
    "gaussian": {
        "mean": Prior("Normal", mu=0.0, sigma=1e6),
        "sd": Prior("SqrtInverseGamma", alpha=0.1, beta=1e-4),
    }
}
"""The same for EM, whose M step of an sd knows one prior."""


def schema_of(
    families: dict[str, str], priors: dict[str, dict[str, Prior]], share: Sequence[float] | None
) -> Schema:
    entries = {
        name: IndicatorSchema(
            family=family, priors={key: PriorSchema.of(p) for key, p in priors[family].items()}
        )
        for name, family in families.items()
    }
    start = Prior("Dirichlet", alpha=NOTHING) if share is None else Prior("Fixed", value=share)
    return Schema(indicators=entries, share=PriorSchema.of(start))


class Panel:
    """Series of given lengths, one after the other in a frame, with a matrix for every step."""

    def __init__(
        self,
        frame: pd.DataFrame,
        families: dict[str, str],
        lengths: Sequence[int],
        design: Array | None = None,
    ) -> None:
        self.frame, self.families, self.design = frame[list(families)], families, design
        self.steps: dict[str, Any] = {
            "row": np.arange(len(frame)),
            "sign": np.zeros(len(frame), dtype=np.int64),
            "start": np.append(0, np.cumsum(lengths)),
            "churns": False,
        }
        if design is not None:
            self.steps["profile"] = np.arange(len(frame))

    def reduced(
        self, priors: dict[str, dict[str, Prior]], share: Sequence[float] | None
    ) -> tuple[Schema, Statistics, Histories]:
        table = prepare(self.frame, schema_of(self.families, priors, share))
        statistics = reduce(table)
        return table.schema, statistics, histories_of(statistics, **self.steps)

    def model(self, schema: Schema, k: int, covariates: bool) -> LatentMarkov:
        given: dict[str, Any] = {"churns": False, "alpha": np.full((k, k), NOTHING)}
        if not covariates:
            return specify_markov(schema, k, **given)
        assert self.design is not None
        given |= {"profiles": [str(i) for i in range(len(self.design))]}
        made = specify_markov(schema, k, **given, design=self.design, covariates=("x",))
        wide = [
            replace(e, prior=LogitPrior(np.zeros((k, k)), WIDE, e.prior.fixed)) for e in made.extras
        ]
        return replace(made, extras=tuple(wide))

    def maximum(
        self, k: int, *, n_starts: int, fixed_start: bool = True, seed: int = 1
    ) -> tuple[float, Values, LatentMarkov]:
        """Return the highest log-likelihood from some starts, its parameters, and the model."""
        share = [1.0] + [0.0] * (k - 1) if fixed_start else None
        schema, statistics, histories = self.reduced(PROPER, share)
        rng, found = np.random.default_rng(seed), []
        climber = Climber.on(self.model(schema, k, False), statistics, alike(histories))
        for _ in range(n_starts):
            values = climber.climb(climber.start(rng), 2000, 1e-7, Stop())
            found.append((climber.height(values), values))
        found.sort(key=lambda pair: -pair[0])
        schema, statistics, histories = self.reduced(FLAT, share)
        covariates = self.design is not None
        model = self.model(schema, k, covariates)
        space = MarkovSpace.on(model, statistics, histories)
        tops = []
        for _, values in found[:3]:
            begun = with_covariates(model, values) if covariates else values
            tops.append(highest(space, begun))
        return *max(tops, key=lambda pair: pair[0]), model


def highest(space: MarkovSpace, values: Values) -> tuple[float, Values]:
    """Return log-likelihood and parameters where the gradient leads, also towards an edge."""

    def negative(point: Array) -> tuple[float, Array]:
        height, gradient = space.log_posterior(point)
        return -height, -gradient

    point = space.point(space.inside(values))
    for _ in range(3):  # the memory of the last steps is not always a good one
        options = {"maxiter": 20_000, "maxfun": 20_000, "ftol": 1e-15, "gtol": 1e-9, "maxls": 50}
        point = minimize(negative, point, jac=True, method="L-BFGS-B", options=options).x
    return float(space.log_densities(point[None])[1][0]), space.values(point)


@pytest.fixture
def rlms(reference_data: Path_of) -> Panel:
    frame = pd.read_csv(reference_data("RLMSlong.csv")).sort_values(["id", "time"])
    frame = frame.assign(value=frame["value"].astype(str))
    return Panel(frame, {"value": "categorical"}, [7] * 1718)


# LMest 3.2.5, vignette; the digits beyond the second from a fit of the package to 1e-8
RLMS = [(1, -14943.73, 4), (2, -13921.09, 11), (3, -13557.20, 20), (4, -13392.93, 31)]


@pytest.mark.parametrize(("k", "log_likelihood", "n_parameters"), RLMS)
def test_satisfaction_meets_lmest(
    rlms: Panel, k: int, log_likelihood: float, n_parameters: int
) -> None:
    """EM under flat Dirichlet priors, whose mode is the maximum-likelihood estimate."""
    flat = {"categorical": {"probability": Prior("Dirichlet", alpha=1.0)}}
    schema, statistics, histories = rlms.reduced(flat, None)
    model = specify_markov(schema, k, churns=False, alpha=np.ones((k, k)))
    model = replace(model, share=np.ones(k))
    climber, rng = Climber.on(model, statistics, histories), np.random.default_rng(1)
    starts = [climber.start(rng) for _ in range(2 * k)]
    ends = [climber.climb(values, 2000, 1e-5, Stop()) for values in starts]
    best = climber.climb(max(ends, key=climber.height), 5000, 1e-8, Stop())
    found = climber.height(best) + float(statistics.count @ statistics.log_base)
    assert round(found, 2) == log_likelihood
    assert model.n_parameters == n_parameters
    if k == 4:
        order = np.argsort(-best.share)
        best = best.permuted(order)
        np.testing.assert_allclose(best.share, [0.44, 0.202, 0.1863, 0.1717], atol=5e-4)
        theirs = np.array(
            [
                [0.8728, 0.0183, 0.0925, 0.0164],
                [0.1567, 0.7646, 0.0642, 0.0145],
                [0.0520, 0.0089, 0.9219, 0.0173],
                [0.0249, 0.0266, 0.0676, 0.8809],
            ]
        )[np.ix_([2, 0, 1, 3], [2, 0, 1, 3])]
        np.testing.assert_allclose(best.indicators["transition"]["all"], theirs, atol=5e-4)


def speed(
    path_of: Path_of,
    families: dict[str, str],
    lengths: Sequence[int] = (439,),
    covariates: bool = False,
) -> Panel:
    frame = pd.read_csv(path_of("speed.csv"))
    pay = frame["Pacc"].to_numpy()
    # the pay-off of a trial bears on the move to the next one
    before = np.append(0.0, ((pay - pay.mean()) / pay.std(ddof=1))[:-1])
    return Panel(frame, families, lengths, before[:, None] if covariates else None)


RT = {"rt": "gaussian"}
BOTH = {"rt": "gaussian", "corr": "categorical"}
# depmixS4 1.5.1, vignette and fits of the package; log-likelihood, number of parameters but for the
# start, whose best distribution is one state for sure
SPEED = [
    (RT, 1, -305.33094, 2),
    (RT, 2, -88.73058, 6),
    (RT, 3, -58.38552, 12),
    (RT, 4, -36.62324, 20),
    (BOTH, 2, -300.57009, 8),
    (BOTH, 3, -267.35636, 15),
]


@pytest.mark.parametrize(("families", "k", "log_likelihood", "n_parameters"), SPEED)
def test_one_series_of_response_times_meets_depmixs4(
    reference_data: Path_of,
    families: dict[str, str],
    k: int,
    log_likelihood: float,
    n_parameters: int,
) -> None:
    panel = speed(reference_data, families)
    found, _, model = panel.maximum(k, n_starts=1 if k == 1 else 10 * k)
    assert found == pytest.approx(log_likelihood, abs=2e-5)
    assert model.n_parameters == n_parameters


@pytest.mark.parametrize(
    ("families", "log_likelihood", "n_parameters"), [(RT, -44.19948, 8), (BOTH, -255.53371, 10)]
)
def test_a_covariate_of_the_transitions_meets_depmixs4(
    reference_data: Path_of, families: dict[str, str], log_likelihood: float, n_parameters: int
) -> None:
    panel = speed(reference_data, families, covariates=True)
    found, _, model = panel.maximum(2, n_starts=6)
    assert found == pytest.approx(log_likelihood, abs=2e-5)
    assert model.n_parameters == n_parameters


def test_three_ragged_series_at_fixed_parameters_meet_depmixs4(reference_data: Path_of) -> None:
    """The package's own test: three series, all of which start in the second state."""
    panel = speed(reference_data, BOTH, (168, 134, 137))
    schema, statistics, histories = panel.reduced(PROPER, [0.0, 1.0])
    space = MarkovSpace.on(panel.model(schema, 2, False), statistics, histories)
    assert list(schema.indicators["corr"].coding().levels) == ["cor", "inc"]
    wrong = np.array([0.472, 0.098])
    values = Values(
        np.array([0.0, 1.0]),
        {
            "rt": {"mean": np.array([5.52, 6.39]), "sd": np.array([0.202, 0.24])},
            "corr": {"probability": np.stack([1.0 - wrong, wrong], axis=1)},
            "transition": {"all": np.array([[0.899, 0.101], [0.084, 0.916]])},
        },
    )
    found = space.log_densities(space.point(values)[None])[1][0]
    assert found == pytest.approx(-296.115107102, abs=1e-9)


@pytest.mark.parametrize("method", ["gibbs", "laplace", "nuts"])
def test_hmm_example_meets_its_reference_posterior(reference_data: Path_of, method: Any) -> None:
    """posteriordb's `hmm_example`; ten thousand independent draws of Stan."""
    name = "hmm_example"
    data = json.loads(reference_data(f"{name}.json").read_text(encoding="utf-8"))
    means = [PriorSchema.of(Prior("Normal", mu=mu, sigma=1.0)) for mu in (3.0, 10.0)]
    priors: Any = {"mean": means, "sd": PriorSchema.of(Prior("Fixed", value=1.0))}
    schema = Schema(
        indicators={"y": IndicatorSchema(family="gaussian", priors=priors)},
        share=PriorSchema.of(Prior("Fixed", value=(0.5, 0.5))),
    )
    table = prepare(pd.DataFrame({"y": data["y"]}), schema)
    statistics, n = reduce(table), len(data["y"])
    histories = histories_of(
        statistics, row=np.arange(n), sign=np.zeros(n, dtype=np.int64), start=np.array([0, n]),
        churns=False,
    )  # fmt: skip
    model = specify_markov(table.schema, 2, churns=False, alpha=np.ones((2, 2)))
    found = sample_markov(
        statistics, histories, model, method=method, n_draws=1000, n_starts=3,
        rng=np.random.default_rng(4),
    )  # fmt: skip
    assert found.diagnosis.status == "good", found.diagnosis.failed
    draws = found.draws
    stats = draws.sample_stats.get("importance_ess")
    ess = None if stats is None else float(stats[0, 0])
    ours = summary(draws.values, draws.log_likelihood, ess)
    theirs = pd.read_parquet(reference_data(f"{name}-{name}.draws.parquet"))
    reference = {
        mine: {"mean": float(theirs[own].mean()), "error": float(theirs[own].std() / 100.0)}
        for mine, own in (
            ("transition__all[1,1]", "theta1[1]"),
            ("transition__all[2,1]", "theta2[1]"),
            ("y__mean[1]", "mu[1]"),
            ("y__mean[2]", "mu[2]"),
        )
    }
    apart = distances(ours, reference)
    assert max(apart.values()) < ERRORS, apart
