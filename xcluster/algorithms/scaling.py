"""Scaling of columns (standard, robust, ...), each alone or in groups with one centre and scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from xcluster.algorithms.parts.frame import power_of_two
from xcluster.algorithms.parts.gaps import check_features, has_gaps, known_means
from xcluster.algorithms.parts.inputs import (
    FLOATS,
    check_weight,
    finite_or_gaps,
    new_rows,
    weight_or_ones,
)
from xcluster.algorithms.parts.moments import near_mean, pieces
from xcluster.algorithms.parts.row_moments import Depth, Moments
from xcluster.algorithms.parts.sums import PLAIN, Sums, extremes
from xcluster.base.checks import check_choice, check_flag, is_one_of, warn
from xcluster.base.errors import BadValueError
from xcluster.base.parallel import map_threads, row_blocks
from xcluster.base.streaming import ArrayBlocks, Statistics

Array = NDArray[Any]

TAKE_GAPS = ("standard", "minmax", "max")
"""Scalings that can be learned from rows with gaps, which stay as they are."""

LINEAR = ("standard", "robust", "minmax", "max")
STATELESS = ("norm", "log", "clr", "anscombe")
INVERTIBLE = (*LINEAR, "log", "anscombe")
LOWEST = {"log": 0.0, "clr": 0.0, "anscombe": -0.375}
"""Where each function of the values begins: at -3/8 a root is defined, at 0 a logarithm is not."""

WIDER = {(5, 95): 0.41006, (1, 99): 0.28994, (0, 100): 1.0}
"""Wider ranges than the quartiles', and what makes the first two those of normal values."""

ROOT_OF_NONE = 2 * 0.375**0.5
"""Anscombe's transform of no counts."""

TILE_ROWS = 8_192
"""Rows scaled at a time, whose copies in double precision stay small compared with all rows."""


def _has_inverse(scaler: Scaler) -> bool:
    return scaler.has_inverse


def _streams(scaler: Scaler) -> bool:
    return scaler.how != "robust"


class Scaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Scale columns, each alone or in groups that share one centre and one scale.

    Parameters
    ----------
    how : str, default "standard"
        ``"standard"``
            less the (weighted) mean, by the (weighted) standard deviation;
        ``"robust"``
            less the median, by the interquartile range; unweighted. Where that is 0 (half of the
            values are equal) by the first wider range that is not: 5 to 95 % and 1 to 99 %, both
            times what makes them the interquartile range of normal values, then the whole range;
        ``"minmax"``
            to 0..1;
        ``"max"``
            by the largest absolute value;
        ``"norm"``
            each row's group by its Euclidean length;
        ``"log"``
            natural logarithm;
        ``"clr"``
            centred log-ratio: logarithm, less its mean over the row's group [1]_;
        ``"anscombe"``
            ``2 sqrt(x + 3/8)``, which gives counts a variance near one [2]_.
    groups : array of int of shape (n_features,), optional
        Group of each column; None takes each column alone. For ``"norm"`` and ``"clr"`` None
        means one group of all columns, as a single column has no proportions.
    balance : bool, default False
        Divide each group by the square root of its number of columns too, so that a distance does
        not count a group of many columns more. For scalings by a centre and a scale.

    Attributes
    ----------
    center_, scale_ : array of shape (n_features,), float64
        What is subtracted and then divided by; 0 and 1 for scalings that learn nothing.

    Warns
    -----
    UserWarning
        Where columns (or groups) are constant, so that they become 0; and where ``"robust"``
        needs a wider range than that of the quartiles.

    References
    ----------
    .. [1] J. Aitchison, "The statistical analysis of compositional data", Journal of the Royal
       Statistical Society B 44 (1982), 139-177.
    .. [2] F. J. Anscombe, "The transformation of Poisson, binomial and negative-binomial data",
       Biometrika 35 (1948), 246-254.
    .. [3] M. Makitalo and A. Foi, "A closed-form approximation of the exact unbiased inverse of the
       Anscombe variance-stabilizing transformation", IEEE Transactions on Image Processing 20
       (2011), 2697-2698.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0, 10.0], [2.0, 30.0]])
    >>> Scaler("minmax").fit_transform(X)
    array([[0., 0.],
           [1., 1.]])
    >>> Scaler("max", groups=[0, 0]).fit(X).scale_
    array([30., 30.])
    """

    reads_order_of: tuple[str, ...] = ()

    def __init__(self, how: str = "standard", *, groups: Any = None, balance: bool = False) -> None:
        self.how = how
        self.groups = groups
        self.balance = balance

    @property
    def has_inverse(self) -> bool:
        """Whether `inverse_transform` exists."""
        return self.how in INVERTIBLE

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: some scalings take rows with gaps."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = is_one_of(self.how, TAKE_GAPS)
        return tags

    @property
    def is_stateless(self) -> bool:
        """Whether nothing is learned."""
        return self.how in STATELESS

    @property
    def moments(self) -> Depth | None:
        """What must be known of all rows to learn centre and scale; None if more than moments."""
        needed: dict[str, Depth | None] = {"robust": None, "standard": "squares"}
        return needed.get(self.how, "extremes")

    @property
    def is_affine(self) -> bool:
        """Whether `affine` is all that is done to a row."""
        return self.how in LINEAR

    @property
    def keeps_means(self) -> bool:
        """Whether the mean of scaled rows, taken back, is the mean of the rows."""
        return self.how in LINEAR

    @property
    def affine(self) -> tuple[Array, Array]:
        """What is subtracted from a row, and what it is then multiplied by."""
        return self.center_, 1 / self.scale_

    @property
    def uses_weight(self) -> bool:
        """Whether all weights count in what is learned; where not, only whether they are 0."""
        return self.how != "robust"

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn centre and scale.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        y : None
            Ignored.
        sample_weight : array of shape (n_samples,), optional
            Used by ``"standard"``; minima, maxima and the rest are of rows of positive weight.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For an unknown ``how``, groups of another length, ``balance`` without a scale, and where
            ``"log"`` or ``"clr"`` meets values that are not positive, or ``"anscombe"`` values
            below -3/8.
        """
        X = validate_data(self, X, dtype=FLOATS, ensure_all_finite=finite_or_gaps(self))
        check_choice("how", self.how, (*LINEAR, *STATELESS))
        if check_flag("balance", self.balance):
            check_balance(self.how)
        weight = check_weight(sample_weight, X)
        self._check_groups(X.shape[1])
        if self.how == "robust":
            self._set(*self._quartiles(X if weight is None else X[weight > 0]))
            return self
        gaps = has_gaps(X)
        if gaps:
            check_features(X if weight is None else X[weight > 0])
        # Moments are taken about a value near the mean, so that a large offset costs no digits.
        self.center_ = known_means(X) if gaps else near_mean(X)
        self.update(ArrayBlocks(X, weight).reduce(self.partial_statistics))
        return self

    def transform(self, X: Any) -> Array:
        """Return the scaled rows, float32 for float32.

        Values outside the domain of a logarithm or root become NaN.
        """
        X = new_rows(self, X)
        if self.how in LINEAR:
            return self._linear(X)
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._function(X)

    @available_if(_has_inverse)
    def inverse_transform(self, X: Any) -> Array:
        """Return rows in the units of the data.

        That of ``"anscombe"`` is unbiased [3]_: for the mean of transformed counts it returns the
        mean of the counts, not what a single count would be.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_features)
        """
        check_is_fitted(self)
        X = check_array(X, dtype=FLOATS, ensure_all_finite="allow-nan")
        if self.how == "log":
            return np.asarray(np.exp(X))
        if self.how == "anscombe":
            return _mean_counts(X)
        return np.asarray(X * self.scale_ + self.center_, dtype=X.dtype)

    @available_if(_streams)
    def partial_statistics(
        self, X: Array, sample_weight: Array | None = None, sums: Sums = PLAIN
    ) -> Statistics:
        """Return the moments or the extremes of one block of rows; changes nothing.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        sample_weight : array of shape (n_samples,), optional
        sums : Plain or Exact
            How rows are added.

        Returns
        -------
        Statistics
            For ``"standard"`` the sums ``weight``, ``rows`` and ``squares`` of the rows less
            `center_` (that of a sample, or zero where nothing is fitted), and ``lacking``, the
            weight of the gaps of each feature; else ``least`` and ``greatest``.
        """
        if self.how == "standard":
            center = getattr(self, "center_", np.zeros(X.shape[1]))
            return Statistics(_moments(X, sample_weight, center, sums))
        X = X if sample_weight is None else X[sample_weight > 0]
        least, greatest = extremes(X)
        return Statistics(minima={"least": least}, maxima={"greatest": greatest})

    @available_if(_streams)
    def update(self, statistics: Statistics) -> bool:
        """Set centre and scale from merged statistics; return that this is all.

        Raises
        ------
        ValueError
            Where values lie outside the domain of ``"log"``, ``"clr"`` or ``"anscombe"``.
        """
        if self.how == "standard":
            self._set(*self._mean_and_deviation(statistics.sums))
        else:
            least = np.asarray(statistics.minima["least"], dtype=np.float64)
            greatest = np.asarray(statistics.maxima["greatest"], dtype=np.float64)
            self._set(*self._from_extremes(least, greatest))
        return True

    def fit_moments(self, moments: Moments) -> bool:
        """Learn centre and scale of all rows from their moments; return whether these tell them."""
        if self.how == "standard":
            if moments.mean is None or moments.squares is None:
                return False
            self.center_ = moments.mean
            sums = {"rows": np.zeros_like(moments.mean), "squares": moments.squares}
            self.update(Statistics({"weight": np.asarray(moments.weight), **sums}))
            return True
        if self.how == "robust" or not moments.are_extremes:
            return False
        extremes = {"least": moments.least}, {"greatest": moments.greatest}
        self.update(Statistics({}, *extremes))
        return True

    def _mean_and_deviation(self, sums: Mapping[str, Array]) -> tuple[Array, Array]:
        weight = sums["weight"] - sums.get("lacking", 0.0)
        offset = sums["rows"] / weight
        mean = getattr(self, "center_", 0.0) + offset
        variance = sums["squares"] / weight - offset**2
        # Of a variance that is zero, cancellation may leave this much.
        noise = 16 * np.finfo(np.float64).eps * (offset**2 + np.finfo(np.float64).eps * mean**2)
        variance = np.where(variance > noise, variance, 0.0)
        center = self._by_group(mean, np.mean)
        return center, np.sqrt(self._by_group(variance + (mean - center) ** 2, np.mean))

    def _from_extremes(self, least: Array, greatest: Array) -> tuple[Array, Array]:
        if self.how in STATELESS:
            self._check_domain(float(least.min()))
            return np.zeros_like(least), np.ones_like(least)
        least = self._by_group(least, np.min)
        greatest = self._by_group(greatest, np.max)
        if self.how == "max":
            return np.zeros_like(least), np.maximum(np.abs(least), np.abs(greatest))
        return least, greatest - least

    def _quartiles(self, X: Array) -> tuple[Array, Array]:
        low, middle, high = np.empty((3, X.shape[1]))
        for columns in self._columns(X.shape[1]):
            quartiles = np.percentile(X[:, columns], (25, 50, 75))
            low[columns], middle[columns], high[columns] = quartiles
        return middle, self._widened(X, high - low)

    def _widened(self, X: Array, scale: Array) -> Array:
        """Return interquartile ranges or, where they are 0, the first wider range that is not."""
        narrow = scale == 0
        for percentiles, share in WIDER.items():
            for columns in self._columns(len(scale)):
                if scale[columns[0]] == 0:
                    low, high = np.percentile(X[:, columns], percentiles)
                    scale[columns] = (high - low) * share
        wider = np.flatnonzero(narrow & (scale > 0))
        if len(wider):
            warn(
                "scale('robust') finds no spread between the quartiles of "
                f"{_named(wider, len(scale))}, of which half of the values or more are equal. "
                "They are scaled by the first wider range that is not 0: 5 to 95 %, 1 to 99 % or "
                "all. Choose another scaling if they should not be."
            )
        return scale

    def _set(self, center: Array, scale: Array) -> None:
        """Take centre and scale; where there is no spread the scale is one."""
        flat = np.flatnonzero(scale == 0)
        if len(flat):
            warn(
                f"scale({self.how!r}) finds no spread in {_named(flat, len(scale))}; constant ones "
                "are kept as 0. Leave them out if they should not count."
            )
        self.center_ = center
        self.scale_ = np.where(scale == 0, 1.0, scale)
        if self.balance:
            self.scale_ *= np.sqrt(self._by_group(np.ones(len(scale)), np.sum))

    def _linear(self, X: Array) -> Array:
        scaled = np.empty_like(X)

        def of_rows(rows: slice) -> None:  # in float64, as a large offset needs its digits
            scaled[rows] = (X[rows] - self.center_) / self.scale_

        map_threads(of_rows, row_blocks(len(X), TILE_ROWS))
        return scaled

    def _function(self, X: Array) -> Array:
        """Return the rows scaled by a function that learns nothing."""
        if self.how == "anscombe":
            return np.asarray(2 * np.sqrt(X + X.dtype.type(0.375)))
        if self.how == "norm":
            return self._by_row(X, _unit_length)
        if self.how == "clr":
            return self._by_row(X, _log_ratios)
        return _logarithm(X)

    def _by_row(self, X: Array, function: Callable[[Array], Array]) -> Array:
        """Apply the function to each row's part in each group."""
        if self.groups is None:
            return function(X)
        result = np.empty_like(X)
        for columns in self._columns(X.shape[1]):
            result[:, columns] = function(X[:, columns])
        return result

    def _by_group(self, values: Array, function: Callable[[Array], Any]) -> Array:
        """Give each column the function of the values in its group."""
        result = np.empty_like(values)
        for columns in self._columns(len(values)):
            result[columns] = function(values[columns])
        return result

    def _columns(self, n_features: int) -> list[Array]:
        """Return the columns of each group."""
        groups = np.arange(n_features) if self.groups is None else np.asarray(self.groups)
        return [np.flatnonzero(groups == group) for group in np.unique(groups)]

    def _check_groups(self, n_features: int) -> None:
        if self.groups is not None and np.shape(self.groups) != (n_features,):
            rule = f"must give one group for each of the {n_features} columns"
            remedy = "pass an int array of that length, or None"
            raise BadValueError("groups", self.groups, rule, remedy)

    def _check_domain(self, least: float) -> None:
        if self.how not in LOWEST:
            return
        lowest, is_root = LOWEST[self.how], self.how == "anscombe"
        if least > lowest or (is_root and least == lowest):
            return
        rule = f"needs values {'of at least' if is_root else 'above'} {lowest:g}, not {least:g}"
        remedy = 'use "anscombe" for counts, or mask these values'
        if is_root:
            remedy = "mask these values"
        raise BadValueError("how", self.how, rule, remedy)


