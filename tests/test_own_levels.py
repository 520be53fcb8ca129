"""Profiles whose levels differ from column to column, interpolated as `numpy.interp` does each."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import adjusted_rand_score

import xcluster
from xcluster.algorithms.kernels.columns import interpolate_columns

ARGO = Path(__file__).resolve().parents[2] / "shared/data/ocean_climate/argo_profiles_std.nc"
LEVELS = np.arange(100.0, 801.0, 50.0)
CHOICE = {"along": "PRES", "between": (100, 800), "step": 50}


def floats(n=300, n_levels=40, dtype=np.float64):
    """Profiles of three kinds on own levels: rising, falling, or in no order, with gaps in both."""
    random = np.random.default_rng(0)
    pressure = np.sort(random.uniform(0, 1000, (n, n_levels)), axis=1)
    pressure[1::3] = pressure[1::3, ::-1]
    pressure[2::9] = random.permuted(pressure[2::9], axis=1)
    kind = np.arange(n) % 3
    values = (2.0 + kind[:, None]) * np.cos(pressure / 300) + random.normal(size=(n, 1)) / 5
    pressure[random.random(pressure.shape) < 0.1] = np.nan
    values[random.random(values.shape) < 0.1] = np.nan
    dims = ("N_PROF", "N_LEVELS")
    attrs = {"units": "decibar", "standard_name": "sea_water_pressure", "axis": "Z"}
    return xr.Dataset(
        {"TEMP": (dims, values.astype(dtype), {"units": "degC"})},
        {"PRES": (dims, pressure.astype(dtype), attrs)},
    )


def column_by_column(levels, values, target=LEVELS):
    """`numpy.interp` of each column, on its entries that have both numbers, NaN outside."""
    rows = []
    for x, y in zip(np.float64(levels), np.float64(values), strict=True):
        known = np.isfinite(x) & np.isfinite(y)
        order = np.argsort(x[known])
        pairs = x[known][order], y[known][order]
        rows.append(np.interp(target, *pairs, left=np.nan, right=np.nan))
    return np.array(rows)


def complete(rows):
    """Leave out all of a row that lacks one entry, as samples do."""
    return np.where(np.isfinite(rows).all(axis=1, keepdims=True), rows, np.nan)


def rows_of(samples):
    """The features of each sample, shape (n, n_features)."""
    return samples.transform().transpose(..., "component").values.reshape(-1, len(LEVELS))


# ------------------------------------------------------------------------------- the right values


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_each_column_is_interpolated_on_its_own_levels(dtype):
    ds = floats(30_000, dtype=dtype)
    found = rows_of(ds.cluster.profiles("N_LEVELS", **CHOICE))
    expected = complete(column_by_column(ds.PRES.values, ds.TEMP.values))
    assert 0 < np.isnan(expected[:, 0]).sum() < 20_000
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 if dtype == np.float32 else 1e-12)


def test_a_level_of_the_column_keeps_its_value_to_the_last_bit():
    levels = np.array([[0.1, 0.2, 0.3, 0.7], [0.7, 0.3, 0.2, 0.1]])
    values = np.random.default_rng(0).normal(size=(2, 4))
    found = interpolate_columns(levels, values, levels[0])
    np.testing.assert_array_equal(found, [values[0], values[1, ::-1]])


def test_of_equal_levels_the_mean_counts_in_any_order():
    random = np.random.default_rng(0)
    levels, values = np.repeat([[0.0, 1.0, 1.0, 1.0, 1.0, 2.0]], 50, axis=0), np.empty((50, 6))
    values[:] = random.normal(size=6)
    order = random.permuted(np.tile(np.arange(6), (50, 1)), axis=1)
    shuffled = (np.take_along_axis(each, order, axis=1) for each in (levels, values))
    found = interpolate_columns(*shuffled, np.array([0.5, 1.0]))
    np.testing.assert_allclose(found[0, 1], values[0, 1:5].mean(), rtol=1e-14)
    assert (found == found[0]).all()


def test_an_infinite_value_reaches_only_the_levels_beside_it():
    levels, values = np.array([[0.0, 1.0, 2.0, 3.0]]), np.array([[0.0, 1.0, -np.inf, 3.0]])
    found = interpolate_columns(levels, values, np.array([0.5, 1.0, 1.5, 2.0, 3.0]))
    np.testing.assert_array_equal(found, [[0.5, 1.0, np.inf, -np.inf, 3.0]])


def test_a_column_with_one_level_or_none_has_no_others():
    levels = np.array([[1.0, np.nan], [np.nan, np.nan]])
    found = interpolate_columns(levels, np.ones((2, 2)), np.array([0.0, 1.0, 2.0]))
    np.testing.assert_array_equal(found, [[np.nan, 1, np.nan], [np.nan] * 3])


def test_heights_that_do_not_change_in_time_serve_all_times():
    random = np.random.default_rng(0)
    depth = -np.linspace(1, 0, 20)[:, None, None] * random.uniform(50, 900, (1, 5, 6))
    temp = 20 + depth / 100 + random.normal(size=(7, 1, 5, 6))
    ds = xr.Dataset(
        {"temp": (("ocean_time", "s_rho", "eta", "xi"), temp)},
        {"z_rho": (("s_rho", "eta", "xi"), depth, {"units": "m"})},
    )
    target = np.arange(-40.0, 0.1, 5)
    samples = ds.cluster.profiles("s_rho", along="z_rho", between=(-40, 0), step=5)
    of_each = np.broadcast_to(np.moveaxis(depth, 0, -1), (7, 5, 6, 20)).reshape(-1, 20)
    expected = column_by_column(of_each, np.moveaxis(temp, 1, -1).reshape(-1, 20), target)
    found = samples.transform().transpose(*samples.layout.sample_dims, "component")
    np.testing.assert_allclose(found.values.reshape(-1, 9), expected, rtol=1e-12)
    lazy = ds.assign_coords(z_rho=ds.z_rho.chunk(s_rho=7, eta=2))
    lazy = lazy.cluster.profiles("s_rho", along="z_rho", between=(-40, 0), step=5)
    np.testing.assert_array_equal(lazy.transform().transpose(*found.dims), found)


def test_a_variable_can_be_the_axis_and_is_no_feature():
    ds = floats()
    found = ds.reset_coords("PRES").cluster.profiles("N_LEVELS", **CHOICE)
    assert list(found.layout.variables) == ["TEMP"]
    np.testing.assert_array_equal(
        rows_of(found), rows_of(ds.cluster.profiles("N_LEVELS", **CHOICE))
    )


def test_values_at_the_surface_mask_and_stride_go_together():
    ds = floats().assign(SST=("N_PROF", np.arange(300.0)))
    samples = ds.cluster.profiles("N_LEVELS", ["TEMP", "SST"], every=7, **CHOICE)
    found = samples.scale(None).transform().transpose("N_PROF", ...)
    rows = complete(column_by_column(ds.PRES.values[::7], ds.TEMP.values[::7]))
    np.testing.assert_allclose(found[:, :-1] if found[0, -1] == 0 else found[:, 1:], rows)


@pytest.mark.parametrize(("missing", "floor"), [("interpolate", 0.0), (0.8, 0.8)])
def test_ends_beyond_the_range_take_the_nearest_level_on_request(missing, floor):
    ds = floats()
    found = rows_of(ds.cluster.profiles("N_LEVELS", missing=missing, **CHOICE))
    expected = column_by_column(ds.PRES.values, ds.TEMP.values)
    for row in expected:
        known = np.isfinite(row)
        if known.any() and known.mean() >= floor:
            row[:] = np.interp(LEVELS, LEVELS[known], row[known])
    np.testing.assert_allclose(found, complete(expected), rtol=1e-12)


@pytest.mark.parametrize(("missing", "chunks"), [("interpolate", None), (0.3, {"N_PROF": 70})])
def test_levels_that_no_profile_reaches_are_said(missing, chunks):
    ds = floats() if chunks is None else floats().chunk(chunks)
    deep = ds.cluster.profiles(
        "N_LEVELS", along="PRES", between=(100, 1400), step=50, missing=missing
    )
    reached = column_by_column(ds.PRES, ds.TEMP, np.arange(100.0, 1401, 50))
    last = 100 + 50 * np.flatnonzero(np.isfinite(reached).any(axis=0)).max()
    with pytest.warns(UserWarning, match=rf"levels 100 to {last:g} no profile of 'TEMP'"):
        fit = deep.kmeans(3)
    assert f"between=(100, {last:g})" in str(fit.record.sentences())
    shorter = ds.cluster.profiles(
        "N_LEVELS", along="PRES", between=(100, last), step=50, missing=missing
    )
    assert "no profile" not in str(shorter.kmeans(3).record.sentences())


def test_a_range_beyond_all_profiles_is_blamed():
    samples = floats().cluster.profiles("N_LEVELS", along="PRES", between=(1200, 1400), step=50)
    with pytest.raises(ValueError, match=r"whether between= lies beyond all levels"):
        samples.kmeans(3)


def test_floats_of_the_real_ocean_are_interpolated_as_numpy_does():
    argo = xr.open_dataset(ARGO).load()
    random = np.random.default_rng(0)
    # Each float keeps other levels of the standard ones, the deepest first in every second.
    order = random.permuted(np.tile(np.arange(240), (argo.sizes["profile"], 1)), axis=1)
    order = np.sort(order[:, :120], axis=1)
    order[::2] = order[::2, ::-1]
    dims = ("profile", "level")
    own = xr.Dataset(
        {
            name: (dims, np.take_along_axis(argo[name].values, order, 1), argo[name].attrs)
            for name in ("temperature", "salinity")
        },
        {"pressure": (dims, argo.pressure.values[order], argo.pressure.attrs)},
    )
    choice = {"along": "pressure", "between": (50, 1000), "step": 25}
    samples = own.cluster.profiles("level", **choice).scale(None)
    found = samples.transform().transpose("profile", "component").values
    expected = np.hstack(
        [
            column_by_column(own.pressure.values, own[name].values, np.arange(50, 1001, 25.0))
            for name in ("salinity", "temperature")
        ]
    )
    names = samples.transform().feature.values
    found = found[:, np.argsort([name.split()[0] for name in names], kind="stable")]
    np.testing.assert_allclose(found, complete(expected), rtol=1e-5)
    assert np.isfinite(found).all(axis=1).sum() > 700
    whole = argo.cluster.profiles("pressure", between=(50, 1000), step=25)
    labels = [each.scale(over="variable").pca(3).kmeans(4).labels for each in (whole, samples)]
    both = labels[0].notnull() & labels[1].notnull()
    assert adjusted_rand_score(*(each.values[both.values] for each in labels)) > 0.95


@pytest.mark.parametrize("chunks", [None, {"N_PROF": 70}])
def test_columns_with_undecoded_missing_values_are_counted_by_their_values(chunks):
    ds = floats().fillna(0)
    ds.TEMP[:7, 5:9] = -999
    ds.PRES[20:60, 39] = -999
    for array in (ds.TEMP, ds.PRES):
        array.attrs["missing_value"] = -999.0
    ds = ds if chunks is None else ds.chunk(chunks)
    with pytest.warns(UserWarning, match="^7 samples hold a number of 'TEMP'") as caught:
        ds.cluster.profiles("N_LEVELS", missing="interpolate", **CHOICE).kmeans(2)
    assert len(caught) == 1
    one = xr.Dataset({"same": ds.TEMP[0].drop_vars("PRES"), "TEMP": ds.TEMP.drop_attrs(deep=False)})
    samples = one.cluster.profiles("N_LEVELS", ["same", "TEMP"], missing="interpolate", **CHOICE)
    with pytest.warns(UserWarning, match="^300 samples hold a number of 'same'"):
        samples.kmeans(2)


# ------------------------------------------------------------------------------- results and files


def test_centers_lie_along_the_axis_with_its_units():
    ds = floats()
    fit = ds.cluster.profiles("N_LEVELS", **CHOICE).kmeans(3)
    assert fit.centers.TEMP.dims == ("label", "PRES")
    np.testing.assert_array_equal(fit.centers.PRES, LEVELS)
    assert fit.centers.PRES.attrs == ds.PRES.attrs
    rows = complete(column_by_column(ds.PRES.values, ds.TEMP.values))
    for label in range(3):
        mean = rows[fit.labels.values == label].mean(axis=0)
        np.testing.assert_allclose(fit.centers.TEMP.sel(label=label), mean)
    assert fit.labels.dims == ("N_PROF",)
    assert "PRES" not in fit.labels.coords


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_other_data_with_other_axes_are_predicted_after_saving_too(tmp_path, suffix):
    ds = floats()
    fit = ds.cluster.profiles("N_LEVELS", **CHOICE).kmeans(3)
    fit.save(tmp_path / f"a{suffix}")
    again = xcluster.open(tmp_path / f"a{suffix}")
    finer = [np.interp(np.arange(0, 39.1, 0.5), np.arange(40), each) for each in ds.PRES.values]
    smooth = xr.DataArray(np.array(finer), dims=("N_PROF", "N_LEVELS"))
    new = xr.Dataset({"TEMP": 2 * np.cos(smooth / 300), "PRES": smooth})
    for each in (fit, again):
        xr.testing.assert_equal(each.predict(ds), fit.labels)
        labels = each.predict(new.chunk(N_PROF=50))
        assert labels.chunks is not None
        assert set(np.unique(labels)) == {float(fit.labels[0]), np.nan} or labels.notnull().any()
    opened = xcluster.open(tmp_path / f"a{suffix}", data=ds)
    xr.testing.assert_equal(opened.samples.kmeans(3).labels, fit.labels)
    assert "along='PRES'" in repr(again)


def test_data_without_the_axis_or_in_other_units_are_refused():
    ds = floats()
    fit = ds.cluster.profiles("N_LEVELS", **CHOICE).kmeans(3)
    with pytest.raises(ValueError, match="along='PRES': is not a coordinate of the data"):
        fit.predict(ds.drop_vars("PRES"))
    in_pascal = ds.assign_coords(PRES=(ds.PRES * 1e4).assign_attrs(units="Pa"))
    with pytest.raises(ValueError, match="'PRES' has the units 'Pa', not 'decibar'"):
        fit.predict(in_pascal)


def test_files_of_other_samples_keep_the_format_that_older_versions_read(tmp_path):
    from xcluster.files import integrity, storage

    own = floats().TEMP.fillna(0).drop_vars("PRES").cluster
    for samples, expected in (
        (own.profiles("N_LEVELS", along="N_LEVELS"), (3, True)),
        (own.pixels(dim=["N_LEVELS"]), (3, False)),
        (own.profiles("N_LEVELS"), (1, False)),
        (own.pixels(dim="N_LEVELS"), (1, False)),
    ):
        samples.kmeans(2).save(tmp_path / "a.nc")
        with storage.held(tmp_path / "a.nc"):
            raw = storage.engine(tmp_path / "a.nc")[1]
            found = integrity.checked_manifest(tmp_path / "a.nc", raw, (1, 2, 3))
        assert (found["format"], "along" in found["sampler"]) == expected


def test_figures_and_pages_show_columns_on_common_levels():
    fit = floats().cluster.profiles("N_LEVELS", **CHOICE).kmeans(3)
    axes = fit.plot.profiles(members=3)
    (members,) = [each for each in axes[0].collections if hasattr(each, "get_segments")]
    assert [len(each) for each in members.get_segments()] == [len(LEVELS)] * 3
    assert axes[0].yaxis_inverted()
    plt.close("all")
    assert "PRES" in fit.explore()._repr_html_()


# --------------------------------------------------------------------------- laziness, same labels


def test_building_a_chain_on_chunked_axes_computes_nothing(computes):
    ds = floats().chunk(N_PROF=50, N_LEVELS=10)
    samples = ds.cluster.profiles("N_LEVELS", **CHOICE).scale("standard").pca(2)
    assert "features" in repr(samples)
    assert computes() == 0
    fit = samples.kmeans(3)
    before = computes()
    assert fit.labels.chunks == ((50,) * 6,)
    assert fit.predict(ds).chunks == ((50,) * 6,)
    assert computes() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda ds: ds.chunk(N_PROF=7_000),
        lambda ds: ds.chunk(N_PROF=9_001, N_LEVELS=11),
        lambda ds: ds.assign_coords(PRES=ds.PRES.chunk(N_PROF=4_000)),
        lambda ds: ds.transpose("N_LEVELS", "N_PROF"),
        lambda ds: ds.isel(N_LEVELS=slice(None, None, -1)),
        lambda ds: ds.isel(N_LEVELS=np.random.default_rng(1).permutation(40)),
        lambda ds: ds.assign_coords(N_LEVELS=np.arange(40.0)[::-1]),
        lambda ds: ds.reset_coords("PRES"),
    ],
)
def test_labels_depend_on_no_chunks_and_no_order_of_levels(change):
    ds = floats(28_000)
    fit = ds.cluster.profiles("N_LEVELS", **CHOICE).kmeans(3)
    other = change(ds).cluster.profiles("N_LEVELS", **CHOICE).kmeans(3)
    np.testing.assert_array_equal(other.labels, fit.labels)
    np.testing.assert_array_equal(other.centers.TEMP, fit.centers.TEMP)


# ----------------------------------------------------------------------------- errors and warnings


def test_levels_that_differ_are_not_compared_level_by_level_without_a_word():
    ds = floats().fillna({"TEMP": 0})
    said = "compared level by level, but 'PRES' holds other levels.*along='PRES'"
    for each in (ds, ds.reset_coords("PRES"), ds.TEMP):
        with pytest.warns(UserWarning, match=said):
            each.cluster.profiles("N_LEVELS")
    by_level = ds.cluster.profiles("N_LEVELS", along="N_LEVELS")
    assert by_level.kmeans(2).centers.TEMP.dims == ("label", "N_LEVELS")


@pytest.mark.parametrize(
    ("units", "standard_name", "positive"),
    [("m", "depth", "up"), ("hPa", "air_pressure", None), ("m", "height", None)],
)
def test_levels_of_models_are_recognised(units, standard_name, positive):
    attrs = {"units": units, "standard_name": standard_name}
    attrs |= {} if positive is None else {"positive": positive}
    own = (("s_rho", "x"), np.random.default_rng(0).random((4, 6)), attrs)
    ds = xr.Dataset({"temp": (("s_rho", "x"), np.ones((4, 6)))}, {"s_rho": range(4), "z": own})
    with pytest.warns(UserWarning, match="'z' holds other levels"):
        ds.cluster.profiles("s_rho", ["temp"])


def test_fields_and_places_beside_common_levels_are_no_axes():
    random = np.random.default_rng(0)
    dims = ("level", "y", "x")
    attrs = {"standard_name": "air_pressure", "units": "hPa"}
    ds = xr.Dataset(
        {"p": (dims, random.random((3, 4, 5)), attrs), "t": (dims, random.random((3, 4, 5)))},
        {"level": [1.0, 2.0, 3.0], "lat": (("y", "x"), random.random((4, 5)))},
    )
    assert len(ds.cluster.profiles("level").layout.variables) == 2
    assert ds.cluster.profiles("y", ["t"]).layout.n_features == 4


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"step": None}, "step=None: is needed with along=.*between=.*step="),
        ({"between": None}, "between=None: is needed with along="),
        ({"between": (800, 100)}, "the first number must not be above the second"),
        ({"between": ("a", "b")}, "must be two numbers"),
        ({"step": 0}, "step=0"),
        ({"step": 1e-9}, "levels"),
        ({"along": "PRESS"}, "along='PRESS'.*'PRES'"),
        ({"along": "place"}, "without 'N_LEVELS'"),
        ({"along": "QC"}, "dtype"),
        ({"along": "other"}, "has the dim 'run', which none of the chosen variables has"),
        ({"vars": ["TEMP", "PRES"]}, "'PRES'.*holds the levels of the columns"),
        ({"missing": "no"}, "missing='no'"),
    ],
)
def test_wrong_axes_are_refused_with_the_way_out(keywords, message):
    ds = floats().assign_coords(
        place=("N_PROF", np.zeros(300)),
        QC=(("N_PROF", "N_LEVELS"), np.full((300, 40), "1")),
    )
    ds = ds.assign(other=(("run", "N_LEVELS"), np.zeros((2, 40)))).assign(also=("run", [0.0, 1.0]))
    with pytest.raises((ValueError, TypeError), match=message):
        ds.cluster.profiles("N_LEVELS", **({"vars": ["TEMP"]} | CHOICE | keywords))


def test_an_axis_named_as_another_dim_is_refused():
    ds = floats().rename(PRES="depth").assign(bottom=("depth", [1.0, 2.0]))
    with pytest.raises(ValueError, match=r"another dim has this name.*rename"):
        ds.cluster.profiles("N_LEVELS", ["TEMP"], along="depth", between=(0, 9), step=1)
