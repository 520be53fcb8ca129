"""Small real data sets that travel with the package, and simulated ones with a known truth.

`eds`, `stem` and `weather` are simulated. Each other function reads one file completely and closes
it; where its data come from and under which licence stands in the attributes ``source``,
``license``, ``references`` and ``history``, and in ``data/LICENSES.md``.
"""

from __future__ import annotations

from importlib.resources import as_file, files

import xarray as xr

from xcluster.datasets.simulated import eds, stem, weather

__all__ = ["eds", "nanosims", "ocean", "ocean_profiles", "stem", "tomography", "weather"]


def _load(name: str) -> xr.Dataset:
    with as_file(files(__name__) / "data" / name) as path:
        return xr.load_dataset(path, engine="netcdf4")


def tomography() -> xr.Dataset:
    """Return shear velocity beneath Cascadia, for clustering of depth profiles.

    Returns
    -------
    xarray.Dataset
        ``vs`` (depth 41, latitude 109, longitude 53), in km/s, without gaps: 0 to 100 km every
        2.5 km, 38.2 to 49.0 N, 124.2 to 119.0 W every 0.1 degree.

    References
    ----------
    PNW10-S of the IRIS Earth Model Collaboration, doi:10.17611/DP/9991680; Porritt, Allen,
    Boyarko and Brudzinski (2011), doi:10.1016/j.epsl.2011.06.026. Licence: Apache-2.0.

    Examples
    --------
    >>> import xcluster.datasets
    >>> dict(xcluster.datasets.tomography().sizes)
    {'depth': 41, 'latitude': 109, 'longitude': 53}
    """
    return _load("tomography.nc")


def ocean() -> xr.Dataset:
    """Return the climate at the sea surface, seven variables, for clustering of pixels.

    Returns
    -------
    xarray.Dataset
        Annual means on (latitude 90, longitude 180), every 2 degrees: ``sst`` and
        ``air_temperature`` in degC, ``specific_humidity`` in g/kg, ``wind_speed``, ``u_wind`` and
        ``v_wind`` in m/s, ``sea_level_pressure`` in hPa. NaN on land and where ships reported in
        fewer than twelve calendar months, which differs from variable to variable.

    References
    ----------
    COADS climatology as distributed by NOAA PMEL; Woodruff, Slutz, Jenne and Steurer (1987).
    Public domain.

    Examples
    --------
    >>> import xcluster.datasets
    >>> list(xcluster.datasets.ocean())[:3]
    ['sst', 'air_temperature', 'specific_humidity']
    """
    return _load("ocean.nc")


def ocean_profiles() -> xr.Dataset:
    """Return temperature and salinity of the world ocean, for profiles of two variables.

    Returns
    -------
    xarray.Dataset
        Annual means ``temperature`` (degC) and ``salinity`` (1e-3) on (depth 20, latitude 90,
        longitude 180): 20 uneven levels from 0 to 5000 m, every 2 degrees. Columns end at the
        sea floor, so that most are incomplete; NaN on land.

    References
    ----------
    Levitus (1982), Climatological Atlas of the World Ocean, as distributed by NOAA PMEL.
    Public domain.

    Examples
    --------
    >>> import xcluster.datasets
    >>> xcluster.datasets.ocean_profiles().temperature.dims
    ('depth', 'latitude', 'longitude')
    """
    return _load("ocean_profiles.nc")


def nanosims() -> xr.Dataset:
    """Return an ion image of a grain in six channels, for clustering along a channel dim.

    Returns
    -------
    xarray.Dataset
        ``counts`` (species 6, y 256, x 256) of 12C, 16O, 18O, 12C14N, 12C15N and secondary
        electrons (SE), the sum of two frames; ``y`` and ``x`` in um, 7 um across.

    References
    ----------
    Test image of the package sims by Zan Peeters, Cameca NanoSIMS 50/50L, 2011.
    Licence: BSD-3-Clause-Clear.

    Examples
    --------
    >>> import xcluster.datasets
    >>> xcluster.datasets.nanosims().species.values.tolist()
    ['12C', '16O', '18O', '12C14N', '12C15N', 'SE']
    """
    return _load("nanosims.nc")
