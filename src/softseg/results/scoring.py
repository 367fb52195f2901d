"""Scoring: the memberships of new rows under a stored posterior, nothing fitted again."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import xarray as xr
from scipy.special import logsumexp

from softseg.families.base import Array
from softseg.inference.tail import TailProbability
from softseg.likelihood.statistics import Statistics, reduce
from softseg.models.mixture import specify
from softseg.names import MEMBERSHIP
from softseg.results.evaluate import Evaluator, LaidOut, draws_to_use, summarise, thinned
from softseg.results.exports import memberships_frame, written_in_parts
from softseg.results.membership import VERDICTS, empty, membership_dataset
from softseg.results.tree import schema_from_tree, segment_names, values_from_tree
from softseg.tables.prepare import prepare_new
from softseg.tables.stream import batches, column_names
from softseg.tables.table import Table

TAIL_STREAM: Final = 1
"""Stream of random numbers for scoring, apart from those of the fit."""


class Scorer:
    """A posterior made ready to score rows, again and again.

    What does not depend on the rows is worked out once: the frozen schema, the draws, and the
    simulated customers with whom new ones are compared. The first call is therefore the longest.

    Parameters
    ----------
    tree
        A posterior tree, fresh or loaded; it must not change afterwards.
    """

    def __init__(self, tree: xr.DataTree) -> None:
        values = values_from_tree(tree)
        self.schema = schema_from_tree(tree)
        self._names = segment_names(tree)
        self._n_used = draws_of_fit(tree, len(values.share))
        self._mixture = specify(self.schema, values.share.shape[-1])
        self._draws = LaidOut(thinned(values, self._n_used))
        self._tail = TailProbability(
            self._mixture, values, [int(tree.attrs.get("seed", 0)), TAIL_STREAM]
        )

    def score(self, frame: Any, *, unseen: Literal["error", "missing"] = "error") -> xr.Dataset:
        """Return the memberships of new rows, with the same intervals as in the fit.

        Parameters
        ----------
        frame
            Rows with the columns of the schema, gaps allowed.
        unseen
            What a category that the training table did not have is: an error, or a missing cell
            that is counted.

        Returns
        -------
        xarray.Dataset
            As `softseg.results.membership` returns it; the attribute ``unseen`` is a JSON object
            with the number of unseen cells per indicator. Rows of customers who opted out are left
            out: ``row`` says which rows are there. No rows give an empty result of the same
            dtypes.

        Raises
        ------
        DataError
            Where the rows have faults, all of them listed.
        """
        table, counts = prepare_new(frame, self.schema, unseen)
        result = self.score_table(table)
        result.attrs["unseen"] = json.dumps(counts, sort_keys=True)
        return result

    def score_table(self, table: Table) -> xr.Dataset:
        """Return the memberships of the rows of a prepared table.

        The tail probability is simulated from the seed of the fit: the same row gets the same
        number again. Where customers have exposures that differ, other rows beside it change it
        within its Monte Carlo error.
        """
        n_used, names = self._n_used, self._names
        if table.n_customers == 0:
            return empty(self._mixture.n_segments, n_used=n_used, segment_names=names)
        statistics = reduce(table)
        return membership_dataset(
            summarise(statistics, self._draws),
            statistics.pattern_of_row,
            n_used=n_used,
            tail_probability=self._tail.of(statistics, table),
            rows=table.rows,
            segment_names=names,
        )


def score_file(
    tree: xr.DataTree,
    table: Path | str,
    out: Path | str,
    *,
    unseen: Literal["error", "missing"] = "error",
    language: str | None = None,
) -> tuple[dict[str, int], dict[str, int]]:
    """Write the memberships of the customers of a large Parquet file, batch by batch.

    Parameters
    ----------
    tree
        A posterior tree, fresh or loaded.
    table
        A Parquet file with the columns of the schema.
    out
        Parquet or CSV file to write, in the layout of `softseg.results.exports`; it is there whole
        or not at all.
    unseen
        As in `Scorer.score`.
    language
        Of the messages; that of the schema by default.

    Returns
    -------
    tuple
        Customers by verdict, and unseen cells by indicator.

    Raises
    ------
    DataError
        Where rows have faults. A fault's row is counted within its batch of 1,000,000 rows.
    FileError
        Where a file cannot be read or written.
    """
    import pyarrow as pa

    scorer = Scorer(tree)
    schema = scorer.schema.model_copy(update={"language": language or scorer.schema.language})
    verdicts, cells = Counter[str](), Counter[str]()
    for name in VERDICTS:
        verdicts[name] = 0
    id_column = scorer.schema.id or "customer"
    there = column_names(table)
    n_customers = 0
    with written_in_parts(out, schema.language) as write:
        for batch in batches(table, [name for name in schema.columns if name in there]):
            rows, counts = prepare_new(batch.to_pandas(), schema, unseen)
            found = scorer.score_table(rows)
            found["row"] = found["row"] + n_customers
            frame = memberships_frame(found, rows.customers, id_column)
            write(pa.Table.from_pandas(frame, preserve_index=False))
            n_customers += rows.n_customers
            verdicts.update(frame["verdict"])
            cells.update(counts)
    return dict(verdicts), dict(cells)


def score(
    tree: xr.DataTree, frame: Any, *, unseen: Literal["error", "missing"] = "error"
) -> xr.Dataset:
    """Return the memberships of new rows: `Scorer.score`, for once."""
    return Scorer(tree).score(frame, unseen=unseen)


def score_table(tree: xr.DataTree, table: Table) -> xr.Dataset:
    """Return the memberships of the rows of a prepared table: `Scorer.score_table`, for once."""
    return Scorer(tree).score_table(table)


def draws_of_fit(tree: xr.DataTree, n_draws: int) -> int:
    """Return how many draws the memberships of the fit were computed from."""
    if MEMBERSHIP in tree.children:
        return int(tree[MEMBERSHIP].attrs["n_draws"])
    return draws_to_use(1, n_draws)


def log_predictive_density(tree: xr.DataTree, statistics: Statistics) -> Array:
    """Return log p(row | training table) = log mean over draws of Σ_k π_k f_k; (customer,).

    The densities carry the units of the data; an all-missing row has 0.
    """
    values = values_from_tree(tree)
    evaluator = Evaluator(statistics, thinned(values, draws_of_fit(tree, len(values.share))))
    density = np.empty(statistics.n_patterns)
    for block in evaluator.blocks():
        by_draw = logsumexp(evaluator.log_joint(block), axis=1)
        density[block] = logsumexp(by_draw, axis=1) - np.log(evaluator.n_draws)
    return (density + statistics.log_base)[statistics.pattern_of_row]
