"""The schema: what the columns of a customer table are, in Python, TOML and JSON.

A schema is written by hand, or proposed by `softseg init`, and completed once by the training
table: levels, scales and default priors are then frozen in it as numbers, so that scoring,
re-fits and calibration never rescale.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from softseg.errors import SchemaError
from softseg.families import Family, family
from softseg.families.base import Coding, Parameter
from softseg.names import RESERVED
from softseg.priors import FIXED, Prior
from softseg.tables import document
from softseg.tables.explain import SEVERAL_PRIORS, SINGLE_PRIOR, explain, known_keys
from softseg.tables.panel.migration import MigrationSchema, check_fits
from softseg.tables.support import check_support
from softseg.tables.text import level_text

YES = ("1", "true", "yes", "y", "x", "ja", "j", "wahr", "t")
"""What counts as an objection in the opt-out column, whatever the case."""

MISSING = ("", "NA", "N/A", "NaN", "null", "-")
"""What counts as an empty cell, whatever the case."""

POSITIVE_NUMBERS = ("sigma", "alpha", "beta", "lam")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


type Finite = Annotated[float, Field(allow_inf_nan=False)]


class PriorSchema(BaseModel):
    """A prior: the name of a distribution and its numbers, or ``Fixed`` with its value.

    A list of numbers is read over the levels of a categorical indicator.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Finite | list[Finite]]  # pyright: ignore[reportIncompatibleVariableOverride]

    distribution: str

    @model_validator(mode="after")
    def _numbers_fit(self) -> Self:
        for name, number in self.prior().parameters.items():
            numbers = number if isinstance(number, tuple) else (number,)
            if not numbers or (name in POSITIVE_NUMBERS and min(numbers) <= 0):
                raise SchemaError(f"Give the prior's {name!r} as numbers above 0, got {number}.")
        return self

    def prior(self) -> Prior:
        """Return the prior as the rest of the package reads it."""
        return Prior(self.distribution, **self.__pydantic_extra__)

    @classmethod
    def of(cls, prior: Prior) -> "PriorSchema":
        """Return a prior as an entry of the schema."""
        numbers = {
            name: list(number) if isinstance(number, tuple) else number
            for name, number in prior.parameters.items()
        }
        return cls(distribution=prior.name, **numbers)  # pyright: ignore[reportArgumentType]


def _how_many(value: Any) -> str:
    return SEVERAL_PRIORS if isinstance(value, list | tuple) else SINGLE_PRIOR


type Override = Annotated[
    Annotated[PriorSchema, Tag(SINGLE_PRIOR)] | Annotated[list[PriorSchema], Tag(SEVERAL_PRIORS)],
    Discriminator(_how_many),
]


class Frozen(_Entry):
    """What the training table fixed for one indicator: its coding and its default priors."""

    centre: float = 0.0
    scale: float = 1.0
    width: float = 1.0
    levels: list[str] = []
    priors: dict[str, PriorSchema]


def _as_levels(value: Any) -> Any:
    return [level_text(level) for level in value] if isinstance(value, list | tuple) else value


def _as_level(value: Any) -> Any:
    return value if value is None else level_text(value)


