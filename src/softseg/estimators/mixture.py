"""The scikit-learn face: `SegmentMixture`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClusterMixin
from sklearn.exceptions import NotFittedError

from softseg.checks import whole_number
from softseg.errors import UsageError
from softseg.estimators.fitted import Fitted, schema_of
from softseg.families.base import Array
from softseg.tables.check import check_rows, refuse_errors
from softseg.tables.prepare import TableWarning, prepare, prepare_new
from softseg.tables.schema import Schema

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

    from softseg.inference.choice import Choice
    from softseg.inference.draws import Progress
    from softseg.results.continuity import Continuity
    from softseg.results.partition import Partition
    from softseg.results.scoring import Scorer


class SegmentMixture(ClusterMixin, Fitted):
    """Bayesian finite mixture for a customer table of mixed indicators.

    Generative model. Shares π ~ Dirichlet(2, …, 2); each customer belongs to one segment with
    probability π; given the segment the indicators are independent, each following its family
    with the segment's parameters, which follow the priors of the schema. The customer's segment is
    summed out; a missing cell contributes nothing.

    Parameters
    ----------
    schema
        A `Schema`, the path of a schema file, or None to propose one from the table.
    n_segments
        Number of segments K.
    method
        ``"auto"``, ``"laplace"``, ``"gibbs"`` or ``"nuts"``.
    n_draws, n_tune, n_chains
        Draws kept per chain, after so many that are not; number of chains.
    n_starts
        Starts of EM in the search for the best mode.
    seed
        Fixes every draw, whatever the number of cores.
    cores
        Threads; all of the machine's by default.
    allow_few_rows
        Fit even with fewer than 2 customers per free parameter.
    progress
        Called with a stage and the share of it that is done.

    Attributes
    ----------
    posterior_ : xarray.DataTree
        Posterior draws in ArviZ' layout with memberships, sizes and profiles beside them.
    diagnosis_ : Diagnosis
        The gate: whether the draws can be trusted.
    fit_verdict_ : FitVerdict
        Whether the model fits the table.
    schema_ : Schema
        With levels, codings and priors frozen.

    Examples
    --------
    >>> from softseg import SegmentMixture
    >>> from softseg.tables.synthetic import example_frame, example_schema
    >>> model = SegmentMixture(example_schema(), n_segments=4)
    >>> model.fit(example_frame())  # doctest: +SKIP
    >>> model.membership()["mean"].sel(segment=1)  # doctest: +SKIP
    """

    _ready: "tuple[xr.DataTree, Scorer] | None" = None
    """What scoring has made of the posterior, kept for the next rows."""

    def __init__(
        self,
        schema: "Schema | str | Path | None" = None,
        n_segments: int = 4,
        *,
        method: str = "auto",
        n_draws: int = 1000,
        n_tune: int = 200,
        n_chains: int = 4,
        n_starts: int = 10,
        seed: int = 1,
        cores: int | None = None,
        allow_few_rows: bool = False,
        progress: "Progress | None" = None,
    ) -> None:
        self.schema = schema
        self.n_segments = n_segments
        self.method = method
        self.n_draws = n_draws
        self.n_tune = n_tune
        self.n_chains = n_chains
        self.n_starts = n_starts
        self.seed = seed
        self.cores = cores
        self.allow_few_rows = allow_few_rows
        self.progress = progress

    def fit(self, frame: Any, y: None = None) -> Self:
        """Fit the mixture to a customer table.

        Parameters
        ----------
        frame
            Any frame that narwhals takes (pandas, polars, pyarrow, …), one row per customer.

        Raises
        ------
        DataError
            Where the table has faults; all of them are listed.
        """
        from softseg.inference.fit import fit
        from softseg.models.mixture import specify
        from softseg.results.assemble import assemble

        n_segments = whole_number(self.n_segments, "n_segments", least=1)
        table = prepare(frame, self._schema(frame))
        mixture = specify(table.schema, n_segments)
        faults = check_rows(
            float(table.count.sum()), mixture.n_parameters, allow_few_rows=self.allow_few_rows
        )
        refuse_errors(faults, table.schema.language)
        _warn(faults, table.schema.language)
        fitted = fit(
            table,
            n_segments,
            method=self.method,  # pyright: ignore[reportArgumentType]
            n_draws=whole_number(self.n_draws, "n_draws", least=1),
            n_tune=whole_number(self.n_tune, "n_tune", least=0),
            n_chains=whole_number(self.n_chains, "n_chains", least=1),
            n_starts=whole_number(self.n_starts, "n_starts", least=1),
            seed=whole_number(self.seed, "seed", least=0),
            cores=self.cores,
            progress=self.progress,
        )
        self.posterior_ = assemble(fitted)
        self.diagnosis_ = fitted.diagnosis
        self.fit_verdict_ = fitted.verdict
        self.schema_ = table.schema
        self.labels_ = np.array(self.posterior_["membership"]["top"])
        self._table = table
        return self

    def predict(self, frame: Any) -> NDArray[np.int64]:
        """Return the most probable segment of each row, numbered from 1, (customer,)."""
        return self.membership(frame)["top"].values

    def fit_predict(self, X: Any, y: None = None, **kwargs: Any) -> NDArray[np.int64]:
        """Fit, and return the most probable segment of each row of the table, (customer,)."""
        return self.fit(X).labels_

    def predict_proba(self, frame: Any) -> Array:
        """Return the posterior mean memberships of rows, (customer, segment)."""
        return self.membership(frame)["mean"].values

    def membership(self, frame: Any = None, *, unseen: str = "error") -> "xr.Dataset":
        """Return memberships with intervals and verdicts, of new rows or of the fitted table.

        Parameters
        ----------
        frame
            Rows with the columns of the schema, gaps allowed; None for the fitted table.
        unseen
            Whether a category the fitted table did not have is an ``"error"`` or ``"missing"``.

        Returns
        -------
        xarray.Dataset
            ``mean``, ``lower``, ``upper`` (customer, segment), ``top``, ``p_top``, ``entropy``,
            ``verdict`` (customer); see `softseg.results.membership`.
        """
        from softseg.results.scoring import Scorer

        tree = self._tree()
        if frame is None:
            return tree["membership"].to_dataset()
        if self._ready is None or self._ready[0] is not tree:
            self._ready = (tree, Scorer(tree))
        return self._ready[1].score(frame, unseen=unseen)  # pyright: ignore[reportArgumentType]

    def score_samples(self, frame: Any) -> Array:
        """Return the log posterior predictive density of each row, (customer,)."""
        from softseg.likelihood.statistics import reduce
        from softseg.results.scoring import log_predictive_density

        table, _ = prepare_new(frame, self.schema_)
        return log_predictive_density(self._tree(), reduce(table))

    def sizes(self, *, identified_only: bool = True) -> "xr.Dataset":
        """Return customers and value per segment with intervals.

        Raises
        ------
        NotConverged
            Where the gate refused the fit.
        """
        return self._identified(identified_only)["sizes"].to_dataset()

    def name_segments(self, names: Sequence[str]) -> Self:
        """Give the segments names, in the order of their numbers; they travel everywhere."""
        from softseg.results.tree import rename_segments, schema_from_tree

        rename_segments(self._tree(), list(names))
        self._ready = None
        self.schema_ = schema_from_tree(self.posterior_)
        return self

    def continue_from(
        self, previous: "SegmentMixture | str | Path", frame: Any, *, carry_names: bool = True
    ) -> "Continuity":
        """Find an earlier model's segments again: the same, drifted, new or gone.

        Parameters
        ----------
        previous
            The earlier model, or the path of its file.
        frame
            The table this model was fitted to.
        carry_names
            Whether the segments take the earlier names over, where they had names.

        Raises
        ------
        NotConverged
            Where the gate refused one of the two fits.
        """
        from softseg.results.continuity import continuity

        earlier = previous if isinstance(previous, SegmentMixture) else self.load(previous)
        for model in (self, earlier):
            model._identified()
        found = continuity(earlier._tree(), self._tree(), frame)
        if carry_names and found.named:
            self.name_segments(found.names(self.schema_.language))
        return found

    def partition(self, frame: Any) -> "Partition":
        """Return the single partition of rows that is best on average, with its credible ball.

        Labels stand per row here, not per pattern; see `softseg.results.partition`.
        """
        from softseg.likelihood.statistics import reduce
        from softseg.results.partition import best_partition
        from softseg.results.tree import values_from_tree

        table, _ = prepare_new(frame, self.schema_)
        statistics, values = reduce(table), values_from_tree(self._tree())
        found = best_partition(statistics, values, np.random.default_rng([self.seed, 4]))
        return replace(found, label=found.label[statistics.pattern_of_row])

    def choose(self, frame: Any, n_segments: Sequence[int] = range(1, 11)) -> "Choice":
        """Return the criteria for several numbers of segments and a recommendation in words."""
        from softseg.inference.choose import choose

        table = prepare(frame, self._schema(frame))
        return choose(
            table,
            n_segments,
            method=self.method,  # pyright: ignore[reportArgumentType]
            n_starts=self.n_starts,
            seed=self.seed,
            cores=self.cores,
            progress=self.progress,
        )

    def to_pymc(self, frame: Any = None) -> "pm.Model":
        """Return the PyMC model of a table: the definition of what is fitted."""
        from softseg.likelihood.statistics import reduce
        from softseg.models.graph import build_mixture
        from softseg.models.mixture import specify

        if frame is None and not hasattr(self, "_table"):
            raise NotFittedError("Give a table, or fit the model first: the graph needs its rows.")
        table = self._table if frame is None else prepare(frame, self._schema(frame))
        return build_mixture(specify(table.schema, self.n_segments), reduce(table))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return a fitted model from a file that `save` or a run has written.

        `labels_` are those of the rows that the fit has read. A run on a large file has read its
        distinct rows, in the order in which they first come: ``posterior_["membership"]["count"]``
        says how many customers each stands for, and the customers' own labels are the column
        ``top`` of the run's ``memberships.parquet``.

        Raises
        ------
        FileError
            Where the file is damaged or of another kind.
        UsageError
            Where it holds a migration model.
        """
        from softseg.inference.diagnose import Diagnosis
        from softseg.inference.predictive import FitVerdict
        from softseg.results.storage import load
        from softseg.results.tree import schema_from_tree

        tree = load(path)
        if tree.attrs.get("softseg_kind") == "migration":
            raise UsageError("Load this file with SegmentMigration: it holds a migration model.")
        schema = schema_from_tree(tree)
        model = cls(schema, int(tree.attrs["n_segments"]), seed=int(tree.attrs["seed"]))
        model.posterior_, model.schema_ = tree, schema
        model.diagnosis_ = Diagnosis.from_json(tree.attrs["diagnosis"])
        model.fit_verdict_ = FitVerdict.from_json(tree.attrs["fit_verdict"])
        model.labels_ = np.array(tree["membership"]["top"])
        return model

    def report(self, path: str | Path, language: str | None = None) -> None:
        """Write the report as one offline HTML file, in English or German."""
        from softseg.report.page import write_report

        write_report(self._tree(), path, language=language or self.schema_.language)

    def _schema(self, frame: Any) -> Schema:
        if self.schema is None:
            from softseg.tables.propose import propose

            return propose(frame).schema
        return schema_of(self.schema, ", or None to propose one")


def _warn(faults: Sequence[Any], language: str) -> None:
    import warnings

    for fault in faults:
        if fault.severity == "warning":
            warnings.warn(TableWarning(fault, language), stacklevel=3)
