"""scikit-learn's own tests of k-means, mixtures, DBSCAN, HDBSCAN and scores, run on ours.

Its wheel carries the test modules. Each is imported while names of its package are ours, so that
what it imports is ours, and those of its tests are run that use such a name. Nothing of it is
copied.

Keys of the tables are regular expressions, which match the beginning of a test's name with its
parameters. ``different`` says what is expected to stay different, and why; these tests must fail.
``worded`` lists tests that pass apart from the text of a message. Ours name the parameter, its
value, the rule and a remedy; here only the kind of the error is compared.

Left out are tests of arrays of other libraries (array API). tslearn ships no tests. MiniSom ships
its tests inside its module, where they call the methods of its class one by one (`winner`,
`_gaussian`, `train_random`); ours has none of these, as it is an estimator like scikit-learn's.
"""

from unittest import mock

import pytest
from sklearn.neighbors import BallTree, KDTree

from xcluster import scores
from xcluster.algorithms.density import DBSCAN, HDBSCAN
from xcluster.algorithms.kmeans import KMeans
from xcluster.algorithms.mixture import GaussianMixture

pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.large]

ANY = object()
SPARSE = {r".*(sparse_|csr_|csc_|lil_|dok_|X_csr)": "sparse matrices are not accepted"}
ALGORITHM = "algorithm= is no choice, so no metric is refused for one"
DISTINCT = "fewer distinct rows than clusters are an error, not a warning"
INIT_PARAMS = "components start from k-means or from rows, not from k-means++ or random memberships"
METRIC_PARAMS = "metric_params= and p= are not parameters: pass a function as the metric"
PRECOMPUTED = "given distances are not accepted"
PRIVATE = "uses a private name of theirs"
VERBOSE = "verbose= is not a parameter"
WARM_START = "warm_start= is not a parameter: xcluster.base.streaming.iterate goes on with a fit"


def accepting(ours, **same):
    """Return ours, also taking keywords of theirs at the values that say what ours does anyway."""

    def called(*arguments, **keywords):
        for name, values in same.items():
            if name in keywords and (values is ANY or keywords[name] in values):
                del keywords[name]
        return ours(*arguments, **keywords)

    called.__name__ = ours.__name__
    return called


def silhouette_score(*arguments, **keywords):
    return float(scores.silhouette_score(*arguments, **keywords))


def swapped(module, ours, different, worded=()):
    """Return a class of the tests in a module of theirs that use what is ours."""
    package = module.partition(".tests.")[0]
    with mock.patch.multiple(package, **ours):
        theirs = pytest.importorskip(module)
    tests = {
        name: staticmethod(test)
        for name, test in vars(theirs).items()
        if name.startswith("test_") and "array_api" not in name and uses(test, ours)
    }
    tables = {"different": different, "worded": dict.fromkeys(worded), "module": theirs}
    return type("Swapped", (), tests | tables)


def uses(test, ours):
    """Whether a test, or one of its parameters, is about what is ours."""
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    given = {id(value) for mark in marks for value in mark.args[1]}
    return names(test.__code__, ours) or not given.isdisjoint(map(id, ours.values()))


def names(code, ours):
    inner = [each for each in code.co_consts if hasattr(each, "co_names")]
    return not ours.keys().isdisjoint(code.co_names) or any(names(each, ours) for each in inner)


