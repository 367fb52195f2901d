"""From what people say to a distribution: points, ranges, three points and samples.

A range says the quantiles at (1 − sure) / 2 and (1 + sure) / 2, and they are matched exactly;
`matching` says how. Where no family is named, it follows from what the input is (`family_of`).
Everything is returned in base units.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np

from softseg.decisions.inputs import elicit
from softseg.decisions.inputs.faults import Entry, Fault, Quantity, Typed, Word
from softseg.decisions.inputs.laws import Law, Samples, law
from softseg.decisions.inputs.matching import POINTS, match
from softseg.decisions.inputs.schema import TRANSITION, Input
from softseg.decisions.inputs.units import read_unit
from softseg.errors import SchemaError
from softseg.families.base import Array

type RangeFault = tuple[str, dict[str, Any]]
"""Key of the catalogue and the values of its placeholders."""

WITHIN: Final = frozenset(
    ("realisation", "no_effect", "contribution_margin", "tax_rate", "saving", "cash_release")
)
"""Roles whose shares lie between 0 and 1; those of the effect `churn` do, too."""
BETA: Final = WITHIN
POSITIVE: Final = ("lognormal", "gamma")
UNLIMITED: Final = ("normal", "lognormal", "gamma", "beta")
LIMITED: Final = ("uniform", "triangular", "pert")
TOLERANCE: Final = 1e-6
"""How well quantiles must be met, relative to sure · (1 − sure)."""
ENTROPY_TOLERANCE: Final = 1e-3
ROUNDING: Final = 1e-12
SURE: Final = Input.model_fields["sure"].default


@dataclass(frozen=True, eq=False)
class Marginal:
    """The distribution of one input, in base units.

    Attributes
    ----------
    family
        ``point``, ``normal``, ``lognormal``, ``gamma``, ``beta``, ``pert``, ``triangular``,
        ``uniform`` or ``samples``.
    parameters
        By name, as the classes of `laws` have them.
    samples
        Of the family ``samples``, in the order given.
    likely
        The most likely value, where it was given.
    """

    family: str
    parameters: Mapping[str, float]
    samples: Array | None = None
    likely: float | None = None

    @cached_property
    def law(self) -> Law:
        """The formulas."""
        if self.samples is not None:
            return Samples(self.samples)
        return law(self.family, self.parameters)

    @property
    def is_point(self) -> bool:
        """Whether there is no spread."""
        return self.family == "point"

    def quantile(self, p: Array | float) -> Array:
        """Return the values below which the truth lies with probability p, in the shape of p."""
        return self.law.quantile(np.asarray(p, dtype=float))

    def cdf(self, x: Array | float) -> Array:
        """Return the probabilities of values up to x, in the shape of x."""
        return self.law.cdf(np.asarray(x, dtype=float))

    def from_score(self, z: Array | float) -> Array:
        """Return the quantiles at Φ(z), in the shape of z.

        The relative error is below 1e-8 for |z| ≤ 8. Gamma, Beta and PERT take scores beyond
        ±8.5 as ±8.5.
        """
        return self.law.from_score(np.asarray(z, dtype=float))

    def mean(self) -> float:
        """Return the mean."""
        return self.law.mean()

    def sd(self) -> float:
        """Return the standard deviation."""
        return self.law.sd()

    @property
    def central(self) -> float:
        """The most likely value where it was given, else the point, else the median."""
        return self.likely if self.likely is not None else float(self.quantile(0.5))


def family_of(entry: Input) -> str:
    """Return the family of an input: the one it names, or the one that follows from its kind.

    Without a name, three points are a PERT distribution. A range is a Beta distribution for
    shares that cannot leave 0 to 1, a Gamma distribution for delays, a normal distribution where
    it reaches down to 0 or below, else a lognormal. Maximum entropy chooses among the latter four.
    """
    if entry.value is not None:
        return "point"
    if entry.samples is not None:
        return "samples"
    if entry.family is None and entry.likely is not None:
        return "pert"
    if entry.family not in (None, "maxent"):
        return entry.family
    share = read_unit(entry.unit).kind == "share"
    if share and (entry.role in BETA or entry.effect in ("churn", TRANSITION)):
        return "beta"
    if entry.role == "delay":
        return "gamma"
    return "normal" if entry.low is None or entry.low <= 0.0 else "lognormal"


def marginal(entry: Input) -> Marginal:
    """Return the distribution of an input in base units.

    Raises
    ------
    SchemaError
        Where `range_fault` finds a fault.
    """
    fault = range_fault(entry)
    if fault is not None:
        raise SchemaError(Fault(*fault).text())
    scale = read_unit(entry.unit).scale
    family = family_of(entry)
    if family == "point":
        return Marginal("point", {"value": _base(entry.value, scale)})
    if entry.samples is not None:
        return Marginal("samples", {}, scale * np.asarray(entry.samples, dtype=float))
    likely = None if entry.likely is None else entry.likely * scale
    return Marginal(family, dict(_parameters(entry) or {}), likely=likely)


def realised_tails(entry: Input) -> tuple[float, float]:
    """Return the probabilities below `low` and above `high` of an input given as a range.

    They are (1 − sure) / 2 each, except for maximum entropy.
    """
    found, scale = marginal(entry), read_unit(entry.unit).scale
    below, up_to = found.cdf(np.array([_base(entry.low, scale), _base(entry.high, scale)]))
    return float(below), float(1.0 - up_to)


def range_fault(entry: Input) -> RangeFault | None:
    """Return what is wrong with the numbers of one input: catalogue key and values, or None."""
    try:
        read_unit(entry.unit)
    except SchemaError:
        return "range.unit", {"unit": entry.unit}
    return next(_faults(entry), None)


def _faults(entry: Input) -> Iterator[RangeFault]:
    """Yield the faults; each check relies on those before it having found none."""
    yield from _form_faults(entry)
    yield from _share_faults(entry)
    if entry.low is not None:
        yield from _family_faults(entry)
        yield from _matching_faults(entry)


def _form_faults(entry: Input) -> Iterator[RangeFault]:
    points = {"low": entry.low, "likely": entry.likely, "high": entry.high}
    points = {name: x for name, x in points.items() if x is not None}
    given = [Entry(name, _quantity(x, entry)) for name, x in points.items()]
    ways = [] if entry.value is None else [Entry("value", _quantity(entry.value, entry))]
    ways += [] if entry.samples is None else [Entry("samples")]
    if len(ways) + bool(points) > 1:
        yield "range.two_ways", {"given": (*ways, *given)}
    if not ways and not points:
        yield "range.missing", {}
    if points and not points.keys() >= {"low", "high"}:
        yield "range.incomplete", {"given": tuple(given)}
    if ways and entry.family is not None:
        yield (
            "range.family_unused",
            {"family": Word("family", entry.family), "way": Entry(ways[0].code)},
        )
    if ways and entry.sure != SURE:
        yield "range.sure_unused", {"way": Entry(ways[0].code)}
    if entry.samples is not None:
        if len(entry.samples) < 2:
            yield "range.samples_few", {"count": len(entry.samples)}
        wrong = int(np.sum(~np.isfinite(entry.samples)))
        if wrong:
            yield "range.samples_finite", {"count": wrong}
    if entry.low is not None and entry.high is not None:
        yield from _order_faults(entry, entry.low, entry.high)


def _order_faults(entry: Input, low: float, high: float) -> Iterator[RangeFault]:
    shown = _range(entry)
    if low > high:
        yield "range.order", shown
    if low == high:
        yield "range.equal", {"value": Typed(low)}
    if entry.likely is not None and not low <= entry.likely <= high:
        yield "range.likely", {"likely": _quantity(entry.likely, entry), **shown}


def _share_faults(entry: Input) -> Iterator[RangeFault]:
    if not _within(entry):
        return
    scale = read_unit(entry.unit).scale
    for x in (entry.value, entry.low, entry.likely, entry.high, *(entry.samples or ())):
        if x is not None and not 0.0 <= x * scale <= 1.0:
            yield "range.share", {"number": _quantity(x, entry), "whole": _whole(entry)}


def _family_faults(entry: Input) -> Iterator[RangeFault]:
    family, shown, unit = family_of(entry), _range(entry), read_unit(entry.unit)
    said = Word("family", family)
    low, high = _base(entry.low, unit.scale), _base(entry.high, unit.scale)
    if family in POINTS and entry.likely is None:
        yield "range.no_likely", {"family": said}
    if family in POSITIVE and low <= 0.0:
        yield "range.positive", {"family": said, **shown}
    if family == "beta" and not 0.0 < low < high < 1.0:
        yield "range.beta", {"whole": _whole(entry), **shown}
    if family in UNLIMITED and entry.sure == 1.0:
        yield "range.certain", {"family": said, **shown}
    if entry.family == "maxent" and not elicit.installed():
        yield "range.preliz", {}


def _matching_faults(entry: Input) -> Iterator[RangeFault]:
    family, scale = family_of(entry), read_unit(entry.unit).scale
    sure = Quantity(100.0 * entry.sure, "%")
    values = {"family": Word("family", family), "sure": sure, **_range(entry)}
    found = _parameters(entry)
    if found is None:
        yield "range.impossible", values
    elif family in LIMITED and _within(entry):
        lower, upper = found["low"], found["high"]
        if lower < -ROUNDING or upper > 1.0 + ROUNDING:
            ends = {"lower": lower / scale, "upper": upper / scale}
            shown = {name: _quantity(float(f"{x:.3g}"), entry) for name, x in ends.items()}
            yield "range.limits", {**values, **shown, "whole": _whole(entry)}


def _parameters(entry: Input) -> Mapping[str, float] | None:
    scale, family = read_unit(entry.unit).scale, family_of(entry)
    likely = _base(entry.likely, scale) if family in POINTS else None
    return _solved(
        family,
        _base(entry.low, scale),
        _base(entry.high, scale),
        entry.sure,
        likely,
        entry.family == "maxent",
    )


@lru_cache(maxsize=1024)
def _solved(
    family: str, low: float, high: float, sure: float, likely: float | None, entropy: bool
) -> Mapping[str, float] | None:
    """Return the parameters, or None where no distribution that can be computed has them."""
    with np.errstate(all="ignore"):
        try:
            if entropy:
                found = elicit.maximum_entropy(family, low, high, sure)
            else:
                found = match(family, low, high, sure, likely)
            formulas = law(family, found)
            below, up_to = formulas.cdf(np.array([low, high]))
            spread = formulas.mean() * formulas.sd()
        except ArithmeticError:
            return None
    if not np.isfinite(spread):
        return None
    if entropy:
        return found if abs(up_to - below - sure) < ENTROPY_TOLERANCE else None
    tail = 0.5 * (1.0 - sure)
    error = max(abs(below - tail), abs(1.0 - up_to - tail))
    return found if error <= TOLERANCE * sure * (1.0 - sure) + ROUNDING else None


def _within(entry: Input) -> bool:
    """Return whether the input is a share that cannot leave 0 to 1."""
    share = read_unit(entry.unit).kind in ("share", "factor")
    return share and (entry.role in WITHIN or entry.effect in ("churn", TRANSITION))


def _base(x: float | None, scale: float) -> float:
    return float("nan") if x is None else x * scale


def _range(entry: Input) -> dict[str, Quantity]:
    ends = {"low": entry.low, "high": entry.high}
    return {name: _quantity(x, entry) for name, x in ends.items() if x is not None}


def _whole(entry: Input) -> Quantity:
    """Return 100 % in the unit of an input."""
    return _quantity(1.0 / read_unit(entry.unit).scale, entry)


def _quantity(x: float, entry: Input) -> Quantity:
    return Quantity(x, entry.unit)
