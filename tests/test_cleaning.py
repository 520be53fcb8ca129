"""Cleaned labels: windows and pieces against plain loops, GDAL and scipy, and all that follows."""

import warnings
from pathlib import Path

import dask
import dask.array
import numpy as np
import pytest
import xarray as xr
from scipy import ndimage
from scipy.sparse.csgraph import connected_components

import xcluster
from xcluster.algorithms.parts.connectivity import grid_connectivity
from xcluster.grid.healpix import healpix_of

DATA = Path(__file__).parents[2] / "shared" / "data"
STEPS = {
    "smooth": lambda fit: fit.smooth(5),
    "sieve": lambda fit: fit.sieve(6),
    "corners": lambda fit: fit.sieve(9, neighbours=8),
    "nearest": lambda fit: fit.sieve(12, into="nearest"),
    "fill": lambda fit: fit.fill(),
    "all": lambda fit: fit.smooth().sieve(8).merge([[0, 3]]).fill(),
}


def speckled(ny=180, nx=200, seed=0, gaps=0.02):
    """One variable in five levels with noise and gaps, on a plane in metres."""
    random = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(random.normal(size=(ny, nx)), 3)
    level = np.digitize(field, np.quantile(field, [0.2, 0.4, 0.6, 0.8])).astype(float)
    noisy = random.random((ny, nx)) < 0.1
    level[noisy] = random.integers(0, 5, noisy.sum())
    level[random.random((ny, nx)) < gaps] = np.nan
    coords = {
        "y": ("y", 30.0 * np.arange(ny), {"units": "m"}),
        "x": ("x", 30.0 * np.arange(nx), {"units": "m"}),
    }
    return xr.Dataset({"level": (("y", "x"), level)}, coords)


@pytest.fixture(scope="module")
def fit():
    """Labels of 36,000 samples in memory."""
    return speckled().cluster.pixels().kmeans(5, order="level", n_init=3)


# ---------------------------------------------------------------------------------- independent


def majority(labels, size, wrap=False):
    """The most frequent label of each window, counted one by one; the own one on a tie."""
    half, out = size // 2, labels.copy()
    width = [(half, half)] * 2
    padded = np.pad(labels, width, constant_values=np.nan)
    if wrap:
        inside = np.pad(labels, [(0, 0), (half, half)], mode="wrap")
        padded = np.pad(inside, [(half, half), (0, 0)], constant_values=np.nan)
    for y, x in np.argwhere(~np.isnan(labels)):
        window = padded[y : y + size, x : x + size]
        values, counts = np.unique(window[~np.isnan(window)], return_counts=True)
        winners = values[counts == counts.max()]
        out[y, x] = winners[0] if len(winners) == 1 else labels[y, x]
    return out


def pieces(labels, corners=False):
    """The number of the piece of each cell, by scipy; 0 where there are no data."""
    structure = np.ones((3, 3)) if corners else None
    out, count = np.zeros(labels.shape, int), 0
    for value in np.unique(labels[~np.isnan(labels)]):
        found, n = ndimage.label(labels == value, structure)
        out[found > 0] = found[found > 0] + count
        count += n
    return out


def touching(piece, corners):
    """The neighbours of each piece, and whether its cells touch."""
    found = {}
    steps = [(0, 1), (1, 0), *([(1, 1), (1, -1)] if corners else [])]
    for dy, dx in steps:
        a = piece[: piece.shape[0] - dy or None, max(-dx, 0) : piece.shape[1] - max(dx, 0)]
        b = piece[dy:, max(dx, 0) : piece.shape[1] + min(dx, 0)]
        for one, other in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True):
            if one and other and one != other:
                found.setdefault(one, set()).add(other)
                found.setdefault(other, set()).add(one)
    return found


