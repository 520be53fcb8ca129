"""The keywords that signatures name are those that the methods take, with their defaults."""

import inspect
from dataclasses import fields
from typing import get_args, get_type_hints

import pytest

import xcluster
from xcluster.algorithms.density import DBSCAN, HDBSCAN
from xcluster.algorithms.fuzzy import FuzzyCMeans
from xcluster.algorithms.hierarchical import Hierarchical
from xcluster.algorithms.kmeans import KMeans
from xcluster.algorithms.medoids import KMedoids
from xcluster.algorithms.mixture import GaussianMixture
from xcluster.algorithms.poisson_mixture import PoissonMixture
from xcluster.algorithms.som import SOM
from xcluster.algorithms.vae import VAE
from xcluster.algorithms.warping import WarpingKMeans
from xcluster.api import keywords
from xcluster.fit.criteria import CRITERIA
from xcluster.fit.methods import BY_NAME, Options
from xcluster.scores.knee import INTERPOLATIONS

ESTIMATORS = {
    "kmeans": (WarpingKMeans(), KMeans()),
    "kmedoids": (KMedoids(),),
    "gmm": (GaussianMixture(n_init=10),),
    "mixture": (PoissonMixture(n_init=10),),
    "hac": (Hierarchical(),),
    "fuzzy": (FuzzyCMeans(),),
    "som": (SOM(),),
    "dbscan": (DBSCAN(),),
    "hdbscan": (HDBSCAN(),),
    "fit": (),
}
SHARED = {each.name: each.default for each in fields(Options)}

OWN = {"n_clusters", "n_components", "n_channels", "connectivity"}
"""Parameters of estimators that the methods set themselves."""

OF_METHODS = {"self", "k", "contiguous", "clusterer", "family"}
"""Parameters of methods that no estimator has."""


def signature(name):
    """Return the default of each parameter of a method."""
    found = inspect.signature(getattr(xcluster.Samples, name)).parameters
    return {each: found[each].default for each in found}


def taken(name):
    """Return the default of each keyword that a method takes at run time."""
    merged = {}
    for estimator in ESTIMATORS[name]:
        merged |= estimator.get_params()
    merged |= SHARED if name != "som" else {k: v for k, v in SHARED.items() if k != "order"}
    if name == "kmeans":
        merged |= {"metric": "euclidean", "trim": 0.0}
    return {k: v for k, v in merged.items() if k not in OWN}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_signature_names_what_the_method_takes_with_its_defaults(name):
    named = {k: v for k, v in signature(name).items() if k not in OF_METHODS}
    assert named == taken(name)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_keyword_stands_in_the_docstring(name):
    described = inspect.getdoc(getattr(xcluster.Samples, name)).split("Returns\n")[0]
    own = signature(name).keys() - SHARED.keys() - {"self"}
    assert [each for each in sorted(own) if each not in described] == []


def test_every_shared_keyword_stands_in_the_docstring_of_samples():
    described = inspect.getdoc(xcluster.Samples)
    assert [each for each in SHARED if each not in described] == []


def test_a_sweep_names_the_keywords_of_its_methods():
    swept = {each for name in BY_NAME for each in signature(name)} - {"k"}
    assert signature("sweep").keys() == swept | {"ks", "method", "criteria"}


def test_the_choices_of_a_sweep_are_those_that_it_takes():
    assert get_args(keywords.MethodName) == tuple(BY_NAME)
    assert get_args(keywords.CriterionName) == tuple(CRITERIA)
    assert get_args(get_type_hints(keywords.FitKeywords)["interp_method"]) == INTERPOLATIONS


def test_the_keywords_of_vae_are_those_of_the_estimator():
    taken = VAE().get_params().keys() - {"n_components", "progress"}
    assert get_type_hints(keywords.VAEKeywords).keys() == taken
