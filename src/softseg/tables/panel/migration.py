"""The schema's entry on migration: how customers leave, and what explains where they go."""

from collections.abc import Mapping
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from softseg.errors import SchemaError

type Churn = Literal["none", "observed", "interval", "silent", "inactivity"]

TENURE: Final = "tenure"
PERIOD: Final = "period"
COMPUTED: Final = (TENURE, PERIOD)
"""Covariates without a column: periods since the history began, and the number of the period."""

COUNTS: Final = ("poisson", "negative_binomial")
"""Families an indicator of activity can have."""

_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "none": (),
    "observed": ("churned",),
    "interval": ("churned",),
    "silent": ("activity",),
    "inactivity": ("activity", "after"),
}


class FrozenCovariate(BaseModel):
    """What the training panel fixed for one covariate.

    A covariate with levels becomes one number per level but the first, which is the reference:
    1 in this level, 0 otherwise; `shares` are those of the levels over all steps. A number becomes
    (number − centre) / scale.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    centre: float = 0.0
    scale: float = 1.0
    levels: list[str] = []
    shares: list[float] = []


class MigrationSchema(BaseModel):
    """How customers move between segments and leave.

    Attributes
    ----------
    churn
        How leaving is seen: ``"none"`` (nobody leaves), ``"observed"`` (in the period in which it
        happens), ``"interval"`` (at some time after the last row), ``"silent"`` (never: customers
        stop ordering) or ``"inactivity"`` (by definition, after some periods without activity).
    churned
        Column that says yes in the period in which the customer has left.
    activity
        Indicator, a count, that is 0 in a period without activity.
    after
        Periods in a row without activity that count as having left.
    initial, transition
        Covariates of the first period's segment and of transitions: columns, and the words
        ``"tenure"`` (periods since the history began) and ``"period"`` (number of the period).
    by_period
        Whether every period has transitions of its own.
    stay, strength
        Prior of transitions: the expected share that stays where it is from one period to the
        next, and how many customers this is worth.
    step
        How far apart the training panel's periods are, in the unit of their labels. Another panel
        has the same periods, also where its rows are too few to show all of them.
    frozen
        What the training panel fixed for each covariate.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    churn: Churn = "none"
    churned: str | None = None
    activity: str | None = None
    after: int | None = None
    initial: list[str] = []
    transition: list[str] = []
    by_period: bool = False
    stay: float = Field(default=0.8, allow_inf_nan=False)
    strength: float = Field(default=20.0, allow_inf_nan=False)
    step: int | None = Field(default=None, ge=1)
    frozen: dict[str, FrozenCovariate] = {}

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        _check_churn(self)
        if self.after is not None and self.after < 1:
            raise SchemaError(f"Give 'after' as a whole number from 1, got {self.after}.")
        if not 0 < self.stay < 1:
            raise SchemaError(f"Give 'stay' as a number between 0 and 1, got {self.stay:g}.")
        if self.strength <= 0:
            raise SchemaError(f"Give 'strength' as a number above 0, got {self.strength:g}.")
        for name, listed in (("initial", self.initial), ("transition", self.transition)):
            if len(set(listed)) < len(listed):
                raise SchemaError(f"List each covariate once under {name!r}, got {listed}.")
        if TENURE in self.initial:
            raise SchemaError(
                "Take 'tenure' out of 'initial': it is 0 for everybody in the first period."
            )
        if self.by_period and self.transition:
            raise SchemaError(
                "State either 'by_period' or covariates under 'transition', got both: transitions "
                "of their own per period leave covariates nothing to explain between periods."
            )
        return self

    @property
    def covariates(self) -> list[str]:
        """Columns of covariates, each once."""
        listed = dict.fromkeys([*self.initial, *self.transition])
        return [name for name in listed if name not in COMPUTED]

    @property
    def columns(self) -> list[str]:
        """Columns that only this entry names, each once."""
        return [*([] if self.churned is None else [self.churned]), *self.covariates]


def _check_churn(entry: MigrationSchema) -> None:
    """Refuse what the way of leaving lacks or does not take."""
    needs = _NEEDS[entry.churn]
    for name in ("churned", "activity", "after"):
        given = getattr(entry, name) is not None
        if name in needs and not given:
            raise SchemaError(f"Add {name!r}: churn = {entry.churn!r} needs it.")
        if given and name not in needs:
            takers = [churn for churn, needed in _NEEDS.items() if name in needed]
            raise SchemaError(
                f"Remove {name!r} or choose churn out of {takers}: churn = {entry.churn!r} "
                "takes none."
            )


def check_fits(entry: MigrationSchema, schema: Any) -> None:
    """Refuse an entry that does not fit the rest of its schema.

    Raises
    ------
    SchemaError
        Where id or period are not stated, rows have weights or counts, or the activity is not an
        indicator that counts.
    """
    for role in ("id", "period"):
        if getattr(schema, role) is None:
            raise SchemaError(
                f"Name the column of the {role} under {role!r}: migration follows customers "
                "over periods."
            )
    for role in ("weight", "count"):
        if getattr(schema, role) is not None:
            raise SchemaError(
                f"Take {role!r} out of the schema: in a panel every row stands for one customer "
                "in one period."
            )
    if entry.activity is None:
        return
    indicators = schema.indicators
    family = indicators[entry.activity].family if entry.activity in indicators else None
    if family not in COUNTS:
        got = "no indicator" if family is None else f"the family {family!r}"
        raise SchemaError(
            f"Name an indicator of one of the families {list(COUNTS)} as the activity, got "
            f"{entry.activity!r}: {got}."
        )
