"""Simulated data with a known truth, where no open data of a kind are at hand.

Each function draws from one seed, so that the same call gives the same values. The attribute
``source`` says that the data are simulated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter

from xcluster.base.arrays import Array
from xcluster.base.checks import check_integer, check_number, check_seed

__all__ = ["eds", "stem", "weather"]


# Pixels along each side, tenths of the days.
LARGEST = 4096

# X-ray lines of the elements in keV, and their share of the counts in each mineral.
LINES = {
    "O Ka": 0.525,
    "Mg Ka": 1.254,
    "Al Ka": 1.487,
    "Si Ka": 1.740,
    "Ca Ka": 3.692,
    "Ca Kb": 4.013,
    "Ti Ka": 4.511,
    "Ti Kb": 4.932,
    "Fe Ka": 6.404,
    "Fe Kb": 7.058,
}
MINERALS = {
    "chlorite": {"O Ka": 0.30, "Mg Ka": 0.20, "Al Ka": 0.17, "Si Ka": 0.22, "Fe Ka": 0.09,
                 "Fe Kb": 0.02},
    "titanite": {"O Ka": 0.25, "Si Ka": 0.20, "Ca Ka": 0.25, "Ca Kb": 0.03, "Ti Ka": 0.24,
                 "Ti Kb": 0.03},
    "rutile": {"O Ka": 0.28, "Ti Ka": 0.64, "Ti Kb": 0.08},
}  # fmt: skip
KEV_PER_CHANNEL, KEV_OFFSET, BEAM_KEV = 0.02, -0.06, 15.0
COUNTS = {"chlorite": 110.0, "titanite": 130.0, "rutile": 150.0}
CONTINUUM = 0.35  # of all counts


def eds(*, size: int = 64, random_state: int = 0) -> xr.Dataset:
    """Simulate an X-ray spectral map: rutile cores with titanite rims in chlorite.

    Poisson counts of characteristic lines on a decelerating-electron continuum (Kramers), with
    the width of a silicon detector, blurred over the boundaries as by the volume that the beam
    excites. The energy axis comes uncalibrated, as channel numbers.

    Parameters
    ----------
    size : int, default 64
        Pixels along each side.
    random_state : int, default 0
        Seed.

    Returns
    -------
    xarray.Dataset
        ``counts`` (y, x, channel 500); ``truth`` (y, x), the number of the mineral, with CF
        flags; ``line_energy`` over ``line``, in keV. The attributes ``kev_per_channel`` and
        ``kev_offset`` hold the calibration to be found.

    References
    ----------
    Kramers (1923), Phil. Mag. 46, 836, for the continuum; Goldstein et al. (2018), Scanning
    Electron Microscopy and X-Ray Microanalysis, 4th ed., for lines and detector.

    Examples
    --------
    >>> import xcluster.datasets
    >>> dict(xcluster.datasets.eds(size=16).counts.sizes)
    {'y': 16, 'x': 16, 'channel': 500}
    """
    size = check_integer("size", size, minimum=2, maximum=LARGEST)
    rng = np.random.default_rng(check_seed("random_state", random_state))
    truth = _grains(rng, size)
    share = np.stack([gaussian_filter((truth == i).astype(float), 1.2) for i in range(3)], axis=-1)
    energy = KEV_OFFSET + KEV_PER_CHANNEL * np.arange(500)
    spectra = np.stack([_spectrum(energy, name) for name in MINERALS])
    counts = rng.poisson(share @ spectra).astype(np.uint16)
    flags = {"flag_values": np.arange(3, dtype=np.int8), "flag_meanings": " ".join(MINERALS)}
    return xr.Dataset(
        {
            "counts": (("y", "x", "channel"), counts, _described("X-ray counts")),
            "truth": (("y", "x"), truth.astype(np.int8), _described("mineral") | flags),
            "line_energy": ("line", list(LINES.values()), _described("line energy", "keV")),
        },
        {**_square(size, 0.25, "um"), "line": list(LINES)},
        _simulated("EDS map", kev_per_channel=KEV_PER_CHANNEL, kev_offset=KEV_OFFSET),
    )


def _grains(rng: np.random.Generator, size: int) -> Array:
    """Return 0 (matrix), 1 (rim) and 2 (core): levels of a smooth random field."""
    field = gaussian_filter(rng.normal(size=(size, size)), 6, mode="wrap")
    return np.asarray(np.digitize(field, np.quantile(field, [0.62, 0.82])))


def _spectrum(energy: Array, mineral: str) -> Array:
    """Return the counts that one pixel of a mineral expects in each channel."""
    step = energy[1] - energy[0]
    total = COUNTS[mineral]
    lines = sum(
        share * _gauss(energy, LINES[name], _width(LINES[name])) * step
        for name, share in MINERALS[mineral].items()
    )
    above = np.clip(energy, 0.05, None)
    kramers = (BEAM_KEV - above) / above * np.exp(-((0.6 / above) ** 2)) * (energy > 0)
    return np.asarray(total * ((1 - CONTINUUM) * lines + CONTINUUM * kramers / kramers.sum()))


def _width(energy: float) -> float:
    """Return the standard deviation of a line: noise, and Fano's statistics of silicon."""
    return float(np.sqrt(0.03**2 + 0.12 * 0.0038 * energy))


