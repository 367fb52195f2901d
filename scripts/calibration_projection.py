"""Coverage of projections: a panel from the prior, its customers six periods on, and the fan.

Truth, panel and future are drawn from the model's own prior, so that a right method covers as often
as it says. The number of churned customers needs no labels. For the segments there are two ways,
as in `calibration_coverage`: "by order" numbers them by their mean of the first indicator in the
truth and in every draw, which is exact whatever the overlap; "as delivered" takes the package's
labels and matches them once per panel to the true segments.

Customers are whole numbers, and a band that includes both its ends holds more than it says. A
number that equals a band's end, or several draws, has therefore a place among the draws by lot
(the randomised probability integral transform): its places are uniform if the method is right.
"""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from softseg.estimators.migration import PROJECTION_STREAM
from softseg.inference.markov.fit import lay_out, model_for
from softseg.inference.markov.sample import sample_markov
from softseg.models.latent_markov import LatentMarkov, specify_markov
from softseg.models.mixture import Values
from softseg.names import TRANSITION
from softseg.results.migration.assemble import LOTS_STREAM, state_names
from softseg.results.migration.futures import grouped
from softseg.results.migration.states import States, states_of
from softseg.tables.panel.migration import MigrationSchema
from softseg.tables.panel.prepare import prepare_panel
from softseg.tables.schema import IndicatorSchema, Schema

CUSTOMERS, PERIODS, AHEAD = 200, 12, 6
INDICATORS: Final = {
    2: {"amount": "gaussian", "orders": "poisson"},
    3: {"amount": "gaussian", "orders": "poisson", "online": "bernoulli"},
}
"""Indicators by the number of segments."""
LATE, GAPS = 0.2, 0.05
LOWER, UPPER = 0.05, 0.95
N_PANELS = 120
KINDS: Final = {
    "churned": ("churned",),
    "segments by order": ("ordered",),
    "segments as delivered": ("delivered",),
    "all states by order": ("churned", "ordered"),
    "all states as delivered": ("churned", "delivered"),
}
TEXT = f"""## Coverage of projections

`python scripts/calibrate.py projection`. {CUSTOMERS} customers over {PERIODS} periods in two
segments of two indicators or three of three, churn observed, a fifth of the customers late, gaps in
between. Parameters, panel and the {AHEAD} periods after its end are drawn from the model's own
prior; the model is fitted to the panel by its defaults, and the 90 % fan of customers per state
{AHEAD} periods ahead (closed cohort, parameters and process) is held against what became of these
customers. {N_PANELS * len(INDICATORS)} panels when the run is complete, and the same command goes
on where it stopped; none is left out, whatever the gate said. *z* is the distance from 90 % in
standard errors clustered by panel; it should lie within ±3.

- **Band**: the number lies within the fan, its ends included. Numbers are whole, and a band with
  both its ends holds more than 90 % of them, the more so the fewer customers a state has.
- **Place**: the number's place among the draws, equal draws by lot, lies between 5 % and 95 %:
  exactly 90 % if all is right. *Below* and *above*: how often it lies under the fan and over it.
- **By order**: segments numbered by their mean of the first indicator, in the truth and in every
  draw; needs no identified labels. **As delivered**: the labels of the package, matched once per
  panel to the true segments.
"""


class Simulated(NamedTuple):
    """A panel, and what nobody knows of its customers.

    Attributes
    ----------
    frame
        One row per customer and period seen.
    truth
        Parameters behind it.
    states
        From the first period to the last one ahead; −1 before entry, K is churned; (customer,
        period).
    """

    frame: Any
    truth: Values
    states: np.ndarray


def units(n_panels: int = N_PANELS) -> list[str]:
    """Return the names of the units of work: number of segments and seed."""
    return [f"{k}/{seed}" for seed in range(n_panels) for k in INDICATORS]


def frozen_schema(n_segments: int) -> Schema:
    """Return a schema whose priors were scaled once, on a base panel, and then frozen."""
    import pandas as pd

    rng = np.random.default_rng(21)
    n, periods = 100, 5
    columns = {
        "amount": rng.normal(10.0, 4.0, n * periods),
        "orders": rng.poisson(rng.gamma(2.0, 3.0, n * periods)),
        "online": rng.choice(["no", "yes"], n * periods),
    }
    indicators = INDICATORS[n_segments]
    gone = np.arange(n * periods) % (3 * periods) == 3 * periods - 1
    frame = pd.DataFrame({
        "customer": np.repeat([f"C{i}" for i in range(n)], periods),
        "period": np.tile(np.arange(1, periods + 1), n),
        **{name: pd.Series(columns[name]).where(~gone, None) for name in indicators},
        "left": np.where(gone, "yes", "no"),
    })  # fmt: skip
    entries = {
        name: IndicatorSchema(family=kind, success="yes" if kind == "bernoulli" else None)
        for name, kind in indicators.items()
    }
    migration = MigrationSchema(churn="observed", churned="left")
    schema = Schema(id="customer", period="period", indicators=entries, migration=migration)
    return prepare_panel(frame, schema).schema


