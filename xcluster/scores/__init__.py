"""Scores of clusterings on numpy arrays: how many clusters, and how much to trust them.

Rows are samples. Labels are integers, one per row; negative labels are noise and left out.
A row of weight 2 counts as the row twice. (Weights of the samples of an object are divided by their
mean before they come here, so that their unit plays no part and n is the number of samples.)
"""

from xcluster.scores.agreement import (
    Agreement,
    Contingency,
    agreement,
    contingency,
    match_labels,
    relabel,
)
from xcluster.scores.gap import GapStatistic, gap_statistic, kmeans_inertias
from xcluster.scores.memberships import (
    ROBUSTNESS_CLASSES,
    ROBUSTNESS_EDGES,
    membership_entropy,
    membership_margin,
    partition_coefficient,
    partition_entropy,
    robustness,
    robustness_classes,
    xie_beni,
)
from xcluster.scores.partition import (
    ClusterEntropy,
    calinski_harabasz,
    cluster_entropy,
    davies_bouldin,
    distortion,
    inertia,
    poisson_deviance,
)
from xcluster.scores.silhouette import (
    SilhouetteScore,
    silhouette_samples,
    silhouette_score,
    silhouette_scores,
)
from xcluster.scores.simplified import simplified_silhouette_samples, simplified_silhouette_score
from xcluster.scores.stability import Refit, Stability, stability

__all__ = [
    "ROBUSTNESS_CLASSES",
    "ROBUSTNESS_EDGES",
    "Agreement",
    "ClusterEntropy",
    "Contingency",
    "GapStatistic",
    "Refit",
    "SilhouetteScore",
    "Stability",
    "agreement",
    "calinski_harabasz",
    "cluster_entropy",
    "contingency",
    "davies_bouldin",
    "distortion",
    "gap_statistic",
    "inertia",
    "kmeans_inertias",
    "match_labels",
    "membership_entropy",
    "membership_margin",
    "partition_coefficient",
    "partition_entropy",
    "poisson_deviance",
    "relabel",
    "robustness",
    "robustness_classes",
    "silhouette_samples",
    "silhouette_score",
    "silhouette_scores",
    "simplified_silhouette_samples",
    "simplified_silhouette_score",
    "stability",
    "xie_beni",
]
