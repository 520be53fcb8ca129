"""Steps that clean a label map: speckle, small pieces and holes. Each is one function of a map."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from xcluster.algorithms.parts.pieces import filled, sieved
from xcluster.base.arrays import Array
from xcluster.base.checks import check_choice, check_integer
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.base.wording import call_text, value_text
from xcluster.blocks.label_maps import Sums, by_pieces, by_windows
from xcluster.fit.assign import Labeller
from xcluster.fit.labels import UNCLASSIFIED, check_floor
from xcluster.grid import areas
from xcluster.grid.layout import LABEL, Layout
from xcluster.grid.surroundings import Surroundings, surroundings

SCALE = 2.0**30
"""Memberships are added as whole numbers, so that the order of the cells does not matter."""

FAR, FINE = 2.0**10, 2.0**20
"""Distances are added as whole numbers: at most so many times the widest distance of two centres,
and in so many parts of it."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where the samples of a label map lie, and what a step may need beside their labels.

    Parameters
    ----------
    layout
        Where the samples lie.
    assign
        What their labels mean.
    memberships, distances
        Functions that return these arrays over (``label``, sample dims).
    graph : csr_array of bool, optional
        Which samples are neighbours, if the user gave a graph.
    """

    layout: Layout
    assign: Labeller
    memberships: Callable[[], xr.DataArray]
    distances: Callable[[], xr.DataArray]
    graph: Any = None

    def around(self, what: str, neighbours: int = 4) -> Surroundings:
        """Return which samples touch; refuse samples that have no neighbours."""
        return surroundings(self.layout, what, neighbours, self.graph)


class Cleaning(ABC):
    """A step that gives some samples another label."""

    name: ClassVar[str]
    checked: ClassVar[Callable[..., Cleaning]]
    """Return the step with these parameters; refuse wrong ones."""

    @abstractmethod
    def __call__(self, labels: xr.DataArray, place: Place) -> xr.DataArray:
        """Return the labels after this step; NaN is no data, and -1 a sample without a label."""

    @abstractmethod
    def check(self, place: Place) -> None:
        """Refuse samples for which the step makes no sense, before any data are read."""

    def __str__(self) -> str:
        """Return the step as a reader would type it."""
        given = {
            each.name: value_text(getattr(self, each.name))
            for each in fields(self)  # type: ignore[arg-type]
            if getattr(self, each.name) != each.default
        }
        return call_text(self.name, given)


# ----------------------------------------------------------------------------------------- smooth


@dataclass(frozen=True)
class Smooth(Cleaning):
    """Gives each sample the label of its window, by majority or by memberships."""

    name: ClassVar[str] = "smooth"
    size: int = 3
    by: str = "majority"

    @staticmethod
    def checked(size: Any, by: Any) -> Smooth:
        """Return the step; refuse wrong parameters."""
        size = check_integer("size", size, minimum=3)
        if size % 2 == 0:
            rule = "must be odd, so that a window has a sample in its middle"
            raise BadValueError("size", size, rule, f"pass size={size + 1}")
        return Smooth(size, check_choice("by", by, ("majority", "memberships")))

    def check(self, place: Place) -> None:
        """Refuse samples without neighbours, and windows that go more than once round the Earth."""
        around, sizes = place.around("smooth()", 8), place.layout.sizes
        for dim in around.closed:
            if sizes[dim] < self.size:
                rule = f"must be at most {sizes[dim]}, the number of samples along {dim!r}"
                raise BadValueError("size", self.size, rule, "pass a smaller odd number")

    def __call__(self, labels: xr.DataArray, place: Place) -> xr.DataArray:
        """Return the labels after this step."""
        around = place.around("smooth()", 8)
        if self.by == "majority":
            return by_windows(labels, _majority, self.size, around, np.float32)
        weights = by_windows(place.memberships(), _scaled_sums, self.size, around, np.float64)
        return _likeliest(labels, weights, place.assign.partition.floor)


def _majority(labels: Array, sums: Sums) -> Array:
    """Return the label that occurs most often in each window; the own one if two do."""
    out, most = labels.copy(), np.zeros(labels.shape, np.int64)
    for label in np.unique(labels[~np.isnan(labels)]):
        votes = sums(labels == label)
        out[votes > most] = label
        tied = votes == most
        out[tied] = labels[tied]
        np.maximum(most, votes, out=most)
    out[np.isnan(labels)] = np.nan
    return out


def _scaled_sums(memberships: Array, sums: Sums) -> Array:
    known = np.nan_to_num(memberships.astype(np.float64))
    return sums(np.round(known * SCALE).astype(np.int64)).astype(np.float64)


def _likeliest(labels: xr.DataArray, weights: xr.DataArray, floor: float | None) -> xr.DataArray:
    """Return the label of the largest weight where there is a label; the own one if two have it."""
    most, total = weights.max(LABEL), weights.sum(LABEL)
    own = weights.where(weights[LABEL] == labels).max(LABEL)  # NaN where there is no label
    best = weights.argmax(LABEL).astype(np.float32)
    chosen = xr.where(own == most, labels, best)
    if floor is not None:
        chosen = chosen.where(most > floor * total, np.float32(UNCLASSIFIED))
    return labels.copy(data=chosen.where(labels.notnull()).transpose(*labels.dims).data)


# ------------------------------------------------------------------------------------------ pieces


@dataclass(frozen=True)
class Sieve(Cleaning):
    """Joins pieces that are too small to one of their neighbours."""

    name: ClassVar[str] = "sieve"
    min_size: int | None = None
    min_area: str | None = None
    neighbours: int = 4
    into: str = "largest"

    @staticmethod
    def checked(min_size: Any, min_area: Any, neighbours: Any, into: Any) -> Sieve:
        """Return the step; refuse wrong parameters."""
        if (min_size is None) == (min_area is None):
            given = "neither" if min_size is None else "both"
            rule = "takes either min_size, in samples, or min_area, with its unit"
            raise BadValueError("sieve", given, rule, "pass one, such as min_size=10")
        if min_size is not None:
            min_size = check_integer("min_size", min_size, minimum=2)
        else:
            number, unit = _parsed(min_area)
            min_area = f"{number:.15g} {unit}"
        neighbours = check_choice("neighbours", neighbours, (4, 8))
        into = check_choice("into", into, ("largest", "nearest"))
        return Sieve(min_size, min_area, neighbours, into)

    def check(self, place: Place) -> None:
        """Refuse samples without neighbours, or without areas if these are needed."""
        place.around("sieve()", self.neighbours)
        if self.min_area is not None:
            self._areas(place)

    def __call__(self, labels: xr.DataArray, place: Place) -> xr.DataArray:
        """Return the labels after this step."""
        size, least = (None, self.min_size) if self.min_area is None else self._areas(place)
        assert least is not None, "one of both is given"
        far = _whole_distances(place) if self.into == "nearest" else None
        return by_pieces(
            labels,
            partial(sieved, least=least),
            place.around("sieve()", self.neighbours),
            size=size,
            far=far,
            corners=self.neighbours == 8,
            least=least,
        )

    def _areas(self, place: Place) -> tuple[xr.DataArray, int]:
        """Return the area of each cell and the least area as whole numbers."""
        layout, (number, unit) = place.layout, _parsed(self.min_area)
        data = xr.Dataset() if layout.data is None else layout.data
        found = areas.areas_of(layout.coords, data, layout.sample_dims)
        if found is None:
            rule = "needs the area of each sample, and that is not known"
            remedy = "pass min_size, or coordinates with units of length or degrees"
            raise BadValueError("min_area", self.min_area, rule, remedy)
        least = number * areas.ratio("min_area", self.min_area, unit, found.unit)
        part = found.largest * layout.n_points * 2.0**-52  # so that all areas add up exactly
        # Cells without coordinates, such as land of a curvilinear grid, have no area.
        area = found.array(layout.chunks).reset_coords(drop=True)
        whole = (area / part).fillna(0).round().astype(np.int64)
        dims = [dim for dim in layout.sample_dims if dim in whole.dims]
        # A piece that has this area but for rounding is large enough.
        return whole.transpose(*dims), max(int(least / part * (1 - 1e-9)), 1)


def _parsed(min_area: Any) -> tuple[float, str]:
    """Return number and unit of an area such as "5 km2"."""
    remedy = 'pass, for example, min_area="5 km2"'
    if not isinstance(min_area, str):
        raise BadTypeError("min_area", min_area, "must be text: a number and its unit", remedy)
    match = re.fullmatch(r"\s*([-+0-9.eE]+)\s*(\S+)\s*", min_area)
    try:
        number = float(match[1]) if match else np.nan
    except ValueError:
        number = np.nan
    if match is None or not 0 < number < np.inf:
        raise BadValueError("min_area", min_area, "must be a number above 0 and its unit", remedy)
    return number, match[2]


def _whole_distances(place: Place) -> xr.DataArray:
    """Return distances to centres as whole numbers."""
    centers = place.assign.centers.astype(np.float64)
    widest = max((np.linalg.norm(centers - each, axis=1).max() for each in centers), default=1.0)
    distances = place.distances().astype(np.float64) / (widest or 1.0)
    whole: xr.DataArray = (distances.fillna(0.0).clip(max=FAR) * FINE).round()
    return whole


@dataclass(frozen=True)
class Fill(Cleaning):
    """Gives holes without data inside one label this label."""

    name: ClassVar[str] = "fill"

    @staticmethod
    def checked() -> Fill:
        """Return the step."""
        return Fill()

    def check(self, place: Place) -> None:
        """Refuse samples without neighbours."""
        place.around("fill()")

    def __call__(self, labels: xr.DataArray, place: Place) -> xr.DataArray:
        """Return the labels after this step."""
        return by_pieces(labels, filled, place.around("fill()"))


# --------------------------------------------------------------------------------------- threshold


@dataclass(frozen=True)
class Threshold(Cleaning):
    """Leaves samples of a cleaned map unclassified where no membership is above ``u``."""

    name: ClassVar[str] = "threshold"
    u: float = 0.0

    @staticmethod
    def checked(u: Any) -> Threshold:
        """Return the step; refuse wrong parameters."""
        return Threshold(check_floor(u))

    def check(self, place: Place) -> None:
        """Refuse nothing: the samples have memberships."""

    def __call__(self, labels: xr.DataArray, place: Place) -> xr.DataArray:
        """Return the labels after this step."""
        unclear = place.memberships().max(LABEL) <= self.u
        return labels.where(~unclear | labels.isnull(), np.float32(UNCLASSIFIED))
