"""What evidence, occupied segments and survival say beside a recommendation."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from softseg.families.base import Array
from softseg.inference.evidence import probabilities
from softseg.inference.flows import survivors
from softseg.inference.telescoping import Occupied

if TYPE_CHECKING:
    from softseg.inference.choice import Candidate

Reason = tuple[str, dict[str, float]]
"""A key of the catalogue with its values."""
LOOSE_RHAT: Final = 1.05
"""R-hat up to which a short run serves to compare numbers of segments."""


def second_opinions(
    candidates: Sequence["Candidate"], said: Mapping[str, float], occupied: Occupied | None
) -> list[Reason]:
    """Return what evidence and occupied segments say, and whether they agree with the others.

    Parameters
    ----------
    said
        The number that each of the other criteria takes: ``loo``, and in a panel ``bic``.
    """
    reasons: list[Reason] = []
    said = dict(said)
    known = [c for c in candidates if c.compared]
    if len(known) > 1:
        p = probabilities([c.evidence.log for c in known])
        said["evidence"] = float(known[int(p.argmax())].n_segments)
        values = {"k": said["evidence"], "p": float(p.max())}
        reasons.append(("choose.evidence", values))
    for key, left_out in (
        ("choose.no_evidence", [c for c in candidates if c.usable and not c.compared]),
        ("choose.evidence_refused", [c for c in candidates if not c.usable]),
    ):
        if left_out:
            reasons.append((key, {f"k{c.n_segments}": float(c.n_segments) for c in left_out}))
    if occupied is not None and not occupied.rhat < LOOSE_RHAT:
        reasons.append(("choose.occupied_unsettled", {"rhat": occupied.rhat}))
    elif occupied is not None:
        said["occupied"] = float(occupied.mode)
        p_mode = float(occupied.probability().max())
        reasons.append(("choose.occupied", {"k": said["occupied"], "p": p_mode}))
    if len(said) > 1:
        agree = len(set(said.values())) == 1
        reasons.append((f"choose.{'agree' if agree else 'disagree'}", said))
    return reasons


def survival(
    candidates: Sequence["Candidate"], flows: Sequence[Array], taken: "Candidate"
) -> list[Reason]:
    """Return which segments survive from the recommended number to the next one tried."""
    at = candidates.index(taken)
    if at + 1 >= len(candidates) or taken.n_segments == 1:
        return []
    stay = survivors(flows[at])
    values: dict[str, float] = {"k": taken.n_segments, "next": candidates[at + 1].n_segments}
    key = "choose.survive" if stay else "choose.survive_none"
    return [(key, values | {f"s{a + 1}": float(a + 1) for a in stay})]
