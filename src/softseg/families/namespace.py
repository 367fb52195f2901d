"""NumPy in the role of the `Namespace` that families write their formulas for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special


class NumpyNamespace:
    """NumPy and SciPy functions under the names of `Namespace`."""

    def log(self, x: Any) -> Any:
        """Return the natural logarithm."""
        return np.log(x)

    def log1p(self, x: Any) -> Any:
        """Return log(1 + x)."""
        return np.log1p(x)

    def exp(self, x: Any) -> Any:
        """Return e to the power of x."""
        return np.exp(x)

    def gammaln(self, x: Any) -> Any:
        """Return the logarithm of the Gamma function."""
        return special.gammaln(x)

    def maximum(self, x: Any, y: Any) -> Any:
        """Return the larger of both."""
        return np.maximum(x, y)

    def stack(self, arrays: Sequence[Any]) -> Any:
        """Join arrays of shape (…, segment) along a new last axis."""
        return np.stack(arrays, axis=-1)

    def concatenate(self, arrays: Sequence[Any]) -> Any:
        """Join arrays along their last axis."""
        return np.concatenate(arrays, axis=-1)


NUMPY = NumpyNamespace()
