"""A bank of set-ups as users bring them: broken ones must be flagged, good ones must pass.

Every set-up is a table, a schema and a number of segments, and is fitted by `fit` with its
defaults. It is flagged where the gate fails, the fit verdict is not good, or the table is refused
before it is fitted. Of the broken ones at least 19 in 20 should be flagged, of the good ones at
most 1 in 25. A broken set-up that passes both verdicts stands in the table of the page.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from softseg.errors import SoftsegError
from softseg.families import families
from softseg.inference.fit import fit
from softseg.priors import Prior
from softseg.tables.check import check_rows, refuse_errors
from softseg.tables.prepare import prepare
from softseg.tables.schema import IndicatorSchema, PriorSchema, Schema

N_GOOD = 50
PASSED_RIGHTLY = {
    "one_start": "the dispersed chains find the mode of 60 starts, so that nothing is wrong with it"
}
"""Why a broken set-up that passes does so, where it has been looked into."""
type Columns = Mapping[str, tuple[str, np.ndarray]]
"""Family and cells of each indicator."""


@dataclass(frozen=True)
class Setup:
    """A table with its model.

    Attributes
    ----------
    columns
        Family and cells by indicator.
    n_segments
        What the user asks for.
    priors
        By indicator, then parameter, where the user states them.
    options
        Of `fit`, where the user changes its defaults.
    """

    columns: Columns
    n_segments: int
    priors: Mapping[str, Mapping[str, Prior]] | None = None
    options: Mapping[str, Any] | None = None


def units() -> list[str]:
    """Return the names of the set-ups, broken ones first."""
    return [*(f"broken/{name}" for name in BROKEN), *(f"good/{i}" for i in range(N_GOOD))]


def work(unit: str, commit: str) -> dict[str, Any]:
    """Return how one set-up was judged."""
    kind, name = unit.split("/")
    setup = BROKEN[name](np.random.default_rng(41)) if kind == "broken" else good(int(name))
    found: dict[str, Any] = {"commit": commit, "about": _about(setup)}
    if kind == "broken":
        found["what"] = (BROKEN[name].__doc__ or "").rstrip(".")
    return found | judged(setup)


def judged(setup: Setup) -> dict[str, Any]:
    """Return both verdicts on a set-up, what failed, and whether it is flagged."""
    priors = setup.priors or {}
    entries = {
        name: IndicatorSchema(
            family=family,
            priors={key: PriorSchema.of(p) for key, p in priors.get(name, {}).items()},
        )
        for name, (family, _) in setup.columns.items()
    }
    frame = pd.DataFrame({name: cells for name, (_, cells) in setup.columns.items()})
    try:
        table = prepare(frame, Schema(indicators=entries))
        from softseg.models.mixture import specify

        n_parameters = specify(table.schema, setup.n_segments).n_parameters
        refuse_errors(check_rows(len(frame), n_parameters, allow_few_rows=False), "en")
        result = fit(table, setup.n_segments, seed=1, cores=1, **(setup.options or {}))
    except SoftsegError as error:
        return {"flagged": True, "gate": "refused", "failed": [str(error)[:200]], "fit": "–"}
    failed = [check.name for check in result.diagnosis.failed]
    gate, verdict = result.diagnosis.status, result.verdict.status
    return {
        "flagged": gate != "good" or verdict != "good",
        "method": result.method,
        "gate": gate,
        "failed": failed,
        "fit": verdict,
        "findings": result.verdict.advice()[:3],
    }


def _about(setup: Setup) -> str:
    n = len(next(iter(setup.columns.values()))[1])
    return f"{n:,} customers, {len(setup.columns)} indicators, K = {setup.n_segments}"


def _two(rng: np.random.Generator, n: int, share: float = 0.6) -> np.ndarray:
    return (rng.random(n) > share).astype(int)


def _apart(rng: np.random.Generator, segment: np.ndarray, n: int, gap: float = 4.0) -> Columns:
    """Return n Gaussian indicators whose segments lie `gap` sds apart, from column g1 on."""
    return {f"g{i + 1}": ("gaussian", rng.normal(gap * segment, 1.0)) for i in range(n)}


def too_many_segments(rng: np.random.Generator) -> Setup:
    """Four segments asked for where there are two."""
    return Setup(_apart(rng, _two(rng, 400), 3), 4)


def two_segments_of_one(rng: np.random.Generator) -> Setup:
    """Two segments asked for in one homogeneous group."""
    return Setup({f"g{i}": ("gaussian", rng.normal(0, 1, 300)) for i in range(3)}, 2)


def one_gaussian_alone(rng: np.random.Generator) -> Setup:
    """Two segments from a single Gaussian indicator without any."""
    return Setup({"g": ("gaussian", rng.normal(10, 2, 200))}, 2)


def one_binary_alone(rng: np.random.Generator) -> Setup:
    """Two segments from a single yes/no indicator, which cannot tell them."""
    cells = np.where(rng.random(200) < 0.4, "yes", "no")
    return Setup({"online": ("bernoulli", cells)}, 2)


def two_binaries(rng: np.random.Generator) -> Setup:
    """Two segments from two yes/no indicators: more parameters than there are patterns."""
    segment = _two(rng, 400)
    cells = {
        name: ("bernoulli", np.where(rng.random(400) < 0.2 + 0.6 * segment, "yes", "no"))
        for name in ("online", "contract")
    }
    return Setup(cells, 2)


def two_true_modes(rng: np.random.Generator) -> Setup:
    """Two ways to cut: half of the indicators split the customers one way, half another."""
    first, second = _two(rng, 200, 0.5), _two(rng, 200, 0.5)
    columns = {
        **{f"a{i}": ("gaussian", rng.normal(3.0 * first, 1.0)) for i in range(3)},
        **{f"b{i}": ("gaussian", rng.normal(3.0 * second, 1.0)) for i in range(3)},
    }
    return Setup(columns, 2)


def nothing_but_constants(rng: np.random.Generator) -> Setup:
    """Every column holds one value only."""
    return Setup({"a": ("gaussian", np.full(200, 3.0)), "b": ("poisson", np.full(200, 2.0))}, 2)


def duplicated_column(rng: np.random.Generator) -> Setup:
    """One column stands twice in the table under two names."""
    columns = dict(_apart(rng, _two(rng, 400), 3))
    columns["copy"] = columns["g1"]
    return Setup(columns, 2)


def sum_of_columns(rng: np.random.Generator) -> Setup:
    """A total stands beside its parts."""
    columns = dict(_apart(rng, _two(rng, 400), 3))
    columns["total"] = ("gaussian", columns["g1"][1] + columns["g2"][1] + rng.normal(0, 0.1, 400))
    return Setup(columns, 2)


def local_dependence(rng: np.random.Generator) -> Setup:
    """Two indicators move together inside the segments."""
    segment = _two(rng, 400)
    common = rng.normal(0, 1, 400)
    columns = dict(_apart(rng, segment, 2))
    for name in ("c1", "c2"):
        columns[name] = ("gaussian", 4.0 * segment + 0.8 * common + rng.normal(0, 0.6, 400))
    return Setup(columns, 2)


def size_behind_everything(rng: np.random.Generator) -> Setup:
    """Customers differ in size, continuously, and every indicator grows with it."""
    size = rng.normal(0, 1, 500)
    columns = {f"v{i}": ("lognormal", np.exp(size + rng.normal(0, 0.5, 500))) for i in range(4)}
    return Setup(columns, 3)


def heavy_tails(rng: np.random.Generator) -> Setup:
    """A Student t with two degrees of freedom under a Gaussian."""
    segment = _two(rng, 500)
    columns = dict(_apart(rng, segment, 2))
    columns["t"] = ("gaussian", 3.0 * segment + rng.standard_t(2, 500))
    return Setup(columns, 2)


def skewed_as_gaussian(rng: np.random.Generator) -> Setup:
    """Revenues, log-normal in truth, under a Gaussian."""
    segment = _two(rng, 500)
    columns = dict(_apart(rng, segment, 2))
    columns["revenue"] = ("gaussian", rng.lognormal(1.0 + segment, 1.0))
    return Setup(columns, 2)


def excess_zeros(rng: np.random.Generator) -> Setup:
    """Counts with excess zeros under a Poisson."""
    segment = _two(rng, 500)
    columns = dict(_apart(rng, segment, 2))
    orders = np.where(rng.random(500) < 0.4, 0, rng.poisson(5.0 + 5.0 * segment))
    columns["orders"] = ("poisson", orders.astype(float))
    return Setup(columns, 2)


def overdispersed(rng: np.random.Generator) -> Setup:
    """Overdispersed counts under a Poisson."""
    segment = _two(rng, 500)
    columns = dict(_apart(rng, segment, 2))
    rate = rng.gamma(1.0, 4.0 + 8.0 * segment)
    columns["orders"] = ("poisson", rng.poisson(rate).astype(float))
    return Setup(columns, 2)


def heaped_values(rng: np.random.Generator) -> Setup:
    """A third of the amounts is the list price, the same number each time."""
    segment = _two(rng, 500)
    columns = dict(_apart(rng, segment, 2))
    amounts = rng.lognormal(3.0 + 0.5 * segment, 0.5)
    columns["amount"] = ("lognormal", np.where(rng.random(500) < 0.33, 25.0, amounts))
    return Setup(columns, 2)


def zeros_as_amounts(rng: np.random.Generator) -> Setup:
    """Two in five of the amounts are 0, entered as Gaussian."""
    segment = _two(rng, 500)
    columns = dict(_apart(rng, segment, 2))
    amounts = rng.normal(20.0 + 10.0 * segment, 2.0)
    columns["amount"] = ("gaussian", np.where(rng.random(500) < 0.4, 0.0, amounts))
    return Setup(columns, 2)


def outliers(rng: np.random.Generator) -> Setup:
    """Three customers with amounts a hundred times those of the others get a segment."""
    columns = {f"g{i}": ("gaussian", rng.normal(0, 1, 300)) for i in range(3)}
    for _, cells in columns.values():
        cells[:3] += 100.0
    return Setup(columns, 2)


def typing_error(rng: np.random.Generator) -> Setup:
    """One amount in cents instead of euros."""
    segment = _two(rng, 300)
    columns = dict(_apart(rng, segment, 3))
    columns["g1"][1][0] = 900.0
    return Setup(columns, 2)


def switching(rng: np.random.Generator) -> Setup:
    """Two segments that overlap so much that their labels switch."""
    segment = _two(rng, 150, 0.5)
    return Setup(_apart(rng, segment, 2, gap=0.7), 2)


def nearly_equal(rng: np.random.Generator) -> Setup:
    """Three segments, two of which differ in next to nothing."""
    segment = rng.integers(3, size=200)
    columns = {f"g{i}": ("gaussian", rng.normal(4.0 * (segment > 0), 1.0)) for i in range(3)}
    return Setup(columns, 3)


def too_few_draws(rng: np.random.Generator) -> Setup:
    """Forty draws in all, by Gibbs sampling."""
    options = {"method": "gibbs", "n_draws": 10, "n_tune": 0, "longer": False}
    return Setup(_apart(rng, _two(rng, 300), 3), 2, options=options)


def one_start(rng: np.random.Generator) -> Setup:
    """One start for six segments of a hundred customers each: nobody knows whether it is best."""
    segment = rng.integers(6, size=600)
    centres = rng.normal(0, 3, (6, 4))
    columns = {f"g{i}": ("gaussian", rng.normal(centres[segment, i], 1.0)) for i in range(4)}
    return Setup(columns, 6, options={"n_starts": 1})


def wrong_prior(rng: np.random.Generator) -> Setup:
    """A strong prior, wrong by fifty sds of the data."""
    priors = {"g1": {"mean": Prior("Normal", mu=50.0, sigma=0.1)}}
    return Setup(_apart(rng, _two(rng, 300), 3), 2, priors)


def wrong_spread(rng: np.random.Generator) -> Setup:
    """A strong prior of the spread, wrong by a factor of five."""
    priors = {"g1": {"sd": Prior("SqrtInverseGamma", alpha=4000.0, beta=4000.0 * 25.0)}}
    return Setup(_apart(rng, _two(rng, 300), 3), 2, priors)


def few_customers(rng: np.random.Generator) -> Setup:
    """Thirty customers for four segments of five indicators."""
    segment = rng.integers(4, size=30)
    return Setup(_apart(rng, segment, 5, gap=1.0), 4)


def wrong_unit(rng: np.random.Generator) -> Setup:
    """A fifth of the amounts in thousands."""
    segment = _two(rng, 400)
    columns = dict(_apart(rng, segment, 2))
    amounts = rng.lognormal(8.0 + 0.5 * segment, 0.4)
    columns["revenue"] = ("lognormal", np.where(rng.random(400) < 0.2, amounts / 1000.0, amounts))
    return Setup(columns, 2)


def capped(rng: np.random.Generator) -> Setup:
    """Scores that cannot go above ten, a third of which stand there, under a Gaussian."""
    segment = _two(rng, 400)
    columns = dict(_apart(rng, segment, 2))
    columns["score"] = ("gaussian", np.minimum(rng.normal(8.5 + 1.5 * segment, 2.0), 10.0))
    return Setup(columns, 2)


BROKEN: dict[str, Callable[[np.random.Generator], Setup]] = {
    maker.__name__: maker
    for maker in (
        too_many_segments, two_segments_of_one, one_gaussian_alone, one_binary_alone, two_binaries,
        two_true_modes, nothing_but_constants, duplicated_column, sum_of_columns, local_dependence,
        size_behind_everything, heavy_tails, skewed_as_gaussian, excess_zeros, overdispersed,
        heaped_values, zeros_as_amounts, outliers, typing_error, switching, nearly_equal,
        too_few_draws, one_start, wrong_prior, wrong_spread, few_customers, wrong_unit, capped,
    )
}  # fmt: skip


def good(i: int) -> Setup:
    """Return one of the good set-ups: the model is right and its segments can be told apart."""
    from builders import frame_of, truth

    rng = np.random.default_rng([43, i])
    n_segments = 2 + i % 2
    names = list(families())
    kinds = {"amount": "gaussian", "first": names[i % 9], "second": names[(i // 2) % 9]}
    if i % 3 == 0:
        kinds["third"] = names[(i + 4) % 9]
    share = (0.6, 0.4) if n_segments == 2 else (0.4, 0.35, 0.25)
    n = (200, 400, 800)[i % 3]
    missing = (0.0, 0.1)[i // 25]
    frame, _ = frame_of(kinds, truth(kinds, share), n, rng, missing=missing)
    columns = {name: (kind, frame[name].to_numpy()) for name, kind in kinds.items()}
    return Setup(columns, n_segments)
