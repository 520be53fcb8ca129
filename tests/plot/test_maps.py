"""Maps: what is drawn, where, in which colours, and what explains them."""

import cartopy.crs as ccrs
import matplotlib.dates
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from cartopy.mpl.feature_artist import FeatureArtist
from cartopy.mpl.geoaxes import GeoAxes
from cartopy.mpl.gridliner import Gridliner
from label_maps import COLORS, flagged
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.colors import ListedColormap, to_hex, to_rgb
from matplotlib.image import AxesImage

from xcluster.base.palette import UNCLASSIFIED_COLOR
from xcluster.plot import maps


def drawn_color(artist, x, y):
    """The colour on the finished picture at a place in the axes' own units."""
    figure = artist.figure
    figure.canvas.draw()
    column, row = artist.axes.transData.transform((x, y))
    pixels = np.asarray(figure.canvas.buffer_rgba())
    return to_hex(pixels[len(pixels) - 1 - int(row), int(column)] / 255)


def legend_of(ax):
    legend = ax.get_legend()
    names = [text.get_text() for text in legend.get_texts()]
    return dict(
        zip(names, [to_hex(patch.get_facecolor()) for patch in legend.get_patches()], strict=True)
    )


def bare(da, **keywords):
    """A map without lines over the data."""
    artist = maps.map(da, coastlines=False, **keywords)
    for lines in graticules(artist.axes):
        lines.remove()
    return artist


def graticules(ax):
    return [child for child in ax.get_children() if isinstance(child, Gridliner)]


PLACES = {(-150.5, 3): 0, (-2.5, 33): 1, (153, -42): 2}


def test_a_label_map_has_the_colors_and_the_names_of_its_flags(globe):
    artist = bare(globe)
    assert isinstance(artist, AxesImage)
    assert isinstance(artist.axes, GeoAxes)
    assert {place: drawn_color(artist, *place) for place in PLACES} == {
        place: COLORS[label] for place, label in PLACES.items()
    }
    assert legend_of(artist.axes) == dict(
        zip(["deep ocean", "shelf", "coast"], COLORS, strict=True)
    )
    assert artist.axes.get_title() == "k-means labels"


def test_no_data_stays_white(globe):
    assert drawn_color(bare(globe), 33, 84) == "#ffffff"


ARRANGED = {
    "upside down": lambda da: da.isel(latitude=slice(None, None, -1)),
    "east to west": lambda da: da.isel(longitude=slice(None, None, -1)),
    "transposed": lambda da: da.transpose(),
    "0 to 360": lambda da: da.assign_coords(longitude=da.longitude % 360),
    "0 to 360, sorted": lambda da: da.assign_coords(longitude=da.longitude % 360).sortby(
        "longitude"
    ),
    "seam twice": lambda da: xr.concat(
        [da, da.isel(longitude=[0]).assign_coords(longitude=[185.0])], "longitude"
    ),
    "chunked": lambda da: da.chunk(5),
}


@pytest.mark.parametrize("arranged", ARRANGED)
def test_any_arrangement_of_the_grid_gives_the_same_picture(globe, arranged):
    expected, found = bare(globe), bare(ARRANGED[arranged](globe))
    assert found.get_extent() == pytest.approx(expected.get_extent())
    np.testing.assert_array_equal(found.get_array().filled(-9), expected.get_array().filled(-9))


def test_a_cell_on_the_date_line_shows_at_both_ends():
    longitude = np.arange(-180.0, 180, 20)
    da = flagged(np.where(longitude == -180, 2.0, 0.0)[None].repeat(3, 0),
                 latitude=[-40.0, 0.0, 40.0], longitude=longitude)  # fmt: skip
    artist = bare(da)
    assert artist.get_extent()[:2] == [-190, 190]
    assert [drawn_color(artist, x, 3) for x in (-173, -166, 166, 173)] == [
        COLORS[2], COLORS[0], COLORS[0], COLORS[2]
    ]  # fmt: skip


