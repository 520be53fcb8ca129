"""Label maps and memberships as Cloud-Optimised GeoTIFF, for GIS programs."""

from __future__ import annotations

import errno
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import xarray as xr

from xcluster.base.arrays import Array
from xcluster.base.checks import check_choice, check_path
from xcluster.base.errors import BadValueError, FolderError
from xcluster.base.optional import optional
from xcluster.base.palette import UNCLASSIFIED_COLOR
from xcluster.base.parallel import joined_threads
from xcluster.base.version import __version__
from xcluster.blocks.failures import named_failures
from xcluster.blocks.graphs import in_one_graph
from xcluster.export.codes import Codes
from xcluster.export.names import each_in_folder
from xcluster.files.replacing import beside, flush, scratch
from xcluster.fit.fitted import Fitted, need_soft
from xcluster.grid.rasters import Raster, raster_of
from xcluster.plot.flags import UNCLASSIFIED_NAME

SUFFIXES = (".tif", ".tiff")
EXTRA = '"xarray-cluster[geo]"'
TILE = 512
ROWS = 1024
"""Rows of labels in memory that are written at once."""
CACHE = 2**26
"""Bytes that GDAL may keep of what it reads and writes; its own default is a part of the memory."""

COLUMNS = (("Value", 0, 5), ("Class_Name", 2, 2), ("Red", 0, 6), ("Green", 0, 7), ("Blue", 0, 8))
"""Names, types and usages of the columns of a raster attribute table, by the numbers of GDAL."""


def to_raster(fitted: Fitted, path: Any, what: Any, sel: Any) -> None:
    """Write a GeoTIFF; see `Clustering.to_raster`."""
    target = _checked_path(path)
    what = check_choice("what", what, ("labels", "memberships"))
    optional("rasterio", "to_raster()", EXTRA)
    labels, data = fitted.labels, described(fitted)
    raster = raster_of(labels, data, "to_raster()", sel)
    if what == "labels":
        bands = raster.of(Codes(fitted.k)(labels)).expand_dims("band")
    else:
        need_soft(fitted, "to_raster(what='memberships')")
        bands = raster.of(fitted.memberships).astype(np.float32)
    _write(target, bands, raster, fitted)


def scenes_to_raster(scenes: Mapping[str, Fitted], folder: Any, what: Any, sel: Any) -> list[Path]:
    """Write a GeoTIFF of each scene; see `PooledClustering.to_raster`."""
    return each_in_folder(scenes, folder, lambda one, path: to_raster(one, path, what, sel))


def described(fitted: Fitted) -> xr.Dataset:
    """Return the data of a result, which may describe its cells; nothing without them."""
    question = fitted.samples
    data = None if question is None else question.layout.data
    return xr.Dataset() if data is None else data


def _checked_path(path: Any) -> Path:
    target = check_path("path", path)
    if target.suffix.lower() not in SUFFIXES:
        rule = f"must end in {' or '.join(SUFFIXES)}"
        raise BadValueError("path", str(path), rule, f"write {target.stem}.tif")
    if target.is_dir():
        raise FolderError("path", str(path), "is a folder", "choose another name")
    return target


# ---------------------------------------------------------------------------------------- writing


def _write(path: Path, bands: xr.DataArray, raster: Raster, fitted: Fitted) -> None:
    """Write bands block by block to a tiled file, copy it in the order of a COG, and check it."""
    sidecar = path.with_name(f"{path.name}.aux.xml")
    with beside(path) as unfinished, scratch(path) as tiled, _small_cache():
        written = _write_tiled(tiled, bands, raster, fitted)
        _copy(tiled, unfinished, bands.dtype)
        _check(unfinished, written)
        further = _further(unfinished, fitted, bands.dtype)
        flush(unfinished)
        if further:
            with beside(sidecar) as beside_it:
                beside_it.write_bytes(further)
    if not further:
        sidecar.unlink(missing_ok=True)