class IndicatorSchema(_Entry):
    """One column that the segments explain.

    Attributes
    ----------
    family
        Name of its distribution within a segment.
    unit, label
        Its unit, such as ``"EUR"``, and its name in reports.
    exposure, exposure_unit
        Column with the exposure of a count, such as the years a customer was observed, and the
        unit that rates are per.
    levels
        Levels of a categorical indicator in their order; found in the table if not given.
    success
        Which of two values counts as a success.
    priors
        Overrides of the default priors by parameter: one prior, or one per segment.
    frozen
        What the training table fixed.
    """

    family: str
    unit: str | None = None
    label: str | None = None
    exposure: str | None = None
    exposure_unit: str | None = None
    levels: Annotated[list[str] | None, BeforeValidator(_as_levels)] = None
    success: Annotated[str | None, BeforeValidator(_as_level)] = None
    priors: dict[str, Override] = {}
    frozen: Frozen | None = None

    @model_validator(mode="after")
    def _fits_family(self) -> Self:
        member = family(self.family)
        if self.exposure is not None and not member.takes_exposure:
            raise SchemaError(
                f"Remove the exposure {self.exposure!r}: the family {self.family!r} takes none."
            )
        _check_levels(self, member)
        for name, override in self.priors.items():
            parameter = _parameter(member, name)
            for prior in override if isinstance(override, list) else [override]:
                check_support(prior.prior(), parameter)
        return self

    def member(self) -> Family:
        """Return the family."""
        return family(self.family)

    def coding(self) -> Coding:
        """Return the frozen coding.

        Raises
        ------
        SchemaError
            Where the schema has not been frozen on a table.
        """
        frozen = self._frozen()
        return Coding(tuple(frozen.levels), frozen.centre, frozen.scale, frozen.width)

    def prior_mapping(self) -> dict[str, Prior | list[Prior]]:
        """Return the prior of each parameter: the frozen defaults under the overrides.

        Raises
        ------
        SchemaError
            Where the schema has not been frozen on a table.
        """
        priors: dict[str, Prior | list[Prior]] = {
            name: entry.prior() for name, entry in self._frozen().priors.items()
        }
        for name, override in self.priors.items():
            several = isinstance(override, list)
            priors[name] = [p.prior() for p in override] if several else override.prior()
        return priors

    def _frozen(self) -> Frozen:
        if self.frozen is None:
            raise SchemaError(
                "Freeze the schema on the training table with `prepare` first: "
                "levels, scales and default priors come from there."
            )
        return self.frozen


class ValueSchema(_Entry):
    """A column that says what a customer is worth; it takes no part in finding the segments."""

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    period: str | None = None
    label: str | None = None


class ReadingSchema(_Entry):
    """How to read the file; what is not stated is found, or refused where it is ambiguous."""

    delimiter: Literal[",", ";", "\t", "|"] | None = None
    decimal: Literal[".", ","] | None = None
    encoding: str | None = None
    missing: list[str] = list(MISSING)
    sheet: str | None = None


def _as_indicator(value: Any) -> Any:
    return {"family": value} if isinstance(value, str) else value


