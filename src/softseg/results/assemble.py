"""From a fit to the whole posterior tree, with everything the report and the files need."""

import hashlib
import json
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr

from softseg.inference.fit import Fit
from softseg.names import INDICATOR
from softseg.results.describe import describe
from softseg.results.tree import add_group, posterior_tree
from softseg.tables.dependence import missing_related
from softseg.tables.table import Table
from softseg.wording import say

VERSIONS = ("softseg", "numpy", "numba", "pymc", "nutpie", "arviz", "xarray", "scipy")


def assemble(fit: Fit) -> xr.DataTree:
    """Return the posterior tree of a fit.

    Returns
    -------
    xarray.DataTree
        ``/posterior``, ``/sample_stats``, ``/membership``, ``/sizes``, ``/profile``, ``/modes``
        and ``/data``, as `docs/architecture.md` lays them out; verdicts, priors, seed, versions
        and the hash of the data stand in the root attributes.
    """
    draws, table, schema = fit.draws, fit.table, fit.table.schema
    tree = posterior_tree(
        draws.values,
        schema,
        sample_stats={"log_likelihood": draws.log_likelihood, **draws.sample_stats},
        attributes=_attributes(fit),
    )
    describe(tree, table, fit.statistics, tail_probability=fit.tail_probability)
    add_group(tree, "modes", _modes(fit))
    add_group(tree, "data", _data(table))
    return tree


def data_hash(table: Table) -> str:
    """Return the SHA-256 of the used cells, the same for every order of the columns.

    Customers who opted out, columns that are not used, and ids do not enter.
    """
    digest = hashlib.sha256()
    columns = {**table.columns, "count": table.count}
    columns |= {f"exposure of {name}": column for name, column in table.exposures.items()}
    columns |= {f"value {name}": column for name, column in table.values.items()}
    for name in sorted(columns):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(columns[name], dtype="<f8").tobytes())
    return digest.hexdigest()


def _attributes(fit: Fit) -> dict[str, Any]:
    key, values = fit.reason
    return {
        "softseg_kind": "mixture",
        "versions": {name: version(name) for name in VERSIONS},
        "seed": fit.seed,
        "n_segments": fit.mixture.n_segments,
        "method": fit.method,
        "method_reason": {"key": key, "values": values},
        "engine": dict(fit.draws.engine),
        "thin": fit.thin,
        "data_hash": data_hash(fit.table),
        "diagnosis": fit.diagnosis.to_json(),
        "fit_verdict": fit.verdict.to_json(),
        "relabelling": {
            "relabelled": fit.mixture.exchangeable,
            "not_permutations": fit.aligned.not_permutations,
        },
        "missing_related": _missing_related(fit.table),
        "dropped_columns": {name: _constant(fit.table) for name in fit.table.dropped},
        "language": fit.table.schema.language,
    }


def _constant(table: Table) -> str:
    return say("results.constant", table.schema.language)


def _missing_related(table: Table) -> list[dict[str, Any]]:
    return [json.loads(json.dumps(vars(found), default=float)) for found in missing_related(table)]


def _modes(fit: Fit) -> xr.Dataset:
    modes = fit.modes
    return xr.Dataset(
        {
            "objective": ("mode", [mode.objective for mode in modes.modes]),
            "log_likelihood": ("mode", [mode.log_likelihood for mode in modes.modes]),
            "hits": ("mode", [mode.hits for mode in modes.modes]),
        },
        attrs={
            "n_starts": modes.n_starts,
            "hit_rate": modes.hit_rate,
            "n_rivals": len(modes.rivals),
            "n_parameters": fit.mixture.n_parameters,
        },
    )


def _data(table: Table) -> xr.Dataset:
    """Return what the report says about the table: customers and gaps per indicator."""
    names = list(table.columns)
    missing = [float(np.isnan(table.columns[name]) @ table.count) for name in names]
    return xr.Dataset(
        {"missing": (INDICATOR, np.array(missing))},
        coords={INDICATOR: names},
        attrs={"n_customers": float(table.count.sum()), "n_rows": table.n_customers},
    )
