"""Axes of spectra and images: calibration, peaks along a dim, pixel sizes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import signal

from xcluster.base.checks import (
    check_hashable,
    check_number,
    check_numbers,
    check_object,
    check_text,
    did_you_mean,
    is_one_of,
    several,
)
from xcluster.base.errors import BadTypeError, BadValueError

Array = NDArray[Any]
Object = TypeVar("Object", xr.DataArray, xr.Dataset)


def calibrate(
    da: Object, dim: Hashable, found: ArrayLike, known: ArrayLike, *, units: str | None = None
) -> Object:
    """Replace the coordinate of a dim by the straight line through known positions.

    The new coordinate is ``scale * old + offset``, by least squares of the known values on the
    found ones. The object passed is left as it is.

    Parameters
    ----------
    da : DataArray or Dataset
    dim : hashable
        The dim to calibrate; without a coordinate its positions 0, 1, ... are the old one.
    found : array of shape (n,)
        Positions of two or more peaks on the old coordinate, as `find_peaks` gives them.
    known : array of shape (n,)
        What these positions are, for example the energies of emission lines.
    units : str, optional
        Units of ``known``, written on the coordinate. By default its units stay.

    Returns
    -------
    DataArray or Dataset
        As ``da``; the coordinate has attributes ``calibration_scale``, ``calibration_offset`` and
        ``calibration_residuals`` (known minus fitted, in units of ``known``, shape (n,)).

    Raises
    ------
    TypeError
        The coordinate is not numeric.
    ValueError
        No such dim, fewer than two pairs, numbers that do not match, or a line without slope.

    Examples
    --------
    >>> import xarray as xr
    >>> from xcluster import coords
    >>> spectrum = xr.DataArray([0, 5, 0, 0, 0, 9, 0], dims="channel")
    >>> energy = coords.calibrate(spectrum, "channel", [1, 5], [0.5, 2.5], units="keV")
    >>> energy["channel"].values.round(6)
    array([0. , 0.5, 1. , 1.5, 2. , 2.5, 3. ])
    """
    _check_dim(da, dim)
    old = da[dim]
    if old.dtype.kind not in "iuf":
        rule = "must have a numeric coordinate"
        remedy = f"drop it first, da.drop_vars({dim!r})"
        raise BadTypeError("dim", dim, rule, remedy)
    if units is not None:
        check_text("units", units)
    x, y = _check_pairs(found, known)
    scale, offset = _line(x, y)
    attrs = {
        **old.attrs,
        **({} if units is None else {"units": units}),
        "calibration_scale": scale,
        "calibration_offset": offset,
        "calibration_residuals": y - (scale * x + offset),
    }
    return da.assign_coords({dim: (dim, scale * old.values + offset, attrs)})


def find_peaks(
    da: xr.DataArray,
    dim: Hashable,
    *,
    height: float | None = None,
    prominence: float | None = None,
    distance: float | None = None,
) -> xr.Dataset:
    """Find the peaks of the mean spectrum, through `scipy.signal.find_peaks`.

    Parameters
    ----------
    da : DataArray
        Spectra along ``dim``; their mean over all other dims, NaN apart, is searched.
    dim : hashable
        The spectral dim.
    height : float, optional
        Least height of a peak, in units of ``da``.
    prominence : float, optional
        Least height above the higher of the two valleys beside a peak, in units of ``da``.
    distance : float, optional
        Least distance between peaks, in steps along ``dim``, 1 or more; the higher ones stay.

    Returns
    -------
    Dataset
        Over ``peak``, in the order of ``dim``: ``position`` (on the coordinate of ``dim``, or
        steps where it has none), ``height`` and ``prominence`` (units of ``da``).

    Raises
    ------
    TypeError
        ``da`` is no DataArray, or a limit is no number.
    ValueError
        No such dim, a spectrum without data, or a limit out of range.

    Examples
    --------
    >>> import xarray as xr
    >>> from xcluster import coords
    >>> spectrum = xr.DataArray([0, 5, 1, 2, 1, 9, 0], dims="channel")
    >>> found = coords.find_peaks(spectrum, "channel", prominence=2)
    >>> found["position"].values, found["height"].values
    (array([1, 5]), array([5., 9.]))
    """
    check_object("da", da, (xr.DataArray,))
    _check_dim(da, dim)
    spectrum = _mean_spectrum(da, dim)
    indices, properties = signal.find_peaks(
        spectrum,
        height=None if height is None else check_number("height", height),
        # Without any limit scipy does not measure prominences.
        prominence=0.0
        if prominence is None
        else check_number("prominence", prominence, minimum=0.0),
        distance=None if distance is None else check_number("distance", distance, minimum=1.0),
    )
    units = {name: da.attrs[name] for name in ("units",) if name in da.attrs}
    return xr.Dataset(
        {
            "position": ("peak", da[dim].values[indices], da[dim].attrs),
            "height": ("peak", spectrum[indices], {"long_name": "height of the peak", **units}),
            "prominence": (
                "peak",
                properties["prominences"],
                {"long_name": "prominence of the peak", **units},
            ),
        }
    )


def pixel_size(
    da: Object,
    size: float,
    *,
    unit: str,
    tilt: float = 0.0,
    dims: Sequence[Hashable] = ("y", "x"),
) -> Object:
    """Give the dims of an image coordinates in physical units, from 0.

    On a tilted specimen the direction perpendicular to the tilt axis is seen foreshortened, so
    that a step along it is ``size / cos(tilt)`` long. The object passed is left as it is.

    Parameters
    ----------
    da : DataArray or Dataset
    size : float
        Distance between the centres of neighbouring pixels, as seen.
    unit : str
        Unit of ``size``.
    tilt : float, default 0.0
        Degrees between the surface and the plane seen; more than -90, less than 90.
    dims : two hashables, default ("y", "x")
        The dim perpendicular to the tilt axis, then the one along it.

    Returns
    -------
    DataArray or Dataset
        As ``da``; the coordinates' ``units`` are ``unit``.

    Raises
    ------
    ValueError
        No such dim, not two of them, or a number out of range.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xcluster import coords
    >>> image = xr.DataArray(np.zeros((2, 3)), dims=["y", "x"])
    >>> sized = coords.pixel_size(image, 0.5, unit="um", tilt=60)
    >>> sized["y"].values.round(6), sized["x"].values
    (array([0., 1.]), array([0. , 0.5, 1. ]))
    """
    size = check_number("size", size, above=0.0)
    tilt = check_number("tilt", tilt)
    if not -90 < tilt < 90:
        rule = "must lie between -90 and 90 degrees"
        raise BadValueError("tilt", tilt, rule, "pass the angle in degrees")
    rule, remedy = "must be two dims", 'pass them as dims=("y", "x")'
    dims = [dims] if isinstance(dims, str) else several("dims", dims, rule, remedy)
    check_hashable("dims", dims)
    if len(dims) != 2 or dims[0] == dims[1]:
        raise BadValueError("dims", dims, rule, remedy)
    check_text("unit", unit)
    check_object("da", da, (xr.DataArray, xr.Dataset))
    steps = size / np.cos(np.radians(tilt)), size
    return da.assign_coords(
        {dim: _axis(da, dim, step, unit) for dim, step in zip(dims, steps, strict=True)}
    )


def _axis(
    da: xr.DataArray | xr.Dataset, dim: Hashable, step: float, unit: str
) -> tuple[Hashable, Array, dict[Hashable, Any]]:
    _check_dim(da, dim)
    return dim, np.arange(da.sizes[dim]) * step, {**da[dim].attrs, "units": unit}


def _mean_spectrum(da: xr.DataArray, dim: Hashable) -> Array:
    """Return the mean over all other dims; gaps are bridged by straight lines, without peaks."""
    others = [other for other in da.dims if other != dim]
    spectrum: Array = da.astype(float).mean(others).values
    there = ~np.isnan(spectrum)
    if not there.any():
        rule = "has no data"
        raise BadValueError("da", da.name, rule, "pass spectra with data")
    steps = np.arange(len(spectrum))
    return np.interp(steps, steps[there], spectrum[there])


def _line(x: Array, y: Array) -> tuple[float, float]:
    """Return scale and offset of the least-squares line; centred, to keep digits far from 0."""
    dx, dy = x - x.mean(), y - y.mean()
    scale = float(dx @ dy / (dx @ dx))
    if scale == 0:
        rule = "the line through these positions has no slope"
        raise BadValueError("known", y.tolist(), rule, "pass values that differ")
    return scale, float(y.mean() - scale * x.mean())


def _check_pairs(found: ArrayLike, known: ArrayLike) -> tuple[Array, Array]:
    remedy = "pass one number for each peak, and leave unknown ones out"
    x, y = check_numbers("found", found, remedy), check_numbers("known", known, remedy)
    if x.ndim != 1 or x.shape != y.shape:
        rule = f"must be a list as long as known, which has shape {y.shape}"
        raise BadValueError("found", x.tolist(), rule, "pair each peak with its value")
    if len(np.unique(x)) < 2:
        rule = "a line needs two different positions"
        raise BadValueError("found", x.tolist(), rule, "find another peak")
    return x, y


def _check_dim(da: xr.DataArray | xr.Dataset, dim: Hashable) -> None:
    check_object("da", da, (xr.DataArray, xr.Dataset))
    if not is_one_of(dim, da.dims):
        remedy = did_you_mean(dim, da.dims)
        raise BadValueError("dim", dim, "is not a dim of the data", remedy)
