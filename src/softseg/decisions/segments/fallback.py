"""What still stands where a verdict on the fit failed: `fallback`."""

from dataclasses import dataclass
from typing import Final

from softseg.errors import UsageError
from softseg.wording import has, say

GATES: Final = ("good", "failed")
FITS: Final = ("good", "doubtful", "poor")


@dataclass(frozen=True)
class Fallback:
    """What a study is still good for, in sentences.

    Attributes
    ----------
    case
        ``gate_failed``, ``fit_poor`` or ``fit_doubtful``.
    title
        The case in one sentence.
    stands
        What can be used all the same.
    falls
        What cannot.
    todo
        Who must do what; each sentence begins with the role.
    """

    case: str
    title: str
    stands: tuple[str, ...]
    falls: tuple[str, ...]
    todo: tuple[str, ...]


def fallback(gate: str, fit: str, language: str = "en") -> Fallback | None:
    """Return what still stands, or None where both verdicts are good.

    A failed gate comes first: what the fit check says rests on the same draws.

    Parameters
    ----------
    gate
        Status of the gate, ``good`` or ``failed``.
    fit
        Status of the fit, ``good``, ``doubtful`` or ``poor``.
    language
        ``"en"`` or ``"de"``.

    Raises
    ------
    UsageError
        Where a status is unknown.
    """
    for name, got, known in (("gate", gate, GATES), ("fit", fit, FITS)):
        if got not in known:
            raise UsageError(f"Give the status of the {name} out of {list(known)}, got {got!r}.")
    if gate == fit == "good":
        return None
    case = "gate_failed" if gate == "failed" else f"fit_{fit}"
    return Fallback(
        case,
        say(f"fallback.{case}.title", language),
        _sentences(case, "stands", language),
        _sentences(case, "falls", language),
        _sentences(case, "todo", language),
    )


def _sentences(case: str, part: str, language: str) -> tuple[str, ...]:
    found: list[str] = []
    while has(key := f"fallback.{case}.{part}.{len(found) + 1}"):
        found.append(say(key, language))
    return tuple(found)
