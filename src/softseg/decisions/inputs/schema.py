"""The assumptions of a programme: what stands in the TOML file or the workbook.

An assumption is an *input*: a number with a range, a unit, a base ("of what"), a time profile, and
where it comes from. Its *role* says what the calculation does with it; the cash-flow model
(`softseg.decisions.model.cashflow`) states the arithmetic of each role.
"""

import datetime
from typing import Annotated, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

type Role = Literal[
    "revenue", "base", "contribution_margin", "ebit_margin", "baseline_growth",
    "price_elasticity", "discount_rate", "tax_rate", "learning", "delay",
    "realisation", "no_effect", "one_off_cost", "running_cost", "revenue_effect", "saving",
    "cash_release", "working_capital", "metric",
]  # fmt: skip
type Effect = Literal[
    "price", "volume", "mix", "margin", "cross_selling", "deal_size", "acquisition", "churn",
    "transition",
]  # fmt: skip
type FamilyName = Literal[
    "lognormal", "gamma", "beta", "normal", "pert", "triangular", "uniform", "maxent"
]
type Evidence = Literal["own_posterior", "own_pilot", "expert", "published"]
type Programme = Literal["segmented", "uniform", "both"]
type Convention = Literal["year_end", "mid_year", "year_start"]

ROLES: Final[tuple[str, ...]] = get_args(Role.__value__)
TRANSITION: Final = "transition"
"""The effect of a programme on where customers go; only a study with a panel has it."""
EFFECTS: Final[tuple[str, ...]] = tuple(e for e in get_args(Effect.__value__) if e != TRANSITION)
FAMILIES: Final[tuple[str, ...]] = get_args(FamilyName.__value__)
EVIDENCE: Final[tuple[str, ...]] = get_args(Evidence.__value__)
COSTS: Final = ("one_off_cost", "running_cost")
BENEFITS: Final = ("revenue_effect", "saving")
SINGLE: Final = ("revenue", "ebit_margin", "baseline_growth", "price_elasticity", "discount_rate",
                 "tax_rate", "learning", "delay", "realisation", "no_effect")  # fmt: skip
"""Roles that at most one input may have; `realisation` and `no_effect` must be there."""
INCREMENTAL: Final = "incremental_revenue"
"""As a base: the additional revenue of the programme in the year."""

type Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Profile(_Entry):
    """When an effect or a cost is there. Years count from 1, the first year of the programme.

    Attributes
    ----------
    start
        First year. A one-off cost is paid then.
    ramp
        Shares of the full value from the first year on, the last one lasting. For one-off costs
        the shares by which the amount is spread, which must add up to 1. None: the ramp of the
        whole file for effects, full at once for costs.
    half_life
        Years after the ramp in which the effect halves. None: it lasts.
    last
        Last year. None: the horizon.
    """

    start: int = Field(default=1, ge=1)
    ramp: tuple[Finite, ...] | None = None
    half_life: float | None = Field(default=None, gt=0)
    last: int | None = Field(default=None, ge=1)