def test_pixels_are_not_shifted_by_half_a_cell():
    da = flagged([[0, 1], [2, 0]], latitude=[40.0, 50.0], longitude=[0.0, 10.0])
    artist = bare(da)
    assert artist.get_extent() == [-5, 15, 35, 55]
    assert drawn_color(artist, 4.5, 44.5) == COLORS[0]
    assert drawn_color(artist, 5.5, 44.5) == COLORS[1]
    assert drawn_color(artist, 4.5, 45.5) == COLORS[2]


def test_a_region_across_the_date_line_is_whole():
    longitude = np.array([170.0, 175, -180, -175, -170])
    da = flagged(np.tile([0, 0, 1, 2, 2], (3, 1)), latitude=[0.0, 5, 10], longitude=longitude)
    artist = bare(da)
    assert artist.axes.projection == ccrs.PlateCarree(central_longitude=180)
    assert artist.axes.get_xlim() == (-12.5, 12.5)
    assert drawn_color(artist, -7, 3) == COLORS[0]
    assert drawn_color(artist, 7, 3) == COLORS[2]


@pytest.mark.parametrize("extent", [(120, -120, -30, 30), (120, 240, -30, 30)])
def test_an_extent_across_the_date_line_shows_both_sides(globe, extent):
    artist = bare(globe, extent=extent)
    assert artist.axes.get_xlim() == (-60, 60)
    assert drawn_color(artist, -20, 3) == COLORS[2]
    assert drawn_color(artist, 20, 3) == COLORS[0]


def test_a_region_is_drawn_true_to_shape(globe):
    artist = bare(globe, extent=(-20, 40, 50, 70))
    assert artist.axes.get_aspect() == pytest.approx(2.0)


@pytest.mark.parametrize("center", [0, 100])
def test_another_projection_shows_the_same_labels_at_the_same_places(globe, center):
    projection = ccrs.Robinson(central_longitude=center)
    artist = bare(globe, projection=projection)
    for place, label in PLACES.items():
        at = projection.transform_point(*place, ccrs.PlateCarree())
        assert drawn_color(artist, *at) == COLORS[label]


def test_uneven_latitudes_are_cells_between_midpoints():
    da = flagged([[0], [1], [2]], latitude=[0.0, 2.0, 10.0], longitude=[5.0])
    artist = bare(da)
    assert isinstance(artist, QuadMesh)
    assert drawn_color(artist, 5, 5.5) == COLORS[1]
    assert drawn_color(artist, 5, 6.5) == COLORS[2]


TWO_BOXES = [10.0, 12.0, 14.0, 60.0, 62.0, 64.0]


@pytest.mark.parametrize(
    "projection", [ccrs.PlateCarree(), ccrs.Mollweide()], ids=["same", "other"]
)
def test_a_hole_between_two_selected_regions_is_empty(projection):
    da = flagged([[0, 0, 0, 2, 2, 2]] * 3, latitude=[0.0, 2.0, 4.0], longitude=TWO_BOXES)
    artist = bare(da, projection=projection, extent=(5, 70, -10, 10))
    colors = {}
    for longitude in (14.8, 15.5, 37, 58.5, 59.2):
        at = projection.transform_point(longitude, 2, ccrs.PlateCarree())
        colors[longitude] = drawn_color(artist, *at)
    assert (colors[14.8], colors[59.2]) == (COLORS[0], COLORS[2])
    assert {colors[15.5], colors[37], colors[58.5]} == {"#ffffff"}


def test_a_hole_between_two_seasons_is_empty():
    time = np.arange("2001-01-01", "2002-01-01", dtype="datetime64[D]").astype("M8[ns]")
    days = np.r_[0:59, 334:365]
    da = flagged([[0] * 59 + [1] * 31] * 2, member=[1, 2], time=time[days])
    artist = maps.map(da)
    first = matplotlib.dates.date2num(time[0])
    assert drawn_color(artist, first + 58, 1) == COLORS[0]
    assert drawn_color(artist, first + 334, 1) == COLORS[1]
    assert drawn_color(artist, first + 150, 1) == drawn_color(artist, first + 250, 1) == "#ffffff"


