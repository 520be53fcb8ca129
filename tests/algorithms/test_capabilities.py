"""What estimators say of themselves, so that nobody has to ask for their class."""

import numpy as np
import pytest

from xcluster.algorithms.counted import Counted
from xcluster.algorithms.defined import Defined
from xcluster.algorithms.density import DBSCAN, HDBSCAN
from xcluster.algorithms.fuzzy import FuzzyCMeans
from xcluster.algorithms.hierarchical import Hierarchical
from xcluster.algorithms.kmeans import KMeans, grow
from xcluster.algorithms.mixture import GaussianMixture
from xcluster.algorithms.nmf import NMF
from xcluster.algorithms.pca import PCA
from xcluster.algorithms.poisson_mixture import PoissonMixture
from xcluster.algorithms.poisson_nmf import PoissonNMF
from xcluster.algorithms.poisson_pca import PoissonPCA
from xcluster.algorithms.scaling import Scaler
from xcluster.algorithms.shapes import ShapeKMeans
from xcluster.algorithms.som import SOM
from xcluster.algorithms.spherical import SphericalKMeans
from xcluster.algorithms.trimmed import TrimmedKMeans, TrimmedSphericalKMeans
from xcluster.algorithms.vae import VAE
from xcluster.algorithms.warping import WarpingKMeans

CAPABILITIES = {
    ("sweeps_by", "cutting"): {Hierarchical},
    ("sweeps_by", "growing"): {KMeans},
    ("leaves_noise", True): {DBSCAN, HDBSCAN, TrimmedKMeans, TrimmedSphericalKMeans},
    ("shows_progress", True): {VAE},
    ("centers_are_directions", True): {SphericalKMeans, TrimmedSphericalKMeans},
    ("lacks", "a direction"): {Defined},
    ("reads_counts", True): {Counted, PoissonMixture, PoissonNMF, PoissonPCA},
}
ESTIMATORS = (
    *(DBSCAN, HDBSCAN, FuzzyCMeans, Hierarchical, KMeans, GaussianMixture, SOM, WarpingKMeans),
    *(NMF, PCA, PoissonNMF, PoissonMixture, PoissonPCA, Scaler, VAE, Counted),
    *(Defined, SphericalKMeans, ShapeKMeans, TrimmedKMeans, TrimmedSphericalKMeans),
)


@pytest.mark.parametrize(("name", "value"), CAPABILITIES)
def test_a_capability_is_said_by_those_that_have_it_alone(name, value):
    found = {each for each in ESTIMATORS if getattr(each, name, None) == value}
    assert found == CAPABILITIES[name, value]


@pytest.mark.parametrize("name", sorted({name for name, _ in CAPABILITIES}))
def test_a_capability_is_no_parameter(name):
    assert not any(name in each().get_params() for each in ESTIMATORS)


def test_what_sweeps_by_cutting_is_cut_into_any_number_of_clusters(wine):
    swept = Hierarchical(2).fit(wine)
    for k in (3, 7):
        np.testing.assert_array_equal(swept.recut(k).labels_, Hierarchical(k).fit(wine).labels_)


def test_what_sweeps_by_growing_starts_from_fewer_clusters(wine):
    swept = KMeans(2).fit(wine)
    grown = KMeans(3, init=grow(swept.cluster_centers_, wine)).fit(wine)
    assert grown.inertia_ < swept.inertia_


def test_what_leaves_noise_may_call_new_rows_noise_where_the_fit_found_none():
    model = DBSCAN(eps=1.5, min_samples=2).fit([[0.0], [1.0]])
    assert (model.labels_ == 0).all()
    assert model.predict([[9.0]]).tolist() == [-1]


def test_what_shows_progress_has_a_parameter_for_it():
    assert not VAE().progress
