"""Every dimension, group and attribute name that appears in a result.

One word per thing: code, files and figures take the words from here, so that a reader who knows
one result can read them all.
"""

from typing import Final

CHAIN: Final = "chain"
DRAW: Final = "draw"
SAMPLE: Final = "sample"
CUSTOMER: Final = "customer"
PATTERN: Final = "pattern"
SEGMENT: Final = "segment"
SEGMENT_NAME: Final = "segment_name"
INDICATOR: Final = "indicator"
MEASURE: Final = "measure"
ASSIGNED: Final = "assigned"
CLASSIFICATION_ERROR: Final = "classification_error"
"""How often a customer of a segment is assigned to each one: rows by segment, sums 1."""
RULE: Final = "rule"
PERIOD: Final = "period"
STATE: Final = "state"
STATE_TO: Final = "state_to"
"""A state is a segment or, last, churned; a transition goes from `state` to `state_to`."""
CHURNED: Final = "churned"
"""Label of the last state where the model has churn; without it no state has this label."""
HORIZON: Final = "horizon"
"""Periods ahead, 0 being the present one."""
PROGRAMME: Final = "programme"
BASELINE: Final = "baseline"
"""Label along `programme` of what happens without one."""

SHARE: Final = "share"
"""Name of the variable that holds the prior weights of the segments."""

TRANSITION: Final = "transition"
INITIAL: Final = "initial"
"""Where customers go from one period to the next, and where they begin."""

RESERVED: Final = (TRANSITION, INITIAL)
"""Names that no indicator may have: parameters of their own stand under them."""

POSTERIOR: Final = "posterior"
SAMPLE_STATS: Final = "sample_stats"
MEMBERSHIP: Final = "membership"
PROFILE: Final = "profile"
SIZES: Final = "sizes"
VALUE: Final = "value"
FIT: Final = "fit"

LOWER_PROBABILITY: Final = 0.05
UPPER_PROBABILITY: Final = 0.95
"""Every interval of the package is equal-tailed, 5 % to 95 %."""


def parameter_name(indicator: str, parameter: str) -> str:
    """Return the name of a family's parameter in the posterior tree."""
    return f"{_storable(indicator)}__{parameter}"


def level_dim(indicator: str) -> str:
    """Return the name of the dimension that runs over the levels of a categorical indicator."""
    return f"{_storable(indicator)}_level"


def _storable(name: str) -> str:
    """Return a column's name without slash and comma.

    The slash parts paths in NetCDF files and trees, the comma parts names where nutpie lists them.
    """
    return name.replace("/", "\N{DIVISION SLASH}").replace(",", "\N{SINGLE LOW-9 QUOTATION MARK}")
