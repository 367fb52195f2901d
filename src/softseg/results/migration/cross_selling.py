"""What the segment buys and this customer does not: candidates for cross-selling.

Σ_k f_ik p_kj is the probability that a customer whose segment is that of i buys j. It is high
where i, who does not, differs from its like; whether i would buy when asked, it does not say. The
list holds row numbers, no ids.
"""

from collections.abc import Iterable

import numpy as np
import xarray as xr

from softseg.checks import probability
from softseg.errors import UsageError
from softseg.names import CHURNED, CUSTOMER, INDICATOR, SAMPLE, SEGMENT, STATE
from softseg.results.migration.chain import bands, unlabelled
from softseg.results.migration.present import check_filtered

CANDIDATE = "candidate"


def cross_selling(
    blocks: Iterable[tuple[xr.DataArray, xr.DataArray]],
    chance: xr.DataArray,
    *,
    least: float = 0.5,
    most: int | None = None,
) -> xr.Dataset:
    """Return customers and what they do not buy although their segment does, surest first.

    Parameters
    ----------
    blocks
        Pairs, block by block: probabilities of the customers' segments, (sample, customer, state)
        or (sample, customer, segment); and what they buy, (customer, indicator): 1, 0, or NaN where
        it is not known. The label of a customer is its row, from 0.
    chance
        Probability that a customer of the segment buys, (sample, state or segment, indicator), from
        `bought`; without churned, where nobody buys.
    least
        Least mean probability of a candidate.
    most
        Length of the list; all candidates by default.

    Returns
    -------
    xarray.Dataset
        Over (candidate): ``row``, counted from 1; ``indicator``; ``mean``, ``lower``, ``upper``,
        the probability that its segment buys; ``segment``, the most probable one. Attribute
        ``unknown``: cells that were not known and make no candidate.

    Raises
    ------
    UsageError
        Where segments, indicators or customers do not fit, or a cell is not 1, 0 or NaN.
    """
    probability(least, "the least probability")
    found: list[xr.Dataset] = []
    unknown = seen = 0
    for members, cells in blocks:
        listed = _candidates(members, cells, unlabelled(chance), least, seen)
        unknown += int(np.isnan(cells.values).sum())
        seen += members.sizes[CUSTOMER]
        found.append(listed)
    if not found:
        raise UsageError("Give at least one block of customers, got none.")
    together = xr.concat(found, dim=CANDIDATE)
    keys = (together["indicator"].values, together["row"].values, -together["mean"].values)
    listed = together.isel({CANDIDATE: np.lexsort(keys)[:most]})
    return listed.assign_attrs(unknown=unknown)


def _candidates(
    members: xr.DataArray, cells: xr.DataArray, chance: xr.DataArray, least: float, seen: int
) -> xr.Dataset:
    dim = STATE if STATE in members.dims else SEGMENT
    members = unlabelled(members).rename({dim: STATE})
    check_filtered(members)
    chance = _for_states(chance.rename({dim: STATE} if dim in chance.dims else {}), members)
    cells = cells.transpose(CUSTOMER, INDICATOR)
    _check_cells(members, cells, chance)
    n = members.sizes[CUSTOMER]
    row = members[CUSTOMER].values if CUSTOMER in members.coords else np.arange(seen, seen + n)
    members = members.drop_vars(CUSTOMER, errors="ignore")
    draws = xr.dot(members, chance, dim=STATE)
    mean = draws.mean(SAMPLE).transpose(CUSTOMER, INDICATOR).values
    customer, indicator = np.nonzero((cells.values == 0.0) & (mean >= least))
    chosen = draws.isel({
        CUSTOMER: xr.DataArray(customer, dims=CANDIDATE),
        INDICATOR: xr.DataArray(indicator, dims=CANDIDATE),
    })  # fmt: skip
    top = members.mean(SAMPLE).transpose(CUSTOMER, STATE).values.argmax(axis=-1)
    names = np.array([str(x) for x in members[STATE].values])
    data = {
        **{name: (CANDIDATE, x.values) for name, x in bands(chosen).items()},
        "row": (CANDIDATE, np.asarray(row, dtype=np.int64)[customer] + 1),
        "indicator": (CANDIDATE, np.array([str(x) for x in chance[INDICATOR].values])[indicator]),
        "segment": (CANDIDATE, names[top[customer]]),
    }
    return xr.Dataset(data)


def _for_states(chance: xr.DataArray, members: xr.DataArray) -> xr.DataArray:
    """Return the probabilities for the states of the members; who has churned buys nothing."""
    if STATE not in members.coords or STATE not in chance.coords or INDICATOR not in chance.coords:
        raise UsageError(
            "Label the states of customers and of probabilities, and the indicators: expected "
            f"coordinates {STATE!r} or {SEGMENT!r} and {INDICATOR!r}."
        )
    names = [str(x) for x in members[STATE].values]
    given = [str(x) for x in chance[STATE].values]
    chance = chance.assign_coords({STATE: given})
    if names[-1] == CHURNED and given == names[:-1]:
        gone = xr.zeros_like(chance.isel({STATE: [0]})).assign_coords({STATE: [CHURNED]})
        chance = xr.concat([chance, gone], dim=STATE)
    elif given != names:
        raise UsageError(f"Give the probabilities of buying for {names}, got {given}.")
    return chance.assign_coords({STATE: members[STATE].values})


def _check_cells(members: xr.DataArray, cells: xr.DataArray, chance: xr.DataArray) -> None:
    expected = (members.sizes[CUSTOMER], chance.sizes[INDICATOR])
    if cells.shape != expected:
        raise UsageError(
            f"Give one cell per customer and indicator: expected {expected}, got {cells.shape}."
        )
    if not np.all(np.isin(cells.values, (0.0, 1.0)) | np.isnan(cells.values)):
        raise UsageError("Give 1 for what a customer buys, 0 for what not, NaN for not known.")
    if members.sizes[SAMPLE] != chance.sizes[SAMPLE]:
        raise UsageError(
            f"Give members and probabilities of the same draws: expected {members.sizes[SAMPLE]}, "
            f"got {chance.sizes[SAMPLE]}."
        )
