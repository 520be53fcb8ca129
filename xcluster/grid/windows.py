"""Windows of an image (`patches`): where they lie, and how their labels are painted back on it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.checks import check_integer
from xcluster.base.errors import BadValueError
from xcluster.grid.layout import Layout, is_descending
from xcluster.grid.links import is_linked, on_other_grid, selected, with_axes
from xcluster.grid.positions import POINT, Positions, nearest_pixels
from xcluster.grid.remedies import Gaps, filled
from xcluster.grid.samplers import (
    COVERAGE,
    MayKeepGaps,
    Missing,
    Names,
    check_each_has,
    choose_variables,
    known_dim,
    lay_out,
)

Size = int | Mapping[Hashable, int]


@dataclass(frozen=True)
class Patches(MayKeepGaps):
    """One sample per window of an image; features are its pixels.

    The start of a window is counted along rising coordinates, so that the direction of an axis
    does not change the windows.
    """

    size: Size
    vars: Names = None
    dims: Sequence[Hashable] | None = None
    every: Size = 1
    at: Positions | None = None
    missing: Missing = "drop"
    coverage: float = COVERAGE

    def arrange(self, data: xr.Dataset, like: xr.Dataset | None = None) -> Layout:
        """Return the layout of ``data``; windows are views of the image, not copies."""
        dims = image_dims(data, self.vars, self.dims)
        names, left_out = choose_variables(data, self.vars, dims)
        check_each_has("dims", data, names, dims)
        image = with_coordinates(on_other_grid(selected(data, names)), dims)
        fallen = {dim: slice(None, None, -1) for dim in dims if is_descending(image, dim)}
        image = image.isel(fallen)
        sizes = per_dim("size", self.size, dims)
        _check_sizes(self.size, sizes, image)
        windows = xr.Dataset({name: _windows(image[name], sizes) for name in names})
        windows = windows.assign_coords(_centres(image, sizes))
        if self.at is not None:
            return self._told(self._at_points(windows, image, sizes, left_out))
        every = per_dim("every", self.every, dims)
        windows = windows.isel({dim: slice(None, None, step) for dim, step in every.items()})
        inner = [_window(dim) for dim in dims]
        return self._told(lay_out(windows.isel(fallen), names, inner, left_out))

    def _told(self, layout: Layout) -> Layout:
        return replace(layout, remedy=self.remedy, coverage=self.least)

    def remedy(self, gaps: Gaps) -> str:
        """Return what to do if no sample is complete."""
        return f"choose smaller windows, or {filled(gaps, 'ds.mean()')}"

    def _at_points(
        self,
        windows: xr.Dataset,
        image: xr.Dataset,
        sizes: Mapping[Hashable, int],
        left_out: Mapping[Hashable, str],
    ) -> Layout:
        at = {dim: np.asarray(values, np.float64) for dim, values in dict(self.at or ()).items()}
        starts = nearest_pixels(at, image) - np.array([[size // 2] for size in sizes.values()])
        lasts = np.array([[windows.sizes[dim] - 1] for dim in sizes])
        full = ((starts >= 0) & (starts <= lasts)).all(axis=0)
        if not full.any():
            rule = "none of them has a full window on the image"
            raise BadValueError("at", f"{len(full)} positions", rule, "choose a smaller size")
        places = {dim: (POINT, each[full]) for dim, each in zip(sizes, starts, strict=True)}
        given = {dim: (POINT, values[full], windows[dim].attrs) for dim, values in at.items()}
        chosen, inner = windows.isel(places).assign_coords(given), [_window(dim) for dim in sizes]
        layout = lay_out(chosen, list(windows.data_vars), inner, left_out)
        n_lost = int(len(full) - full.sum())
        if not n_lost:
            return layout
        lost = f"{n_lost:,} of {len(full):,} positions have no full window on the image"
        return replace(layout, notes=(*layout.notes, lost))


def image_dims(
    data: xr.Dataset, names: Names, dims: Sequence[Hashable] | Hashable | None
) -> tuple[Hashable, ...]:
    """Return the dims of the image in which windows extend."""
    if dims is not None:
        given = [dims] if isinstance(dims, str) or not isinstance(dims, Sequence) else list(dims)
        return tuple(known_dim(data, dim) for dim in given)
    chosen, _ = choose_variables(data, names, ())
    found = tuple(data[chosen].dims)
    if len(found) == 2:
        return found
    rule = f"the image has {len(found)} dims: {', '.join(map(repr, found))}"
    raise BadValueError("dims", None, rule, "name the dims of a window: dims=('y', 'x')")


def per_dim(parameter: str, value: Any, dims: Sequence[Hashable]) -> dict[Hashable, int]:
    """Return one whole number of at least 1 for each dim."""
    if not isinstance(value, Mapping):
        value = dict.fromkeys(dims, value)
    if set(value) != set(dims):
        rule = f"must be a number, or a mapping with the dims {', '.join(map(repr, dims))}"
        raise BadValueError(parameter, dict(value), rule, f"pass, for example, {parameter}=8")
    return {dim: check_integer(parameter, value[dim], minimum=1) for dim in dims}


def _check_sizes(size: Size, sizes: Mapping[Hashable, int], image: xr.Dataset) -> None:
    for dim, each in sizes.items():
        if each > image.sizes[dim]:
            rule = f"is larger than the image, which has {image.sizes[dim]} pixels along {dim!r}"
            raise BadValueError("size", size, rule, "choose smaller windows")


def with_coordinates(image: xr.Dataset, dims: Sequence[Hashable]) -> xr.Dataset:
    """Give dims without coordinates the numbers of their pixels, which centres of windows need."""
    lacking = [dim for dim in dims if dim not in image.coords]
    return image.assign_coords({dim: np.arange(image.sizes[dim]) for dim in lacking})


def _window(dim: Hashable) -> str:
    return f"window_{dim}"


def _windows(image: xr.DataArray, sizes: Mapping[Hashable, int]) -> xr.DataArray:
    """Return every window, over the image's dims and those of the window: a view."""
    axes = tuple(image.get_axis_num(dim) for dim in sizes)
    shape = tuple(sizes.values())
    if image.chunks is None:
        view = np.lib.stride_tricks.sliding_window_view(image.values, shape, axes)
    else:
        from dask.array.lib.stride_tricks import sliding_window_view  # type: ignore[attr-defined]

        # Blocks are views too, so blocks need not be smaller to hold all their windows.
        view = sliding_window_view(image.data, shape, axes, automatic_rechunk=False)
    others = {
        name: coord.variable
        for name, coord in image.coords.items()
        if not set(coord.dims) & set(sizes)
    }
    dims = (*image.dims, *map(_window, sizes))
    return xr.DataArray(view, others, dims, attrs=image.attrs)