class Input(_Entry):
    """One assumption.

    Attributes
    ----------
    label
        Its name for readers.
    role, effect
        What the calculation does with it; `effect` for revenue effects only.
    unit
        ``share``, ``%``, ``pp`` (percentage points), ``years``, ``factor``, ``count``, or an
        amount: currency code, with ``k`` or ``M`` before it, with ``/year`` after it.
    value, low, likely, high, sure, family, samples
        The distribution as people say it, in `unit`: a point (`value`), a range (`low`, `high`,
        `sure` = probability that the truth lies between them, half of the rest on either side),
        three points (with `likely`; `sure` = 1 makes `low` and `high` the limits), or `samples`.
    sample_set
        Inputs with the same name share the index of their samples, so that they stay paired.
    base
        Ids whose product the share is "of"; ``incremental_revenue`` for costs of growth.
    rate
        For `churn`: id of the yearly churn rate. For `acquisition`: id of the yearly share of new
        customers that leave.
    margin
        Id of the contribution margin of this effect; the only one where there is one.
    in_margin
        Whether a saving already shows in a `margin` or `mix` input; then it counts once.
    published
        Whether the published (naive) calculation knows it.
    programme
        Which programme it belongs to: the segmented one, the uniform one, or both.
    profile
        When.
    same_as
        Id of the input that is the same quantity, printed twice.
    overlaps
        Ids of inputs that describe part of the same effect.
    source, evidence, owner, date, note
        Where it comes from, how good that is, who answers for it.
    """

    label: str = ""
    role: Role
    effect: Effect | None = None
    unit: str
    value: Finite | None = None
    low: Finite | None = None
    likely: Finite | None = None
    high: Finite | None = None
    sure: Annotated[float, Field(gt=0, le=1)] = 0.9
    family: FamilyName | None = None
    samples: tuple[Finite, ...] | None = None
    sample_set: str | None = None
    base: tuple[str, ...] = ()
    rate: str | None = None
    margin: str | None = None
    in_margin: bool = False
    published: bool = True
    programme: Programme = "segmented"
    profile: Profile = Profile()
    same_as: str | None = None
    overlaps: tuple[str, ...] = ()
    source: str = ""
    evidence: Evidence = "expert"
    owner: str = ""
    date: datetime.date | None = None
    note: str = ""


class Correlation(_Entry):
    """A rank correlation (Spearman) between two inputs."""

    between: tuple[str, str]
    rank: Annotated[float, Field(ge=-1, le=1)]


class Factor(_Entry):
    """A latent factor: what moves several inputs at once.

    Attributes
    ----------
    label
        Its name for readers.
    loads
        Correlation of each input's normal score with the factor, by id.
    factors
        Correlation with other factors, by name.
    """

    label: str = ""
    loads: dict[str, Annotated[float, Field(ge=-1, le=1)]]
    factors: dict[str, Annotated[float, Field(ge=-1, le=1)]] = {}


class Dependence(_Entry):
    """How inputs move together: latent factors first, single correlations second.

    Attributes
    ----------
    copula, degrees_of_freedom
        ``gaussian``, or ``t`` for joint extremes.
    """

    factors: dict[str, Factor] = {}
    correlations: tuple[Correlation, ...] = ()
    copula: Literal["gaussian", "t"] = "gaussian"
    degrees_of_freedom: Annotated[float, Field(gt=2)] = 5.0


class Assumptions(_Entry):
    """Everything a calculation needs.

    Attributes
    ----------
    title
        What is being valued.
    currency
        ISO code of every amount.
    horizon
        Years.
    first_year
        Calendar year of year 1, for labels.
    counterfactual
        What the programme is compared with: ``nothing`` or the best ``uniform`` programme.
    convention
        When the flows of a year are discounted to.
    ramp
        Ramp of effects without one of their own.
    hurdle
        ROI that the programme must exceed, as a share.
    inputs
        By id.
    dependence
        How they move together.
    scenarios
        Named sets of pinned inputs, in the inputs' units. ``best`` and ``worst`` are made from
        the ranges of the revenue effects where they are missing.
    accepted_overlaps
        Pairs of ids that may both be counted, with the reason in the inputs' notes.
    """

    title: str = ""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    language: Literal["en", "de"] = "en"
    horizon: int = Field(ge=1, le=50)
    first_year: int | None = None
    counterfactual: Literal["nothing", "uniform"] = "nothing"
    convention: Convention = "year_end"
    ramp: tuple[Finite, ...] = (1.0,)
    hurdle: Finite = 0.0
    inputs: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Input]
    dependence: Dependence = Dependence()
    scenarios: dict[str, dict[str, Finite]] = {}
    accepted_overlaps: tuple[tuple[str, str], ...] = ()

    def only(self, role: str) -> str | None:
        """Return the id of the one input with a role, None where there is none."""
        found = [name for name, entry in self.inputs.items() if entry.role == role]
        return found[0] if found else None
