"""What the gate says: its checks, in numbers, in words and as JSON.

This file needs no sampler and no draws, so that a saved judgement can be read anywhere.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from softseg.wording import number, percent, say

SHARES = ("labels", "permutations", "renewed")
"""Checks whose value is a share."""
INTERRUPTED: Final = "chains"
"""Check that is there only where a run was interrupted."""
PARTIAL: Final = "partial"
"""Status of the finished chains of a run that was interrupted."""


@dataclass(frozen=True)
class Check:
    """One check of the gate.

    Attributes
    ----------
    name
        Key of the check: ``rhat``, ``ess_bulk``, ``ess_tail``, ``pareto_k``, ``importance_ess``,
        ``explored``, ``divergences``, ``bfmi``, ``labels``, ``permutations``, ``modes``, ``sizes``;
        ``renewed`` for draws in pairs; ``chains`` after an interrupt.
    applies
        False where the method or a single segment leaves nothing to check.
    passed
        None where it does not apply.
    value
        Worst value found; NaN where it could not be computed, None where it does not apply.
    bound
        What it is held against.
    worst
        Which quantity the value belongs to, for instance ``orders__rate[2]``.
    details
        Further figures.
    """

    name: str
    applies: bool
    passed: bool | None
    value: float | None
    bound: float
    worst: str = ""
    details: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def rivals(self) -> int:
        """Number of other modes near the best one."""
        return int(self.details.get("rivals", 0))

    @property
    def excess(self) -> float:
        """By how much a failed check misses its bound, as a share of it; 0 where none failed.

        R-hat counts from 1; infinite where the value could not be computed.
        """
        if self.passed is not False or self.value is None:
            return 0.0
        least = 1.0 if self.name == "rhat" else 0.0
        value, bound = self.value - least, self.bound - least
        if math.isnan(value):
            return math.inf
        if SIGNS[self.name] == "≥":
            return bound / value - 1.0 if value > 0.0 else math.inf
        return value / bound - 1.0 if bound > 0.0 else value

    def shown(self, language: str = "en") -> tuple[str, str]:
        """Return value and bound as text."""
        if self.value is None:
            return "–", ""
        if math.isnan(self.value):
            return say("gate.unknown", language), self._as_text(self.bound, language)
        return self._as_text(self.value, language), self._as_text(self.bound, language)

    def _as_text(self, x: float, language: str) -> str:
        if self.name in SHARES:
            return percent(x, language)
        whole = math.isfinite(x) and x == int(x)
        return number(int(x) if whole else x, language, 4 if self.name == "rhat" else 2)


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """Whether the draws of a fit can be trusted.

    Attributes
    ----------
    method
        Sampler that was judged.
    checks
        One per line of the gate.
    """

    method: str
    checks: tuple[Check, ...]

    @property
    def status(self) -> str:
        """``"good"``, ``"failed"``, or ``"partial"`` after an interrupt."""
        if any(check.name == INTERRUPTED for check in self.checks):
            return PARTIAL
        return "failed" if self.failed else "good"

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that were not passed."""
        return tuple(check for check in self.checks if check.passed is False)

    def check(self, name: str) -> Check:
        """Return one check by its name."""
        return next(check for check in self.checks if check.name == name)

    def interrupted(self, finished: int, asked: int) -> "Diagnosis":
        """Return the judgement of those chains that were finished before an interrupt."""
        check = Check(INTERRUPTED, True, False, float(finished), float(asked))
        return replace(self, checks=(check, *self.checks))

    def warnings(self, language: str = "en") -> list[str]:
        """Return what does not fail the gate and yet should be known, one sentence each."""
        return [
            say(
                "gate.rivals",
                language,
                count=number(check.rivals, language),
                gaps=_numbers(str(check.details["gaps"]), language),
            )
            for check in self.checks
            if check.rivals
        ]

    def text(self, language: str = "en", labels: Mapping[str, str] | None = None) -> str:
        """Return the judgement in words: one sentence when good, else what, why and what to do.

        Parameters
        ----------
        language
            ``"en"`` or ``"de"``.
        labels
            Names of indicators for readers, by column.
        """
        warnings = self.warnings(language)
        if not self.failed:
            return "\n".join([say("gate.good", language), *warnings])
        parts = [say("gate.failed", language, count=number(len(self.failed), language))]
        for check in self.failed:
            parts.append("\n".join(explain(check, language, labels)))
        return "\n\n".join([*parts, *warnings])

    def to_json(self) -> str:
        """Return the judgement as JSON."""
        data = {
            "method": self.method,
            "status": self.status,
            "checks": [asdict(c) | {"value": _plain(c.value)} for c in self.checks],
        }
        return json.dumps(data, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Diagnosis":
        """Return the judgement that `to_json` wrote."""
        data = json.loads(text)
        checks = [Check(**(entry | {"value": _number(entry["value"])})) for entry in data["checks"]]
        return cls(data["method"], tuple(checks))

    def __repr__(self) -> str:
        lines = [f"Diagnosis: {self.status} ({self.method})"]
        marks = {True: "ok", False: "FAILED", None: "–"}
        for check in self.checks:
            value, bound = check.shown("en")
            limit = f"{SIGNS[check.name]} {bound}" if check.applies else say("gate.not_applicable")
            line = f"  {marks[check.passed]:<7}{say(f'gate.{check.name}.title'):<42}"
            lines.append(f"{line}{value:>12}  {limit:<10}  {check.worst}".rstrip())
        return "\n".join([*lines, *(f"  {warning}" for warning in self.warnings())])


SIGNS = {
    "rhat": "<",
    "ess_bulk": "≥",
    "ess_tail": "≥",
    "pareto_k": "<",
    "importance_ess": "≥",
    "explored": "<",
    "divergences": "≤",
    "bfmi": "≥",
    "labels": "≥",
    "permutations": "<",
    "modes": "≥",
    "sizes": "≥",
    "renewed": "≥",
    INTERRUPTED: "≥",
}


def explain(
    check: Check, language: str = "en", labels: Mapping[str, str] | None = None
) -> list[str]:
    """Return what a failed check found, why it matters and what to do, one sentence group each."""
    value, bound = check.shown(language)
    where = quantity(check.worst, language, labels)
    unknown = check.value is not None and math.isnan(check.value)
    key = "gate.unknown.what" if unknown else f"gate.{check.name}.what"
    title = say(f"gate.{check.name}.title", language)
    what = say(key, language, value=value, bound=bound, where=where, **_figures(check, language))
    return [
        f"{title}: {what}",
        say(f"gate.{check.name}.why", language),
        say(f"gate.{check.name}.remedy", language),
    ]


def quantity(code: str, language: str = "en", labels: Mapping[str, str] | None = None) -> str:
    """Return a quantity's code, such as ``orders__rate[2]``, in words."""
    found = re.fullmatch(r"(?P<name>.+)\[(?P<index>[\d,]+)\]", code)
    if found is None:
        known = {"": "gate.quantity.none", "log_likelihood": "gate.quantity.log_likelihood"}
        return say(known[code], language) if code in known else code
    name, index = found["name"], found["index"].split(",")
    simple = ("share", "sorted_share", "segment", "chain")
    if name in simple:
        one = "one_" if name == "chain" and len(index) == 1 else ""
        return say(f"gate.quantity.{one}{name}", language, index=index[0], second=index[-1])
    indicator, _, parameter = name.rpartition("__")
    shown = (labels or {}).get(indicator, indicator)
    key = "gate.quantity.parameter" if len(index) == 1 else "gate.quantity.level"
    return say(
        key, language, indicator=shown, parameter=parameter, segment=index[0], level=index[-1]
    )


def _figures(check: Check, language: str) -> dict[str, str]:
    starts = check.details.get("starts")
    return {"starts": "–" if starts is None else number(int(starts), language)}


def _numbers(text: str, language: str) -> str:
    return "; ".join(number(float(part), language, 2) for part in text.split("; "))


def _plain(value: float | None) -> Any:
    return value if value is None or math.isfinite(value) else str(value)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def join(names: Sequence[str], language: str = "en") -> str:
    """Return names as a list in words: ``a, b and c``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {say('fit.and', language)} {names[-1]}"
