"""Compile the machine code once, after installation: a small fit and a small study of each kind.

numba keeps what it compiles beside the sources, so that the first user does not wait for it. What
fails here is no fault of the installation: the code is then compiled when it is first needed.
"""

import sys
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np


def fits() -> None:
    """Importance sampling, Gibbs sampling, the check of the fit, memberships and the report."""
    from softseg import SegmentMixture
    from softseg.tables.synthetic import example_frame, example_schema

    warnings.simplefilter("ignore")
    customers = example_frame().head(400)
    with tempfile.TemporaryDirectory() as folder:
        for method in ("laplace", "gibbs"):
            model = SegmentMixture(
                example_schema(), n_segments=3, seed=1, method=method, n_draws=250, n_starts=3
            )
            model.fit(customers)
            model.membership(customers.head())
        model.report(Path(folder) / "report.html")


def migration() -> None:
    """Histories: modes, explorers, both ways to draw, and the gate."""
    from softseg.inference.markov.sample import sample_markov
    from softseg.likelihood.histories import ACTIVE, CHURNED, histories_of
    from softseg.likelihood.statistics import reduce
    from softseg.models.latent_markov import specify_markov
    from softseg.tables.prepare import prepare
    from softseg.tables.synthetic import example_frame, example_schema

    warnings.simplefilter("ignore")
    n_periods = 6
    table = prepare(example_frame().head(360), example_schema())
    statistics = reduce(table)
    n_customers = len(statistics.pattern_of_row) // n_periods
    row = np.arange(n_customers * n_periods).reshape(n_customers, n_periods)
    row = np.append(row, np.full((len(row), 1), -1), axis=1)
    histories = histories_of(
        statistics,
        row=row.ravel(),
        sign=np.where(row >= 0, ACTIVE, CHURNED).ravel(),
        start=np.arange(0, row.size + 1, n_periods + 1),
        churns=True,
    )
    model = specify_markov(table.schema, 2)
    for method in ("laplace", "gibbs"):
        sample_markov(
            statistics, histories, model, rng=np.random.default_rng(1), method=method,
            n_draws=250, n_starts=2, longer=False,
        )  # fmt: skip


def money() -> None:
    """The cash flows of the example."""
    from softseg.decisions.model.simulate import RoiModel

    RoiModel.example().simulate(n_draws=2**10)


def main() -> int:
    """Compile two of them at the same time."""
    np.seterr(all="ignore")
    with ProcessPoolExecutor(max_workers=2) as pool:
        for done in [pool.submit(work) for work in (fits, migration, money)]:
            done.exception()
    return 0


if __name__ == "__main__":
    sys.exit(main())
