"""Where customers begin and move, the same result whichever way it came: `Migration`.

Three ways lead here: the latent Markov model on the indicators (joint), assigned segments with
their classification errors (three-step), and states that somebody has written down (observed).
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import xarray as xr
from numba import njit

from softseg.compiled import CACHED
from softseg.families.base import Array
from softseg.inference.draws import Draws
from softseg.inference.sample import Sampled
from softseg.inference.verdicts import Diagnosis
from softseg.models.latent_markov import LatentMarkov, chain_of
from softseg.models.mixture import Values
from softseg.names import (
    ASSIGNED,
    CHAIN,
    CHURNED,
    CLASSIFICATION_ERROR,
    DRAW,
    PERIOD,
    SEGMENT,
    SHARE,
    STATE,
    STATE_TO,
    TRANSITION,
)

Way = Literal["joint", "three_step", "observed"]
BEGINNING: Final = "beginning"
"""Dimension of the initial shares where covariates explain them."""
COVARIATE_PROFILE: Final = "covariate_profile"


@dataclass(frozen=True)
class Migration:
    """Judged draws of initial shares and transitions.

    Attributes
    ----------
    way
        ``"joint"``, ``"three_step"`` or ``"observed"``.
    model
        Whose chain the draws belong to.
    draws
        Initial shares, and transitions or coefficients of covariates, under the same names
        whichever way; leading axes (chain, draw).
    diagnosis
        Whether the draws can be trusted (the gate).
    errors
        Classification errors D of each draw, (chain, draw, segment, assigned); None where no
        label is involved.
    """

    way: Way
    model: LatentMarkov
    draws: Draws
    diagnosis: Diagnosis
    errors: Array | None = None

    def posterior(self) -> xr.Dataset:
        """Return the draws by name.

        Returns
        -------
        xarray.Dataset
            ``share``, of the segments at the beginning, (chain, draw[, beginning], segment);
            ``transition`` (chain, draw[, period], state, state_to), the last state churned where
            customers churn, and ``covariate_profile`` in the place of period with covariates;
            ``classification_error`` (chain, draw, segment, assigned), if any.
        """
        model, k = self.model, self.model.n_segments
        begin, moves = chains(model, self.draws.values)
        lead, segments = (CHAIN, DRAW), np.arange(1, k + 1)
        states = [*map(str, segments), *([CHURNED] if model.churns else [])]
        coordinates: dict[str, Any] = {
            CHAIN: np.arange(begin.shape[0]),
            DRAW: np.arange(begin.shape[1]),
            SEGMENT: segments,
            STATE: states,
            STATE_TO: states,
        }
        found: dict[str, Any] = {}
        begin = begin[..., :k]
        if begin.shape[2] == 1:
            found[SHARE] = ((*lead, SEGMENT), begin[:, :, 0])
        else:
            found[SHARE] = ((*lead, BEGINNING, SEGMENT), begin)
        if moves.shape[2] == 1:
            found[TRANSITION] = ((*lead, STATE, STATE_TO), moves[:, :, 0])
        else:
            which = COVARIATE_PROFILE if model.design.shape[1] else PERIOD
            found[TRANSITION] = ((*lead, which, STATE, STATE_TO), moves)
            coordinates[which] = np.array(model.profiles, dtype=np.str_)
        if self.errors is not None:
            found[CLASSIFICATION_ERROR] = ((*lead, SEGMENT, ASSIGNED), self.errors)
            coordinates[ASSIGNED] = np.arange(1, self.errors.shape[-1] + 1)
        return xr.Dataset(found, coordinates)


def joint(sampled: Sampled) -> Migration:
    """Return the draws of a latent Markov model on the indicators as a `Migration`.

    Parameters
    ----------
    sampled
        What `sample_markov` has returned.
    """
    return of_sampled(sampled, "joint")


def of_sampled(sampled: Sampled, way: Way, errors: Array | None = None) -> Migration:
    """Return the chain of judged draws, without the parameters of indicators."""
    model = sampled.mixture
    if not isinstance(model, LatentMarkov):
        raise TypeError(f"Give draws of a latent Markov model, got {type(model).__name__}.")
    values = sampled.draws.values
    groups = {e.group: values.indicators[e.group] for e in model.extras}
    kept = Draws(
        Values(values.share, groups),
        sampled.draws.log_likelihood,
        sampled.draws.sample_stats,
        sampled.method,
        sampled.draws.interrupted,
        sampled.draws.engine,
    )
    return Migration(way, model, kept, sampled.diagnosis, errors)


def chains(model: LatentMarkov, values: Values) -> tuple[Array, Array]:
    """Return initial shares and transitions of draws.

    Shapes (chain, draw, beginning, state) and (chain, draw, profile, state, state_to).
    """
    parts = [np.asarray(values.indicators[e.group][e.name], float) for e in model.extras]
    theta = np.concatenate(parts, axis=-1)
    lead = theta.shape[:2]
    begin, moves = chains_kernel(
        model.chain(0),
        np.ascontiguousarray(values.share.reshape(-1, model.n_segments)),
        np.ascontiguousarray(theta.reshape(-1, *theta.shape[2:])),
    )
    return begin.reshape(*lead, *begin.shape[1:]), moves.reshape(*lead, *moves.shape[1:])


@njit(**CACHED)
def chains_kernel(chain, share, theta):  # pragma: no cover
    """Initial shares (sample, beginning, state), transitions (sample, profile, state, state_to)."""
    n, n_states = len(share), chain.n_states
    begin = np.empty((n, chain.begin_design.shape[0], n_states))
    moves = np.empty((n, chain.design.shape[0], n_states, n_states))
    for i in range(n):
        begin[i], moves[i] = chain_of(chain, share[i], theta[i])
    return begin, moves
