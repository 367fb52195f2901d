"""Customers who move between segments and leave: `SegmentMigration`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.exceptions import NotFittedError

from softseg.checks import whole_number
from softseg.errors import UsageError
from softseg.estimators.fitted import Fitted, schema_of
from softseg.names import PROGRAMME
from softseg.tables.schema import Schema

if TYPE_CHECKING:
    import xarray as xr

    from softseg.inference.choice import Choice
    from softseg.inference.draws import Progress
    from softseg.results.migration.states import States
    from softseg.tables.panel.panel import Panel

PROJECTION_STREAM = 11


class SegmentMigration(Fitted):
    """Bayesian latent Markov model for a panel of customers with mixed indicators.

    Generative model. In its first period a customer is in a segment z₁ ~ Categorical(π); from one
    period to the next it moves from segment j to state k with probability A[j, k], the last state
    being churned, which is never left. In every period the indicators are independent given the
    segment, each following its family with the segment's parameters. π ~ Dirichlet(2, …, 2); rows
    of A are Dirichlet and expect customers to stay, or, with covariates, multinomial logits. The
    states are summed out; a missing period contributes nothing, which is not the same as staying.

    Parameters
    ----------
    schema
        A `Schema` with an entry ``migration``, or the path of a schema file.
    n_segments
        Number of segments K, without the state churned.
    method
        ``"auto"``, ``"laplace"``, ``"gibbs"`` or ``"nuts"``.
    n_draws, n_tune, n_chains, n_starts, seed, cores, allow_few_rows, progress
        As in `SegmentMixture`; rows are those of the panel.

    Attributes
    ----------
    posterior_ : xarray.DataTree
        Draws with transitions, states now, segments over the periods and profiles beside them; see
        `softseg.results.migration.assemble`.
    diagnosis_ : Diagnosis
        The gate: whether the draws can be trusted.
    fit_verdict_ : FitVerdict or None
        Whether the segments describe the panel's rows; None where rows without activity may be
        those of customers who have left.
    schema_ : Schema
        With levels, codings and priors frozen.

    Examples
    --------
    >>> from softseg import SegmentMigration
    >>> from softseg.tables.panel.synthetic import synthetic_panel
    >>> frame, schema, truth = synthetic_panel(1, 300, 24, "observed")
    >>> model = SegmentMigration(schema, n_segments=4).fit(frame)  # doctest: +SKIP
    >>> model.transitions()["mean"]  # doctest: +SKIP
    >>> model.projection(12)["active_mean"]  # doctest: +SKIP
    """

    def __init__(
        self,
        schema: "Schema | str | Path",
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
        """Fit the model to a panel.

        Parameters
        ----------
        frame
            Any frame that narwhals takes, one row per customer and period, in any order.

        Raises
        ------
        DataError
            Where the panel has faults; all of them are listed.
        SchemaError
            Where the schema has no entry on migration.
        """
        from softseg.inference.markov.fit import fit_markov
        from softseg.results.migration.assemble import assemble_migration
        from softseg.tables.panel.prepare import prepare_panel

        panel = prepare_panel(frame, schema_of(self.schema))
        fitted = fit_markov(
            panel,
            whole_number(self.n_segments, "n_segments", least=1),
            method=self.method,  # pyright: ignore[reportArgumentType]
            n_draws=whole_number(self.n_draws, "n_draws", least=1),
            n_tune=whole_number(self.n_tune, "n_tune", least=0),
            n_chains=whole_number(self.n_chains, "n_chains", least=1),
            n_starts=whole_number(self.n_starts, "n_starts", least=1),
            seed=whole_number(self.seed, "seed", least=0),
            cores=self.cores,
            allow_few_rows=self.allow_few_rows,
            progress=self.progress,
        )
        self.posterior_ = assemble_migration(fitted)
        self.diagnosis_ = fitted.diagnosis
        self.fit_verdict_ = fitted.verdict
        self.schema_ = panel.schema
        self._panel = panel
        return self

    def choose(self, frame: Any, n_segments: Sequence[int] = range(1, 7)) -> "Choice":
        """Return the criteria for several numbers of segments and a recommendation in words.

        Every number is fitted as `fit` does it, with 500 draws per chain; see
        `softseg.inference.markov.choose`. There is no telescoping for panels.

        Parameters
        ----------
        frame
            As in `fit`.
        n_segments
            Numbers to try, without the state churned.

        Raises
        ------
        DataError
            Where the panel has faults, or too few rows for every number.
        SchemaError
            Where the schema has no entry on migration.
        UsageError
            Where there is no number to try.
        """
        from softseg.inference.markov.choose import choose_markov
        from softseg.tables.panel.prepare import prepare_panel

        return choose_markov(
            prepare_panel(frame, schema_of(self.schema)),
            n_segments,
            method=self.method,  # pyright: ignore[reportArgumentType]
            n_starts=self.n_starts,
            seed=self.seed,
            cores=self.cores,
            allow_few_rows=self.allow_few_rows,
            progress=self.progress,
        )

    def transitions(self, *, identified_only: bool = True) -> "xr.Dataset":
        """Return where customers go from one period to the next, with intervals.

        Raises
        ------
        NotConverged
            Where the gate refused the fit: its segments are not identified.
        """
        return self._identified(identified_only)["transition"].to_dataset()

    def membership(self, frame: Any = None) -> "xr.Dataset":
        """Return where every customer is in the last period, with intervals.

        Parameters
        ----------
        frame
            A panel with the columns of the schema, of these customers or others, with new periods
            or without; None for the fitted one. Every customer's history is filtered again under
            the fitted draws, so that one customer with one more period is a panel of its own.

        Returns
        -------
        xarray.Dataset
            ``mean``, ``lower``, ``upper`` (customer, state), ``top``, ``p_top`` (customer).
        """
        import xarray as xr

        from softseg.results.migration.assemble import state_bands

        if frame is None:
            return self._tree()["membership"].to_dataset()
        return xr.concat([state_bands(b) for b in self._states(frame).now()], dim="customer")

    def survival(self, horizon: int = 12) -> "xr.Dataset":
        """Return how long customers stay, by their present segment; see `survival`."""
        from softseg.results.migration.survival import survival

        return survival(self._ahead()["transition"], horizon=horizon)

    def projection(
        self,
        horizon: int = 12,
        *,
        value: str | None = None,
        inflow: bool = False,
        transition: "xr.DataArray | None" = None,
    ) -> "xr.Dataset":
        """Return customers per state, and money, over the coming periods, with fans.

        Parameters
        ----------
        horizon
            How many periods to look ahead.
        value
            A value column of the schema: what customers bring per period.
        inflow
            Whether new customers come as they came in the panel (open cohort).
        transition
            Other transitions of the same draws, for instance those of
            `softseg.decisions.migration.programme.programme`; a dim ``programme`` is kept, so that
            baseline and programme stand side by side.

        Returns
        -------
        xarray.Dataset
            See `softseg.results.migration.projection`. What is called parameter there is all that
            is not known today: parameters and present states.

        Raises
        ------
        UsageError
            Where there is no such value.
        """
        import xarray as xr

        from softseg.results.migration.projection import projection

        ahead = self._ahead()
        money = None if value is None else self._value(value)
        new = ahead["inflow"] if inflow else None
        given = ahead["transition"] if transition is None else transition

        def project(matrix: "xr.DataArray") -> "xr.Dataset":
            rng = np.random.default_rng([self.seed, PROJECTION_STREAM])
            return projection(
                matrix, ahead["lots"], horizon=horizon, rng=rng, value=money, inflow=new
            )

        if PROGRAMME not in given.dims:
            return project(given)
        found = [project(given.sel({PROGRAMME: name})) for name in given[PROGRAMME].values]
        return xr.concat(found, dim=given[PROGRAMME])

    def transition_draws(self) -> "xr.DataArray":
        """Return the transitions that answers look ahead with, by draw (sample, state, state_to).

        With a matrix per period it is their mean within each draw; with covariates that of a
        customer whose covariates are the means of the panel.
        """
        return self._ahead()["transition"]

    def lifetime_value(
        self, value: str, *, discount: float, horizon: int | None = None
    ) -> "xr.DataArray":
        """Return draws of what a customer is still worth by present state, (sample, state).

        Parameters
        ----------
        value
            A value column of the schema.
        discount
            Rate per period.
        horizon
            Number of periods, the present one included; None for all of them. Where the schema
            knows no churn, that takes a discount rate.
        """
        from softseg.results.migration.absorbing import lifetime_value, with_churned

        transition, worth = with_churned(self._ahead()["transition"], self._value(value))
        found = lifetime_value(transition, worth, discount=discount, horizon=horizon)
        return found.sel(state=self._ahead()["transition"]["state"])

    def warning(
        self,
        horizon: int = 3,
        *,
        of: str = "churn",
        order: Sequence[str] | None = None,
        most: int | None = None,
        frame: Any = None,
        panel: "Panel | None" = None,
    ) -> "xr.Dataset":
        """Return the customers most in danger of churn or downgrade; see `warning`.

        Parameters
        ----------
        horizon, of, order, most
            As in `softseg.results.migration.warning.warning`.
        frame
            As in `membership`.
        panel
            The same, prepared already.
        """
        from softseg.results.migration.warning import warning

        states = self._states(frame, panel)
        return warning(
            states.now(), states.transition(), horizon=horizon, of=of, order=order, most=most
        )

    def name_segments(self, names: Sequence[str]) -> Self:
        """Give the segments names, in the order of their numbers; they travel everywhere."""
        from softseg.results.migration.assemble import rename_states

        rename_states(self._tree(), list(names))
        self.schema_ = self.schema_.model_copy(update={"segment_names": list(names)})
        return self

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return a fitted model from a file that `save` has written.

        Customers' warnings need the panel again; everything else is in the file.

        Raises
        ------
        FileError
            Where the file is damaged or of another kind.
        UsageError
            Where it holds no migration model.
        """
        from softseg.inference.fit_verdict import FitVerdict
        from softseg.inference.verdicts import Diagnosis
        from softseg.results.storage import load
        from softseg.results.tree import schema_from_tree

        tree = load(path)
        if tree.attrs.get("softseg_kind") != "migration":
            raise UsageError("Load this file with SegmentMixture: it holds no migration model.")
        schema = schema_from_tree(tree)
        model = cls(schema, int(tree.attrs["n_segments"]), seed=int(tree.attrs["seed"]))
        model.posterior_, model.schema_ = tree, schema
        model.diagnosis_ = Diagnosis.from_json(tree.attrs["diagnosis"])
        verdict = tree.attrs["fit_verdict"]
        model.fit_verdict_ = FitVerdict.from_json(verdict) if verdict else None
        return model

    def _ahead(self) -> "xr.Dataset":
        """Return what looking ahead begins with, by draw."""
        return self._identified()["present"].to_dataset()

    def _value(self, name: str) -> "xr.DataArray":
        ahead, key = self._ahead(), f"value {name}"
        known = [
            str(v).removeprefix("value ") for v in ahead.data_vars if str(v).startswith("value ")
        ]
        if key not in ahead:
            raise UsageError(f"Name a value column of the schema out of {known}, got {name!r}.")
        entry = self.schema_.value[name]
        return ahead[key].assign_attrs(unit=entry.currency or "")

    def _states(self, frame: Any = None, panel: "Panel | None" = None) -> "States":
        """Return the states of the fitted panel's customers, or of another one's."""
        from softseg.inference.markov.fit import lay_out, model_for
        from softseg.results.migration.assemble import state_names, values_of_migration
        from softseg.results.migration.states import states_of
        from softseg.tables.panel.prepare import prepare_new_panel

        tree = self._identified()
        if panel is None and frame is None and not hasattr(self, "_panel"):
            raise NotFittedError("Give the panel: a loaded model does not hold its customers.")
        if panel is None:
            panel = self._panel if frame is None else prepare_new_panel(frame, self.schema_)
        layout = lay_out(panel)
        model = model_for(panel, layout, int(tree.attrs["n_segments"]))
        values = values_of_migration(tree, model)
        return states_of(model, layout, panel, values, state_names(self.schema_, model))