def simulated(schema: Schema, n_segments: int, rng: np.random.Generator) -> Simulated:
    """Return a panel drawn from the prior, the parameters behind it and its customers' future.

    Rows are missing at random after the first and before the last one, so that the gaps tell
    nothing of where the customer is.
    """
    import pandas as pd

    model = specify_markov(schema, n_segments)
    truth = model.draw_prior(rng)
    states = _walk(model, truth, rng)
    seen = states[:, :PERIODS]
    here = (seen >= 0) & (seen < n_segments)
    first = (seen >= 0).argmax(axis=1)
    when = np.arange(PERIODS)
    inner = (when > first[:, None]) & (when < PERIODS - 1)
    kept = here & ~(inner & (rng.random(seen.shape) < GAPS))
    gone = seen == n_segments
    left = gone & ~np.pad(gone, ((0, 0), (1, 0)))[:, :-1]
    who, period = np.nonzero(kept | left)
    segment = np.where(left[who, period], 0, seen[who, period])
    columns: dict[str, Any] = {
        "customer": [f"C{i}" for i in who],
        "period": period + 1,
        "left": np.where(left[who, period], "yes", "no"),
    }
    for name, member in model.families.items():
        coding = model.codings[name]
        drawn = member.draw(rng, truth.indicators[name], segment, None, coding)
        told = np.where(drawn == 1, "yes", "no") if name == "online" else drawn
        columns[name] = pd.Series(told).where(~left[who, period], None)
    return Simulated(pd.DataFrame(columns), truth, states)


def _walk(model: LatentMarkov, truth: Values, rng: np.random.Generator) -> np.ndarray:
    k = model.n_segments
    (rows,) = truth.indicators[TRANSITION].values()
    bounds = np.cumsum(np.vstack([rows, np.eye(k + 1)[k]]), axis=1)
    states = np.full((CUSTOMERS, PERIODS + AHEAD), -1)
    entry = np.where(rng.random(CUSTOMERS) < LATE, rng.integers(1, PERIODS, CUSTOMERS), 0)
    begin = rng.choice(k, size=CUSTOMERS, p=truth.share / truth.share.sum())
    for t in range(PERIODS + AHEAD):
        states[entry == t, t] = begin[entry == t]
        there = np.flatnonzero(entry < t)
        lot = rng.random(len(there))[:, None]
        states[there, t] = np.minimum((lot >= bounds[states[there, t - 1]]).sum(axis=1), k)
    return states


class Fitted(NamedTuple):
    """What a study needs of a fit: whether it stands, and its draws.

    Attributes
    ----------
    gate, failed, method
        The verdict, the names of the checks that failed, and how the draws were made.
    states
        Where the customers are, under as many draws as answers are computed from.
    """

    gate: str
    failed: list[str]
    method: str
    states: States


def fitted(frame: Any, schema: Schema, n_segments: int, seed: int) -> Fitted:
    """Return the fit of a panel by the defaults of `SegmentMigration`, without its tables.

    The draws are the same; profiles, the check of the fit and the occupancy are left out, which
    take most of the time. Fits that the gate refuses are kept.
    """
    panel = prepare_panel(frame, schema)
    layout = lay_out(panel)
    model = model_for(panel, layout, n_segments)
    rng = np.random.default_rng(seed).spawn(2)[0]
    found = sample_markov(layout.statistics, layout.histories, model, rng=rng, cores=1)
    names = state_names(panel.schema, model)
    values = found.draws.values.flattened()
    failed = [check.name for check in found.diagnosis.failed]
    states = states_of(model, layout, panel, values, names)
    return Fitted(found.diagnosis.status, failed, found.method, states)


def customers_ahead(states: States, seed: int, horizon: int = AHEAD) -> np.ndarray:
    """Return the draws behind the fan of `SegmentMigration.projection`, (sample, state)."""
    rng = np.random.default_rng([seed, LOTS_STREAM])
    transition = states.transition()
    lots = np.zeros(transition.shape[:2])
    for block in states.now():
        now = np.maximum(block.values, 0.0)
        lots += rng.multinomial(1, now / block.values.sum(-1)[..., None]).sum(axis=1)
    entering = np.zeros((len(lots), horizon + 1, lots.shape[1]))
    entering[:, 0] = lots
    rng = np.random.default_rng([seed, PROJECTION_STREAM])
    return grouped(entering, transition, horizon, rng)[:, -1]