def test_levels_whose_spacing_grows_have_no_hole():
    depth = np.array([0.0, 10, 20, 30, 50, 75, 100, 150, 300, 500, 1000, 2000, 5000])
    da = flagged(np.ones((13, 4), int), depth=depth, x=np.arange(4.0))
    assert not np.ma.getmaskarray(maps.map(da).get_array()).any()


def test_a_curvilinear_grid_with_missing_coordinates_is_a_mesh():
    y, x = np.mgrid[0:6, 0:8].astype(float)
    lat, lon = 40 + y + 0.1 * x, 10 + x - 0.1 * y
    lat[0, 0] = lon[0, 0] = np.nan
    da = flagged(np.where(x > 3, 2, 0), j=np.arange(6), i=np.arange(8))
    da = da.assign_coords(lat=(("j", "i"), lat), lon=(("j", "i"), lon))
    artist = bare(da)
    assert isinstance(artist, QuadMesh)
    assert drawn_color(artist, lon[3, 6], lat[3, 6]) == COLORS[2]
    assert drawn_color(artist, lon[3, 1], lat[3, 1]) == COLORS[0]


@pytest.mark.parametrize("center", [0, 180])
def test_a_curvilinear_globe_is_closed_at_the_date_line_and_open_on_land(center):
    y, x = np.mgrid[-80:81:10, 5:360:10].astype(float)
    land = (x > 100) & (x < 140)
    da = flagged(np.where(land, np.nan, 0), j=np.arange(len(y)), i=np.arange(36))
    da = da.assign_coords(lat=(("j", "i"), y), lon=(("j", "i"), np.roll(x + 3, 5, 1) % 360))
    da = da.copy(data=np.roll(da.values, 5, 1))
    projection = ccrs.PlateCarree(central_longitude=center)
    artist = bare(da, projection=projection)
    seam = (-178, 178) if center == 0 else (-1, 1)
    assert {drawn_color(artist, at, 13) for at in (*seam, -33)} == {COLORS[0]}
    assert drawn_color(artist, 123 - center, 13) == "#ffffff"


def test_an_unstructured_grid_is_points_without_those_that_have_no_data():
    da = flagged([0, 1, 2, np.nan], cell=np.arange(4))
    da = da.assign_coords(lat=("cell", [0.0, 10, 20, 30]), lon=("cell", [0.0, 350, 20, 30]))
    artist = bare(da)
    assert isinstance(artist, PathCollection)
    assert len(artist.get_offsets()) == 3
    west, east = artist.axes.get_xlim()
    assert -20 < west < -10 < 30 < east < 40


def test_a_grid_mapping_gives_the_projection_of_projected_coordinates():
    from pyproj import CRS

    da = flagged([[0, 1], [2, 0]], y=[5_100_000.0, 5_000_000.0], x=[400_000.0, 500_000.0])
    wkt = CRS.from_epsg(32633).to_wkt()
    da = da.assign_coords(spatial_ref=((), 0, {"crs_wkt": wkt}))
    artist = bare(da)
    assert isinstance(artist.axes, GeoAxes)
    assert artist.axes.projection.to_epsg() == 32633
    assert drawn_color(artist, 410_000, 5_090_000) == COLORS[0]
    assert artist.axes.get_ylim() == (4_950_000, 5_150_000)


def test_an_image_has_its_first_row_at_the_top_and_names_on_its_axes():
    da = flagged([[0, 1], [2, 0]], y=[0.0, 0.5], x=[0.0, 0.5])
    for dim in "yx":
        da[dim].attrs["units"] = "um"
    artist = maps.map(da)
    assert not isinstance(artist.axes, GeoAxes)
    assert (artist.axes.get_xlabel(), artist.axes.get_ylabel()) == ("x [um]", "y [um]")
    assert artist.axes.get_aspect() == 1
    assert drawn_color(artist, 0.01, 0.01) == COLORS[0]
    bottom, top = artist.axes.get_ylim()
    assert bottom > top


