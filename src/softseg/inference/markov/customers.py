"""What the whole history of each customer says under posterior draws: `customer_densities`.

The unit is the customer. One who left and came back has several histories; its log density is
their sum, as the model takes stays to be independent given the parameters. Customers with equal
histories have the same density: it is evaluated once, and counts as often as there are customers.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array
from softseg.inference.markov.fit import Layout
from softseg.inference.markov.space import MarkovSpace, histories_kernel
from softseg.models.latent_markov import LatentMarkov
from softseg.models.mixture import Values
from softseg.models.plan import theta_of
from softseg.tables.panel.panel import Panel

HELD: Final = 20_000_000
"""Log densities of so many draws × customers are held at once."""


@dataclass(frozen=True)
class Customers:
    """The distinct customers of a panel.

    Attributes
    ----------
    histories
        Distinct histories of each, in sorted order, −1 where it has fewer; (customer, stay).
    count
        How many customers of the panel are like it, (customer,).
    """

    histories: NDArray[np.intp]
    count: Array

    @property
    def n_customers(self) -> float:
        """Customers of the panel that have a history."""
        return float(self.count.sum())


def customers_of(panel: Panel, layout: Layout) -> Customers:
    """Return the distinct customers of a panel."""
    own = layout.histories.history_of
    _, who, stays = np.unique(panel.customer, return_inverse=True, return_counts=True)
    order = np.lexsort((own, who))
    first = np.cumsum(stays) - stays
    found = np.full((len(stays), int(stays.max(initial=0))), -1, dtype=np.intp)
    found[who[order], np.arange(len(own)) - first[who[order]]] = own[order]
    distinct, count = np.unique(found, axis=0, return_counts=True)
    return Customers(distinct, count.astype(float))


def customer_densities(
    model: LatentMarkov, layout: Layout, customers: Customers, values: Values, cores: int = 1
) -> Callable[[slice], Array]:
    """Return the function that evaluates customers' log densities on demand.

    Parameters
    ----------
    model, layout
        Of the panel that the customers are of.
    values
        Draws with the leading axis (sample).
    cores
        Threads; they change no number.

    Returns
    -------
    Callable
        From a slice of the distinct customers to log densities (sample, customer), base measure
        included, as `softseg.inference.loo.loo` asks for them.
    """
    theta = np.ascontiguousarray(theta_of(model, values))
    share = np.ascontiguousarray(values.share)
    width = max(1, HELD // max(1, len(share)))
    held: list[tuple[int, Array]] = [(0, np.empty((len(share), 0)))]

    def evaluated(some: NDArray[np.intp]) -> Array:
        """Return the log densities of some customers, given their histories (customer, stay)."""
        used, place = np.unique(some, return_inverse=True)
        place = place.reshape(some.shape)
        kept = used[used >= 0]
        histories, statistics = layout.histories.take(kept, layout.statistics)
        space = MarkovSpace.on(model, statistics, histories)
        column = np.append(np.zeros(len(used) - len(kept), np.intp), histories.history_of)[place]

        def one(i: int) -> Array:
            own = histories_kernel(space.plan, space.chain, share[i], theta[i], space.sequences)
            return np.where(some >= 0, own[column], 0.0).sum(axis=1)

        with ThreadPoolExecutor(max_workers=max(cores, 1)) as pool:
            return np.stack(list(pool.map(one, range(len(share)))))

    def densities(block: slice) -> Array:
        first, found = held[0]
        if not first <= block.start <= block.stop <= first + found.shape[1]:
            last = max(block.stop, block.start + width)
            first, found = block.start, evaluated(customers.histories[block.start : last])
            held[0] = first, found
        return found[:, block.start - first : block.stop - first]

    return densities
