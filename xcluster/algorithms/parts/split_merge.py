"""Local search for mixtures: merge two components that are nearly one, split another in two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import copy
from heapq import nlargest
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import xlogy

from xcluster.algorithms.parts.covariances import MATRICES, flat, log_determinants, squares
from xcluster.algorithms.parts.gaussians import Form, by_row
from xcluster.algorithms.parts.inputs import weight_or_ones
from xcluster.base.errors import BadValueError
from xcluster.base.parallel import map_threads
from xcluster.base.streaming import ArrayBlocks, Statistics

Array = NDArray[Any]

TRIES = 8
"""Number of trials without success after which the search ends."""
BUDGET = 5
"""Share of the passes of a start that its search may take in trials."""
FIRST, FURTHER = 2, 6
"""Passes over the rows of one component that tell what its split gains: first ones, and more of the
most promising splits."""
FOLLOWED = 3
"""Number of splits that are followed further."""
PROMISING = 0.3
"""Least gain of a split, as a share of the loss of the merger beside it. Both are estimates before
the trial, in which all components move; less than this it never made up for."""
BETTER = 5e-4
"""Mean log-likelihood by which a trial must be better."""
PATIENCE = 8
"""Number of passes as good as the last one after which a trial must be better."""
MEMBERS = 1e-3
"""Least share of a row in a component with which it counts as one of its rows."""
OWN = 2
"""A component is flat if a variance in some direction is less than this times `reg_covar_`."""
HALVED = np.sqrt(2 / np.pi)
"""Mean of half of a normal distribution, in its standard deviations."""
NESTED = 0.2
"""Share of the variance that the inner of two nested components starts with."""
TURNS = 3
"""Passes that find the direction in which rows vary most."""
DIGITS = 9
"""Decimals of a log-likelihood below which trials are equally good, and the first is taken."""


class Parameters(NamedTuple):
    """What a mixture is made of; covariances are shaped by their type."""

    weights: Array
    means: Array
    covariances: Array


class Mixture(Protocol):
    """What the search needs of a mixture that has been iterated."""

    covariance_type: str
    max_iter: int
    reg_covar_: Array
    weights_: Array
    means_: Array
    covariances_: Array
    weight_sum_: float
    n_iter_: int
    _bound: float
    noise_weight_: float

    def place(self, parameters: Parameters) -> None:
        """Take other parameters, of any number of components."""

    def partial_statistics(self, X: Array, sample_weight: Array | None = None) -> Statistics:
        """Return the statistics of a block."""
        ...

    def update(self, merged: Statistics) -> bool:
        """Take the likeliest parameters; return whether the likelihood stood still."""
        ...

    def _form(self) -> Form: ...

    @property
    def _to_shares(self) -> Callable[[Array], Array]: ...


M = TypeVar("M", bound=Mixture)


class Split:
    """A component split in two.

    Parameters
    ----------
    two : Mixture
        Of two components, placed.
    rows : ArrayBlocks
        The rows of the component, weighted by their shares.
    before : float
        Their log-likelihood under the component itself.
    """

    def __init__(self, two: Mixture, rows: ArrayBlocks, before: float) -> None:
        self.two, self.rows, self.before = two, rows, before
        self.gain = -np.inf

    def follow(self, passes: int) -> Self:
        """Iterate, and say by what the log-likelihood rises."""
        try:
            for _ in range(passes):
                self.two.update(self.rows.reduce(self.two.partial_statistics))
            sound = not _n_spikes(self.two)
        except BadValueError:  # a covariance without inverse
            sound = False
        self.gain = self.two._bound * self.two.weight_sum_ - self.before if sound else -np.inf
        return self


def improved(mixture: M, blocks: ArrayBlocks, tries: int = TRIES) -> M:
    """Return a likelier mixture: one that merges two components and splits another, if there is.

    Split and merge of Ueda et al. [1]_. What a merger loses follows from the parameters and from
    how far rows tell the two apart; what a split gains from a few passes over the rows of the
    component alone.
    Both are bounds as long as the other components stay, so the best pair of them is tried first,
    and iterated with all. No component gets fewer rows than one more than there are features, or
    becomes flat in some direction: such spikes are likely, but mean nothing.

    Parameters
    ----------
    mixture : Mixture
        Iterated until it stood still; not changed.
    blocks : ArrayBlocks
        The same rows.
    tries : int, default 8
        Number of trials without success after which the search ends.

    References
    ----------
    .. [1] N. Ueda, R. Nakano, Z. Ghahramani and G. E. Hinton, "SMEM algorithm for mixture models",
       Neural Computation 12 (2000), 2109-2128.
    """
    left, improving = BUDGET * mixture.n_iter_, len(mixture.means_) > 2
    while improving:
        improving, spikes = False, _n_spikes(mixture)
        for parameters in _trials(mixture, blocks, tries):
            trial = copy(mixture)
            left -= _iterated(trial, parameters, blocks, mixture._bound + BETTER)
            if trial._bound > mixture._bound + BETTER and _n_spikes(trial) <= spikes:
                mixture, improving = trial, left > 0
                break
            if left <= 0:
                break
    return mixture


def _iterated(trial: M, parameters: Parameters, blocks: ArrayBlocks, wanted: float) -> int:
    """Iterate from parameters, if it becomes as likely as wanted; return the number of passes."""
    try:
        trial.place(parameters)
        for done in range(1, trial.max_iter + 1):
            before = trial._bound
            finished = trial.update(blocks.reduce(trial.partial_statistics))
            if finished or trial._bound + PATIENCE * (trial._bound - before) < wanted:
                return done
    except BadValueError:  # a covariance without inverse
        trial._bound = -np.inf
    return trial.max_iter


def _trials(mixture: Mixture, blocks: ArrayBlocks, most: int) -> Iterator[Parameters]:
    """Yield the parameters after the most promising mergers with a split, the best first."""
    log_densities = by_row(
        mixture._form(), blocks.X, mixture.weights_.shape, np.float64, lambda p: p.log_densities.T
    )
    shares = log_densities.T.copy()
    mixture._to_shares(shares)
    weight = weight_or_ones(blocks.sample_weight, len(blocks.X))
    loss = _losses(mixture, shares, weight / weight.sum())

    def split(c: int) -> Split:
        rows = np.flatnonzero(shares[c] > MEMBERS)
        part = ArrayBlocks(blocks.X[rows], shares[c, rows] * weight[rows])
        return _split(mixture, c, part, log_densities[rows, c])

    splits = map_threads(split, range(len(shares)))
    likely = nlargest(FOLLOWED, (s for s in splits if s.gain > 0), key=lambda each: each.gain)
    map_threads(lambda each: each.follow(FURTHER), likely)
    gain = np.array([each.gain for each in splits])[:, None, None] / weight.sum()
    profit = np.where(gain > PROMISING * loss, gain - loss, -np.inf)
    for c in range(len(shares)):
        profit[c, c, :] = profit[c, :, c] = -np.inf
    for place in np.argsort(-profit.round(DIGITS), axis=None, kind="stable")[:most]:
        c, i, j = (int(each) for each in np.unravel_index(place, profit.shape))
        if profit[c, i, j] > -np.inf:
            yield _exchanged(mixture, _parameters(splits[c].two), c, i, j)


def _losses(mixture: Mixture, shares: Array, weight: Array) -> Array:
    """Return what the mean log-likelihood loses at most if two components merge; inf for j <= i.

    Parameters
    ----------
    mixture : Mixture
    shares : array of shape (k, n)
        Of each row in each component.
    weight : array of shape (n,)
        Of the rows; they sum to 1.
    """
    kind, weights, p = mixture.covariance_type, mixture.weights_, mixture.means_.shape[1]
    logs = log_determinants(kind, _of_each(mixture), p)
    fits, entropies = xlogy(weights, weights) - weights * logs / 2, xlogy(shares, shares)
    losses = np.full((len(weights), len(weights)), np.inf)
    for i in range(len(weights) - 1):
        j = slice(i + 1, None)
        merged, both = _merged(mixture, i, j), shares[i] + shares[j]
        logs = log_determinants(kind, merged.covariances, p)
        fit = xlogy(merged.weights, merged.weights) - merged.weights * logs / 2
        told_apart = (xlogy(both, both) - entropies[i] - entropies[j]) @ weight
        losses[i, j] = fits[i] + fits[j] - fit + told_apart
    return losses


def _merged(mixture: Mixture, i: int, j: Any) -> Parameters:
    """Return the component, or components, with the moments of i and j together."""
    kind, means, covariances = mixture.covariance_type, mixture.means_, _of_each(mixture)
    both = mixture.weights_[i] + mixture.weights_[j]
    share = mixture.weights_[j] / both
    mean = means[i] + (share * (means[j] - means[i]).T).T
    across = (share * (1 - share) * squares(kind, means[j] - means[i]).T).T
    within = covariances[i] + (share * (covariances[j] - covariances[i]).T).T
    return Parameters(both, mean, within + across)


def _of_each(mixture: Mixture) -> Array:
    """Return a covariance for each component."""
    covariances = mixture.covariances_
    if mixture.covariance_type != "tied":
        return covariances
    return np.broadcast_to(covariances, (len(mixture.weights_), *covariances.shape))


def _exchanged(mixture: Mixture, pair: Parameters, c: int, i: int, j: int) -> Parameters:
    """Return the parameters after c has become a pair, of which the second takes the place of j."""
    one = _merged(mixture, i, j)
    pair = pair._replace(weights=mixture.weights_[c] * pair.weights)
    tied = mixture.covariance_type == "tied"
    changed = Parameters(*(values.copy() for values in _parameters(mixture)))
    for values, single, two in zip(changed, one, pair, strict=True):
        if not (tied and values is changed.covariances):
            values[i], values[c], values[j] = single, two[0], two[1]
    return changed


def _split(mixture: M, c: int, rows: ArrayBlocks, log_densities: Array) -> Split:
    """Return the better split of one component."""
    mine = weight_or_ones(rows.sample_weight, len(rows.X))
    before = float(mine @ (log_densities - np.log(mixture.weights_[c])))
    splits = [Split(copy(mixture), rows, before)]
    if mine.sum() >= 2 * (rows.X.shape[1] + 1):
        for start in _halves(mixture, c, rows):
            two = copy(mixture)
            two.noise_weight_ = 0.0  # its rows are those of the component alone
            with suppress(BadValueError):  # a covariance without inverse
                two.place(start)
                splits.append(Split(two, rows, before).follow(FIRST))
    return max(splits, key=lambda each: each.gain)


def _halves(mixture: Mixture, c: int, rows: ArrayBlocks) -> Iterator[Parameters]:
    """Yield pairs of components with the moments of one: side by side, and one in the other."""
    kind, mean, covariance = mixture.covariance_type, mixture.means_[c], _of_each(mixture)[c]
    shift = HALVED * _axis(rows, kind, mean, covariance)
    narrow = covariance if kind == "tied" else np.stack(2 * [covariance - squares(kind, shift)])
    yield Parameters(np.full(2, 0.5), np.stack([mean - shift, mean + shift]), narrow)
    if kind != "tied":
        nested = np.stack([NESTED * covariance, (2 - NESTED) * covariance])
        yield Parameters(np.full(2, 0.5), np.stack([mean, mean]), nested)


def _axis(rows: ArrayBlocks, kind: str, mean: Array, covariance: Array) -> Array:
    """Return the standard deviation along which a component is most likely two.

    Where its covariance is that of its rows, these are farthest from Gaussian along it: they have
    the least fourth moment. Else they vary most beyond the covariance.
    """
    y, weight = (rows.X - mean).T, weight_or_ones(rows.sample_weight, len(rows.X))
    if kind in MATRICES:
        root = np.linalg.cholesky(covariance)
        y = solve_triangular(root, y, lower=True)
    else:
        root = np.diag(np.broadcast_to(np.sqrt(covariance), mean.shape))
        y = y / np.diag(root)[:, None]
    lengths = np.sum(y**2, axis=0)
    if kind == "full":
        axis = np.linalg.eigh((y * (weight * lengths)) @ y.T)[1][:, 0]
    else:
        axis = y[:, np.argmax(lengths)]
        for _ in range(TURNS):
            axis = y @ (weight * (axis @ y))
            axis /= np.linalg.norm(axis) or 1.0  # rows that are all equal have no axis
    return np.asarray(root @ axis)


def _n_spikes(mixture: Mixture) -> int:
    """Return how many components have too few rows for a covariance, or are flat."""
    p = mixture.means_.shape[1]
    few = mixture.weights_ * mixture.weight_sum_ < p + 1
    least = OWN * mixture.reg_covar_
    return int(np.sum(few | flat(mixture.covariance_type, mixture.covariances_, least)))


def _parameters(mixture: Mixture) -> Parameters:
    return Parameters(mixture.weights_, mixture.means_, mixture.covariances_)