def check_balance(how: Any) -> None:
    """Refuse to balance what is not divided by a scale."""
    if how not in LINEAR:
        rule = f"needs a scaling by a centre and a scale: one of {', '.join(map(repr, LINEAR))}"
        raise BadValueError("balance", True, rule, "use how='standard'")


def _named(columns: Array, n_columns: int) -> str:
    """Say how many columns, and which the first ones are."""
    first = ", ".join(map(str, columns[:10]))
    more = ", ..." if len(columns) > 10 else ""
    return f"{len(columns)} of {n_columns} features (columns {first}{more})"


def _moments(X: Array, weight: Array | None, center: Array, sums: Sums) -> dict[str, Array]:
    """Return weight, weighted sum and weighted sum of squares of the rows less the centre."""
    weight = weight_or_ones(weight, len(X))
    away = sums.about(center)
    gaps, bounds = has_gaps(X), np.array([[*away, *away**2, *np.ones_like(away)]])
    bounds = bounds if gaps else bounds[:, : 2 * X.shape[1]]
    grids = sums.grids(sums.heaviest * bounds)
    moments = sums.nothing(bounds.size)
    for piece in pieces(X):
        part = np.subtract(X[piece].T, center[:, None], order="C", dtype=np.float64)
        lacking = [np.isnan(part)] if gaps else []
        part = np.where(lacking[0], 0.0, part) if gaps else part
        powers = np.concatenate([part, np.square(part), *lacking], dtype=np.float64)
        moments += sums.products(weight[None, piece], powers, grids)[..., 0, :]
    parts = np.split(moments, bounds.size // X.shape[1], axis=-1)
    found = dict(zip(("rows", "squares", "lacking"), parts, strict=False))
    return {"weight": sums.total(weight, sums.heaviest), **found}


def _mean_counts(D: Array) -> Array:
    """Return the mean of Poisson counts whose transforms have the mean ``D``."""
    d = np.maximum(D, ROOT_OF_NONE, dtype=np.float64)
    half = np.sqrt(1.5)
    mean = d**2 / 4 + half / 4 / d - 11 / 8 / d**2 + 5 / 8 * half / d**3 - 1 / 8
    return np.where(ROOT_OF_NONE >= D, 0.0, mean).astype(D.dtype)


def _unit_length(X: Array) -> Array:
    # Summed in float64, as squares of float32 overflow from 1e19 on and vanish below 1e-19.
    length = np.sqrt(np.einsum("ij,ij->i", X, X, dtype=np.float64))[:, None].astype(X.dtype)
    return np.asarray(X / np.where(length == 0, 1, length))


def _log_ratios(X: Array) -> Array:
    # Ratios have no unit: without one, their logarithms are not rounded by it.
    largest = X.max(axis=1, keepdims=True)
    logarithm = _logarithm(X / power_of_two(largest).astype(X.dtype))
    return np.asarray(logarithm - logarithm.mean(axis=1, keepdims=True))


def _logarithm(X: Array) -> Array:
    return np.where(X > 0, np.log(X), np.nan)
