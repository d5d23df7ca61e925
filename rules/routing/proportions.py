"""What a share of so many tries says: the least it can honestly be called, and whether it is lower than another.

Pure arithmetic, from the definitions: the regularised incomplete beta function by its continued fraction (DLMF 8.17.22)
in Lentz's form, its inverse by halving, and the pooled two-proportion test.
"""

import math
from dataclasses import dataclass

_TINY = 1e-300
_ENOUGH = 1e-12
_MOST_TERMS = 300
_HALVINGS = 50


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many; neither need be whole, as old ones fade."""

    of: float
    total: float

    @property
    def rate(self) -> float:
        """Return the share itself, 0 of nothing."""
        return self.of / self.total if self.total > 0 else 0.0


def z_of_fall(now: Share, *, before: Share) -> float:
    """Return by how many standard errors a share is below an earlier one; 0 where nothing can be said."""
    if now.total <= 0 or before.total <= 0:
        return 0.0
    pooled = (now.of + before.of) / (now.total + before.total)
    error = math.sqrt(pooled * (1 - pooled) * (1 / now.total + 1 / before.total)) if 0 < pooled < 1 else 0.0
    return (before.rate - now.rate) / error if error else 0.0


def lower_bound(share: Share, *, confidence: float, prior: Share) -> float:
    """Return the rate that the true one is above with this confidence, given what was believed before."""
    alpha = prior.of + share.of
    beta = prior.total - prior.of + share.total - share.of
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if beta_below(middle, alpha, beta) > 1 - confidence else (middle, high)
    return low


def beta_below(x: float, alpha: float, beta: float) -> float:
    """Return the probability that a Beta variable is below x."""
    if not 0 < x < 1:
        return float(x >= 1)
    front = math.exp(
        math.lgamma(alpha + beta) - math.lgamma(alpha) - math.lgamma(beta) + alpha * math.log(x) + beta * math.log1p(-x)
    )
    # The fraction converges quickly on this side of the mean only; the other side follows by symmetry.
    if x < (alpha + 1) / (alpha + beta + 2):
        return front * _fraction(x, alpha, beta) / alpha
    return 1 - front * _fraction(1 - x, beta, alpha) / beta


def _fraction(x: float, alpha: float, beta: float) -> float:
    value, c, d = 1.0, 1.0, 0.0
    for term in range(1, _MOST_TERMS):
        factor = _coefficient(term, x, alpha, beta)
        d = 1 / _not_zero(1 + factor * d)
        c = _not_zero(1 + factor / c)
        value *= c * d
        if abs(c * d - 1) < _ENOUGH:
            break
    return 1 / value


def _coefficient(term: int, x: float, alpha: float, beta: float) -> float:
    half, is_odd = divmod(term, 2)
    over = -(alpha + half) * (alpha + beta + half) if is_odd else half * (beta - half)
    return over * x / ((alpha + term - 1) * (alpha + term))


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
