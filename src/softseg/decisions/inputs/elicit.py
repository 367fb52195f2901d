"""Maximum entropy through PreliZ: the optional extra ``softseg[elicit]``.

`preliz.maxent` finds, within a family, the distribution of largest entropy that has the asked
probability *between* low and high. It does not match the quantiles: how the rest is shared out
below and above is whatever it becomes. For a lognormal with 90 % between 50,000 and 150,000 it
leaves 2 % below and 8 % above, so that the 95 % quantile is 161,700 and not 150,000. A range that
is meant as the 5 % and the 95 % quantile must therefore be matched (`matching`), which is what
every other family does. Whoever asks for maximum entropy must look at the tails that come out:
`softseg.decisions.inputs.ranges.realised_tails` returns them.
"""

import warnings
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from softseg.decisions.inputs.faults import Fault
from softseg.errors import SchemaError

NAMES = {
    "normal": ("Normal", ("mu", "sigma")),
    "lognormal": ("LogNormal", ("mu", "sigma")),
    "gamma": ("Gamma", ("alpha", "beta")),
    "beta": ("Beta", ("alpha", "beta")),
}
"""Our families, their classes in PreliZ, and the parameters of those."""


def installed() -> bool:
    """Return whether PreliZ is there."""
    return find_spec("preliz") is not None


def maximum_entropy(family: str, low: float, high: float, sure: float) -> dict[str, float]:
    """Return the parameters, by our names, of the family's maximum-entropy distribution.

    The first call takes some seconds, in which PreliZ is imported and compiled.

    Parameters
    ----------
    family
        A key of `NAMES`.
    low, high, sure
        The probability `sure` lies between `low` and `high`; the tails are *not* equal.

    Raises
    ------
    SchemaError
        Where PreliZ is not installed.
    """
    with warnings.catch_warnings():
        # its optimiser warns of steps it takes back; what comes out is checked by the caller
        warnings.simplefilter("ignore")
        try:
            preliz: Any = import_module("preliz")
        except ImportError as error:
            raise SchemaError(Fault("range.preliz").text()) from error
        kind, names = NAMES[family]
        found = preliz.maxent(getattr(preliz, kind)(), low, high, sure, plot=False)
    first, second = (float(getattr(found, name)) for name in names)
    if family == "gamma":
        return {"shape": first, "scale": 1.0 / second}
    return {names[0]: first, names[1]: second}
