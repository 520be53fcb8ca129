"""What the tests against other systems share: their files, and labels set side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def opened(path):
    """Return a Dataset of the folder of real data beside the repository; skip without it."""
    if not (DATA / path).exists():
        pytest.skip("shared data are not at hand")
    return xr.load_dataset(DATA / path, engine="netcdf4")


def rows(array):
    """Return an array over (component, *sample dims) as complete rows, in the dims' order."""
    X = array.transpose(..., array.dims[0]).values.reshape(-1, array.sizes[array.dims[0]])
    return X[np.isfinite(X).all(axis=1)].astype(float)


def numbers(labels):
    """Return the labels of a map where there are any, as whole numbers."""
    values = labels.values.ravel()
    return values[np.isfinite(values)].astype(int)


def counterparts(theirs, ours):
    """Return for each of their labels ours that shares the most rows with it, each used once."""
    table = np.zeros((theirs.max() + 1, ours.max() + 1))
    np.add.at(table, (theirs, ours), 1)
    return linear_sum_assignment(-table)[1]


def agreeing(theirs, ours):
    """Return the share of rows with the same label, whatever the numbers."""
    return float(np.mean(counterparts(theirs, ours)[theirs] == ours))


def mean_square(X, centers):
    """Return the mean squared distance to the nearest centre."""
    return float(np.mean(cdist(X, centers, "sqeuclidean").min(axis=1)))


def kmeans(X, k, n_init=10, **keywords):
    """Return scikit-learn's k-means, on one thread: on few rows several only wait."""
    with threadpool_limits(1):
        return KMeans(k, n_init=n_init, random_state=0, **keywords).fit(X)


def group_means(X, labels):
    return np.array([X[labels == each].mean(axis=0) for each in range(labels.max() + 1)])
