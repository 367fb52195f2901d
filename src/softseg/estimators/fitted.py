"""What every estimator does with its posterior once it has one."""

from pathlib import Path
from typing import TYPE_CHECKING

from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from softseg.errors import NotConverged, SchemaError
from softseg.tables.schema import Schema

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from softseg.inference.verdicts import Diagnosis


class Fitted(BaseEstimator):
    """An estimator whose fit leaves a posterior tree and the gate's verdict on it."""

    posterior_: "xr.DataTree"
    diagnosis_: "Diagnosis"

    def profile(self, *, identified_only: bool = True) -> "pd.DataFrame":
        """Return what the segments look like, in the units of the data, with intervals.

        Raises
        ------
        NotConverged
            Where the gate refused the fit: its segments are not identified.
        """
        from softseg.results.exports import profile_frame

        return profile_frame(self._identified(identified_only)["profile"].to_dataset())

    def save(self, path: str | Path) -> None:
        """Write the posterior tree to a NetCDF file with checksums, in place of an old one."""
        from softseg.results.storage import save

        save(self._tree(), path)

    def _tree(self) -> "xr.DataTree":
        if not hasattr(self, "posterior_"):
            name = type(self).__name__
            raise NotFittedError(f"Call fit first: this {name} has no posterior yet.")
        return self.posterior_

    def _identified(self, identified_only: bool = True) -> "xr.DataTree":
        """Return the tree, unless only identified segments will do and these are not."""
        tree = self._tree()
        if identified_only and self.diagnosis_.status != "good":
            raise NotConverged(
                "Do not read these segments, or ask with identified_only=False: the gate refused "
                f"the fit.\n{self.diagnosis_.text()}"
            )
        return tree


def schema_of(given: object, otherwise: str = "") -> Schema:
    """Return the schema that an estimator was given, read from its file where it is a path.

    Parameters
    ----------
    otherwise
        What else the estimator takes, for the message.

    Raises
    ------
    SchemaError
        Where it is neither.
    """
    if isinstance(given, Schema):
        return given
    if isinstance(given, str | Path):
        return Schema.from_toml(given)
    kinds = "a Schema or the path of a schema file"
    raise SchemaError(f"Give the schema as {kinds}{otherwise}: got {type(given).__name__}.")