class Schema(_Entry):
    """What the columns of a customer table are.

    Attributes
    ----------
    id
        Column that names the customer.
    indicators
        Columns that the segments explain, by name; ``{"orders": "poisson"}`` is short for
        ``{"orders": {"family": "poisson"}}``.
    covariates
        Columns that explain membership.
    group, period
        Columns with a group of customers and with the period.
    weight, count
        Column with survey weights, or with how many customers a row stands for.
    value
        Columns with what a customer is worth.
    opt_out, opt_out_yes
        Column with objections and what counts as one. These rows are dropped before anything is
        computed.
    share
        Prior of the shares of the segments.
    segment_names
        Names of the segments, largest first, if they have any.
    migration
        How customers move between segments and leave, where the table is a panel.
    reading
        How to read the file.
    language
        Language of messages and reports.
    """

    version: Literal[1] = 1
    id: str | None = None
    indicators: dict[str, Annotated[IndicatorSchema, BeforeValidator(_as_indicator)]]
    covariates: list[str] = []
    group: str | None = None
    weight: str | None = None
    count: str | None = None
    period: str | None = None
    value: dict[str, ValueSchema] = {}
    opt_out: str | None = None
    opt_out_yes: list[str] = list(YES)
    share: PriorSchema = PriorSchema(distribution="Dirichlet", alpha=2.0)  # pyright: ignore[reportCallIssue]
    segment_names: list[str] = []
    migration: MigrationSchema | None = None
    reading: ReadingSchema = ReadingSchema()
    language: Literal["en", "de"] = "en"

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise SchemaError(explain(error.errors(), known_keys(Schema))) from None

    @model_validator(mode="after")
    def _columns_fit(self) -> Self:
        if not self.indicators:
            raise SchemaError("Name at least one indicator, got none.")
        reserved = [name for name in self.indicators if name in RESERVED]
        if reserved:
            raise SchemaError(f"Rename the column {reserved[0]!r}: the name is used by the model.")
        if self.weight is not None and self.count is not None:
            raise SchemaError("State either a weight or a count, got both.")
        if self.share.distribution not in ("Dirichlet", FIXED):
            raise SchemaError(
                "Give the share a Dirichlet prior or fix it, got the distribution "
                f"{self.share.distribution!r}."
            )
        if len(set(self.segment_names)) < len(self.segment_names):
            raise SchemaError(f"Give each segment its own name, got {self.segment_names}.")
        roles = [self.id, self.weight, self.count, self.period, self.opt_out, *self.covariates]
        taken = [role for role in roles if role is not None]
        if self.migration is not None:
            check_fits(self.migration, self)
            taken += [name for name in self.migration.columns if name not in self.covariates]
        for column in taken:
            if taken.count(column) + (column in self.indicators) > 1:
                raise SchemaError(f"Give the column {column!r} one role, got several.")
        return self

    @property
    def is_frozen(self) -> bool:
        """Whether every indicator's coding and default priors are fixed."""
        return all(entry.frozen is not None for entry in self.indicators.values())

    @property
    def columns(self) -> list[str]:
        """Every column the schema reads, each once."""
        roles = [self.opt_out, self.id, self.period, self.weight, self.count, self.group]
        names = [role for role in roles if role is not None]
        names += [*self.covariates, *self.indicators]
        names += [] if self.migration is None else self.migration.columns
        names += [e.exposure for e in self.indicators.values() if e.exposure is not None]
        return list(dict.fromkeys([*names, *self.value]))

    def freeze(self, frozen: Mapping[str, Frozen]) -> "Schema":
        """Return the schema with these indicators only, in its own order, and frozen so."""
        kept = {
            name: entry.model_copy(update={"frozen": frozen[name]})
            for name, entry in self.indicators.items()
            if name in frozen
        }
        return self.model_copy(update={"indicators": kept})

    @classmethod
    def from_toml(cls, path: str | Path) -> "Schema":
        """Return the schema of a TOML file.

        Raises
        ------
        FileError
            Where the file cannot be read.
        SchemaError
            Where it is not TOML or not a schema.
        """
        return cls(**document.read_toml(Path(path)))

    @classmethod
    def from_json(cls, text: str) -> "Schema":
        """Return the schema of a JSON text, as `to_json` writes it."""
        return cls(**document.parse_json(text))

    def to_toml(
        self, comments: Mapping[tuple[str, ...], str] | None = None, footer: str = ""
    ) -> str:
        """Return the schema as TOML.

        Parameters
        ----------
        comments
            What to say above an entry, by the path of its keys, ``()`` for the top.
        footer
            A comment for the end.
        """
        data = self.model_dump(exclude_defaults=True)
        return document.write_toml({"version": self.version} | data, comments or {}, footer)

    def to_json(self) -> str:
        """Return the schema as one line of JSON, the same for equal schemas."""
        return self.model_dump_json(exclude_defaults=True)

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON schema, with which editors complete and check the TOML file."""
        return cls.model_json_schema()


def _check_levels(entry: IndicatorSchema, member: Family) -> None:
    levels, success = entry.levels, entry.success
    if not member.levelled and not (levels is None and success is None):
        raise SchemaError(f"Remove levels and success: the family {member.name!r} takes numbers.")
    if levels is not None and (len(levels) < 2 or len(set(levels)) < len(levels)):
        raise SchemaError(f"Name at least two different levels, got {levels}.")
    if success is None:
        return
    if member.name != "bernoulli":
        raise SchemaError("Name a success for the family 'bernoulli' only.")
    if levels is not None and success not in levels:
        raise SchemaError(f"Name one of the levels {levels} as the success, got {success!r}.")


def _parameter(member: Family, name: str) -> Parameter:
    known = {parameter.name: parameter for parameter in member.parameters}
    if name not in known:
        raise SchemaError(
            f"Name a parameter of {member.name!r} out of {list(known)}, got {name!r}."
        )
    return known[name]