def sieve_by_loops(labels, least, corners=False):
    """The documented rule, one piece after the other, on a map whose pieces are found anew."""
    labels = labels.copy()
    piece = pieces(labels, corners)
    size, beside = np.bincount(piece.ravel()), touching(piece, corners)
    first = {number: at for at, number in reversed(list(enumerate(piece.ravel().tolist())))}

    def wanted(of, size, first):
        return min(of, key=lambda other: (-size[other], first[other]))

    new = labels.copy()
    for small in beside:
        seen, at = set(), small
        while size[at] < least and at not in seen and at in beside:
            seen.add(at)
            at = wanted(beside[at], size, first)
        if size[at] >= least:
            new[piece == small] = labels[piece == at][0]
    labels = new
    while True:
        piece = pieces(labels, corners)
        size, beside = np.bincount(piece.ravel()), touching(piece, corners)
        first = {number: at for at, number in reversed(list(enumerate(piece.ravel().tolist())))}
        small = [number for number in beside if size[number] < least]
        if not small:
            return labels
        least_one = min(small, key=lambda number: (size[number], first[number]))
        labels[piece == least_one] = labels[piece == wanted(beside[least_one], size, first)][0]


def same(ours, expected):
    np.testing.assert_array_equal(getattr(ours, "values", ours), expected)


# -------------------------------------------------------------------------------------- windows


@pytest.mark.parametrize("size", [3, 7])
def test_each_sample_gets_the_most_frequent_label_of_its_window(fit, size):
    part = fit.labels.values[:60, :70]
    small = speckled().isel(y=slice(60), x=slice(70))
    ours = small.cluster.pixels().kmeans(5, order="level", n_init=3)
    same(ours.labels, part)
    same(ours.smooth(size).labels, majority(part, size))


def test_windows_go_round_the_globe_and_unclassified_samples_vote():
    ds = xcluster.datasets.ocean().isel(latitude=slice(10, 80, 2), longitude=slice(None, None, 2))
    fit = ds.cluster.pixels(vars=["sst", "wind_speed"]).gmm(4, n_init=2).threshold(0.7)
    assert (fit.labels == -1).any()
    same(fit.smooth(5).labels, majority(fit.labels.values, 5, wrap=True))
    half = ds.isel(longitude=slice(0, 40)).cluster.pixels(vars=["sst", "wind_speed"]).kmeans(4)
    same(half.smooth(5).labels, majority(half.labels.values, 5))


