"""The customers of the present, block by block: how many, how surely, how large.

The state of a customer is not known, only its probabilities f_i. The number in state k, h periods
ahead, is a sum of independent indicators with probabilities p_i = f_i A^h (Poisson binomial), and

    Var_k = Σ_i p_ik (1 − p_ik) = n_k − [(A^h)ᵀ (Σ_i f_i f_iᵀ) A^h]_kk,

so that Σ_i f_i and Σ_i f_i f_iᵀ, which add up over blocks of customers, are all that expectation
and variance need at every horizon. With levels m_i (what a customer brings relative to others in
its state) the sums of m_i f_i, m_i² f_i and m_i² f_i f_iᵀ do the same for money.
"""

import numpy as np
import xarray as xr

from softseg.errors import UsageError
from softseg.names import CUSTOMER, SAMPLE, STATE, STATE_TO
from softseg.results.migration.chain import state_names


def present(filtered: xr.DataArray, level: xr.DataArray | None = None) -> xr.Dataset:
    """Return the sums over a block of customers that a projection begins with; blocks add up.

    ``present(a) + present(b)`` are the sums of both blocks.

    Parameters
    ----------
    filtered
        Probability of each customer's state in the last period, (sample, customer, state).
    level
        What the customer brings relative to the mean of its state, (customer) or
        (sample, customer), ≥ 0; 1 by default.

    Returns
    -------
    xarray.Dataset
        ``customers`` and ``levels``, ``level_squares`` (sample, state); ``pairs`` and
        ``level_pairs`` (sample, state, state_to), the sums of f fᵀ and m² f fᵀ.

    Raises
    ------
    UsageError
        Where probabilities do not sum to 1 or levels do not fit.
    """
    f = filtered.transpose(SAMPLE, CUSTOMER, STATE)
    check_filtered(f)
    m = levels_of(f, level).transpose(..., CUSTOMER)
    numbers, sizes = f.values, m.values[..., None]
    weighted = numbers * sizes
    across = np.swapaxes(numbers, -1, -2)
    dims = (SAMPLE, STATE)
    found = {
        "customers": (dims, numbers.sum(axis=1)),
        "levels": (dims, weighted.sum(axis=1)),
        "level_squares": (dims, (weighted * sizes).sum(axis=1)),
        "pairs": ((*dims, STATE_TO), across @ numbers),
        "level_pairs": ((*dims, STATE_TO), np.swapaxes(weighted, -1, -2) @ weighted),
    }
    return xr.Dataset(found).assign_coords(
        {name: f[name] for name in (SAMPLE, STATE) if name in f.coords}
    )


def known(customers: xr.DataArray) -> xr.Dataset:
    """Return the same sums for customers whose states are known, all of level 1.

    Parameters
    ----------
    customers
        Customers by state, (sample, state) or (state).
    """
    names = state_names(customers)
    eye = xr.DataArray(np.eye(len(names)), dims=(STATE, STATE_TO))
    pairs = (customers * eye).assign_coords({STATE_TO: names})
    return xr.Dataset({
        "customers": customers, "levels": customers, "level_squares": customers,
        "pairs": pairs, "level_pairs": pairs,
    })  # fmt: skip


def check_filtered(filtered: xr.DataArray) -> None:
    """Refuse what are no probabilities of states.

    Raises
    ------
    UsageError
        Where an entry is below 0 or a customer's probabilities do not sum to 1.
    """
    f = filtered.transpose(..., STATE).values
    if not np.all(f >= 0.0) or np.any(np.abs(f.sum(axis=-1) - 1.0) > 1e-6):
        raise UsageError(
            "Give probabilities of the states: no entry below 0, every customer's summing to 1."
        )


def levels_of(filtered: xr.DataArray, level: xr.DataArray | None) -> xr.DataArray:
    """Return the customers' levels, 1 by default, (customer) or (sample, customer).

    Raises
    ------
    UsageError
        Where there is not one number of at least 0 per customer.
    """
    n = filtered.sizes[CUSTOMER]
    if level is None:
        return xr.DataArray(np.ones(n), dims=CUSTOMER)
    if level.sizes.get(CUSTOMER) != n or not np.all(level.values >= 0.0):
        raise UsageError(
            f"Give one level of at least 0 per customer: expected {n}, "
            f"got {level.sizes.get(CUSTOMER, 0)} with {float(level.min())} as the least."
        )
    return level.drop_vars(CUSTOMER, errors="ignore")
