"""The PyMC definition of the latent Markov model: density and gradient are those of the space.

The space's coordinates are written out once more as a graph, so that gradients are compared without
finite differences.
"""

from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.replace import graph_replace

from likelihood.test_markov import CHURN, model_of
from markov_cases import random_case
from softseg.inference.coordinates import place_kernel
from softseg.inference.markov.space import MarkovSpace
from softseg.models.graph import unconstrained
from softseg.models.latent_markov import specify_markov
from softseg.models.markov_graph import build_latent_markov, free_values
from softseg.models.plan import POSITIVE, REAL, UNIT
from softseg.names import parameter_name

PYTHON: Any = "FAST_COMPILE"


def space_of(churn: str, logit: bool, fixed: bool = False) -> MarkovSpace:
    rng = np.random.default_rng(5)
    case = random_case(rng, churn=churn, n_histories=12, n_profiles=2, n_begins=2 if logit else 1)
    model = model_of(case, churn, logit=logit)
    if fixed:
        rows = np.full((3, model.n_states), np.nan)
        rows[1] = 1.0 / model.n_states
        model = specify_markov(
            case.schema, 3, churns=churn != "none", fixed=rows, profiles=("0", "1")
        )
    return MarkovSpace.on(model, case.statistics, case.histories)


each_space = pytest.mark.parametrize(
    ("churn", "logit", "fixed"),
    [*((churn, logit, False) for churn in CHURN for logit in (False, True)),
     ("observed", False, True)],
)  # fmt: skip


@each_space
def test_the_density_is_that_of_the_space_without_jacobians(
    churn: str, logit: bool, fixed: bool
) -> None:
    space = space_of(churn, logit, fixed)
    model = build_latent_markov(space.model, space.statistics, space.histories)
    function = model.compile_logp(jacobian=False, mode=PYTHON)
    point_of = unconstrained(model, space.model, free_values)
    for seed in range(2):
        values = space.model.draw_prior(np.random.default_rng(seed))
        point = space.point(values)
        jacobian = place_kernel(space.plan, space.coordinate, point[None])[2][0]
        roots = sum(  # the prior of an sd is that of its square
            np.log(2.0 * np.sqrt(value)).sum()
            for name, value in free_values(space.model, values).items()
            if name.endswith("__variance")
        )
        expected = space.log_posterior(point)[0] - jacobian - roots
        assert float(function(point_of(values))) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("churn", "logit"), [("silent", False), ("observed", True)])
@pytest.mark.parametrize("mode", [PYTHON, pytest.param("NUMBA", marks=pytest.mark.slow)])
def test_the_gradient_is_that_of_the_space(churn: str, logit: bool, mode: Any) -> None:
    space = space_of(churn, logit)
    model = build_latent_markov(space.model, space.statistics, space.histories)
    point = pt.dvector("point")
    values, log_jacobian = written_out(space, model, point)
    likelihood = graph_replace(model.potentials[0], values)
    rest = log_prior(values) + log_jacobian
    by_data = pytensor.function([point], pytensor.grad(likelihood, point), mode=mode)
    by_rest = pytensor.function([point], pytensor.grad(rest, point), mode=PYTHON)
    at = space.point(space.model.draw_prior(np.random.default_rng(1)))
    found = by_data(at) + by_rest(at)
    np.testing.assert_allclose(found, space.log_posterior(at)[1], rtol=1e-8, atol=1e-8)


def log_prior(values: dict[Any, Any]) -> Any:
    """Return the log prior density of the parameters at symbolic values."""
    total: Any = 0.0
    for variable, value in values.items():
        total = total + pm.logp(variable, value).sum()
        if variable.name.endswith("__variance"):  # the space's prior is that of the root
            total = total + 0.5 * pt.log(value).sum()
    return total


def written_out(space: MarkovSpace, model: pm.Model, point: Any) -> tuple[dict[Any, Any], Any]:
    """Return the model's random variables as functions of a point, and the log Jacobian."""
    plan, n_segments = space.plan, space.model.n_segments
    log_jacobian: Any = 0.0
    named: dict[str, Any] = {}
    if np.isnan(plan.share_fixed[0]):
        parts, log_jacobian = sticks(point, 0, n_segments - 1)
        named["share"] = pt.stack(parts)
    rows: list[Any] = []
    for k in range(n_segments):
        row: list[Any] = []
        for c, (support, width) in enumerate(zip(plan.support, plan.width, strict=True)):
            at = int(space.coordinate[k, c])
            part: Any = 0.0
            if at < 0:
                row += [pt.constant(plan.fixed[k, c])] * int(len(row) == c)
            elif support == REAL:
                row.append(plan.shift[c] + plan.unit[c] * point[at])
            elif support == POSITIVE:
                row.append(pt.exp(point[at]))
                part = point[at]
            elif support == UNIT:
                row.append(pt.sigmoid(point[at]))
                part = -pt.softplus(-point[at]) - pt.softplus(point[at])
            elif width > 0:
                parts, part = sticks(point, at, width - 1)
                row += parts
            log_jacobian = log_jacobian + part
        rows.append(pt.stack(row))
    theta, at = pt.stack(rows), 0
    for indicator, member in space.model.families.items():
        for parameter in member.parameters:
            name = parameter_name(indicator, parameter.name)
            n = len(space.model.codings[indicator].levels) if parameter.per_level else 1
            named[name] = theta[:, at : at + n] if parameter.per_level else theta[:, at]
            named[f"{name}__variance"] = named[name] ** 2
            at += n
    for extra in space.model.extras:
        n = extra.prior.fixed.shape[1]
        name, block = parameter_name(extra.group, extra.name), theta[:, at : at + n]
        named[name] = block
        named[f"{name}__free"] = block[np.nonzero(np.isnan(extra.prior.fixed))]
        at += n
    values = {v: pt.specify_shape(named[str(v.name)], v.type.shape) for v in model.free_RVs}
    return values, log_jacobian


def sticks(point: Any, first: int, n: int) -> tuple[list[Any], Any]:
    """Return the simplex of n stick logits of a point, and the log Jacobian."""
    parts: list[Any] = []
    left: Any = pt.constant(1.0)
    log_jacobian: Any = 0.0
    for m in range(n):
        u = point[first + m]
        parts.append(left * pt.sigmoid(u))
        left = left * pt.sigmoid(-u)
        log_jacobian = log_jacobian - pt.softplus(-u) - (n - m) * pt.softplus(u)
    return [*parts, left], log_jacobian
