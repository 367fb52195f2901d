"""The page docs/calibration.md: what the calibration has found, in tables and pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import calibration_bank
import calibration_joint
import calibration_markov
import calibration_number
import calibration_projection
import calibration_ranks
import calibration_survival
from calibration_bands import p_values, picture

METHOD_NAMES = {"gibbs": "Gibbs sampling", "laplace": "Importance sampling", "nuts": "NUTS"}
SIGNIFICANT = 0.01
HEAD = """# Calibration

Written by `make calibrate`; do not edit. What is proved here: the truth has uniform ranks among
the draws, Gibbs updates leave the joint distribution alone, every method meets reference
posteriors, evidence and occupied segments meet what is known of them, the verdicts flag broken
set-ups and pass good ones, intervals cover the truth as often as they say, so do projections of
customers, and a run survives. Each part says which state of the code its figures come from.
"""
RANKS = f"""## Ranks of the truth

`make calibrate`, or `python scripts/calibrate.py ranks`. Simulation-based calibration (Talts et al.
2018): the truth of every table is drawn from the frozen prior, {calibration_ranks.N_CUSTOMERS}
customers in two segments from the truth, two indicators of the family and one Gaussian, one cell
in ten missing; then the truth's rank among 99 draws of the method. If method and model are right,
all 100 ranks are equally likely. Ranked are all parameters, the shares, and two quantities that
depend on the data, the log-likelihood and the membership of the first customer (Modrák et al.
2023). Segments are numbered by their mean of the Gaussian in the truth and in every draw, whose
prior sets the segments of some nine tables in ten well apart. No table is left out. All methods
see the same tables, so that a freak of chance shows in all of them;
{calibration_ranks.N_SIMULATIONS:,} per family when the run is complete, and the same command goes
on where it stopped.

A quantity counts as outside where its ranks leave the 99 % simultaneous band of Säilynoja, Bürkner
and Vehtari (2022) anywhere; about one in a hundred does so by chance. *Smallest p, adjusted* is
the smallest p value of a family times the number of its quantities, below the table that of all
families times the number of all: below {SIGNIFICANT} something is wrong. Importance draws are used
whether their weights stand or not; *passed only* repeats the test with the tables whose weights
stand, which is conditional on the table and need not be uniform.
"""
JOINT = f"""## Joint test of the Gibbs updates

`python scripts/calibrate.py joint`. Parameters from the prior, then in turns a table of four
customers given the parameters and one sweep given the table (Geweke 2004):
{calibration_joint.N_CHAINS} chains of {calibration_joint.N_STEPS:,} sweeps. The parameters that
come by must have the prior's distribution. *z* is the distance of mean and spread of every
quantity's place in its prior (and of the log-likelihood's among fresh pairs), in standard errors
that allow for autocorrelation; it should lie within ±{calibration_joint.SAME:.0f}.
"""
MARKOV = f"""## Latent Markov models

`python scripts/calibrate.py markov`. The same two proofs on panels:
{calibration_markov.N_CUSTOMERS} customers over {calibration_markov.N_PERIODS} periods, two segments
and churned. *observed*: the period of churn is known, one period in ten has no row and one cell in
ten is missing; Gaussian, Poisson, Bernoulli. *silent*: a row without orders may be that of a
customer who has left; Gaussian and Poisson. *membership* is the share of customers who are in the
first segment where their histories end, from a forward recursion written out in NumPy, and so is
the log-likelihood of the truth. {calibration_markov.N_SIMULATIONS:,} panels of each kind when the
run is complete. The joint test takes {calibration_markov.JOINT_CUSTOMERS} customers over
{calibration_markov.JOINT_PERIODS} periods.
"""
REFERENCES = """## Reference posteriors

`python scripts/calibrate.py references`. Means of all parameters, shares and the log-likelihood
against long runs: six models of our own, frozen in tests/reference/posteriors.json by
`python scripts/calibration_references.py`, and `low_dim_gauss_mix` of posteriordb, whose draws come
from Stan. *Errors* is the largest distance in combined Monte Carlo errors; it should be below 4.
"""
BANK = """## Broken and good set-ups