def _gauss(x: Array, centre: float, width: float) -> Array:
    return np.asarray(np.exp(-0.5 * ((x - centre) / width) ** 2) / (width * np.sqrt(2 * np.pi)))


# Displacement of the middle column from the centre of its cell, in pixels.
DOMAINS = {"centred": (0.0, 0.0), "up": (2.5, 0.0), "right": (0.0, 2.5)}
SPACING = 16


def stem(*, size: int = 320, noise: float = 0.08, random_state: int = 0) -> xr.Dataset:
    """Simulate a scanning transmission electron image of a crystal with three domains.

    Bright atom columns on a square lattice, a fainter one in each cell: in its centre, displaced
    up (to larger ``y``), or displaced to the right.

    Parameters
    ----------
    size : int, default 320
        Pixels along each side; a cell is 16 pixels wide.
    noise : float, default 0.08
        Standard deviation of the noise, as a share of the brightest column.
    random_state : int, default 0
        Seed.

    Returns
    -------
    xarray.Dataset
        ``intensity`` (y, x) and ``truth`` (y, x), the number of the domain, with CF flags; ``y``
        and ``x`` in nm.

    Examples
    --------
    >>> import xcluster.datasets
    >>> ds = xcluster.datasets.stem(size=64)
    >>> ds.truth.attrs["flag_meanings"]
    'centred up right'
    """
    size = check_integer("size", size, minimum=2, maximum=LARGEST)
    noise = check_number("noise", noise, minimum=0.0, maximum=LARGEST)
    rng = np.random.default_rng(check_seed("random_state", random_state))
    truth = _domains(size)
    image = _columns(truth) + rng.normal(scale=noise, size=(size, size))
    flags = {"flag_values": np.arange(3, dtype=np.int8), "flag_meanings": " ".join(DOMAINS)}
    return xr.Dataset(
        {
            "intensity": (("y", "x"), image.astype(np.float32), _described("intensity")),
            "truth": (("y", "x"), truth.astype(np.int8), _described("domain") | flags),
        },
        _square(size, 0.025, "nm"),
        _simulated("STEM image"),
    )


def _domains(size: int) -> Array:
    """Return three domains: parted by a slanting wall, and a wall that meets it."""
    y, x = np.mgrid[:size, :size] / size
    return np.where(x + 0.35 * y < 0.55, 0, np.where(y < 0.5, 1, 2))


