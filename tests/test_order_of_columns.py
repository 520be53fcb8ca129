"""The order of variables and of features plays no part, except to what reads it."""

import numpy as np
import pytest
import xarray as xr
from sklearn.cluster import KMeans as TheirKMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

import xcluster
from xcluster.algorithms.warping import WarpingKMeans
from xcluster.blocks import rows
from xcluster.files import integrity, manifest, storage
from xcluster.fit import fitting

NAMES = ["sst", "chl", "wind", "par", "ice"]
BANDS = [665, 443, 865, 560, 490]
SIZES = {"y": 180, "x": 200}
CHUNKS = {"y": 37, "x": 71}


def noise():
    """36,000 pixels of positive noise in which sums of other orders change labels."""
    values = np.random.default_rng(7).gamma(3, size=(*SIZES.values(), len(NAMES)))
    return values.astype(np.float32) * np.array([1, 3, 0.5, 2, 7], np.float32)


def variables():
    values = noise()
    return xr.Dataset({name: (("y", "x"), values[..., i]) for i, name in enumerate(NAMES)})


def bands():
    coords = {"band": BANDS, **{dim: np.arange(size) for dim, size in SIZES.items()}}
    return xr.DataArray(noise(), coords, ("y", "x", "band"), name="radiance")


def by_name(ds, ask):
    """What ``ask`` says of variables in the order of the data and backwards."""
    return [ask(ds.cluster.pixels(vars=names)) for names in (NAMES, NAMES[::-1])]


def by_band(da, ask):
    """What ``ask`` says of bands as they lie, by rising coordinate, and in a third order."""
    orders = (BANDS, sorted(BANDS), [560, 865, 443, 490, 665])
    return [ask(da.sel(band=bands).cluster.pixels(dim="band")) for bands in orders]


CHAINS = {
    "kmeans": lambda s: s.kmeans(8, n_init=2),
    "mixture": lambda s: s.gmm(4, n_init=1, max_iter=20),
    "mixture of diagonals": lambda s: s.gmm(4, covariance_type="diag", n_init=1, max_iter=20),
    "ward": lambda s: s.hac(6, fit_on=1_000),
    "fuzzy": lambda s: s.fuzzy(5, n_init=1, max_iter=20),
    "gustafson-kessel": lambda s: s.fuzzy(3, shape="gustafson-kessel", n_init=1, max_iter=10),
    "som": lambda s: s.som((3, 4)),
    "online som": lambda s: s.som((3, 3), training="online", n_iter=9_000),
    "density": lambda s: s.hdbscan(20, fit_on=2_000),
    "scale, pca": lambda s: s.scale("robust").pca(3).kmeans(6, n_init=2),
    "one scale": lambda s: s.scale("standard", over="all").pca(2).gmm(3, n_init=1, max_iter=20),
    "parts": lambda s: s.nmf(2).kmeans(5, n_init=2),
    "latent": lambda s: s.vae(2, epochs=1, device="cpu").kmeans(4, n_init=2, fit_on=5_000),
    "closed": lambda s: s.scale("clr").kmeans(5, n_init=2),
}


@pytest.mark.large
@pytest.mark.filterwarnings("ignore::UserWarning")  # fits are stopped early
@pytest.mark.parametrize("chunks", [None, CHUNKS], ids=["in memory", "chunked"])
@pytest.mark.parametrize("chain", CHAINS)
def test_labels_do_not_depend_on_the_order_of_variables_or_bands(chain, chunks):
    for data, ask_each in ((variables(), by_name), (bands(), by_band)):
        first, *others = ask_each(data if chunks is None else data.chunk(chunks), CHAINS[chain])
        for other in others:
            np.testing.assert_array_equal(other.labels, first.labels)
            found = other.centers.sel({"band": BANDS} if "band" in first.centers.dims else {})
            xr.testing.assert_equal(found, first.centers)