def work(unit: str, commit: str) -> dict[str, Any]:
    """Return, for one panel, the bands of customers per state and what came."""
    n_segments, seed = (int(part) for part in unit.split("/"))
    rng = np.random.default_rng([22, n_segments, seed])
    panel = simulated(frozen_schema(n_segments), n_segments, rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a constant column or nobody who left is part of the study
        fit = fitted(panel.frame, frozen_schema(n_segments), n_segments, seed)
    drawn = customers_ahead(fit.states, seed)
    came = np.bincount(panel.states[:, -1], minlength=n_segments + 1)
    by_amount = np.argsort(_amount(fit.states.values), axis=1)
    ordered = np.take_along_axis(drawn[:, :-1], by_amount, axis=1)
    here, gone = came[:-1], came[-1:]
    lots = np.random.default_rng([23, seed])
    return {
        "gate": fit.gate,
        "failed": fit.failed,
        "method": fit.method,
        "churned": judged(drawn[:, -1:], gone, lots),
        "delivered": judged(drawn[:, :-1], here[_matched(fit.states, panel)], lots),
        "ordered": judged(ordered, here[np.argsort(_amount(panel.truth))], lots),
        "commit": commit,
    }


def judged(drawn: np.ndarray, came: np.ndarray, lots: np.random.Generator) -> list[list[float]]:
    """Return for every state what came, the band, and the place of what came among the draws."""
    low, high = np.quantile(drawn, [LOWER, UPPER], axis=0)
    below, equal = (drawn < came).mean(axis=0), (drawn == came).mean(axis=0)
    place = below + lots.random(len(came)) * equal
    return np.round(np.stack([came, low, high, place], axis=1), 5).tolist()


def _amount(values: Values) -> np.ndarray:
    return values.indicators["amount"]["mean"]


def _matched(states: States, panel: Simulated) -> np.ndarray:
    """Return the true segment of each segment of the package, by the rows that they share."""
    own = states.panel
    every = max(1, states.n_draws // 20)
    mean = np.mean([states.memberships_of_rows(i) for i in range(0, states.n_draws, every)], axis=0)
    history = np.repeat(np.arange(own.n_histories), np.diff(own.start))
    ids = np.array([int(name[1:]) for name in own.customers])
    seen = own.row >= 0
    true = panel.states[ids[own.customer[history]][seen], own.period[seen]]
    shared = mean[own.row[seen]].T @ np.eye(mean.shape[1])[true]
    return linear_sum_assignment(shared, maximize=True)[1]


def section(results: Mapping[str, Any]) -> list[str]:
    """Return the section of docs/calibration.md as lines."""
    panels = list(results.values())
    states = list(dict.fromkeys(r["commit"] for r in panels))
    stopped = Counter(name for r in panels for name in r["failed"])
    good = sum(r["gate"] == "good" for r in panels)
    why = ", ".join(f"{name} {n}" for name, n in sorted(stopped.items())) or "none"
    lines = [TEXT, f"State of the code: commit {', '.join(states)}.", ""]
    lines += [
        f"{len(panels)} panels, none left out. The gate let {good} through; failed checks (a panel "
        f"may fail several): {why}.",
        "",
        "| panels | customers in | numbers | band | z | place | z | place below | above |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, which in (("two segments", "2/"), ("three segments", "3/"), ("all", "")):
        own = [r for unit, r in results.items() if unit.startswith(which)]
        for what, keys in KINDS.items():
            if own:
                lines.append(_row(name, what, [[x for k in keys for x in r[k]] for r in own]))
    passed = [r for r in panels if r["gate"] == "good"]
    if passed:
        found = [r["delivered"] + r["churned"] for r in passed]
        lines.append(_row("all that passed the gate", "all states as delivered", found))
    return [*lines, ""]


def _row(name: str, what: str, found: Sequence[Sequence[Sequence[float]]]) -> str:
    """Return one row of the table; `found` has the judged numbers of each panel."""
    numbers = [np.array(x) for x in found]
    inside = [((x[:, 1] <= x[:, 0]) & (x[:, 0] <= x[:, 2])).astype(float) for x in numbers]
    place = [((x[:, 3] >= LOWER) & (x[:, 3] <= UPPER)).astype(float) for x in numbers]
    places = np.concatenate([x[:, 3] for x in numbers])
    cells = [f"{len(places)}"]
    for hits in (inside, place):
        mean, error = clustered(hits)
        cells += [f"{mean:.1%} ± {error:.1%}", f"{(mean - UPPER + LOWER) / error:+.1f}"]
    cells += [f"{np.mean(places < LOWER):.1%}", f"{np.mean(places > UPPER):.1%}"]
    return f"| {name} | {what} | {' | '.join(cells)} |"


def clustered(hits: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the mean over all entries and its standard error, the panels being the clusters.

    Not less than the error that 90 % would have in as many panels: where nearly everything is
    covered the spread of the sample tells too little.
    """
    size = sum(len(x) for x in hits)
    mean = float(sum(x.sum() for x in hits)) / size
    spread = float(np.sqrt(sum((x - mean).sum() ** 2 for x in hits))) / size
    return mean, max(spread, float(np.sqrt(0.09 / size)))
