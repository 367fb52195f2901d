"""Observed states beside continuous time: heart transplants; the table in docs/migration.md.

    python scripts/transplants.py FOLDER

The folder holds `cav.csv` and `expected.json` of the reference data: 622 patients after a heart
transplant, seen about once a year in one of three states until they die (Sharples et al. 2003,
Transplantation 76, 679–682; data and continuous-time fits of the R package msm, Jackson 2011,
Journal of Statistical Software 38(8)).

Period t is the t-th anniversary. Whether a patient is dead on it is known, as the time of death is
exact: churned in the first period that begins no earlier than the death. In which state a living
one is on it is taken from the last visit within half a year of it: a visit a few days early would
count a year early by the year that it lies in. Without such a visit the period has no state. A
patient who is not seen to die ends with the last visit.
"""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.optimize import minimize

from softseg.families.base import Array
from softseg.inference.markov.migration import Migration
from softseg.inference.markov.observed import observed_histories, sample_observed
from softseg.likelihood.histories import ACTIVE, CHURNED, Histories
from softseg.likelihood.statistics import Statistics
from softseg.models.labelled import specify_observed
from softseg.models.latent_markov import LatentMarkov, sticky
from softseg.results.migration.absorbing import periods_to_churn
from softseg.results.migration.chain import bands, powers
from softseg.results.migration.projection import projection

N_STATES = 3
"""Without death."""
DEATH = N_STATES + 1
"""The code of death in the file; the others are 1 to 3."""
MISSING, ENDED = N_STATES + 1, N_STATES + 2
"""Codes of a living patient's period without a state, and of what comes after a history."""
type Moves = tuple[tuple[int, int], ...]
ONWARD: Moves = ((0, 1), (0, 3), (1, 2), (1, 3), (2, 3))
BOTH_WAYS: Moves = (*ONWARD, (1, 0), (2, 1))
"""Which moves the continuous-time models allow at an instant."""
STAY, STRENGTH = 0.8, 1.0
"""A prior worth one patient per row, so that the data speak."""
YEARS = 10


class Ledger(NamedTuple):
    """Written states by anniversary, histories one after the other; see `observed_histories`."""

    state: NDArray[np.int64]
    sign: NDArray[np.int64]
    start: NDArray[np.int64]

    def paths(self) -> list[NDArray[np.int64]]:
        """Return each history: state from 0, `N_STATES` for death, `MISSING` for neither."""
        whole = np.where(self.state >= 0, self.state, MISSING)
        whole = np.where(self.sign == CHURNED, N_STATES, whole)
        return np.split(whole, self.start[1:-1])


@dataclass(frozen=True)
class Case:
    """The ledger as a panel and the model of it."""

    ledger: Ledger
    statistics: Statistics
    histories: Histories
    model: LatentMarkov

    @classmethod
    def of(cls, ledger: Ledger, errors: Array | None = None) -> "Case":
        """Return it; every patient begins in state 1, which is known and takes no part."""
        statistics, histories = observed_histories(
            ledger.state, N_STATES, sign=ledger.sign, start=ledger.start, churns=True
        )
        alpha = sticky(N_STATES, True, STAY, STRENGTH)
        model = specify_observed(N_STATES, errors=errors, alpha=alpha)
        model = replace(model, fixed_share=np.eye(N_STATES)[0])
        return cls(ledger, statistics, histories, model)

    def sampled(self, **options: Any) -> Migration:
        """Return judged draws."""
        rng = np.random.default_rng(1)
        return sample_observed(self.statistics, self.histories, self.model, rng=rng, **options)


def nearest(years: Array) -> NDArray[np.int64]:
    """Return the nearest anniversary of each visit."""
    return np.floor(years + 0.5).astype(np.int64)