class _Blocks:
    """Blocks as dask stores them: they are written to a file, with a checksum of each."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.checksums: dict[tuple[tuple[int, int], ...], int] = {}

    def __setitem__(self, where: tuple[slice, ...], block: Array) -> None:
        ranges = tuple((each.start, each.stop) for each in where)
        with _disk_errors():
            self.file.write(block, range(ranges[0][0] + 1, ranges[0][1] + 1), window=ranges[1:])
        self.checksums[ranges] = zlib.crc32(block.tobytes())


def _write_tiled(path: Path, bands: xr.DataArray, raster: Raster, fitted: Fitted) -> dict[Any, int]:
    """Write a tiled file that is not compressed; return the checksum of each block."""
    import rasterio

    count, height, width = bands.shape
    profile = {
        "count": count,
        "height": height,
        "width": width,
        "dtype": bands.dtype.name,
        "tiled": True,
        "blockxsize": TILE,
        "blockysize": TILE,
        "bigtiff": "IF_SAFER",
        "nodata": _nodata(bands.dtype),
        "transform": rasterio.Affine(*raster.transform),
        "crs": None if raster.crs is None else rasterio.CRS.from_wkt(raster.crs.to_wkt()),
    }
    with _disk_errors(), rasterio.open(path, "w", driver="GTiff", **profile) as file:
        _describe(file, fitted)
        blocks = _Blocks(file)
        _store(bands, blocks, fitted)
    return blocks.checksums


def _nodata(kind: np.dtype[Any]) -> float:
    return float("nan") if kind.kind == "f" else int(np.iinfo(kind).max)


def _store(bands: xr.DataArray, blocks: Any, fitted: Fitted) -> None:
    """Compute the blocks and write each when it is ready; a cluster keeps them until then."""
    import dask.array
    from dask.array.core import slices_from_chunks
    from dask.base import get_scheduler

    if bands.chunks is None:
        slabs = bands.chunk({bands.dims[1]: ROWS}).data
        dask.array.store(slabs, blocks, scheduler="synchronous")
        return
    here = get_scheduler() in (None, dask.threaded.get, dask.local.get_sync)
    layout = None if fitted.samples is None else fitted.samples.layout
    (watched,) = in_one_graph([bands.data])
    with named_failures(layout, [bands.data]), joined_threads():
        if here:
            dask.array.store(watched, blocks, lock=Lock())
            return
        kept = watched.persist()
        for where, block in zip(slices_from_chunks(kept.chunks), kept.blocks.ravel(), strict=True):
            blocks[where] = block.compute()


def _describe(file: Any, fitted: Fitted) -> None:
    """Write names, colours, and what two of the values mean."""
    tags = {"software": f"xcluster {__version__}", "method": fitted.method}
    if file.dtypes[0] == "float32":
        file.descriptions = fitted.partition.label_names()
        file.update_tags(**tags, long_name="membership", no_data="nan")
        return
    file.descriptions = ["label"]
    no_data = int(file.nodata)
    file.update_tags(**tags, long_name="label", no_data=no_data, unclassified=no_data - 1)
    file.write_colormap(1, {value: color for value, _, color in _legend(fitted, no_data)})


def _legend(fitted: Fitted, no_data: int) -> list[tuple[int, str, tuple[int, int, int]]]:
    """Return value, name and colour of each label, and of samples without one."""
    partition = fitted.partition
    names = [*partition.label_names(), UNCLASSIFIED_NAME]
    colors = [*partition.label_colors(), UNCLASSIFIED_COLOR]
    values = [*range(fitted.k), no_data - 1]
    parts = [tuple(bytes.fromhex(color.lstrip("#"))) for color in colors]
    return list(zip(values, names, parts, strict=True))  # type: ignore[arg-type]


def _copy(tiled: Path, path: Path, kind: np.dtype[Any]) -> None:
    """Copy a file with overviews and compressed tiles, in the order of a COG."""
    from rasterio import shutil

    resampling, predictor = ("AVERAGE", "YES") if kind.kind == "f" else ("MODE", "NO")
    options = {"compress": "DEFLATE", "blocksize": TILE, "bigtiff": "IF_SAFER"}
    options |= {"overview_resampling": resampling, "predictor": predictor}
    with _disk_errors():
        shutil.copy(tiled, path, driver="COG", **options)


def _check(path: Path, checksums: Mapping[Any, int]) -> None:
    """Read a file again: GDAL does not always say that a disk was full."""
    import rasterio

    with _disk_errors(), rasterio.open(path) as file:
        for (bands, *window), checksum in checksums.items():
            found = file.read(range(bands[0] + 1, bands[1] + 1), window=tuple(window))
            if zlib.crc32(found.tobytes()) != checksum:
                raise OSError(errno.EIO, "the disk does not hold what was written")


def _further(path: Path, fitted: Fitted, kind: np.dtype[Any]) -> bytes:
    """Return what a GeoTIFF cannot hold as the XML of GDAL; nothing if there is nothing."""
    theirs = path.with_name(f"{path.name}.aux.xml")  # such as the CRS of a rotated pole
    root = ET.fromstring(theirs.read_bytes()) if theirs.exists() else ET.Element("PAMDataset")
    theirs.unlink(missing_ok=True)
    if kind.kind == "u":
        band = ET.SubElement(root, "PAMRasterBand", band="1")
        _add_table(band, _legend(fitted, int(np.iinfo(kind).max)))
    # GDAL does not understand it with an XML declaration.
    return ET.tostring(root, encoding="utf-8") if len(root) else b""


def _add_table(band: ET.Element, legend: list[tuple[int, str, tuple[int, int, int]]]) -> None:
    """Add a raster attribute table, which QGIS and ArcGIS read."""
    table = ET.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    for index, column in enumerate(COLUMNS):
        field = ET.SubElement(table, "FieldDefn", index=str(index))
        for tag, text in zip(("Name", "Type", "Usage"), column, strict=True):
            ET.SubElement(field, tag).text = str(text)
    for index, (value, name, color) in enumerate(legend):
        row = ET.SubElement(table, "Row", index=str(index))
        for text in (value, name, *color):
            ET.SubElement(row, "F").text = str(text)


@contextmanager
def _small_cache() -> Iterator[None]:
    """Let GDAL keep little of what it reads and writes, and then as much as before."""
    import rasterio
    from rasterio.env import get_gdal_config, set_gdal_config

    with rasterio.Env():
        before = get_gdal_config("GDAL_CACHEMAX")
        set_gdal_config("GDAL_CACHEMAX", CACHE)
        try:
            yield
        finally:
            set_gdal_config("GDAL_CACHEMAX", before)


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Raise errors of GDAL as those of the disk, which is what it reads and writes here."""
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith("rasterio"):
            raise
        raise OSError(errno.EIO, str(error)) from error
