"""Label maps and memberships as TIFF images, as ImageJ, Fiji and napari open them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.checks import check_choice, check_path, warn
from xcluster.base.errors import BadValueError
from xcluster.base.optional import optional
from xcluster.base.palette import UNCLASSIFIED_COLOR
from xcluster.base.parallel import joined_threads
from xcluster.blocks.failures import named_failures
from xcluster.blocks.graphs import in_one_graph
from xcluster.export.codes import Codes
from xcluster.export.images import Image, image_of
from xcluster.export.names import each_in_folder
from xcluster.files.replacing import beside
from xcluster.fit.fitted import Fitted, title
from xcluster.grid.areas import METRES
from xcluster.grid.layout import LABEL
from xcluster.grid.surroundings import TIMES
from xcluster.plot.lattice import is_even
from xcluster.plot.text import facet_title

IMAGES = ("labels", "memberships")

LARGEST_PLANE = 2**31 - 1
"""Pixels of one plane that ImageJ opens."""

CLASSIC = 2**32 - 2**25
"""Bytes up to which a file can describe every plane; of more it describes the first."""

MOST_OVERLAID = 7
"""Channels that ImageJ shows over each other."""

UNITS = {"µm": "um", "μm": "um", "micron": "um", "microns": "um", "Å": "A", "angstrom": "A"}
"""Units as ImageJ names them, in ASCII; it shows um as µm."""


def write(fitted: Fitted, path: str | PathLike[str], what: str) -> None:
    """Write labels or memberships; see `Clustering.to_tiff`."""
    check_choice("what", what, IMAGES)
    target = _checked(path)
    tifffile = optional("tifffile", "to_tiff()", '"xarray-cluster[microscopy]"')
    image = image_of(fitted, getattr(fitted, what), "to_tiff()")
    values, axes = _lettered(image)
    if what == "labels":
        codes = Codes(fitted.k)
        pixels, look, described = codes(values), _colormap(fitted, codes), _of_labels(fitted, codes)
    else:
        pixels, look, described = values.astype(np.float32), {}, _of_memberships(fitted)
    _check_size(pixels)
    resolution, scale = _scale(image)
    metadata = {"axes": axes, "Labels": _titles(values, fitted), **described, **scale}
    keywords = {"metadata": metadata, "resolution": resolution, **look}
    with beside(target) as unfinished:
        with tifffile.TiffWriter(unfinished, imagej=True, byteorder=">") as file:
            keywords |= {"truncate": pixels.nbytes > CLASSIC, "returnoffset": True}
            offset, _ = file.write(None, shape=pixels.shape, dtype=pixels.dtype, **keywords)
        _store(pixels, Pixels(unfinished, offset, pixels.shape, pixels.dtype), fitted)


def write_scenes(
    scenes: Mapping[str, Fitted], folder: str | PathLike[str], what: str
) -> list[Path]:
    """Write one image per scene; see `PooledClustering.to_tiff`."""
    check_choice("what", what, IMAGES)
    return each_in_folder(scenes, folder, lambda one, path: write(one, path, what))


def _checked(path: str | PathLike[str]) -> Path:
    target = check_path("path", path)
    if target.suffix.lower() not in (".tif", ".tiff"):
        rule = "must end in .tif or .tiff"
        raise BadValueError("path", str(path), rule, f"write to {target.stem}.tif")
    return target


def _check_size(pixels: xr.DataArray) -> None:
    """Refuse planes that ImageJ cannot open."""
    rows, columns = pixels.shape[-2:]
    if rows * columns > LARGEST_PLANE or rows * columns * pixels.dtype.itemsize > CLASSIC:
        rule = f"an image of {rows:,} x {columns:,} pixels is larger than ImageJ opens"
        raise BadValueError("samples", "to_tiff()", rule, "save() it to Zarr, or label a part")


# ----------------------------------------------------------------------------------- what it says


def _lettered(image: Image) -> tuple[xr.DataArray, str]:
    """Return values over times, slices, channels, rows and columns, and the letters of the dims."""
    letters: dict[str, Hashable] = {}
    for dim in sorted(image.further, key=lambda dim: dim != LABEL):
        is_time = str(dim).lower() in TIMES or image.values[dim].dtype.kind in "mMO"
        first = "C" if dim == LABEL else "T" if is_time else "Z"
        left = [letter for letter in (*first, *"ZTC") if letter not in letters]
        if not left:
            dims = list(map(str, image.further))
            rule = f"an image of ImageJ has at most three dims beside rows and columns, not {dims}"
            raise BadValueError(
                "samples", "to_tiff()", rule, "use to_dataset(), and select entries"
            )
        letters[left[0]] = dim
    order = [letter for letter in "TZC" if letter in letters]
    rows_and_columns = image.values.dims[-2:]
    values = image.values.transpose(*(letters[letter] for letter in order), *rows_and_columns)
    return values, "".join((*order, "YX"))


def _titles(values: xr.DataArray, fitted: Fitted) -> list[str]:
    """Return what ImageJ shows above each plane."""
    names = fitted.partition.label_names()
    parts = [
        names if dim == LABEL else [facet_title(values, {dim: each}) for each in values[dim].values]
        for dim in values.dims[:-2]
    ]
    return [", ".join(each) for each in product(*parts)] if parts else [title(fitted)]


def _colormap(fitted: Fitted, codes: Codes) -> dict[str, Any]:
    """Return the colour of every number; ImageJ has 256 colours, so none of two bytes."""
    if codes.dtype.itemsize > 1:
        return {}
    colors = np.zeros((256, 3), np.uint16)
    colors[: fitted.k] = _rgb(fitted.partition.label_colors())
    colors[codes.unclassified] = _rgb([UNCLASSIFIED_COLOR])
    return {"colormap": colors.T * 257}


def _rgb(colors: Iterable[str]) -> Array:
    """Return red, green and blue of each colour, 0 to 255."""
    return np.array([list(bytes.fromhex(color[1:])) for color in colors]).reshape(-1, 3)


def _of_labels(fitted: Fitted, codes: Codes) -> dict[str, Any]:
    others = [f"{codes.unclassified}: unclassified", f"{codes.no_data}: no data"]
    return {"Info": _info(fitted, others)}


def _of_memberships(fitted: Fitted) -> dict[str, Any]:
    """Describe one channel per label, from black to the colour of the label."""
    ramp = np.linspace(0, 1, 256)[:, None]
    colors = [ramp * rgb for rgb in _rgb(fitted.partition.label_colors())]
    return {
        "mode": "composite" if fitted.k <= MOST_OVERLAID else "color",
        "LUTs": [np.rint(each.T).astype(np.uint8) for each in colors],
        "Ranges": np.tile(
            [0.0, 1.0], fitted.k
        ),  # a list has two meanings among releases of tifffile
        "Info": _info(fitted, ["NaN: no data"]),
    }


def _info(fitted: Fitted, others: Sequence[str]) -> str:
    """Return method, names and colours as the text of Image > Show Info."""
    partition = fitted.partition
    named = zip(partition.label_names(), partition.label_colors(), strict=True)
    labels = [f"{label}: {name} ({color})" for label, (name, color) in enumerate(named)]
    return "\n".join([f"xcluster: {title(fitted)}", *labels, *others])


def _scale(image: Image) -> tuple[tuple[float, float], dict[str, Any]]:
    """Return pixels per unit along columns and rows, and the units and the origin."""
    rows, columns = (_step(image, dim) for dim in image.values.dims[-2:])
    if rows is None or columns is None:
        return (1.0, 1.0), {}
    (height, top, y_unit), (width, left, x_unit) = rows, columns
    said = {"unit": x_unit, "yunit": y_unit if y_unit != x_unit else ""}
    origins = {"xorigin": -left / width, "yorigin": -top / height if height > 0 else 0.0}
    stated = {name: value for name, value in {**said, **origins}.items() if value}
    return (1 / abs(width), 1 / abs(height)), stated


def _step(image: Image, dim: Hashable) -> tuple[float, float, str] | None:
    """Return the step along a dim, its first value and their unit, if pixels have one size."""
    if dim not in image.values.coords or image.values.sizes[dim] < 2:
        return None
    axis = image.values[dim]
    if axis.dtype.kind not in "iuf":
        return None
    at = axis.values.astype(float)
    if not is_even(at):
        warn(f"the image has no pixel size: {str(dim)!r} is not evenly spaced")
        return None
    unit = " ".join(str(axis.attrs.get("units", "")).split())
    step = (at[-1] - at[0]) / (len(at) - 1)
    if unit in METRES and abs(step) * METRES[unit] < 1e-3:  # ImageJ shows six decimals
        at, step, unit = at * METRES[unit] * 1e6, step * METRES[unit] * 1e6, "um"
    return step, at[0], _ascii(UNITS.get(unit, unit))


def _ascii(text: str) -> str:
    """Return text as ImageJ writes it: other characters as their numbers."""
    return "".join(each if each.isascii() else f"\\u{ord(each):04x}" for each in text)


# ------------------------------------------------------------------------------------- its pixels


@dataclass(frozen=True)
class Pixels:
    """The pixels of a file that is not compressed: blocks are written at their places.

    No memory is mapped: on a full disk that would end the process instead of raising an error.

    Parameters
    ----------
    path
        Of the file, which has its final length.
    offset : int
        Where the first pixel lies, in bytes.
    shape : tuple of int
        Of all pixels.
    dtype
        Of one pixel; in the file its first byte is the largest.
    """

    path: Path
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __setitem__(self, places: tuple[slice, ...], block: Array) -> None:
        first = [place.start or 0 for place in places]
        rows = np.ascontiguousarray(block, self.dtype.newbyteorder(">"))
        if block.shape[-1] == self.shape[-1]:  # rows that follow each other are written at once
            rows = rows.reshape(*block.shape[:-2], 1, -1)
        with self.path.open("rb+") as file:
            for place in np.ndindex(rows.shape[:-1]):
                at = np.ravel_multi_index([*np.add(first[:-1], place), first[-1]], self.shape)
                file.seek(self.offset + int(at) * self.dtype.itemsize)
                file.write(rows[place].tobytes())


def _store(pixels: xr.DataArray, into: Pixels, fitted: Fitted) -> None:
    """Write pixels, block by block if they are lazy."""
    if pixels.chunks is None:
        into[(slice(None),) * pixels.ndim] = pixels.values
        return
    from dask.array import store

    into_each: Any = [into]
    layout = None if fitted.samples is None else fitted.samples.layout
    with named_failures(layout, [pixels.data]), joined_threads():
        store(in_one_graph([pixels.data]), into_each, lock=False)
