"""Finished chains are kept, so that a fit that was cut off does not sample them a second time.

A chain is a function of the statistics, the priors, its first values, the state of its generator
and a few options. Its key is a hash over all of them and the versions of the packages that decide
about the draws: a chain of another fit is never taken for it. With the draws the last values and
the generator's state are kept, so that going on from a chain that was kept gives what going on
from one that has just been sampled gives, bit for bit.
"""

import hashlib
import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any, Final, Protocol

import numpy as np

from softseg.families import Family
from softseg.families.base import Array
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Mixture, Values

PACKAGES: Final = ("softseg", "numpy", "numba", "scipy", "pymc", "pytensor", "nutpie")
"""Whose versions are part of the key."""
STATE: Final = "state"


class Checkpoint(Protocol):
    """Where finished chains are kept."""

    def load(self, key: str) -> Mapping[str, Array] | None:
        """Return what was kept under a key, None where there is nothing or it is damaged."""
        ...

    def save(self, key: str, arrays: Mapping[str, Array]) -> None:
        """Keep arrays under a key, all of them or none; called from several threads."""
        ...


@dataclass(frozen=True)
class Chain:
    """One finished chain, or any other set of draws that a method makes in one piece.

    Attributes
    ----------
    values
        Leading axis (draw).
    log_likelihood
        Σ count · log f of each draw, (draw,).
    sample_stats
        What else the sampler tells of each draw, (draw,).
    end
        Where the chain stands, for those that go on; no leading axis.
    """

    values: Values
    log_likelihood: Array
    sample_stats: Mapping[str, Array] = field(default_factory=dict)
    end: Values | None = None


class Keeper:
    """Keeps the finished chains of one fit, and gives them back.

    Parameters
    ----------
    checkpoint
        Where to; None keeps nothing.
    statistics, mixture
        What is fitted.
    more
        What else decides about the posterior.
    """

    def __init__(
        self,
        checkpoint: Checkpoint | None,
        statistics: Statistics,
        mixture: Mixture,
        more: Any = None,
    ) -> None:
        self._checkpoint = checkpoint
        self._statistics = statistics
        self._mixture = mixture
        self._more = more

    def chain(
        self,
        method: str,
        starts: Any,
        rng: np.random.Generator,
        options: Mapping[str, Any],
        sample: Callable[[], Chain],
    ) -> Chain:
        """Return the chain that was kept, or sample it and keep it.

        Parameters
        ----------
        method
            The sampler.
        starts
            Values it begins with, one or several.
        rng
            Its generator; stands where `sample` leaves it, in either case.
        options
            All else that decides about the draws.
        sample
            Returns the chain.
        """
        key = self.key(method, starts, rng, options)
        found = self.find(key, rng)
        if found is None:
            found = sample()
            self.keep(key, found, rng)
        return found

    def key(
        self, method: str, starts: Any, rng: np.random.Generator, options: Mapping[str, Any]
    ) -> str:
        """Return the key of a chain that has not begun, "" where nothing is kept."""
        if self._checkpoint is None:
            return ""
        # Generators that are spawned from this one depend on its seed, not on its state.
        seed = getattr(rng.bit_generator.seed_seq, "state", None)
        state = _as_text({"seed": seed, "state": rng.bit_generator.state})
        return content_hash(self._fit, method, starts, state, options)

    def find(self, key: str, rng: np.random.Generator) -> Chain | None:
        """Return a chain that was kept, its generator put where the chain has left it."""
        arrays = self._checkpoint.load(key) if self._checkpoint is not None else None
        if arrays is None:
            return None
        rng.bit_generator.state = json.loads(str(arrays[STATE]))
        return _unpacked(arrays, self._mixture)

    def keep(self, key: str, chain: Chain, rng: np.random.Generator) -> None:
        """Keep a finished chain.

        Raises
        ------
        FileError
            Where it cannot be written, for instance because the disk is full.
        """
        if self._checkpoint is not None:
            state = np.array(_as_text(rng.bit_generator.state))
            self._checkpoint.save(key, {STATE: state, **_packed(chain)})

    @cached_property
    def _fit(self) -> str:
        s, m = self._statistics, self._mixture
        versions = {name: version(name) for name in PACKAGES}
        versions["python"] = platform.python_version()
        priors = (m.n_segments, m.share, m.fixed_share, m.priors, m.extras, self._more)
        return content_hash(versions, s.layout, s.dense, s.codes, s.log_base, s.count, priors)


def content_hash(*things: Any) -> str:
    """Return the SHA-256 over the content of numbers, texts, arrays and what is made of them.

    The order of mappings counts: it decides in which order parameters are drawn.

    Raises
    ------
    TypeError
        Where something else is among them.
    """
    digest = hashlib.sha256()
    _feed(digest, things)
    return digest.hexdigest()


def _feed(digest: Any, thing: Any) -> None:
    """Add a thing to a digest, kind and length first, so that no two things look alike."""
    parts: list[Any] = []
    if thing is None or isinstance(thing, bool | int | float | str | slice | np.generic):
        text = repr(thing)
        head = f"{type(thing).__name__} {len(text)} {text}"
    elif isinstance(thing, np.ndarray):
        head = f"array {thing.dtype.str} {thing.shape}"
    elif isinstance(thing, Mapping):
        head = f"mapping {len(thing)}"
        parts = [part for item in thing.items() for part in item]
    elif isinstance(thing, list | tuple):
        head, parts = f"sequence {len(thing)}", [*thing]
    elif isinstance(thing, Family):
        head = f"family {len(thing.name)} {thing.name}"
    elif is_dataclass(thing):
        parts = [getattr(thing, each.name) for each in fields(thing)]
        head = f"{type(thing).__name__} {len(parts)}"
    else:
        raise TypeError(f"Hash numbers, texts and arrays only, got {type(thing).__name__}.")
    digest.update(f"{head}\n".encode())
    if isinstance(thing, np.ndarray):
        digest.update(np.ascontiguousarray(thing))
    for part in parts:
        _feed(digest, part)


def _packed(chain: Chain) -> dict[str, Array]:
    """Return a chain as flat arrays; `_unpacked` is the way back."""
    packed = {"log_likelihood": chain.log_likelihood}
    packed |= {f"stats {name}": values for name, values in chain.sample_stats.items()}
    for part, values in (("values", chain.values), ("end", chain.end)):
        if values is not None:
            packed[f"{part} share"] = values.share
            for indicator, parameters in values.indicators.items():
                for name, array in parameters.items():
                    packed[_name(part, indicator, name)] = array
    return packed


def _unpacked(arrays: Mapping[str, Array], mixture: Mixture) -> Chain:
    def values(part: str) -> Values:
        indicators = {
            indicator: {name: arrays[_name(part, indicator, name)] for name in priors}
            for indicator, priors in mixture.priors.items()
        }
        for extra in mixture.extras:
            array = arrays[_name(part, extra.group, extra.name)]
            indicators.setdefault(extra.group, {})[extra.name] = array
        return Values(arrays[f"{part} share"], indicators)

    head = "stats "
    stats = {name.removeprefix(head): a for name, a in arrays.items() if name.startswith(head)}
    end = values("end") if "end share" in arrays else None
    return Chain(values("values"), arrays["log_likelihood"], stats, end)


def _name(part: str, indicator: str, parameter: str) -> str:
    # No parameter's name has a space in it, so that two indicators never meet.
    return f"{part} of {parameter} {indicator}"


def _as_text(state: Mapping[str, Any]) -> str:
    """Return the state of a generator as JSON; its integers are longer than those of arrays."""
    return json.dumps(state, default=lambda array: array.tolist(), sort_keys=True)
