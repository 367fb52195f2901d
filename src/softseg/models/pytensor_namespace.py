"""PyTensor in the role of the `Namespace` that families write their formulas for."""

from collections.abc import Sequence
from typing import Any

import pytensor.tensor as pt


class PyTensorNamespace:
    """PyTensor functions under the names of `Namespace`."""

    def log(self, x: Any) -> Any:
        """Return the natural logarithm."""
        return pt.log(x)

    def log1p(self, x: Any) -> Any:
        """Return log(1 + x)."""
        return pt.log1p(x)

    def exp(self, x: Any) -> Any:
        """Return e to the power of x."""
        return pt.exp(x)

    def gammaln(self, x: Any) -> Any:
        """Return the logarithm of the Gamma function."""
        return pt.gammaln(x)

    def maximum(self, x: Any, y: Any) -> Any:
        """Return the larger of both."""
        return pt.maximum(x, y)

    def stack(self, arrays: Sequence[Any]) -> Any:
        """Join arrays of shape (segment,) along a new last axis.

        Joined end to end and reshaped: half the nodes of `pt.stack`, which are compiled one by one.
        """
        joined: Any = pt.concatenate(list(arrays))
        return joined.reshape((len(arrays), arrays[0].shape[0])).T

    def concatenate(self, arrays: Sequence[Any]) -> Any:
        """Join arrays along their last axis."""
        return pt.concatenate(list(arrays), axis=-1)


PYTENSOR = PyTensorNamespace()
