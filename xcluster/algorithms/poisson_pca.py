"""Principal components of counts, each weighted by the noise that Poisson's law gives it."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from xcluster.algorithms.parts.counts import check_counts, check_rows, strangest, without_counts
from xcluster.algorithms.parts.inputs import FLOATS, check_weight, new_rows, weight_or_ones
from xcluster.algorithms.parts.moments import pieces
from xcluster.algorithms.parts.row_moments import Moments
from xcluster.algorithms.parts.sums import PLAIN, Sums
from xcluster.algorithms.pca import BLOCK_ROWS, PCA, signed, streams
from xcluster.base.parallel import map_threads, single_threaded_blas
from xcluster.base.streaming import ArrayBlocks, Statistics

Array = NDArray[Any]


class PoissonPCA(PCA):
    """Principal components of counts, weighted so that the noise of all is alike [1]_.

    The count of row i in feature j is divided by ``sqrt(g_i h_j)``, where g is the mean of the row
    and h that of the feature. The components are those of the weighted counts, not centred.

    Parameters
    ----------
    n_components : int, float or None, default None
        As in `xcluster.algorithms.pca.PCA`.
    random_state : int, RandomState or None, default 0

    Attributes
    ----------
    components_ : array of shape (`n_components_`, n_features), float64
        The axes of the weighted space, multiplied by ``sqrt(h)``; the loading of largest magnitude
        in each is positive. Features without counts have a loading of 0.
    spectrum_ : array of shape (n_features,), float64
        The mean of the rows, h.
    explained_variance_ : array of shape (`n_components_`,), float64
        Mean square along each axis in the weighted space, not less the mean. So that of the first
        component, which is close to the mean, is large.
    explained_variance_ratio_ : array of shape (`n_components_`,), float64
    n_components_ : int
    n_empty_ : int
        Rows of the fit without counts. They are no data, and are transformed to NaN.

    References
    ----------
    .. [1] M. R. Keenan and P. G. Kotula, "Accounting for Poisson noise in the multivariate
       analysis of ToF-SIMS spectrum images", Surface and Interface Analysis 36 (2004), 203-212.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[4.0, 0.0, 0.0], [1.0, 3.0, 0.0], [0.0, 4.0, 0.0]])
    >>> pca = PoissonPCA(2).fit(X)
    >>> pca.inverse_transform(pca.transform(X)).round(6) + 0.0
    array([[4., 0., 0.],
           [1., 3., 0.],
           [0., 4., 0.]])
    """

    reads_counts = True
    moments = None  # each row is divided by a root of its own mean
    is_affine = False
    stands_for = {"noise": "'poisson'"}

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Find the components.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Counts.
        y : None
            Ignored.
        sample_weight : array of shape (n_samples,), optional

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For ``n_components`` out of range, values that are negative or fractional, and data
            without counts.
        """
        X = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
        weight = check_weight(sample_weight, X)
        check_rows("noise", X)
        if streams(self):
            self.update(ArrayBlocks(X, weight, BLOCK_ROWS).reduce(self.partial_statistics))
            return self
        some = ~without_counts(X)
        self.n_empty_ = int(len(X) - some.sum())
        weight = weight_or_ones(weight, len(X))[some]
        share = weight / weight.sum()
        self._keep_spectrum(share @ X[some])
        self._decompose((_by_row(X[some]) * _inverse(np.sqrt(self.spectrum_))), share)
        self._multiply_back()
        return self

    def transform(self, X: Any) -> Array:
        """Return the components of each row, of shape (n_samples, `n_components_`).

        They are NaN where a row has no counts, or holds a negative value.
        """
        from xcluster.algorithms.kernels.products import rows_product

        X = new_rows(self, X)
        axes, nowhere = self.components_ * _inverse(self.spectrum_), np.zeros(X.shape[1])
        scores = np.empty((len(X), self.n_components_), X.dtype)

        def project(rows: slice) -> None:
            scores[rows] = rows_product(_by_row(X[rows]), nowhere, axes)

        map_threads(project, pieces(X))
        scores[without_counts(X)] = np.nan
        return scores

    def inverse_transform(self, X: Any) -> Array:
        """Return rows as counts, of shape (n_samples, n_features).

        The root of a row's mean follows from the components: they give the counts divided by it.
        """
        check_is_fitted(self)
        X = check_array(X, dtype=FLOATS)
        divided = X @ self.components_.astype(X.dtype)
        return np.asarray(divided * np.maximum(divided.mean(axis=1, keepdims=True), 0))

    @available_if(streams)
    def partial_statistics(
        self, X: Array, sample_weight: Array | None = None, sums: Sums = PLAIN
    ) -> Statistics:
        """Return the moments of one block of rows; changes nothing.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        sample_weight : array of shape (n_samples,), optional
        sums : Plain or Exact
            How rows are added.

        Returns
        -------
        Statistics
            Sums ``count`` and ``weight`` of the rows with counts, ``rows``, ``products`` (of rows
            divided by the root of their mean) and ``empty``, the rows without counts; and
            ``strangest``, how far features are from counts.
        """
        nothing = without_counts(X)
        weight = np.where(nothing, 0.0, weight_or_ones(sample_weight, len(X)))
        most, n_features = sums.about(np.zeros(X.shape[1])), X.shape[1]
        rows, products = sums.nothing(1, n_features), sums.nothing(n_features, n_features)
        # A mean is at least the n-th part of each value.
        pairs = sums.grids(sums.heaviest * n_features * np.sqrt(np.multiply.outer(most, most)))
        single = sums.grids(sums.heaviest * most[None])
        for piece in pieces(X):
            lanes = (_by_row(X[piece]) * np.sqrt(weight[piece])[:, None]).T
            products += sums.products(lanes, lanes, pairs)
            rows += sums.products(weight[None, piece], X[piece].T.astype(np.float64), single)
        counted = {
            "count": sums.total((weight > 0).astype(np.float64), 1.0),
            "weight": sums.total(weight, sums.heaviest),
            "empty": sums.total(nothing.astype(np.float64), 1.0),
        }
        moments = {"rows": rows[..., 0, :], "products": products}
        return Statistics(counted | moments, maxima={"strangest": strangest(X)})

    @available_if(streams)
    def update(self, statistics: Statistics) -> bool:
        """Find the components from merged statistics; return that this is all."""
        check_counts("noise", statistics.maxima["strangest"])
        sums = statistics.sums
        self.n_empty_ = int(sums["empty"])
        self._keep_spectrum(sums["rows"] / sums["weight"])
        scale = _inverse(np.sqrt(self.spectrum_))
        with single_threaded_blas():  # so that the last digits do not depend on the machine's load
            scatter = sums["products"] / sums["weight"] * np.outer(scale, scale)
            values, vectors = np.linalg.eigh(scatter)
        most = min(int(sums["count"]), len(scale))
        variance = np.maximum(values[::-1], 0)
        floor = variance[0] * len(scale) * np.finfo(np.float64).eps
        self._set(vectors.T[::-1][:most], variance[:most], float(variance.sum()), floor)
        self._multiply_back()
        return True

    def fit_moments(self, moments: Moments) -> bool:
        """Return that moments of the rows do not tell the components."""
        return False

    def _keep_spectrum(self, spectrum: Array) -> None:
        self.spectrum_, self.mean_ = spectrum, np.zeros(len(spectrum))

    def _multiply_back(self) -> None:
        """Turn the axes of the weighted space into loadings in units of the data."""
        self.components_ = signed(self.components_ * np.sqrt(self.spectrum_))


def _by_row(X: Array) -> Array:
    """Return counts divided by the root of the mean of their row, in float64."""
    mean = X.mean(axis=1, dtype=np.float64, keepdims=True)
    return np.asarray(X * _inverse(np.sqrt(np.maximum(mean, 0))))


def _inverse(values: Array) -> Array:
    """Return one by each value, 0 for 0."""
    return np.divide(1.0, values, out=np.zeros(values.shape), where=values > 0)