STREAMED = {
    "kmeans": lambda s: s.kmeans(8, n_init=2, fit_on="all"),
    "mixture": lambda s: s.gmm(4, n_init=1, max_iter=20, fit_on="all"),
    "fuzzy": lambda s: s.fuzzy(5, n_init=1, max_iter=20, fit_on="all"),
    "pca": lambda s: s.scale("standard").pca(3).kmeans(6, n_init=2, fit_on="all"),
}


@pytest.mark.large
@pytest.mark.filterwarnings("ignore::UserWarning")  # fits are stopped early
@pytest.mark.parametrize("chain", STREAMED)
def test_streamed_fits_do_not_depend_on_the_order_either(monkeypatch, chain):
    monkeypatch.setattr(fitting, "ALL_POINTS", 30_000)
    monkeypatch.setattr(fitting, "SAMPLE_ROWS", 10_000)
    for data, ask_each in ((variables(), by_name), (bands(), by_band)):
        first, *others = ask_each(data.chunk(CHUNKS), STREAMED[chain])
        assert first.record.fit_on == "all rows, streamed"
        for other in others:
            np.testing.assert_array_equal(other.labels, first.labels)


@pytest.mark.parametrize("chunked", [False, True])
def test_rows_are_the_same_bits(chunked):
    for data, ask_each in ((variables(), by_name), (bands(), by_band)):
        layouts = ask_each(data.chunk(CHUNKS) if chunked else data, lambda samples: samples.layout)
        first, *others = (rows.gather(layout).X for layout in layouts)
        assert len(first) == 36_000
        for other in others:
            np.testing.assert_array_equal(other, first)


def test_columns_are_variables_by_name_then_features_by_coordinate():
    ds = variables().assign(radiance=bands())
    samples = ds.cluster.pixels(vars=["wind", "radiance", "chl"], dim="band")
    expected = [ds.chl, *(ds.radiance.sel(band=band) for band in sorted(BANDS)), ds.wind]
    found = rows.gather(samples.layout).X
    np.testing.assert_array_equal(
        found, np.column_stack([each.values.ravel() for each in expected])
    )


def test_dims_without_a_unique_index_keep_their_order():
    da = bands().isel(y=slice(3))
    for moved in (
        da.drop_vars("band"),
        da.assign_coords(band=[3, 1, 2, 3, 0]),
        da.assign_coords(band=np.array([3, "b", 2, "a", 0], object)),
    ):
        found = rows.gather(moved.cluster.pixels(dim="band").layout).X
        np.testing.assert_array_equal(found, moved.values.reshape(-1, 5))


def test_names_of_several_types_have_an_order():
    ds = xr.Dataset({1: ("x", [1.0]), "1": ("x", [2.0]), ("a", 2): ("x", [3.0]), "a": ("x", [4.0])})
    for names in ([1, "1", ("a", 2), "a"], ["a", ("a", 2), "1", 1]):
        found = rows.gather(ds.cluster.pixels(vars=names).layout).X
        np.testing.assert_array_equal(found, [[3.0, 1.0, 2.0, 4.0]])


# --------------------------------------------------------------------- what a user gives and sees


