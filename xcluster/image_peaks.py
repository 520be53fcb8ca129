"""Bright positions in an image, such as atom columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from xcluster.base.checks import check_integer, check_number
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.grid.positions import POINT

Array = NDArray[Any]

BRIGHTNESS = "brightness"


def peaks(
    image: xr.DataArray,
    *,
    sigma: float = 1.0,
    min_distance: int = 1,
    threshold: float | None = None,
) -> xr.Dataset:
    """Find the local maxima of a smoothed image.

    A pixel is a peak where no pixel of the window of ``2 * min_distance + 1`` pixels along each
    side around it is brighter. The outermost pixels never are peaks, as only one side of
    them is known, nor are missing ones, which smoothing leaves out. Touching pixels of the same
    brightness count once.

    Parameters
    ----------
    image : DataArray
        Two-dimensional, dims in any order; NaN and infinities are missing.
    sigma : float, default 1.0
        Standard deviation of the Gaussian that smooths the image, in pixels; 0 for none.
    min_distance : int, default 1
        Half width of the window, in pixels: the least distance between peaks of different
        brightness, along at least one of the dims.
    threshold : float, optional
        Only peaks that, smoothed, are brighter than this, in units of the image. By default
        the median of the smoothed image.

    Returns
    -------
    Dataset
        Over ``point``, brightest first: ``brightness`` (smoothed, units of the image), and the
        peak's coordinates under the names of the two dims (pixel numbers where the image has
        no coordinates).

    Raises
    ------
    TypeError
        ``image`` is no DataArray, or a parameter has the wrong type.
    ValueError
        ``image`` has other than two dims or no finite pixel, or a parameter is out of range.

    Examples
    --------
    >>> import xarray as xr
    >>> import xcluster
    >>> image = xr.DataArray([[0, 0, 0, 0], [0, 9, 1, 0], [0, 0, 0, 0]], dims=["y", "x"],
    ...                      coords={"x": [0.0, 0.5, 1.0, 1.5]})
    >>> found = xcluster.peaks(image, sigma=0)
    >>> found["y"].values, found["x"].values, found["brightness"].values
    (array([1]), array([0.5]), array([9.]))
    """
    image = _two_dimensional(image)
    sigma = check_number("sigma", sigma, minimum=0.0, maximum=float(max(image.shape)))
    min_distance = check_integer("min_distance", min_distance, minimum=1)
    smooth = _smooth(image.values.astype(float), sigma)
    floor = np.median(smooth[smooth > -np.inf]) if threshold is None else threshold
    positions = _maxima(smooth, min_distance, check_number("threshold", floor))
    brightness = smooth[tuple(positions)]
    order = np.lexsort((*positions[::-1], -brightness))
    return _table(image, positions[:, order], brightness[order])


def _two_dimensional(image: xr.DataArray) -> xr.DataArray:
    """Return the image with its dims in the order of their names, so that theirs has no effect."""
    if not isinstance(image, xr.DataArray):
        rule = "must be a DataArray"
        raise BadTypeError("image", type(image), rule, 'pass one variable, ds["name"]')
    if image.ndim != 2:
        rule = "an image has two dims"
        raise BadValueError("image.dims", image.dims, rule, "select or average the others")
    if BRIGHTNESS in image.dims:
        rule = f"the table of peaks has a column {BRIGHTNESS!r} of its own"
        remedy = f"rename the dim: image.rename({BRIGHTNESS}='row')"
        raise BadValueError("image.dims", image.dims, rule, remedy)
    if image.dtype.kind not in "fiub":
        rule = f"has dtype {image.dtype}, and an image holds real numbers"
        raise BadTypeError("image", image.name, rule, "turn it into numbers")
    image = image.transpose(*sorted(image.dims, key=str))
    if not np.isfinite(image.values).any():
        rule = "has no finite pixel"
        raise BadValueError("image", image.name, rule, "pass an image with data")
    return image


def _smooth(values: Array, sigma: float) -> Array:
    """Return the Gaussian mean of the finite pixels around each; -inf where there is no data."""
    finite = np.isfinite(values)
    weight = ndimage.gaussian_filter(finite.astype(float), sigma)
    total = ndimage.gaussian_filter(np.where(finite, values, 0.0), sigma)
    nothing = np.full(values.shape, -np.inf)
    smooth: Array = np.divide(total, weight, out=nothing, where=finite)
    return smooth


def _maxima(smooth: Array, min_distance: int, threshold: float) -> Array:
    """Return the pixel positions of the maxima above the threshold, shape (2, n_peaks)."""
    window = ndimage.maximum_filter(smooth, 2 * min_distance + 1, mode="constant", cval=-np.inf)
    highest = (smooth == window) & (smooth > threshold)
    highest[[0, -1], :] = highest[:, [0, -1]] = False
    plateaus, n_peaks = ndimage.label(highest, structure=np.ones((3, 3)))
    found = ndimage.maximum_position(smooth, plateaus, np.arange(1, n_peaks + 1))
    return np.array(found, dtype=int).reshape(n_peaks, 2).T


def _table(image: xr.DataArray, positions: Array, brightness: Array) -> xr.Dataset:
    coords = {
        dim: (POINT, image[dim].values[index], image[dim].attrs)
        for dim, index in zip(image.dims, positions, strict=True)
    }
    units = {"units": image.attrs["units"]} if "units" in image.attrs else {}
    attrs = {"long_name": "smoothed brightness", **units}
    return xr.Dataset({BRIGHTNESS: (POINT, brightness, attrs)}, coords)
