"""Signatures of the figures of results and samples name the keywords of what draws them."""

import inspect

import numpy as np
import pytest
import xarray as xr

from xcluster.plot import (
    centers,
    curves,
    dendrogram,
    loadings,
    maps,
    matrices,
    memberships,
    nodes,
    profiles,
    regions,
    scatter,
    silhouette,
    training,
    zones,
)
from xcluster.plot.clustering import ClusteringPlot
from xcluster.plot.looks import drawn
from xcluster.plot.samples import SamplesPlot
from xcluster.plot.sweep import SweepPlot

DRAWN_BY = {
    ClusteringPlot.map: (maps.map,),
    ClusteringPlot.phases: (maps.map,),
    ClusteringPlot.memberships: (memberships.memberships,),
    ClusteringPlot.profiles: (profiles.profiles,),
    ClusteringPlot.centers: (centers.curves, centers.fields, centers.table),
    ClusteringPlot.scatter: (scatter.scatter,),
    ClusteringPlot.scatter3d: (scatter.scatter3d,),
    ClusteringPlot.histogram: (scatter.histogram,),
    ClusteringPlot.parallel: (scatter.parallel,),
    ClusteringPlot.silhouette: (silhouette.silhouette,),
    ClusteringPlot.confusion: (matrices.confusion,),
    ClusteringPlot.dendrogram: (dendrogram.dendrogram,),
    ClusteringPlot.nodes: (nodes.nodes, nodes.planes),
    ClusteringPlot.latent: (nodes.nodes, nodes.planes),
    ClusteringPlot.u_matrix: (nodes.u_matrix,),
    ClusteringPlot.scree: (curves.scree,),
    ClusteringPlot.training: (training.training,),
    ClusteringPlot.transitions: (matrices.transitions,),
    ClusteringPlot.change: (matrices.changes,),
    ClusteringPlot.regions: (regions.regions,),
    ClusteringPlot.zones: (zones.zones,),
    SamplesPlot.map: (maps.map,),
    SamplesPlot.correlation: (matrices.correlation,),
    SamplesPlot.scree: (curves.scree,),
    SamplesPlot.loadings: (loadings.loadings,),
    SamplesPlot.scatter: (scatter.scatter,),
    SamplesPlot.histogram: (scatter.histogram,),
    SweepPlot.__call__: (curves.criteria,),
}

NOT_OFFERED = {
    ClusteringPlot.dendrogram: {"colors", "names"},  # the result knows them
    ClusteringPlot.scatter: {"density", "log"},  # of samples without labels
    SamplesPlot.scatter: {"circles"},  # of samples with labels
    ClusteringPlot.centers: {"scaled"},  # variables have different units
}

TO_MATPLOTLIB = {
    *("alpha", "cmap", "color", "linestyle", "linewidth", "norm", "s", "vmax", "vmin", "zorder"),
}


def keywords(figure):
    """The keywords that a signature names, and their defaults."""
    named = inspect.signature(figure).parameters.values()
    return {each.name: each.default for each in named if each.kind is each.KEYWORD_ONLY}


def test_every_figure_is_listed():
    classes = ClusteringPlot, SamplesPlot
    found = {each for owner in classes for name, each in inspect.getmembers(owner, callable)
             if not name.startswith("_")}  # fmt: skip
    assert found | {SweepPlot.__call__} == set(DRAWN_BY)


def own_names(method):
    """The parameters that a method names itself, none that it hands on."""
    code = method.__code__
    return set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


@pytest.mark.parametrize("method", DRAWN_BY, ids=lambda each: each.__qualname__)
def test_a_method_names_the_keywords_of_what_it_draws_with_their_defaults(method):
    theirs = {}
    for figure in DRAWN_BY[method]:
        theirs |= keywords(figure)
    for name in (*own_names(method), *NOT_OFFERED.get(method, ())):
        theirs.pop(name, None)
    named = keywords(method)
    assert {name: named.get(name, "missing") for name in theirs} == theirs
    handed_on = set(named) - set(theirs) - own_names(method)
    several = method in (ClusteringPlot.centers, SamplesPlot.loadings)
    others = {*keywords(maps.map), *keywords(matrices.correlation)} if several else set()
    assert handed_on <= TO_MATPLOTLIB | others


@pytest.mark.parametrize("method", DRAWN_BY, ids=lambda each: each.__qualname__)
def test_every_keyword_has_a_type_and_none_is_hidden(method):
    for each in list(inspect.signature(method).parameters.values())[1:]:
        assert each.annotation is not each.empty
        assert each.kind is not each.VAR_KEYWORD


def test_none_is_the_default_of_what_goes_to_matplotlib():
    da = xr.DataArray(np.arange(6.0).reshape(2, 3), dims=("y", "x"))
    assert drawn(maps.map, da, s=None, zorder=None).get_zorder() == drawn(maps.map, da).get_zorder()


def test_a_keyword_of_another_figure_is_refused_by_name(bands):
    fit = bands.cluster.profiles("band").pca(2).kmeans(2)
    with pytest.raises(TypeError, match=r"cmap='viridis': belongs to other figures than nodes"):
        fit.plot.latent(n=2, cmap="viridis")
    with pytest.raises(TypeError, match=r"figsze=.*scree\(\) has no such keyword.*'figsize'"):
        fit.plot.scree(figsze=(3, 3))