def start(n_labels=6):
    """Rows to start from, over NAMES or BANDS."""
    return np.unique(noise().reshape(-1, len(NAMES)), axis=0)[:: 36_000 // n_labels][:n_labels]


STARTS = {
    "kmeans": lambda s, init: s.scale(None).kmeans(6, init=init),
    "fuzzy": lambda s, init: s.scale(None).fuzzy(6, init=init, max_iter=15),
    "mixture": lambda s, init: s.scale(None).gmm(6, means_init=init, max_iter=15),
}


@pytest.mark.filterwarnings("ignore::UserWarning")  # fits are stopped early
@pytest.mark.parametrize("method", STARTS)
def test_starts_are_given_in_the_users_order_and_centres_come_back_in_it(method):
    ask, da, ds = STARTS[method], bands(), variables()
    order = [3, 0, 4, 1, 2]
    ours = ask(da.cluster.pixels(dim="band"), start())
    theirs = ask(da.isel(band=order).cluster.pixels(dim="band"), start()[:, order])
    np.testing.assert_array_equal(theirs.labels, ours.labels)
    np.testing.assert_array_equal(theirs.centers.radiance.band, np.array(BANDS)[order])
    xr.testing.assert_equal(theirs.centers.sel(band=BANDS), ours.centers)
    ours = ask(ds.cluster.pixels(vars=NAMES), start())
    theirs = ask(ds.cluster.pixels(vars=NAMES[::-1]), start()[:, ::-1])
    np.testing.assert_array_equal(theirs.labels, ours.labels)
    assert list(theirs.centers) == NAMES[::-1]


def test_the_users_start_is_where_k_means_begins():
    fit = bands().cluster.pixels(dim="band").kmeans(6, init=start(), max_iter=1)
    expected = TheirKMeans(6, init=start(), n_init=1, max_iter=1).fit(noise().reshape(-1, 5))
    found = fit.prototypes.radiance.values
    distance = np.linalg.norm(found[:, None] - expected.cluster_centers_, axis=2)
    assert distance.min(axis=1).max() < 1e-4


def test_a_start_behind_a_reduction_is_of_components():
    samples = [
        da.cluster.pixels(dim="band").pca(2) for da in (bands(), bands().sel(band=BANDS[::-1]))
    ]
    init = np.array([[-5.0, 0], [5.0, 1], [0, 5.0]])
    fits = [each.kmeans(3, init=init) for each in samples]
    np.testing.assert_array_equal(fits[0].labels, fits[1].labels)


def precisions_of(covariance_type, order=slice(None)):
    random = np.random.default_rng(3)
    roots = random.normal(size=(3, 5, 5))
    full = np.linalg.inv(roots @ roots.transpose(0, 2, 1) + np.eye(5))
    diag = random.uniform(0.1, 2, size=(3, 5))
    return {
        "full": full[:, order][:, :, order],
        "tied": full[0][order][:, order],
        "diag": diag[:, order],
        "spherical": diag[:, 0],
    }[covariance_type]


@pytest.mark.filterwarnings("ignore::UserWarning")  # fits are stopped early
@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_precisions_are_given_in_the_users_order(kind):
    order, means = [3, 0, 4, 1, 2], start(3)

    def fit(da, means, precisions):
        samples = da.cluster.pixels(dim="band").scale(None)
        given = {"means_init": means, "precisions_init": precisions, "max_iter": 3}
        return samples.gmm(3, covariance_type=kind, **given)

    ours = fit(bands(), means, precisions_of(kind))
    theirs = fit(bands().isel(band=order), means[:, order], precisions_of(kind, order))
    np.testing.assert_array_equal(theirs.labels, ours.labels)


def test_a_wrong_start_is_refused_as_before():
    samples = bands().isel(y=slice(5)).cluster.pixels(dim="band")
    with pytest.raises(ValueError, match=r"init=.*centres of shape \(2, 5\)"):
        samples.kmeans(2, init=np.ones((2, 4)))
    with pytest.raises(TypeError, match=r"init=.*must be finite numbers"):
        samples.kmeans(2, init=[[1, 2, 3, 4, 5], [1, 2]])


def test_features_tables_and_correlations_keep_the_users_order():
    names, bands_as_given = ["wind", "chl", "ice"], ["radiance 665", "radiance 443"]
    ds = variables().isel(y=slice(2), x=slice(9))
    fit = ds.cluster.pixels(vars=names).scale(None).kmeans(2)
    assert fit.features.feature.values.tolist() == list(fit.centers) == names
    expected = np.stack([ds[name] for name in names])
    np.testing.assert_array_equal(fit.features, expected)
    frame = fit.to_dataframe()
    assert [each for each in frame if each in names] == names
    np.testing.assert_array_equal(frame[names].to_numpy(), expected.reshape(3, -1).T)
    assert list(fit.members(0)) == names
    assert "features  3: wind, chl, ice" in " ".join(repr(fit).split("\n")).replace("  ", "  ")
    da = bands().isel(y=slice(2), x=slice(9))
    samples = da.cluster.pixels(dim="band")
    assert samples.correlation().feature.values.tolist()[:2] == bands_as_given
    np.testing.assert_allclose(
        samples.correlation(), np.corrcoef(da.values.reshape(-1, 5).T), rtol=1e-6, atol=1e-6
    )
    np.testing.assert_array_equal(samples.transform(), da.transpose("band", "y", "x"))
    loadings = samples.pca(2).loadings().radiance
    np.testing.assert_array_equal(loadings.band, BANDS)
    again = da.sel(band=sorted(BANDS)).cluster.pixels(dim="band").pca(2).loadings()
    xr.testing.assert_equal(loadings.sel(band=sorted(BANDS)), again.radiance)
    found = samples.scale("standard", over="variable").pca(2).reconstruction()
    assert found.variable.values.tolist() == ["radiance"]


def test_reconstructions_are_of_the_variables_that_they_name():
    ds = variables().isel(y=slice(20))
    r2 = [
        ds.cluster.pixels(vars=names).pca(2).reconstruction().r2 for names in (NAMES, NAMES[::-1])
    ]
    assert r2[1]["variable"].values.tolist() == NAMES[::-1]
    xr.testing.assert_equal(r2[1].sel(variable=NAMES), r2[0])


def test_the_pipeline_takes_rows_in_the_users_order():
    for names in (NAMES, NAMES[::-1], sorted(NAMES)):
        ds = variables().isel(y=slice(20))
        fit = ds.cluster.pixels(vars=names).kmeans(4, n_init=1)
        X = np.column_stack([ds[name].values.ravel() for name in names])
        found = fit.partition.codes[fit.model.predict(X)]
        np.testing.assert_array_equal(found, fit.labels.values.ravel())
        assert ("columns" in fit.model.named_steps) == (names != sorted(names))


def test_centres_are_drawn_where_their_samples_lie():
    ds = variables().isel(y=slice(20))
    fit = ds.cluster.pixels(vars=["wind", "chl", "ice"]).scale(None).kmeans(2, n_init=1)
    found = fit.plot._reduced_centers()
    expected = np.stack([fit.centers[name] for name in ("wind", "chl", "ice")], axis=1)
    np.testing.assert_allclose(found, expected)


def test_weights_of_features_belong_to_their_cells():
    values = np.random.default_rng(2).normal(size=(400, 6))
    da = xr.DataArray(values, {"time": range(400), "x": np.arange(6) * 10}, ("time", "x"))
    weight = xr.DataArray([1.0, 2, 3, 4, 5, 60], {"x": da.x}, "x")
    moved = da.roll(x=2, roll_coords=True)
    ours, theirs = (each.cluster.snapshots("time").weights(weight) for each in (da, moved))
    np.testing.assert_array_equal(theirs.kmeans(4).labels, ours.kmeans(4).labels)
    factor = np.sqrt(weight.sel(x=moved.x))
    np.testing.assert_allclose(theirs.transform().transpose(..., "component"), moved * factor)


def test_cells_without_data_are_left_out_wherever_a_field_begins():
    values = np.random.default_rng(2).normal(size=(400, 3, 6))
    values[:, 1, 2] = values[:, 0, 5] = np.nan
    coords = {"time": range(400), "y": [3, 2, 1], "x": np.arange(6)}
    da = xr.DataArray(values, coords, ("time", "y", "x"), name="z")
    moved = da.roll(x=2, y=1, roll_coords=True).transpose("x", "time", "y")
    ours, theirs = (each.cluster.snapshots("time") for each in (da, moved))
    cells = da.sortby("y").transpose("time", "x", "y").values.reshape(400, -1)
    cells = cells[:, ~np.isnan(cells[0])]
    np.testing.assert_array_equal(rows.gather(ours.layout).X, cells)
    np.testing.assert_array_equal(rows.gather(theirs.layout).X, cells)
    fit = theirs.pca(2).kmeans(3)
    assert fit.centers.z.dims == ("label", "x", "y")
    expected = ours.pca(2).kmeans(3).centers.z
    xr.testing.assert_equal(fit.centers.z.transpose(*expected.dims).sel(x=da.x, y=da.y), expected)
    np.testing.assert_array_equal(fit.predict(da), fit.labels)


# ----------------------------------------------------------------------------- what reads an order


class Recorder(TheirKMeans):
    """Notes the rows that it was given."""

    def fit(self, X, y=None, sample_weight=None):
        self.seen_ = X.copy()
        return super().fit(X, y, sample_weight)


def recorder():
    return Recorder(2, n_init=1, random_state=0)


def first_columns(X, expected):
    """Whether rows are ``expected`` in whatever order of rows."""
    return np.array_equal(np.unique(X, axis=0), np.unique(expected, axis=0))


def test_estimators_of_the_users_own_see_the_users_order():
    ds, da = variables().isel(y=slice(9)), bands().isel(y=slice(9))
    named = np.column_stack([ds[name].values.ravel() for name in NAMES])
    for samples, expected in (
        (ds.cluster.pixels(vars=NAMES).scale(None), named),
        (da.cluster.pixels(dim="band"), da.values.reshape(-1, 5)),
    ):
        fit = samples.fit(recorder())
        assert first_columns(fit.model[-1].seen_, expected)
        assert "columns" not in fit.model.named_steps
        np.testing.assert_array_equal(fit.predict(samples.data), fit.labels)


def test_a_chain_with_a_step_of_the_users_own_keeps_the_users_order():
    da = bands().isel(y=slice(9))
    values = da.values.reshape(-1, 5)
    expected = StandardScaler().fit(values.astype(np.float64)).mean_
    for samples in (
        da.cluster.pixels(dim="band").then(StandardScaler()),
        da.cluster.pixels(dim="band").scale(StandardScaler()),
    ):
        fit = samples.kmeans(2)
        np.testing.assert_allclose(fit.model[0].mean_, expected, rtol=1e-5)
        xr.testing.assert_equal(fit.centers.band, da.band)


def test_a_metric_that_knows_features_by_their_place_gets_them_in_the_users_order():
    y, x = np.deg2rad([60, 60, 61, 0]), np.deg2rad([0, 2, 0, 90])
    ds = xr.Dataset({"y": ("point", y), "x": ("point", x)})
    samples = ds.cluster.pixels(vars=["y", "x"]).scale(None)
    # 2 degrees of longitude are 1 degree of arc at 60 degrees north, and 2 at the equator.
    found = samples.dbscan(eps=np.deg2rad(1.1), min_samples=1, metric="haversine")
    assert len(set(found.labels.values[:3])) == 1
    by_latitude = samples.dbscan(
        eps=np.deg2rad(1.1), min_samples=1, metric=lambda a, b: abs(a[0] - b[0])
    )
    assert len(set(by_latitude.labels.values.tolist())) == 2


MONTHS = [10, 11, 12, 1, 2]


def seasons():
    """Winters with one thaw or none."""
    random = np.random.default_rng(5)
    shape = np.where(np.arange(240)[:, None] % 2, [0, 5, 0, 5, 0], [0, 5, 5, 5, 0])
    coords = {"place": range(240), "month": MONTHS}
    values = shape + random.normal(size=(240, 5)) / 5
    return xr.DataArray(values, coords, ("place", "month"), name="rain")


@pytest.mark.parametrize("metric", ["dtw", "softdtw"])
def test_metrics_of_sequences_read_features_as_they_lie(metric):
    da = seasons()
    fit = da.cluster.profiles("month").kmeans(2, metric=metric)
    np.testing.assert_array_equal(rows.gather(fit.samples.layout).X, da.values)
    theirs = WarpingKMeans(2, metric=metric).fit(da.values)
    assert adjusted_rand_score(fit.labels, theirs.labels_) == 1
    np.testing.assert_array_equal(fit.predict(da.sel(month=sorted(MONTHS))), fit.labels)


def test_channels_of_sequences_are_ordered_by_name_and_their_start_with_them():
    da = seasons()
    ds = xr.Dataset({"rain": da, "heat": da.roll(month=1) ** 2})
    init = np.column_stack([ds.rain[:2], ds.heat[:2]])
    for keywords in ({}, {"init": init}):
        fits = [
            ds.cluster.profiles("month", vars=names).kmeans(
                2,
                metric="dtw",
                **(keywords and {"init": np.column_stack([ds[name][:2] for name in names])}),
            )
            for names in (["rain", "heat"], ["heat", "rain"])
        ]
        np.testing.assert_array_equal(fits[0].labels, fits[1].labels)
        expected = np.column_stack([ds.heat, ds.rain])
        for fit in fits:
            np.testing.assert_array_equal(rows.gather(fit.samples.layout).X, expected)


# ---------------------------------------------------------------------------- files and other data


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize("chain", ["kmeans", "mixture", "scale, pca"])
@pytest.mark.filterwarnings("ignore::UserWarning")  # fits are stopped early
def test_a_file_keeps_the_order_of_its_columns(tmp_path, chain, suffix):
    ds = xr.Dataset({"z": bands(), "a": bands() ** 0.5}).isel(y=slice(20))
    fit = CHAINS[chain](ds.cluster.pixels(vars=["z", "a"], dim="band"))
    fit.save(tmp_path / f"a{suffix}")
    for data in (None, ds):
        again = xcluster.open(tmp_path / f"a{suffix}", data=data)
        xr.testing.assert_equal(again.centers, fit.centers)
        assert list(again.centers) == ["z", "a"]
        for new in (ds, ds[["a", "z"]].sel(band=sorted(BANDS)), ds.chunk(CHUNKS)):
            np.testing.assert_array_equal(again.predict(new), fit.labels)
    xr.testing.assert_equal(again.features, fit.features)
    xr.testing.assert_equal(again.back_projection(), fit.back_projection())
    ours, theirs = (each.samples.kmeans(3, n_init=1).labels for each in (again, fit))
    xr.testing.assert_equal(ours, theirs)


def test_only_a_file_with_moved_columns_has_the_newer_format(tmp_path):
    ds = variables().isel(y=slice(5))
    for names, version in ((sorted(NAMES), 1), (NAMES, 2)):
        ds.cluster.pixels(vars=names).kmeans(2).save(tmp_path / "a.nc")
        with storage.held(tmp_path / "a.nc"):
            raw = storage.engine(tmp_path / "a.nc")[1]
            found = integrity.checked_manifest(tmp_path / "a.nc", raw, (1, 2, 3))
        assert found["format"] == version


def test_a_column_that_two_features_share_is_refused(tmp_path, monkeypatch):
    ds = variables().isel(y=slice(5))
    fit = ds.cluster.pixels(vars=NAMES).kmeans(2)
    monkeypatch.setattr(manifest, "cell_columns", lambda features: np.array([0, 1, 2, 3, 3]))
    fit.save(tmp_path / "a.nc")
    with pytest.raises(ValueError, match=r"parts do not fit together.*columns"):
        xcluster.open(tmp_path / "a.nc")


def test_scenes_have_the_columns_of_the_first_one():
    da = bands()
    scenes = {"a": da.isel(y=slice(90)), "b": da.isel(y=slice(90, None)).drop_vars("band")}
    pooled = xcluster.pool(scenes, lambda each: each.cluster.pixels(dim="band").scale(None))
    fit = pooled.kmeans(5, n_init=2)
    whole = da.cluster.pixels(dim="band").scale(None).kmeans(5, n_init=2)
    found = np.concatenate([fit[name].labels for name in scenes])
    assert (found == whole.labels.values).mean() > 0.999
    np.testing.assert_array_equal(fit["b"].predict(da.isel(y=slice(90, None))), fit["b"].labels)
    theirs = pooled.fit(recorder())
    assert first_columns(theirs.model[-1].seen_, da.values.reshape(-1, 5))
