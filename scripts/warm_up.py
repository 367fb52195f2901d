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


def money() -> None:
    """The cash flows of the example."""
    from softseg.decisions.model.simulate import RoiModel

    RoiModel.example().simulate(n_draws=2**10)


def main() -> int:
    """Compile both at the same time."""
    np.seterr(all="ignore")
    with ProcessPoolExecutor(max_workers=2) as pool:
        for done in [pool.submit(fits), pool.submit(money)]:
            done.exception()
    return 0


if __name__ == "__main__":
    sys.exit(main())