`python scripts/calibrate.py bank`. Every set-up is fitted with the defaults of `fit`, but where
the fault lies in them, and is flagged where the gate fails, the fit verdict is not good, or the
table is refused. Broken set-ups are such as users bring; good ones have a right model and segments
that can be told apart.
"""


def page(docs: Path, kept: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page as Markdown and write its pictures.

    Parameters
    ----------
    docs
        Folder of the documentation: ranks are read from calibration/ranks, the sections on coverage
        from calibration/coverage.md, pictures go to images/calibration.
    kept
        Results of ``joint``, ``markov``, ``references``, ``number``, ``bank``, ``projection`` and
        ``survival`` by unit.
    """
    parts = [HEAD, *_ranks(docs)]
    parts += _markov(docs, kept["markov"])
    for task, section in (
        ("joint", _joint),
        ("references", _references),
        ("number", calibration_number.section),
        ("bank", _bank),
    ):
        if kept[task]:
            parts += section(kept[task])
    coverage = docs / "calibration" / "coverage.md"
    if coverage.exists():
        parts.append(coverage.read_text(encoding="utf-8"))
    if kept["projection"]:
        parts += calibration_projection.section(kept["projection"])
    if kept["survival"]:
        parts += calibration_survival.section(kept["survival"])
    return "\n".join(parts).rstrip() + "\n"


def _ranks(docs: Path) -> list[str]:
    lines, ranks = [RANKS], docs / "calibration" / "ranks"
    for method in METHOD_NAMES:
        found = {
            name: own
            for name in calibration_ranks.FAMILIES
            if (own := calibration_ranks.read(ranks, name, method))
        }
        lines += _ranks_of_method(docs, method, found, f"ranks-{method}")
    return lines


def _markov(docs: Path, joint: Mapping[str, Any]) -> list[str]:
    lines, ranks = [MARKOV], docs / "calibration" / "ranks"
    for method in METHOD_NAMES:
        found = {
            calibration_markov.name_of(churn): own
            for churn in calibration_markov.CALIBRATED
            if (own := calibration_markov.read(ranks, churn, method))
        }
        lines += _ranks_of_method(docs, method, found, f"ranks-markov-{method}")
    if joint:
        lines += ["### Joint test", "", *_joint_table(joint)]
    return lines


def _ranks_of_method(
    docs: Path, method: str, found: Mapping[str, calibration_ranks.Ranks], image: str
) -> list[str]:
    title = METHOD_NAMES[method]
    if not found:
        return [f"### {title}", "", "Not run yet.", ""]
    images = docs / "images" / "calibration"
    images.mkdir(parents=True, exist_ok=True)
    svg = picture({name: (r.names, r.ranks) for name, r in found.items()}, method)
    (images / f"{image}.svg").write_text(svg + "\n", encoding="utf-8")
    lines = [f"### {title}", "", state([c for r in found.values() for c in r.commit]), ""]
    lines += [f"![Ranks among draws of {method}](images/calibration/{image}.svg)", ""]
    lines += _rank_table(found, conditional=method == "laplace")
    return lines + (_tails_by_gate(found) if method == "laplace" else [])


def _tails_by_gate(found: Mapping[str, calibration_ranks.Ranks]) -> list[str]:
    """Say how often the truth is among the outermost ranks, where the weights stand and not."""
    tails = np.concatenate([((r.ranks < 2) | (r.ranks > 97)).mean(axis=1) for r in found.values()])
    stands = np.concatenate([r.stands for r in found.values()])
    words = []
    for which, label in ((stands, "the weights stand"), (~stands, "they do not")):
        own = tails[which]
        if len(own) > 1:
            error = own.std() / np.sqrt(len(own))
            words.append(f"{own.mean():.2%} ± {error:.2%} where {label} ({len(own):,} tables)")
    return [
        "The truth is among the two lowest or two highest ranks, which should happen in 4 %: "
        f"{'; '.join(words)}. More than that are draws that are too narrow: what the gate keeps "
        "back.",
        "",
    ]


