"""A panel and its priors as plain arrays: what the peers read.

The log density of a row in segment k is `features` times weights plus a constant, as in softseg.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.migration.data import CHANNEL, CONTRACT, LEVELS, MEAN, MOVES, RATE, SD, SHARE, Panel
from softseg.models.latent_markov import sticky

type Array = NDArray[np.float64]

ACTIVE, CHURNED, NOTHING = range(3)
GAUSSIAN: Final = ("margin", "payment_days")
COUNTS: Final = ("orders", "returns")


@dataclass(frozen=True)
class Numbers:
    """A padded panel.

    Attributes
    ----------
    features
        z², z, counts, levels and contract of each row, 0 where there is none, (period, customer,
        feature).
    kind
        `ACTIVE`, `CHURNED` or `NOTHING` (after the end), (period, customer).
    mean, sd, shape, scale
        Priors of the standardised Gaussian indicators: Normal(mean, sd) and for the variance
        InverseGamma(shape, scale); (indicator,).
    alpha, beta
        Gamma priors of the rates, (indicator,).
    rows
        Dirichlet concentrations of the transitions, (segment, state).
    """

    features: Array
    kind: NDArray[np.int32]
    centre: Array
    unit: Array
    mean: Array
    sd: Array
    shape: Array
    scale: Array
    alpha: Array
    beta: Array
    rows: Array

    @classmethod
    def of(cls, panel: Panel) -> "Numbers":
        """Return a panel as the peers read it."""
        columns = panel.schema.indicators
        normal = [columns[name].coding() for name in GAUSSIAN]
        priors = {name: column.prior_mapping() for name, column in columns.items()}
        z = [(panel.padded(n) - c.centre) / c.scale for n, c in zip(GAUSSIAN, normal, strict=True)]
        x = [panel.padded(name) for name in COUNTS]
        channel = panel.padded("channel")
        blocks = [*(each**2 for each in z), *z, *x]
        blocks += [(channel == level).astype(float) for level in range(len(LEVELS))]
        blocks.append(panel.padded("contract"))
        features = np.nan_to_num(np.stack(blocks, axis=-1)).swapaxes(0, 1)
        there = np.isfinite(x[0]).T
        kind = np.where(there, ACTIVE, NOTHING).astype(np.int32)
        ended = np.flatnonzero(panel.churned)
        kind[panel.length[ended] - 1, ended] = CHURNED

        def of(names: tuple[str, ...], parameter: str, number: str) -> Array:
            return np.array([priors[n][parameter].parameters[number] for n in names])

        centre, unit = (np.array([getattr(c, n) for c in normal]) for n in ("centre", "scale"))
        return cls(
            features, kind, centre, unit, (of(GAUSSIAN, "mean", "mu") - centre) / unit,
            of(GAUSSIAN, "mean", "sigma") / unit, of(GAUSSIAN, "sd", "alpha"),
            of(GAUSSIAN, "sd", "beta") / unit**2, of(COUNTS, "rate", "alpha"),
            of(COUNTS, "rate", "beta"), sticky(4, True),
        )  # fmt: skip

    def truth(self) -> dict[str, Array]:
        """Return the truth by parameter: where the peers start."""
        return {
            "share": SHARE,
            "moves": MOVES,
            "mean": ((MEAN - self.centre) / self.unit).T,
            "variance": ((SD / self.unit) ** 2).T,
            "rate": RATE.T,
            "channel": CHANNEL,
            "contract": CONTRACT,
        }
