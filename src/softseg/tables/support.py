"""Whether a prior fits the parameter it is given for."""

from softseg.errors import SchemaError
from softseg.families.base import Parameter
from softseg.priors import DISTRIBUTIONS, FIXED, Prior

_FITTING = {
    "real": ("real", "positive"),
    "positive": ("positive",),
    "unit": ("unit",),
    "simplex": ("simplex",),
}
_WITHIN = {
    "real": lambda x: True,
    "positive": lambda x: x > 0,
    "unit": lambda x: 0 <= x <= 1,
    "simplex": lambda x: 0 <= x <= 1,
}


def check_support(prior: Prior, parameter: Parameter) -> None:
    """Refuse a prior that allows values the parameter cannot have.

    Raises
    ------
    SchemaError
        Where the distribution, or the value it is fixed to, does not fit.
    """
    if prior.name == FIXED:
        value = prior.parameters["value"]
        numbers = value if isinstance(value, tuple) else (value,)
        if not all(_WITHIN[parameter.support](number) for number in numbers):
            raise SchemaError(
                f"Fix {parameter.name!r} to a value that it can have ({parameter.support}), "
                f"got {value}."
            )
        return
    fitting = [n for n, d in DISTRIBUTIONS.items() if d.support in _FITTING[parameter.support]]
    if prior.name not in fitting:
        raise SchemaError(
            f"Choose the prior of {parameter.name!r} out of {fitting}, got {prior.name!r}."
        )