def test_unclassified_is_grey_and_named_only_where_it_occurs(globe):
    assert "unclassified" not in legend_of(bare(globe).axes)
    artist = bare(globe.where(globe != 1, -1).where(globe.notnull()))
    assert drawn_color(artist, -2.5, 33) == UNCLASSIFIED_COLOR
    assert legend_of(artist.axes)["unclassified"] == UNCLASSIFIED_COLOR


def test_any_other_variable_has_a_color_bar_with_name_and_units(globe):
    da = xr.DataArray(globe.values + 5, globe.coords, attrs={"long_name": "depth", "units": "m"})
    artist = maps.map(da)
    assert artist.colorbar.ax.get_ylabel() == "depth [m]"
    assert artist.get_clim() == (5, 7)
    assert maps.map(da, vmin=0, vmax=9, cmap="magma").get_clim() == (0, 9)


def test_a_scale_on_both_sides_of_zero_is_symmetric(globe):
    artist = maps.map(xr.DataArray(globe.values - 0.5, globe.coords))
    assert artist.get_clim() == (-1.5, 1.5)
    assert artist.get_cmap().name == "RdBu_r"


def test_facets_share_scale_and_legend(globe):
    times = xr.concat([globe, 2 - globe], xr.DataArray([1, 2], dims="month", name="month"))
    times.attrs = globe.attrs
    grid = maps.map(times, col="month")
    assert [ax.get_title() for ax in grid.axs.flat] == ["month = 1", "month = 2"]
    assert len(grid.fig.legends) == 1
    assert all(ax.get_legend() is None for ax in grid.axs.flat)
    limits = {image.get_clim() for ax in grid.axs.flat for image in ax.images}
    assert limits == {(-0.5, 2.5)}


def test_wrapped_facets_hide_the_empty_panel(globe):
    many = xr.concat([globe] * 3, "level").drop_attrs()
    grid = maps.map(many, col="level", col_wrap=2)
    assert [ax.get_visible() for ax in grid.axs.flat] == [True, True, True, False]


def test_a_hidden_panel_has_the_shape_of_the_others(globe):
    many = xr.concat([globe] * 3, "level").drop_attrs()
    *_, hidden = maps.map(many, col="level", col_wrap=2, extent=(0, 40, 0, 40)).axs.flat
    assert (hidden.get_xlim(), hidden.get_ylim()) == ((0, 40), (0, 40))


@pytest.mark.parametrize("extent", [(120, -120, -40, 40), (-20, 40, 30, 70)])
def test_meridians_of_a_region_are_named_on_either_side_of_the_date_line(globe, extent):
    ax = maps.map(globe, extent=extent).axes
    ax.figure.canvas.draw()
    (lines,) = graticules(ax)
    names = [text.get_text() for text in lines.bottom_label_artists]
    assert len([name for name in names if name]) >= 3


@pytest.mark.parametrize(
    ("projection", "extent"),
    [
        (ccrs.Robinson(), (-60, 120, -30, 40)),
        (ccrs.LambertConformal(10, 45), (-20, 40, 30, 70)),
        (ccrs.SouthPolarStereo(), (-180, 180, -90, -50)),
    ],
)
def test_a_new_figure_has_the_shape_of_what_it_shows(globe, projection, extent):
    ax = maps.map(globe, projection=projection, extent=extent, legend=False).axes
    width, height = ax.figure.get_size_inches()
    west, east, south, north = *ax.get_xlim(), *ax.get_ylim()
    assert (width - 2) / (height - 0.8) == pytest.approx((east - west) / (north - south))