def yearly(frame: pd.DataFrame) -> Ledger:
    """Return the patients' states by anniversary; where a year has several visits, the last."""
    state: list[int] = []
    sign: list[int] = []
    start = [0]
    for _, own in frame.sort_values("years").groupby("PTNUM"):
        alive = own["state"] < DEATH
        period = nearest(own["years"].to_numpy()[alive])
        death = own["years"].to_numpy()[~alive]
        end = int(np.ceil(death[0])) if len(death) else int(period[-1])
        path = np.full(end + 1, -1)
        kept = period < end if len(death) else period <= end
        path[period[kept]] = own["state"].to_numpy()[alive][kept] - 1
        state += path.tolist()
        sign += [ACTIVE] * end + [CHURNED if len(death) else ACTIVE]
        start.append(len(state))
    return Ledger(np.array(state), np.array(sign), np.array(start))


def log_likelihood(moves: Array, ledger: Ledger, errors: Array) -> float:
    """Return the log-likelihood of a transition matrix, forward over all histories at once."""
    paths = ledger.paths()
    longest = max(map(len, paths))
    codes = np.array([np.append(p, np.full(longest - len(p), ENDED)) for p in paths])
    shown = np.zeros((DEATH, DEATH + 2))  # a state, death, a period without a state, the end
    shown[:N_STATES, :N_STATES], shown[N_STATES, N_STATES] = errors, 1.0
    shown[:N_STATES, MISSING], shown[:, ENDED] = 1.0, 1.0
    forward = np.eye(DEATH)[0] * shown[:, codes[:, 0]].T
    for t in range(1, longest):
        forward = (forward @ moves) * shown[:, codes[:, t]].T
    return float(np.log(forward.sum(axis=1)).sum())


def intensities(logs: Array, allowed: Moves) -> Array:
    """Return the generator of the allowed moves' log rates."""
    rates = np.zeros((DEATH, DEATH))
    rates[tuple(np.transpose(allowed))] = np.exp(logs)
    return rates - np.diag(rates.sum(axis=1))


def same_grid(ledger: Ledger, errors: Array, allowed: Moves) -> tuple[float, Array]:
    """Return log-likelihood and generator of the continuous-time fit to the yearly ledger.

    It differs from the published fit in the times alone, and from the chain in its form alone.
    """
    found = minimize(
        lambda logs: -log_likelihood(expm(intensities(logs, allowed)), ledger, errors),
        np.full(len(allowed), np.log(0.1)), method="BFGS",
    )  # fmt: skip
    return -float(found.fun), intensities(found.x, allowed)


def survivors(frame: pd.DataFrame, years: float) -> float:
    """Return the share alive after so many years, without any model (Kaplan and Meier)."""
    last = frame.sort_values("years").groupby("PTNUM").last()
    alive = 1.0
    for t in np.unique(last.loc[last["state"] == DEATH, "years"]):
        if t <= years:
            now = last["years"] == t
            alive *= 1.0 - (now & (last["state"] == DEATH)).sum() / (last["years"] >= t).sum()
    return alive


def draws_of(found: Migration) -> xr.DataArray:
    """Return transitions as answers read them, (sample, state, state_to)."""
    return found.posterior()["transition"].stack(sample=("chain", "draw"))


def years_to_death(generator: Array) -> Array:
    """Return the mean time to death from each state in continuous time."""
    inner = generator[:N_STATES, :N_STATES]
    return np.linalg.solve(-inner, np.ones(N_STATES))


def cell(draws: xr.DataArray, pattern: str = "{:.1f} ({:.1f}–{:.1f})") -> str:
    """Return mean, 5 % and 95 % of draws of one number."""
    return pattern.format(*(float(x) for x in bands(draws).values()))