TestKMeans = swapped(
    "sklearn.cluster.tests.test_k_means",
    {"KMeans": accepting(KMeans, algorithm=["lloyd"], copy_x=ANY, verbose=[0])},
    SPARSE
    | {
        r".*elkan": "algorithm= is no choice: there is one, Lloyd's",
        "test_float_precision": "centres are float64, also those of float32 rows",
        "test_kmeans_init_auto": "n_init is a number, 10 by default",
        "test_kmeans_verbose": VERBOSE,
        "test_kmeans_warns_less_centers": DISTINCT,
        "test_relocating_with_duplicates": DISTINCT,
        "test_sample_weight_(init|zero)": PRIVATE,
        "test_score_max_iter": "a search follows, which may end better after shorter runs",
        "test_warning_n_init_precomputed": "there is one start from given centres, and no warning",
    },
    ["test_wrong_params"],
)
TestGaussianMixture = swapped(
    "sklearn.mixture.tests.test_gaussian_mixture",
    {"GaussianMixture": accepting(GaussianMixture, warm_start=[False], verbose=[0])},
    {
        ".*all_init_does_not_estimate": PRIVATE,
        "test_convergence_detected_with_warm": WARM_START,
        "test_gaussian_mixture_attributes": INIT_PARAMS,
        "test_gaussian_mixture_precisions_init_diag": "k-means gives other numbers to components",
        r"test_gaussian_mixture_precisions_init\[": PRIVATE,
        "test_gaussian_mixture_setting_best": "variances of 0 are an error that says what to do",
        "test_gaussian_mixture_verbose": VERBOSE,
        "test_init_means_not_duplicated": "max_iter is at least 1",
        "test_max_iter_zero": "max_iter is at least 1",
        r"test_means_for_all_inits\[(random|k-means\+\+)\]": INIT_PARAMS,
        "test_monotonic_likelihood": WARM_START,
        "test_regularisation": DISTINCT,
        "test_warm_start": WARM_START,
    },
    [
        "test_check_(weights|means|precisions)",
        "test_gaussian_mixture_fit_convergence_warning",
        "test_sample",
    ],
)
TestDBSCAN = swapped(
    "sklearn.cluster.tests.test_dbscan",
    {"DBSCAN": accepting(DBSCAN, algorithm=ANY)},
    SPARSE
    | {
        "test_dbscan_(balltree|metric_params)": METRIC_PARAMS,
        "test_dbscan_(precomputed|similarity)": PRECOMPUTED,
        "test_weighted_dbscan": "weights are not taken: they would change what is dense",
    },
)


def known_by(tree):
    """Metrics of a tree, and one that no search for neighbours knows by this name."""
    return "|".join([*tree.valid_metrics, "matching"])


TestHDBSCAN = swapped(
    "sklearn.cluster.tests.test_hdbscan",
    {"HDBSCAN": accepting(HDBSCAN, algorithm=ANY, copy=ANY, metric_params=[None])},
    SPARSE
    | {
        "test_dbscan_clustering": "the tree is not kept, so it cannot be cut at a distance",
        rf"test_hdbscan_algorithms\[(?!({known_by(BallTree)})-).*ball": ALGORITHM,
        rf"test_hdbscan_algorithms\[(?!({known_by(KDTree)})-).*kd": ALGORITHM,
        r"test_hdbscan_algorithms\[(mahalanobis|w?minkowski|seuclidean)-.*_tree": METRIC_PARAMS,
        "test_hdbscan_best_balltree_metric": METRIC_PARAMS,
        "test_hdbscan_centers": "store_centers= is not a parameter: a result has its centres",
        "test_hdbscan_cosine_metric_invalid": ALGORITHM,
        "test_hdbscan_default_copy_warning": "rows are always copied, so there is no warning",
        "test_hdbscan_(distance_matrix|precomputed|error_precomputed)": PRECOMPUTED,
        "test_hdbscan_tree_invalid_metric": ALGORITHM,
        r"test_hdbscan_usable_inputs\[kwargs[01]": PRECOMPUTED,
        "test_labelling_distinct": PRIVATE,
        "test_outlier_data": "rows that are not finite are refused; before, they are left out",
    },
    ["test_hdbscan_too_many_min_samples"],
)
TestScores = swapped(
    "sklearn.metrics.cluster.tests.test_unsupervised",
    {
        "silhouette_score": accepting(silhouette_score, metric=["euclidean"]),
        "silhouette_samples": accepting(scores.silhouette_samples, metric=["euclidean"]),
        "calinski_harabasz_score": scores.calinski_harabasz,
        "davies_bouldin_score": scores.davies_bouldin,
    },
    SPARSE
    | {
        "test_(correct_labelsize|davies)": "as many labels as rows are no error: the score is 0",
        "test_calinski": "where every cluster is constant the ratio is infinite, not 1",
        r"test_silhouette(_nonzero|_paper|_score_integer|\[)": PRECOMPUTED,
    },
)