def test_a_half_transparent_mesh_has_no_seams():
    y, x = np.mgrid[0:30, 0:40].astype(float)
    coords = {"lat": (("j", "i"), 40 + y + 0.1 * x), "lon": (("j", "i"), 10 + x - 0.1 * y)}
    da = flagged(np.zeros((30, 40)), j=np.arange(30), i=np.arange(40)).assign_coords(coords)
    artist = bare(da, alpha=0.5, legend=False)
    assert drawn_color(artist, 25, 55) == to_hex(0.5 + 0.5 * np.array(to_rgb(COLORS[0])))
    (left, low), (right, high) = artist.axes.transData.transform([(20, 50), (30, 60)]).astype(int)
    pixels = np.asarray(artist.figure.canvas.buffer_rgba())[::-1]
    assert len(np.unique(pixels[low:high, left:right].reshape(-1, 4), axis=0)) == 1


@pytest.mark.parametrize("background", ["satellite", "relief"])
def test_labels_over_a_background_are_half_transparent(globe, background):
    artist = maps.map(globe, background=background)
    assert artist.get_alpha() == 0.6
    earth = [image for image in artist.axes.images if image is not artist]
    assert len(earth) == 1
    assert earth[0].get_array().shape[-1] in (3, 4)
    assert earth[0].zorder < artist.zorder


def test_coast_lines_and_borders_come_without_a_network(globe, monkeypatch):
    import socket

    def refuse(*_):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket, "create_connection", refuse)
    artist = maps.map(globe, borders=True, background="satellite")
    artist.figure.canvas.draw()
    assert sum(isinstance(child, FeatureArtist) for child in artist.axes.get_children()) == 2
    bare_axes = maps.map(globe, coastlines=False).axes
    assert not any(isinstance(child, FeatureArtist) for child in bare_axes.get_children())


def test_a_given_axes_is_used_with_its_own_projection(globe):
    _, ax = plt.subplots(subplot_kw={"projection": ccrs.Mollweide()})
    assert maps.map(globe, ax=ax).axes is ax
    _, plain = plt.subplots()
    artist = maps.map(globe, ax=plain)
    assert artist.axes is plain
    assert plain.get_xlabel() == "longitude"


def test_many_labels_have_a_bar_instead_of_a_legend():
    labels = np.arange(60.0).reshape(6, 10)
    attrs = {"flag_values": np.arange(60), "flag_meanings": " ".join(map(str, range(60)))}
    artist = maps.map(xr.DataArray(labels, dims=("y", "x"), attrs=attrs))
    assert artist.axes.get_legend() is None
    assert artist.colorbar.ax.get_yticklabels()[-1].get_text() == "59"
    assert len({to_hex(color) for color in artist.get_cmap().colors}) == 60


def test_fewer_colors_than_labels_are_refused(globe):
    with pytest.raises(ValueError, match="2 colours for 3 labels"):
        maps.map(globe, cmap=ListedColormap(["red", "blue"]))
    globe.attrs["flag_colors"] = "#ff0000 #00ff00"
    with pytest.raises(ValueError, match=r"flag_colors.*2 entries for 3 labels"):
        maps.map(globe)


def test_all_missing_labels_make_an_empty_map_and_a_warning(globe):
    with pytest.warns(UserWarning, match="all values are NaN"):
        artist = maps.map(globe.where(False))
    assert artist.get_array().mask.all()


def test_a_map_needs_two_spatial_dims(globe):
    with pytest.raises(ValueError, match=r"'latitude': 18.*two spatial dims.*isel"):
        maps.map(globe.isel(longitude=0, drop=True))
    with pytest.raises(ValueError, match=r"'time': 2.*col="):
        maps.map(xr.concat([globe, globe], "time"))


def test_what_to_do_with_further_dims_of_a_map_is_said_and_works(globe):
    months = xr.concat([globe, globe], "month")
    remedy = "col='month'.*xcluster.plot.maps.map(fit.labels.isel(month=0))"
    with pytest.raises(ValueError, match=remedy.replace("(", r"\(").replace(")", r"\)")):
        maps.map(months.rename("label"))
    assert maps.map(months, col="month") is not None
    with pytest.raises(ValueError, match=r"col='year', row='month', .*isel\(year=0, month=0\)"):
        maps.map(xr.concat([months, months], "year"))
    image = xr.DataArray(np.zeros((2, 3, 4)), dims=("band", "y", "x"))
    with pytest.raises(ValueError, match=r"col='band', .*map\(da.isel\(band=0\)\)"):
        maps.map(image)