def beside(found: Migration, rates: Array, n_patients: int) -> dict[str, tuple[str, str]]:
    """Return figures by name: of draws of a yearly matrix, and of published rates."""
    moves, names = draws_of(found), ["1", "2", "3", "death"]
    made: dict[str, tuple[str, str]] = {}
    for years in (1, YEARS):
        ahead, theirs = 100.0 * powers(moves, years).sel(horizon=years), 100.0 * expm(years * rates)
        for a, b in np.ndindex(N_STATES, DEATH):
            if years == 1 or b == N_STATES:
                told = f"{names[a]} to {names[b]} in {years} years, %".replace(
                    " 1 years", " a year"
                )
                made[told] = cell(ahead.isel(state=a, state_to=b)), f"{theirs[a, b]:.1f}"
    for a in range(N_STATES):
        own = cell(periods_to_churn(moves).isel(state=a))
        made[f"years begun before death from {names[a]}"] = own, f"{years_begun(rates)[a]:.1f}"
        made[f"years to death from {names[a]}"] = "–", f"{years_to_death(rates)[a]:.1f}"
    fan = ahead_of(found, n_patients).sel(horizon=YEARS)
    for b in range(DEATH):
        own = [float(fan[f"customers_{e}"][b]) for e in ("mean", "lower", "upper")]
        theirs = f"{n_patients * expm(YEARS * rates)[0, b]:.0f}"
        told = f"of {n_patients} in {names[b]} after {YEARS} years"
        made[told] = "{:.0f} ({:.0f}–{:.0f})".format(*own), theirs
    return made


def line(*cells: str) -> str:
    """Return a row of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


def years_begun(rates: Array) -> Array:
    """Return the mean number of years begun before death, as periods count it."""
    inner = expm(rates)[:N_STATES, :N_STATES]
    return np.linalg.solve(np.eye(N_STATES) - inner, np.ones(N_STATES))


def ahead_of(found: Migration, n_patients: int) -> xr.Dataset:
    """Return patients per state over the years after the transplant, all beginning in state 1."""
    moves = draws_of(found)
    begin = xr.DataArray(
        np.eye(DEATH)[0] * n_patients, dims="state", coords={"state": moves["state"].values}
    )
    return projection(moves, begin, horizon=YEARS, rng=np.random.default_rng(1))


def notes(frame: pd.DataFrame, ledger: Ledger) -> str:
    """Return what the panel holds and what the rounding does to the visits."""
    visits = frame.loc[frame["state"] < DEATH, "years"].to_numpy()
    off = visits - nearest(visits)
    kept, deaths = int((ledger.state >= 0).sum()), int((ledger.sign == CHURNED).sum())
    early = int((nearest(visits) > visits).sum())
    return (
        f"{len(ledger.start) - 1} patients, {len(visits)} visits, {kept} kept, {deaths} deaths, "
        f"{len(ledger.state) - kept - deaths} periods of living patients without a state. "
        f"Visits shortly before an anniversary: {early}; a visit is {np.abs(off).mean():.3f} years "
        f"off its anniversary, {off.mean():+.3f} on average."
    )


def main(folder: str) -> int:
    """Print all figures."""
    frame = pd.read_csv(Path(folder) / "cav.csv")
    text = (Path(folder) / "expected.json").read_text(encoding="utf-8")
    fits = json.loads(text)["cav"]["recomputed"]
    ledger, n_patients = yearly(frame), frame["PTNUM"].nunique()
    print(notes(frame, ledger))
    wrong = np.array(fits["cav_misc"]["E"])[:N_STATES, :N_STATES]
    both = []
    ways = (
        ("cav", np.eye(N_STATES), BOTH_WAYS, "laplace"),
        ("cav_misc", wrong, ONWARD, "gibbs"),  # moves close to 0 suit no normal proposal
    )
    for name, errors, allowed, method in ways:
        published = np.array(fits[name]["Q"])
        height, rates = same_grid(ledger, errors, allowed)
        under = log_likelihood(expm(published), ledger, errors)
        apart = np.abs(expm(rates) - expm(published)).max()
        print(f"{name}: rates fitted to anniversaries gain {height - under:.2f} over {under:.2f},")
        print(f"and change a yearly probability by at most {100.0 * apart:.1f} points.")
        found = Case.of(ledger, errors).sampled(method=method)
        print(f"Draws: {found.draws.method}, {found.diagnosis.status}.")
        both.append(beside(found, published, n_patients))
    print(line("", "panel", "msm", "panel, errors known", "msm, errors known"))
    print("|---|---|---|---|---|")
    for told, figures in both[0].items():
        print(line(told, *figures, *both[1][told]))
    print(f"Alive after {YEARS} years (Kaplan and Meier): {100 * survivors(frame, YEARS):.1f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