def _columns(truth: Array) -> Array:
    """Return the image without noise: a Gaussian spot for each atom column."""
    size = len(truth)
    starts = np.arange(SPACING // 2, size, SPACING)
    y, x = (each.ravel().astype(float) for each in np.meshgrid(starts, starts, indexing="ij"))
    half = SPACING / 2
    centre_y, centre_x = np.minimum(y + half, size - 1), np.minimum(x + half, size - 1)
    domain = truth[centre_y.astype(int), centre_x.astype(int)]
    moved = np.array(list(DOMAINS.values()))[domain]
    middle = _spots(y + half + moved[:, 0], x + half + moved[:, 1], size, 2.2)
    return _spots(y, x, size, 2.6) + 0.6 * middle


def _spots(y: Array, x: Array, size: int, width: float) -> Array:
    """Return the sum of Gaussian spots of height 1, as a product of two thin matrices."""
    pixels = np.arange(size)
    rows = np.exp(-0.5 * ((pixels - y[:, None]) / width) ** 2)
    columns = np.exp(-0.5 * ((pixels - x[:, None]) / width) ** 2)
    return np.asarray(rows.T @ columns)


# Place (latitude, longitude), sign and height (m) of the centres of each pattern.
REGIMES = {
    "zonal": [(62, -30, -140), (40, -30, 120)],
    "greenland_anticyclone": [(65, -40, 180), (42, -35, -110)],
    "blocking": [(60, 15, 190), (48, -35, -80)],
    "atlantic_ridge": [(52, -32, 170), (65, 15, -110)],
}
PERSISTENCE = 0.88  # chance that tomorrow's regime is today's


def weather(*, days: int = 1500, random_state: int = 0) -> xr.Dataset:
    """Simulate daily height of the 500 hPa surface over the North Atlantic, in four regimes.

    Each day is one of four patterns, kept to the next day with a chance of 0.88, on top of a mean
    that falls with latitude and a yearly cycle, with smooth noise of the size of weather.

    Parameters
    ----------
    days : int, default 1500
        Number of days, from 1 January 2001 on.
    random_state : int, default 0
        Seed.

    Returns
    -------
    xarray.Dataset
        ``z500`` (time, latitude 21, longitude 41), in m; ``truth`` (time), the number of the
        regime, with CF flags.

    References
    ----------
    Patterns after Michelangeli, Vautard and Legras (1995), J. Atmos. Sci. 52, 1237.

    Examples
    --------
    >>> import xcluster.datasets
    >>> xcluster.datasets.weather(days=10).z500.dims
    ('time', 'latitude', 'longitude')
    """
    days = check_integer("days", days, minimum=2, maximum=10 * LARGEST)
    rng = np.random.default_rng(check_seed("random_state", random_state))
    time = np.datetime64("2001-01-01", "ns") + np.arange(days) * np.timedelta64(1, "D")
    latitude, longitude = np.arange(80.0, 29.0, -2.5), np.arange(-70.0, 31.0, 2.5)
    truth = _chain(rng, days)
    strength = rng.gamma(9, 1 / 9, days)
    field = strength[:, None, None] * _patterns(latitude, longitude)[truth]
    field += 55 * _smooth_noise(rng, field.shape) + _climate(latitude, days)
    flags = {"flag_values": np.arange(4, dtype=np.int8), "flag_meanings": " ".join(REGIMES)}
    return xr.Dataset(
        {
            "z500": (
                ("time", "latitude", "longitude"),
                field.astype(np.float32),
                _described("height of the 500 hPa surface", "m"),
            ),
            "truth": ("time", truth.astype(np.int8), _described("regime") | flags),
        },
        {
            "time": time,
            "latitude": ("latitude", latitude, {"units": "degrees_north"}),
            "longitude": ("longitude", longitude, {"units": "degrees_east"}),
        },
        _simulated("weather"),
    )


def _chain(rng: np.random.Generator, days: int) -> Array:
    """Return a Markov chain of regimes."""
    changes = rng.random(days) > PERSISTENCE
    moves = np.where(changes, rng.integers(1, len(REGIMES), days), 0)
    return np.asarray(np.cumsum(moves) % len(REGIMES))


def _patterns(latitude: Array, longitude: Array) -> Array:
    """Return the anomaly of each regime, shape (4, latitude, longitude), in m."""
    y, x = np.meshgrid(latitude, longitude, indexing="ij")
    return np.stack(
        [
            sum(
                height * np.exp(-(((y - north) / 10) ** 2) - ((x - east) / 20) ** 2)
                for north, east, height in centres
            )
            for centres in REGIMES.values()
        ]
    )


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return noise of unit deviation, smooth in space and over a day."""
    noise = gaussian_filter(rng.normal(size=shape), (0.7, 2.5, 3.5))
    return np.asarray(noise / noise.std())


def _climate(latitude: Array, days: int) -> Array:
    """Return the mean height and its yearly cycle, shape (days, latitude, 1)."""
    season = 90 * np.cos(2 * np.pi * (np.arange(days) - 200) / 365.25)
    return np.asarray((5850 - 14 * (latitude - 30))[None, :, None] + season[:, None, None])


def _square(size: int, step: float, units: str) -> dict[str, tuple[str, Array, dict[str, str]]]:
    """Return coordinates of the pixels of an image."""
    return {dim: (dim, np.arange(size) * step, {"units": units}) for dim in ("y", "x")}


def _described(long_name: str, units: str = "1") -> dict[str, Any]:
    return {"long_name": long_name, "units": units}


def _simulated(what: str, **facts: Any) -> dict[str, Any]:
    return {"source": f"simulated {what} (xcluster.datasets)", **facts}