def test_an_unknown_coordinate_is_named_with_the_nearest(globe):
    with pytest.raises(ValueError, match=r"x='lngitude'.*Did you mean 'longitude'"):
        maps.map(globe, x="lngitude", y="latitude")


def test_a_projection_of_an_image_is_refused():
    with pytest.raises(ValueError, match=r"projection='Robinson'.*not geographic"):
        maps.map(flagged([[0, 1]], y=[0], x=[0, 1]), projection=ccrs.Robinson())


def test_options_of_which_one_would_be_ignored_are_refused(globe):
    _, ax = plt.subplots(subplot_kw={"projection": ccrs.PlateCarree()})
    times = xr.concat([globe, globe], "time")
    refused = {
        "facets make axes": (times, {"ax": ax, "col": "time"}),
        "axes are given": (globe, {"ax": ax, "figsize": (3, 3)}),
        "axes are given, and they have one": (globe, {"ax": ax, "projection": ccrs.Robinson()}),
        "there are no facets": (globe, {"col_wrap": 2}),
    }
    for rule, (da, keywords) in refused.items():
        with pytest.raises(ValueError, match=rule):
            maps.map(da, **keywords)


@pytest.mark.parametrize("option", [{"background": "relief"}, {"borders": True}])
def test_an_image_has_no_earth_behind_it(option):
    with pytest.raises(ValueError, match="not geographic"):
        maps.map(flagged([[0, 1]], y=[0], x=[0, 1]), **option)


def test_an_unknown_keyword_is_refused(globe):
    with pytest.raises(AttributeError, match="add_colorbar"):
        maps.map(globe, add_colorbar=False)


def test_an_empty_extent_is_refused(globe):
    with pytest.raises(ValueError, match=r"extent=.*not empty"):
        maps.map(globe, extent=(0, 10, 50, 40))


# ------------------------------------------------------------------------------ dates and names


@pytest.mark.parametrize(
    ("entries", "texts"),
    [
        (np.arange("2001-01", "2001-05", dtype="M8[M]").astype("M8[ns]"), {"Mar", "Apr"}),
        (
            xr.date_range("2001-01-01", periods=4, freq="MS", calendar="noleap", use_cftime=True),
            {"2001-01-01", "2001-04-01"},
        ),
        (["north", "east", "south", "west"], {"north", "west"}),
    ],
)
@pytest.mark.parametrize("across", [True, False])
def test_dates_and_names_along_an_axis_are_written(entries, texts, across):
    values = np.arange(8.0).reshape(4, 2)
    da = xr.DataArray(values, {"at": entries, "lat": [10.0, 20.0]}, ("at", "lat"))
    artist = maps.map(da.T if across else da)
    axis = artist.axes.xaxis if across else artist.axes.yaxis
    artist.figure.canvas.draw()
    assert texts <= {label.get_text() for label in axis.get_ticklabels()}
    assert artist.axes.get_aspect() == "auto"
    drawn = artist.get_array().reshape((2, 4) if across else (4, 2))
    np.testing.assert_array_equal(drawn, values.T if across else values)


def test_dates_have_a_colour_bar_of_dates():
    days = np.array([["2001-01-01", "2001-03-01"], ["2001-12-31", "NaT"]], "datetime64[ns]")
    artist = maps.map(xr.DataArray(days, dims=("y", "x"), name="last_change"))
    assert artist.get_clim() == tuple(matplotlib.dates.date2num(days[:, 0]))
    np.testing.assert_array_equal(artist.get_array().mask, [[False, False], [False, True]])
    artist.figure.canvas.draw()
    (bar,) = artist.axes.child_axes
    assert {"Feb", "Dec"} & {text.get_text() for text in bar.get_yticklabels()}