def test_memberships_are_averaged_over_the_window():
    ds = speckled(60, 70)
    fit = ds.assign(other=ds.level**2).cluster.pixels().fuzzy(3, n_init=2)
    P = fit.memberships.transpose("y", "x", "label").values.astype(float)
    padded = np.pad(P, [(2, 2), (2, 2), (0, 0)], constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(0, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        mean = np.nanmean(windows, axis=(3, 4))
    known = fit.labels.notnull().values
    smooth = fit.smooth(5, by="memberships")
    same(smooth.labels.values[known], mean[known].argmax(axis=-1))
    assert np.isnan(smooth.labels.values[~known]).all()
    floor = fit.threshold(0.6).smooth(5, by="memberships").labels.values[known]
    np.testing.assert_array_equal(floor == -1, mean[known].max(axis=-1) <= 0.6)


def test_other_dims_are_never_mixed():
    parts = [speckled(40, 50, seed) for seed in range(3)]
    ds = xr.concat(parts, "time").transpose("y", "time", "x")
    fit = ds.cluster.pixels().kmeans(5, order="level", n_init=3)
    for step in ("smooth", "sieve", "fill", "nearest"):
        whole = STEPS[step](fit).labels
        alone = [
            STEPS[step](each.cluster.pixels().kmeans(5, order="level", n_init=3)).labels
            for each in parts
        ]
        for i, each in enumerate(alone):
            same(whole.isel(time=i).transpose("y", "x"), each.values)


# --------------------------------------------------------------------------------------- pieces


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("least", [3, 8, 60])
def test_small_pieces_are_joined_by_the_documented_rule(corners, least):
    ds = speckled(40, 50, seed=least)
    fit = ds.cluster.pixels().kmeans(5, order="level", n_init=3)
    ours = fit.sieve(least, neighbours=8 if corners else 4).labels
    same(ours, sieve_by_loops(fit.labels.values, least, corners))
    assert not np.array_equal(ours.values, fit.labels.values, equal_nan=True)


@pytest.mark.parametrize("neighbours", [4, 8])
def test_pixels_are_those_of_gdal_where_it_leaves_no_small_piece(fit, neighbours):
    features = pytest.importorskip("rasterio.features")
    labels, least = fit.labels.values, 8
    known = ~np.isnan(labels)
    whole = np.where(known, labels, 99).astype(np.int16)
    theirs = features.sieve(whole, least, mask=known, connectivity=neighbours).astype(float)
    theirs[~known] = np.nan
    left = np.bincount(pieces(theirs, neighbours == 8).ravel())
    small = np.isin(pieces(theirs, neighbours == 8), np.flatnonzero(left < least)) & known
    piece = pieces(labels, neighbours == 8)
    size, beside = np.bincount(piece.ravel()), touching(piece, neighbours == 8)
    largest = {
        at: sorted((size[each] for each in of), reverse=True)[:2] for at, of in beside.items()
    }
    tied = [
        at for at, of in largest.items() if size[at] < least and len(of) > 1 and len(set(of)) < 2
    ]
    unsettled = ndimage.binary_dilation(small | np.isin(piece, tied), np.ones((3, 3)), 2 * least)
    settled = known & ~unsettled
    ours = fit.sieve(least, neighbours=neighbours).labels.values
    assert settled.sum() > 1000
    np.testing.assert_array_equal(ours[settled], theirs[settled])


@pytest.mark.parametrize("chunks", [None, {"y": 5}])
def test_a_line_has_neighbours_on_two_sides(chunks):
    values = [0, 0, 1, 0, 0, 0, np.nan, 0, 2, 2, 2, 0, 2, 2, 1, 1.0]
    line = xr.DataArray(values, {"y": ("y", np.arange(16.0), {"units": "m"})}, ("y",), name="v")
    line = line if chunks is None else line.chunk(chunks)
    fit = line.cluster.pixels().kmeans(3, order="v")
    same(fit.smooth().labels, [0, 0, 0, 0, 0, 0, np.nan, 0, 2, 2, 2, 2, 2, 2, 1, 1])
    same(fit.sieve(2).labels, [0, 0, 0, 0, 0, 0, np.nan, 2, 2, 2, 2, 2, 2, 2, 1, 1])
    same(fit.fill().labels, np.nan_to_num(values))


def test_a_piece_over_the_seam_of_the_globe_is_one(fit):
    labels = np.zeros((8, 12))
    labels[3, [0, 1, 11]] = 1  # three cells over the seam
    labels[6, 3:5] = 1
    coords = {"lat": np.linspace(-70, 70, 8), "lon": np.arange(0, 360, 30.0)}
    image = xr.DataArray(labels, coords, ("lat", "lon"), name="v")
    ours = image.cluster.pixels().kmeans(2).sieve(3).labels.values
    assert ours[3].tolist() == labels[3].tolist()
    assert (ours[6] == 0).all()


def test_areas_decide_where_cells_differ():
    """One cell at the equator is larger than three near the pole."""
    labels = np.zeros((18, 36))
    labels[0, 4:7], labels[9, 20] = 1, 1
    coords = {"lat": np.arange(-85, 90, 10.0), "lon": np.arange(5, 360, 10.0)}
    fit = xr.DataArray(labels, coords, ("lat", "lon"), name="v").cluster.pixels().kmeans(2)
    area = 6371.0088**2 * np.deg2rad(10) * np.diff(np.sin(np.deg2rad(np.arange(-90, 91, 10))))
    assert 3 * area[0] < area[9]
    ours = fit.sieve(min_area=f"{area[9]} km2").labels.values
    assert ours[9, 20] == 1
    assert (ours[0] == 0).all()
    assert (fit.sieve(min_area=f"{1.01e6 * area[9]} m2").labels == 0).all()


def test_cells_without_coordinates_have_no_area():
    """Half of a piece lies where a curvilinear grid states no places."""
    y, x = np.meshgrid(np.arange(0.0, 12), np.arange(0.0, 14), indexing="ij")
    values = np.zeros((12, 14))
    values[3:5, 3:7] = 1
    y[0, 0] = x[0, 0] = np.nan
    coords = {"lat": (("j", "i"), y), "lon": (("j", "i"), x)}
    fit = xr.DataArray(values, coords, ("j", "i"), name="v").cluster.pixels().kmeans(2)
    area = fit.report().area_km2
    same(fit.sieve(min_area=f"{0.99 * area[1]} km2").labels, values)
    same(fit.sieve(min_area=f"{1.01 * area[1]} km2").labels, 0 * values)


def test_the_nearest_neighbour_is_that_of_features():
    """A piece between a large label far away and a small one nearby."""
    values = np.zeros((9, 12))
    values[:, 8:] = 10.0
    values[4, 7] = 8.0
    values[0, :2] = 8.0  # so that there are three labels
    image = xr.DataArray(values, dims=("y", "x"), name="v")
    fit = image.cluster.pixels().kmeans(3, order="v")
    assert float(fit.sieve(2).labels[4, 7]) == 0
    assert float(fit.sieve(2, into="nearest").labels[4, 7]) == 2


def test_holes_are_those_of_scipy(fit):
    filled = fit.fill().labels.values
    expected = fit.labels.values.copy()
    holes, _ = ndimage.label(np.isnan(expected))
    for number, where in enumerate(ndimage.find_objects(holes), 1):
        hole = np.pad(holes[where] == number, 1)
        y, x = (slice(each.start - 1, each.stop + 1) for each in where)
        if min(y.start, x.start) < 0 or y.stop > 180 or x.stop > 200:
            continue
        ring = ndimage.binary_dilation(hole) & ~hole
        around = np.unique(fit.labels.values[y, x][ring])
        if len(around) == 1:
            expected[y, x][hole] = around[0]
    assert np.isnan(fit.labels.values).sum() > np.isnan(expected).sum() > 0
    same(filled, expected)


# ------------------------------------------------------------------------------- other neighbours


def test_a_stacked_grid_and_shuffled_coordinates_are_cleaned_like_the_grid():
    ds = speckled(40, 50)
    plain = ds.cluster.pixels().kmeans(5, order="level", n_init=3)
    order = np.random.default_rng(0).permutation(50)
    stacked = ds.stack(cell=("y", "x")).cluster.pixels().kmeans(5, order="level", n_init=3)
    lazy = ds.stack(cell=("y", "x")).chunk(cell=300).cluster.pixels()
    lazy = lazy.kmeans(5, order="level", n_init=3)
    shuffled = ds.isel(x=order).cluster.pixels().kmeans(5, order="level", n_init=3)
    for step in ("smooth", "sieve", "nearest", "fill"):
        expected = STEPS[step](plain).labels.values
        same(STEPS[step](stacked).labels.unstack("cell"), expected)
        assert STEPS[step](lazy).labels.chunks == lazy.labels.chunks
        same(STEPS[step](lazy).labels.compute().unstack("cell"), expected)
        same(STEPS[step](shuffled).labels.isel(x=np.argsort(order)), expected)


def test_cells_of_healpix_have_the_neighbours_of_the_sphere():
    pytest.importorskip("cdshealpix")
    random = np.random.default_rng(0)
    n = 12 * 8**2
    attrs = {"grid_mapping_name": "healpix", "refinement_level": 3, "indexing_scheme": "nested"}
    values = (np.arange(n) // 96 % 3).astype(float)
    values[random.random(n) < 0.1] = 2.0
    ds = xr.Dataset({"v": ("cell", values), "crs": ((), 0, attrs)}).assign_coords(
        cell=("cell", np.arange(n))
    )
    ds.v.attrs["grid_mapping"] = "crs"
    fit = ds.cluster.pixels(["v"]).kmeans(3, order="v")
    pairs = healpix_of(["cell"], ds).pairs()
    same_label = pairs[values[pairs[:, 0]] == values[pairs[:, 1]]]
    graph = np.zeros((n, n), bool)
    graph[tuple(same_label.T)] = True
    _, piece = connected_components(graph, directed=False)
    sizes = np.bincount(piece)[piece]
    ours = fit.sieve(5).labels.values
    assert (sizes < 5).any()
    np.testing.assert_array_equal(ours[sizes >= 5], values[sizes >= 5])
    kept = ours[pairs]
    again = np.zeros((n, n), bool)
    again[tuple(pairs[kept[:, 0] == kept[:, 1]].T)] = True
    _, piece = connected_components(again, directed=False)
    assert np.bincount(piece).min() >= 5
    assert fit.smooth().labels.notnull().all()


def test_a_graph_of_the_user_is_kept_to():
    ds = speckled(20, 30, gaps=0).isel(y=slice(None))
    flat = ds.stack(sample=("y", "x")).reset_index("sample").drop_vars(["y", "x"])
    graph = grid_connectivity((20, 30))
    fit = flat.cluster.pixels().hac(12, contiguous=graph)
    grid = fit.labels.values.reshape(20, 30)
    same(fit.sieve(8).labels.values.reshape(20, 30), sieve_by_loops(grid, 8))


# ------------------------------------------------------------------------------------ laziness


@pytest.mark.parametrize("step", STEPS)
def test_no_chunks_change_a_cleaned_label(fit, step):
    random, expected = np.random.default_rng(1), STEPS[step](fit).labels.values
    for _ in range(3):
        cut = {"y": int(random.integers(25, 180)), "x": int(random.integers(25, 200))}
        chunked = speckled().chunk(cut).cluster.pixels().kmeans(5, order="level", n_init=3)
        ours = STEPS[step](chunked).labels
        assert ours.chunks == chunked.labels.chunks
        same(ours.compute(), expected)
    turned = speckled().isel(y=slice(None, None, -1)).transpose("x", "y").chunk(x=70)
    ours = STEPS[step](turned.cluster.pixels().kmeans(5, order="level", n_init=3)).labels
    same(ours.sortby("y").transpose("y", "x").compute(), expected)


def test_nothing_is_computed_before_labels_are_wanted(computes):
    fit = speckled().chunk(y=60, x=50).cluster.pixels().kmeans(5, n_init=3)
    before = computes()
    cleaned = fit.smooth().sieve(8).fill()
    assert cleaned.labels.chunks == fit.labels.chunks
    repr(cleaned)
    assert computes() == before


def test_a_sieve_reads_each_block_twice_and_keeps_none():
    reads = []

    def read(block):
        reads.append(block.shape)
        return block

    ds = speckled()
    with dask.config.set(scheduler="synchronous"):
        lazy = ds.chunk(y=60, x=50)
        lazy["level"] = lazy.level.copy(data=lazy.level.data.map_blocks(read, dtype=float))
        fit = lazy.cluster.pixels().kmeans(5, n_init=3)
        labels = fit.sieve(8).labels
        reads.clear()
        labels.compute()
    assert len(reads) == 2 * 3 * 4


def test_graphs_grow_with_the_number_of_blocks():
    sizes = []
    for n in (10, 20):
        ds = xr.Dataset({"v": (("y", "x"), dask.array.zeros((10 * n, 100), chunks=(10, 10)))})
        sizes.append(len(dict(ds.cluster.pixels().kmeans(1).sieve(3).labels.data.dask)))
    assert sizes[1] < 2.2 * sizes[0]


# ------------------------------------------------------------------------------- what follows


def test_all_that_is_seen_afterwards_are_the_new_labels(fit):
    cleaned = fit.smooth(5).sieve(20)
    data = speckled()
    by_label = data.level.groupby(cleaned.labels)
    assert not cleaned.labels.equals(fit.labels)
    same(cleaned.report().samples, by_label.count().values)
    np.testing.assert_allclose(cleaned.centers.level, by_label.mean(), rtol=1e-12)
    np.testing.assert_allclose(cleaned.back_projection().level, by_label.mean(), rtol=1e-12)
    same(cleaned.members(2).level.count(), by_label.count()[2].item())
    same(cleaned.mask(1), (cleaned.labels == 1).values)
    same(cleaned.to_dataframe().label.value_counts().sort_index(), by_label.count().values)
    same(cleaned.predict(data), fit.labels.values)
    assert cleaned.distances.equals(fit.distances)
    assert "smooth(size=5), sieve(min_size=20)" in repr(cleaned)
    merged = cleaned.merge([[0, 1]])
    same(merged.labels, np.maximum(cleaned.labels - 1, 0).values)
    weights = cleaned.report().samples
    together = np.average(cleaned.centers.level[:2], weights=weights[:2])
    assert float(merged.centers.level[0]) == pytest.approx(together, rel=1e-12)


def test_thresholds_and_merges_keep_their_place_among_the_steps():
    ds = speckled(60, 70)
    fit = ds.assign(other=ds.level**2).cluster.pixels().fuzzy(4, n_init=2)
    first = fit.threshold(0.75).smooth(5)
    same(first.labels, majority(fit.threshold(0.75).labels.values, 5))
    last = fit.smooth(5).threshold(0.75)
    unclear = (fit.memberships.max("label") <= 0.75) & fit.labels.notnull()
    same(last.labels, fit.smooth(5).labels.where(~unclear, -1.0).values)
    same(last.predict(fit.samples.data), fit.threshold(0.75).labels.values)
    assert last.report().loc[-1, "name"] == "unclassified"
    merged = fit.smooth(5).merge([[0, 1]]).threshold(0.75)
    sums = fit.merge([[0, 1]]).memberships
    assert merged.memberships.equals(sums)
    same((merged.labels == -1), ((sums.max("label") <= 0.75) & fit.labels.notnull()).values)
    table = first.report()
    own = fit.memberships.where(fit.memberships.label == first.labels)
    expected = own.mean(["y", "x"]).values
    np.testing.assert_allclose(table.membership[table.index >= 0], expected, rtol=1e-6)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_files_keep_cleaned_labels_and_their_steps(fit, tmp_path, suffix):
    cleaned = fit.smooth(5).merge([[0, 4]]).sieve(20)
    cleaned.save(tmp_path / f"fit{suffix}")
    alone = xcluster.open(tmp_path / f"fit{suffix}")
    whole = xcluster.open(tmp_path / f"fit{suffix}", data=speckled())
    for again in (alone, whole):
        same(again.labels, cleaned.labels.values)
        np.testing.assert_allclose(again.centers.level, cleaned.centers.level, rtol=1e-12)
        assert again.labels.attrs.keys() == cleaned.labels.attrs.keys()
        assert repr(again).splitlines()[0] == repr(cleaned).splitlines()[0]
        same(again.predict(speckled()), fit.merge([[0, 4]]).labels.values)
        merged = again.merge([[0, 1]])
        same(merged.labels, cleaned.merge([[0, 1]]).labels.values)
        expected = cleaned.merge([[0, 1]]).centers.level
        np.testing.assert_allclose(merged.centers.level, expected, rtol=1e-9)
    alone.save(tmp_path / f"again{suffix}")
    same(xcluster.open(tmp_path / f"again{suffix}").labels, cleaned.labels.values)
    same(alone.smooth(3).labels, cleaned.smooth(3).labels.values)


@pytest.mark.parametrize("with_data", [False, True])
def test_scenes_are_cleaned_one_by_one_and_counted_together(tmp_path, with_data):
    scenes = {"a": speckled(40, 50, 1), "b": speckled(60, 30, 2)}
    pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels()).kmeans(5, n_init=3)
    cleaned = pooled.smooth(5).sieve(9)
    for name in scenes:
        same(cleaned[name].labels, pooled[name].smooth(5).sieve(9).labels.values)
    values = xr.concat([scenes[name].level.stack(at=("y", "x")) for name in scenes], "at")
    labels = xr.concat([cleaned[name].labels.stack(at=("y", "x")) for name in scenes], "at")
    mean = values.groupby(labels.drop_vars(["at", "y", "x"])).mean()
    np.testing.assert_allclose(cleaned.centers.level, mean, rtol=1e-12)
    np.testing.assert_allclose(cleaned["a"].centers.level, mean, rtol=1e-12)
    np.testing.assert_allclose(cleaned.back_projection().level, mean, rtol=1e-12)
    cleaned.save(tmp_path / "pooled.nc")
    again = xcluster.open(tmp_path / "pooled.nc", data=scenes if with_data else None)
    for name in scenes:
        same(again[name].labels, cleaned[name].labels.values)
        merged = again.merge([[0, 1]])[name].labels
        same(merged, cleaned.merge([[0, 1]])[name].labels.values)
    np.testing.assert_allclose(again.centers.level, mean, rtol=1e-12)
    expected = cleaned.merge([[0, 1]]).centers.level
    np.testing.assert_allclose(again.merge([[0, 1]]).centers.level, expected, rtol=1e-9)
    assert repr(again).splitlines()[0] == repr(cleaned).splitlines()[0]


# -------------------------------------------------------------------------------------- refusals


def test_samples_without_neighbours_are_refused_at_once():
    days = xr.DataArray(np.eye(9)[:, :4], dims=("time", "x"), name="v")
    with pytest.raises(ValueError, match="needs neighbours in space"):
        days.cluster.snapshots("time").kmeans(2).smooth()
    line = xr.DataArray([0.0, 0.0, 1.0, 1.0, 5.0], dims="point", name="v").to_dataset()
    for call in STEPS.values():
        with pytest.raises(ValueError, match="no coordinate along it says which are neighbours"):
            call(line.cluster.pixels().kmeans(2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda fit: fit.smooth(4), "size=4: must be odd.*size=5"),
        (lambda fit: fit.smooth(1), "size=1"),
        (lambda fit: fit.smooth(by="mode"), "by='mode'"),
        (lambda fit: fit.smooth(by="memberships"), "gives none"),
        (lambda fit: fit.sieve(), "either min_size"),
        (lambda fit: fit.sieve(5, min_area="1 km2"), "either min_size"),
        (lambda fit: fit.sieve(1), "min_size=1"),
        (lambda fit: fit.sieve(min_area="5"), "a number above 0 and its unit"),
        (lambda fit: fit.sieve(min_area="-5 km2"), "a number above 0 and its unit"),
        (lambda fit: fit.sieve(min_area="5 parsec2"), "unit of area"),
        (lambda fit: fit.sieve(min_area=5), "must be text"),
        (lambda fit: fit.sieve(5, neighbours=6), "neighbours=6"),
        (lambda fit: fit.sieve(5, into="smallest"), "into='smallest'"),
    ],
)
def test_wrong_values_are_refused(fit, call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call(fit)


def test_areas_that_are_not_known_are_refused():
    image = speckled(20, 30).drop_vars(["x", "y"])
    with pytest.raises(ValueError, match="area of each sample"):
        image.cluster.pixels().kmeans(3).sieve(min_area="1 km2")


def test_steps_out_of_order_are_refused(tmp_path):
    ds = speckled(20, 30).assign(other=lambda each: each.level**2)
    soft = ds.cluster.pixels().fuzzy(3, n_init=1)
    with pytest.raises(ValueError, match="Make it the first step"):
        soft.sieve(5).smooth(by="memberships")
    with pytest.raises(ValueError, match="Cut the tree first"):
        ds.cluster.pixels().hac(4).smooth().cut(3)
    soft.save(tmp_path / "soft.nc")
    with pytest.raises(ValueError, match="original values"):
        xcluster.open(tmp_path / "soft.nc").sieve(5, into="nearest")


def test_axes_of_three_dims_have_windows_and_pieces_in_all_of_them():
    random = np.random.default_rng(3)
    labels = (random.random((8, 9, 10)) < 0.3).astype(float)
    fit = xr.DataArray(labels, dims=("z", "y", "x"), name="v").cluster.pixels().kmeans(2, order="v")
    votes = ndimage.convolve(labels, np.ones((3, 3, 3)), mode="constant")
    voters = ndimage.convolve(np.ones_like(labels), np.ones((3, 3, 3)), mode="constant")
    expected = np.where(2 * votes == voters, labels, 2 * votes > voters)
    same(fit.smooth().labels, expected)
    ours = fit.sieve(6).labels.values
    for value in (0, 1):
        found, n = ndimage.label(ours == value)
        assert n == 0 or np.bincount(found.ravel())[1:].min() >= 6