def _centres(image: xr.Dataset, sizes: Mapping[Hashable, int]) -> dict[Hashable, xr.Variable]:
    """Return the coordinates of the centres of windows, and of pixels relative to a centre."""
    inner = {
        dim: slice(size // 2, size // 2 + image.sizes[dim] - size + 1)
        for dim, size in sizes.items()
    }
    found = {
        name: coord.variable.isel({dim: inner[dim] for dim in coord.dims if dim in inner})
        for name, coord in image.coords.items()
        if set(coord.dims) & set(sizes)
    }
    for dim, size in sizes.items():
        offsets = np.arange(size) - size // 2
        attrs = {key: image[dim].attrs[key] for key in ("units",) if key in image[dim].attrs}
        attrs["long_name"] = f"{dim} from the centre"
        found[_window(dim)] = xr.Variable(_window(dim), offsets * spacing(image[dim]), attrs)
    return found


def spacing(coord: xr.DataArray) -> float:
    """Return the distance between pixels if it is the same everywhere, otherwise 1 (a pixel)."""
    if coord.dtype.kind not in "fiu" or coord.size < 2:
        return 1
    step = float(coord[-1] - coord[0]) / (coord.size - 1)
    even = np.allclose(np.diff(coord.values), step, rtol=1e-3, atol=1e-12 * abs(step))
    return step if even and step else 1


# --------------------------------------------------------------------------- back on the image


def upsample(
    labels: xr.DataArray, sampler: Patches, data: xr.Dataset, beyond: bool
) -> xr.DataArray:
    """Paint labels of windows on the pixels; see `Clustering.upsample`."""
    dims = image_dims(data, sampler.vars, sampler.dims)
    image = with_coordinates(data, dims)
    sizes = per_dim("size", sampler.size, dims)
    paint = _paint_points if sampler.at is not None else _paint_lattice
    painted = paint(labels, image, sizes, beyond)
    return painted.assign_coords(with_axes(painted.coords)) if is_linked(painted) else painted


def _paint_lattice(
    labels: xr.DataArray, image: xr.Dataset, sizes: Mapping[Hashable, int], beyond: bool
) -> xr.DataArray:
    for dim, size in sizes.items():
        where, inside = _nearest(image[dim], labels[dim], size)
        labels = labels.isel({dim: where}).assign_coords({dim: image[dim]})
        labels = labels if beyond else labels.where(xr.DataArray(inside, dims=[dim]))
    others = [name for name, coord in image.coords.items() if set(coord.dims) <= set(labels.dims)]
    return labels.assign_coords({name: image[name] for name in others})


def _nearest(pixels: xr.DataArray, centres: xr.DataArray, size: int) -> tuple[Array, Array]:
    """Return the nearest centre to each pixel, and whether its window holds the pixel."""
    index = pixels.to_index().get_indexer(centres.to_index())
    flip = is_descending(pixels, pixels.dims[0])
    index = len(pixels) - 1 - index if flip else index
    # Windows of even size have one pixel more before their centre than after it.
    middle = np.sort(index) - size // 2 + (size - 1) / 2
    places = np.arange(len(pixels))
    where = np.searchsorted((middle[1:] + middle[:-1]) / 2, places, side="left")
    inside = np.abs(places - middle[where]) <= (size - 1) / 2
    where = np.argsort(index, kind="stable")[where]
    return (where[::-1], inside[::-1]) if flip else (where, inside)


def _paint_points(
    labels: xr.DataArray, image: xr.Dataset, sizes: Mapping[Hashable, int], beyond: bool
) -> xr.DataArray:
    from scipy.spatial import cKDTree

    rising = image.isel({d: slice(None, None, -1) for d in sizes if is_descending(image, d)})
    at = {dim: labels[dim].values for dim in sizes}
    size = np.array(list(sizes.values()))
    middle = nearest_pixels(at, rising).T - size // 2 + (size - 1) / 2
    shape = [image.sizes[dim] for dim in sizes]
    pixels = np.indices(shape).reshape(len(sizes), -1).T
    # In units of half a window, the larger distance is below 1 for every pixel of a window.
    half = size / 2
    distance, where = cKDTree(middle / half).query(pixels / half, p=np.inf)
    place = xr.DataArray(where.reshape(shape), {dim: rising[dim] for dim in sizes}, tuple(sizes))
    painted = labels.drop_vars([dim for dim in sizes if dim in labels.coords]).isel({POINT: place})
    if not beyond:
        painted = painted.where(xr.DataArray(distance.reshape(shape) < 1, dims=tuple(sizes)))
    painted = painted.assign_coords({dim: rising[dim] for dim in sizes})
    return painted.sel({dim: image[dim] for dim in sizes})