def _rank_table(found: Mapping[str, calibration_ranks.Ranks], conditional: bool) -> list[str]:
    lines = [
        "| family | tables | quantities | outside 99 % | smallest p, adjusted | of | "
        "log-likelihood p | membership p | CPU ms per table |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    everything: list[np.ndarray] = []
    for name, r in found.items():
        groups = [(name, r.ranks)]
        if conditional:
            groups.append((f"{name}, passed only ({r.stands.mean():.0%})", r.ranks[r.stands]))
        for i, (label, ranks) in enumerate(groups):
            p = p_values(ranks)
            if i == 0:
                everything.append(p)
            by = dict(zip(r.names, p, strict=True))
            cost = f"{1000 * r.seconds / len(r.ranks):.0f}" if i == 0 else ""
            lines.append(
                f"| {label} | {len(ranks)} | {len(p)} | {(p < SIGNIFICANT).sum()} | "
                f"{min(1.0, p.min() * len(p)):.3f} | {r.names[int(p.argmin())]} | "
                f"{by['log_likelihood']:.3f} | {by['membership']:.3f} | {cost} |"
            )
    p = np.concatenate(everything)
    return [
        *lines,
        "",
        f"All families: {(p < SIGNIFICANT).sum()} of {len(p)} quantities outside "
        f"({np.mean(p < SIGNIFICANT):.1%}); smallest p, adjusted: "
        f"{min(1.0, p.min() * len(p)):.3f}.",
        "",
    ]


def _joint(results: Mapping[str, Any]) -> list[str]:
    return [JOINT, *_joint_table(results)]


def _joint_table(results: Mapping[str, Any]) -> list[str]:
    lines = [state([r["commit"] for r in results.values()]), ""]
    lines += ["| family | quantities | largest z | of | least effective sweeps | agrees |"]
    lines += ["|---|---|---|---|---|---|"]
    for name, r in sorted(results.items()):
        z = np.abs(np.array(r["z"]))
        worst = np.unravel_index(int(z.argmax()), z.shape)
        what = f"{('mean', 'spread')[int(worst[1])]} of {r['quantities'][int(worst[0])]}"
        agrees = "yes" if z.max() < calibration_joint.SAME else "no"
        lines.append(
            f"| {name} | {len(z)} | {z.max():.2f} | {what} | {r['least_ess']:.0f} | {agrees} |"
        )
    return [*lines, ""]


def _references(results: Mapping[str, Any]) -> list[str]:
    lines = [REFERENCES, state([r["commit"] for r in results.values()]), ""]
    lines += ["| model | method | quantities | errors | of | gate |", "|---|---|---|---|---|---|"]
    for unit, r in results.items():
        name, method = unit.split("/")
        lines.append(
            f"| {name} | {method} | {r['quantities']} | {r['errors']:.2f} | {r['worst']} | "
            f"{r['gate']} |"
        )
    return [*lines, ""]


def _bank(results: Mapping[str, Any]) -> list[str]:
    lines = [BANK, state([r["commit"] for r in results.values()]), ""]
    broken = [(u, r) for u, r in results.items() if u.startswith("broken/")]
    fine = [(u, r) for u, r in results.items() if u.startswith("good/")]
    flagged = sum(r["flagged"] for _, r in broken)
    passed = sum(not r["flagged"] for _, r in fine)
    lines += [
        f"**{flagged} of {len(broken)} broken set-ups were flagged, {passed} of {len(fine)} good "
        "ones passed.**",
        "",
        "| broken set-up | table | flagged | gate | failed | fit verdict |",
        "|---|---|---|---|---|---|",
    ]
    for unit, r in broken:
        flagged_or_why = _yes(unit.split("/")[1], r["flagged"])
        lines.append(f"| {r['what']} | {r['about']} | {flagged_or_why} | {_verdicts(r)} |")
    stopped = [(u, r) for u, r in fine if r["flagged"]]
    if stopped:
        lines += ["", "Good set-ups that were flagged:", ""]
        lines += ["| set-up | table | gate | failed | fit verdict |", "|---|---|---|---|---|"]
        lines += [f"| {u} | {r['about']} | {_verdicts(r)} |" for u, r in stopped]
    return [*lines, ""]


def _yes(name: str, flagged: bool) -> str:
    if flagged:
        return "yes"
    why = calibration_bank.PASSED_RIGHTLY.get(name)
    return "**no**" + (f": {why}" if why else "")


def _verdicts(result: Mapping[str, Any]) -> str:
    return f"{result['gate']} | {', '.join(result['failed']) or '–'} | {result['fit']}"


def state(commits: Sequence[str]) -> str:
    """Return the states of the code behind some figures in words."""
    known = list(dict.fromkeys(commits))
    word = "commit" if len(known) == 1 else "commits"
    return f"State of the code: {word} {', '.join(known)}."
