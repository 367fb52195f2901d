"""The simpler models that the latent Markov model is set beside, from their papers.

`BetaGeometric` is BG/NBD (Fader, Hardie and Lee 2005, Marketing Science 24, 275–284), `Pareto` is
Pareto/NBD (Schmittlein, Morrison and Colombo 1987, Management Science 33, 1–24; the likelihood as
in Fader and Hardie's note of 2005), `Shifted` is the shifted beta-geometric (Fader and Hardie 2007,
Journal of Interactive Marketing 21, 76–90). A customer of the first two is x repeat transactions,
the time t_x of the last one and the length T of the window, in weeks from the first transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1
from scipy.stats import poisson

type Array = NDArray[np.float64]


@dataclass(frozen=True)
class Customers:
    """Repeat transactions, time of the last one and length of the window, each (customer,)."""

    x: Array
    t_x: Array
    T: Array


@dataclass(frozen=True)
class BetaGeometric:
    """BG/NBD: purchases are Poisson, and after each the customer leaves with a chance of his own.

    Rates are Gamma(r, rate alpha), chances Beta(a, b).
    """

    r: float
    alpha: float
    a: float
    b: float

    @classmethod
    def fitted(cls, customers: Customers) -> tuple[Self, Array]:
        """Return the maximum of the likelihood and the covariance of the log parameters."""
        return _fitted(cls, customers, 4)

    def log_likelihood(self, c: Customers) -> float:
        """Return the sum over customers of log densities (equation 3 of the paper)."""
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        whole = gammaln(r + c.x) - gammaln(r) + r * np.log(alpha)
        whole += betaln(a, b + c.x) - betaln(a, b)
        stays = -(r + c.x) * np.log(alpha + c.T)
        leaves = np.log(a) - np.log(b + np.maximum(c.x, 1) - 1) - (r + c.x) * np.log(alpha + c.t_x)
        leaves = np.where(c.x > 0, leaves, -np.inf)
        # Beta(a + 1, b + x − 1) / Beta(a, b + x) = a / (b + x − 1)
        return float(np.sum(whole + np.logaddexp(stays, leaves)))

    def alive(self, c: Customers) -> Array:
        """Return the probability of being a customer still at T, (customer,)."""
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        odds = a / (b + np.maximum(c.x, 1) - 1) * ((alpha + c.T) / (alpha + c.t_x)) ** (r + c.x)
        return 1.0 / (1.0 + np.where(c.x > 0, odds, 0.0))

    def expected(self, t: Array) -> Array:
        """Return the expected repeat transactions of a new customer in a time, (time,)."""
        return _beta_geometric_mean(self.r, self.alpha, self.a, self.b, t)

    def expected_after(self, c: Customers, t: float) -> Array:
        """Return the expected transactions of customers in a time after T, (customer,)."""
        mean = _beta_geometric_mean(self.r + c.x, self.alpha + c.T, self.a, self.b + c.x, t)
        return self.alive(c) * mean

    def probabilities_after(
        self, c: Customers, t: float, most: int, rng: np.random.Generator, n: int = 500
    ) -> Array:
        """Return P(transactions after T = y), y = 0 … most, by Monte Carlo, (customer, y)."""
        rate = rng.gamma(self.r + c.x, 1.0 / (self.alpha + c.T), (n, len(c.x)))
        leave = rng.beta(self.a, self.b + c.x, (n, len(c.x)))
        found = np.empty((len(c.x), most + 1))
        for y in range(most + 1):
            exact = poisson.pmf(y, rate * t) * (1.0 - leave) ** y
            if y > 0:
                exact += leave * (1.0 - leave) ** (y - 1) * poisson.sf(y - 1, rate * t)
            found[:, y] = exact.mean(axis=0)
        return _or_gone(found, self.alive(c))

    def drawn_after(self, c: Customers, t: float, rng: np.random.Generator) -> Array:
        """Return drawn transactions of customers in a time after T, (customer,)."""
        alive = rng.random(len(c.x)) < self.alive(c)
        orders = rng.poisson(rng.gamma(self.r + c.x, 1.0 / (self.alpha + c.T)) * t)
        leave = np.maximum(rng.beta(self.a, self.b + c.x), 1e-12)
        return alive * np.minimum(orders, rng.geometric(leave))


def _beta_geometric_mean(r: Array, alpha: Array, a: float, b: Array, t: Array) -> Array:
    whole = (a + b - 1.0) / (a - 1.0)
    left = (alpha / (alpha + t)) ** r * hyp2f1(r, b, a + b - 1.0, t / (alpha + t))
    return whole * (1.0 - left)


@dataclass(frozen=True)
class Pareto:
    """Pareto/NBD: purchases are Poisson until an exponential lifetime ends.

    Rates of purchase are Gamma(r, rate alpha), those of leaving Gamma(s, rate beta).
    """

    r: float
    alpha: float
    s: float
    beta: float

    @classmethod
    def fitted(cls, customers: Customers) -> tuple[Self, Array]:
        """Return the maximum of the likelihood and the covariance of the log parameters."""
        return _fitted(cls, customers, 4)

    def log_likelihood(self, c: Customers) -> float:
        """Return the sum over customers of log densities."""
        r, alpha, s, beta = self.r, self.alpha, self.s, self.beta
        whole = gammaln(r + c.x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
        stays = -(r + c.x) * np.log(alpha + c.T) - s * np.log(beta + c.T)
        leaves = np.log(s) - np.log(r + s + c.x) + np.log(self._left(c))
        return float(np.sum(whole + np.logaddexp(stays, leaves)))

    def _left(self, c: Customers) -> Array:
        """Return the integral over the times of leaving between t_x and T, (customer,)."""
        r, alpha, s, beta = self.r, self.alpha, self.s, self.beta
        most, order = max(alpha, beta), (s + 1.0 if alpha >= beta else r + c.x)
        power, gap = r + s + c.x, abs(alpha - beta)

        def part(t: Array) -> Array:
            return hyp2f1(power, order, power + 1.0, gap / (most + t)) / (most + t) ** power

        return np.maximum(part(c.t_x) - part(c.T), 1e-300)

    def alive(self, c: Customers) -> Array:
        """Return the probability of being a customer still at T, (customer,)."""
        r, alpha, s, beta = self.r, self.alpha, self.s, self.beta
        stays = (r + c.x) * np.log(alpha + c.T) + s * np.log(beta + c.T)
        return 1.0 / (1.0 + s / (r + s + c.x) * np.exp(stays + np.log(self._left(c))))

    def expected(self, t: Array) -> Array:
        """Return the expected repeat transactions of a new customer in a time, (time,)."""
        return _pareto_mean(self.r, self.alpha, self.s, self.beta, t)

    def expected_after(self, c: Customers, t: float) -> Array:
        """Return the expected transactions of customers in a time after T, (customer,)."""
        mean = _pareto_mean(self.r + c.x, self.alpha + c.T, self.s, self.beta + c.T, t)
        return self.alive(c) * mean

    def probabilities_after(
        self, c: Customers, t: float, most: int, rng: np.random.Generator, n: int = 500
    ) -> Array:
        """Return P(transactions after T = y), y = 0 … most, by Monte Carlo, (customer, y)."""
        rate = rng.gamma(self.r + c.x, 1.0 / (self.alpha + c.T), (n, len(c.x)))
        leave = rng.gamma(self.s, 1.0 / (self.beta + c.T), (n, len(c.x)))
        mean = rate * np.minimum(rng.exponential(1.0, leave.shape) / leave, t)
        found = np.stack([poisson.pmf(y, mean).mean(axis=0) for y in range(most + 1)], axis=1)
        return _or_gone(found, self.alive(c))

    def drawn_after(self, c: Customers, t: float, rng: np.random.Generator) -> Array:
        """Return drawn transactions of customers in a time after T, (customer,)."""
        alive = rng.random(len(c.x)) < self.alive(c)
        rate = rng.gamma(self.r + c.x, 1.0 / (self.alpha + c.T))
        leave = np.maximum(rng.gamma(self.s, 1.0 / (self.beta + c.T)), 1e-300)
        return alive * rng.poisson(rate * np.minimum(rng.exponential(1.0, len(c.x)) / leave, t))


def _pareto_mean(r: Array, alpha: Array, s: float, beta: Array, t: Array) -> Array:
    return r * beta / (alpha * (s - 1.0)) * (1.0 - (beta / (beta + t)) ** (s - 1.0))


def _or_gone(found: Array, alive: Array) -> Array:
    """Return probabilities of counts of customers who may be gone, given those of who is not."""
    found = found * alive[:, None]
    found[:, 0] += 1.0 - alive
    return found


@dataclass(frozen=True)
class Shifted:
    """Shifted beta-geometric: every year a customer leaves with a chance of his own, Beta."""

    alpha: float
    beta: float

    @classmethod
    def fitted(cls, survivors: Array) -> tuple[Self, Array]:
        """Return the maximum of the likelihood and the covariance of the log parameters."""
        return _fitted(cls, survivors, 2)

    def survival(self, t: Array) -> Array:
        """Return the share that is left after t renewals."""
        return np.exp(betaln(self.alpha, self.beta + t) - betaln(self.alpha, self.beta))

    def log_likelihood(self, survivors: Array) -> float:
        """Return the log density of the survivors after 0, 1, … renewals."""
        share = self.survival(np.arange(len(survivors)))
        return log_density_of(survivors, share)


def log_density_of(survivors: Array, share: Array) -> float:
    """Return the log density of survivors where these shares are expected to be left."""
    return float(-np.diff(survivors) @ np.log(-np.diff(share)) + survivors[-1] * np.log(share[-1]))


def _fitted[M](kind: Callable[..., M], data: object, n: int) -> tuple[M, Array]:
    """Return the model at the maximum and the inverse Hessian in the logs of its parameters."""

    def negative(logs: Array) -> float:
        height = kind(*np.exp(logs)).log_likelihood(data)  # pyright: ignore[reportAttributeAccessIssue]
        return -height if np.isfinite(height) else 1e12

    start = np.zeros(n)
    found = minimize(negative, start, method="Nelder-Mead", options={"maxiter": 4000})
    found = minimize(negative, found.x, method="BFGS", options={"gtol": 1e-4})
    return kind(*np.exp(found.x)), covariance_of(negative, found.x)


def covariance_of(negative: Callable[[Array], float], at: Array, step: float = 1e-3) -> Array:
    """Return the inverse of the second differences of a function at its minimum."""
    steps = step * np.eye(len(at))
    hessian = np.array(
        [
            [
                negative(at + u + v) - negative(at + u - v) - negative(at - u + v)
                + negative(at - u - v)
                for v in steps
            ]
            for u in steps
        ]
    ) / (4.0 * step**2)  # fmt: skip
    return np.linalg.inv(hessian)
