"""How good a clustering is, and how far to believe each of its labels."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcluster import scores
from xcluster.base.checks import check_choice, check_seed
from xcluster.base.errors import BadValueError
from xcluster.chain.question import layout_of
from xcluster.chain.reduction import Chain
from xcluster.fit import labelled
from xcluster.fit.arrays import GridArrays
from xcluster.fit.criteria import CRITERIA, Fit, measure
from xcluster.fit.fitted import bound
from xcluster.grid.layout import LABEL
from xcluster.result import doubt, matching
from xcluster.scores.labelled import labelled_rows
from xcluster.scores.silhouette import EXACT_ROWS

if TYPE_CHECKING:
    from xcluster.fit.labelled import LabelledSamples

Array = NDArray[Any]

OF_LABELS = (
    "inertia",
    "distortion",
    "simplified_silhouette",
    "calinski_harabasz",
    "davies_bouldin",
    "entropy",
)


class Diagnostics(GridArrays):
    """Scores, silhouettes and refits of a `Clustering`."""

    def scores(self, space: str = "features", *, truth: Any = None) -> xr.Dataset:
        """Return all scores that make sense for the result.

        Distances are Euclidean and weights count, as they do in a sweep. All samples enter up to
        1,000,000 grid points, beyond that the 100,000 that a fit would take; those without a
        label are left out.

        Parameters
        ----------
        space : {"features", "data"}, default "features"
            Where distances are taken: in the space that was clustered, or between the data as
            they are.
        truth : DataArray or Clustering, optional
            Labels to compare with, on the same grid; NaN and negative where unknown.

        Returns
        -------
        Dataset of numbers without dims: ``silhouette`` (with the bounds ``silhouette_low`` and
        ``silhouette_high`` of its 95 % confidence interval, apart where rows were sampled),
        ``simplified_silhouette``, ``calinski_harabasz``, ``davies_bouldin``, ``entropy``,
        ``inertia``, ``distortion``; of soft methods, in the space of features, also what is
        known of their memberships and likelihood; with a truth ``adjusted_rand``,
        ``adjusted_mutual_info`` and ``v_measure``. NaN where a single label has no value.

        Raises
        ------
        ValueError
            If the result was opened without its data, no sample has a label, or the truth lies
            on another grid.

        See Also
        --------
        xcluster.scores : The definitions, with their sources.

        Examples
        --------
        >>> import xcluster
        >>> fit = xcluster.datasets.ocean().cluster.pixels().kmeans(4)
        >>> round(float(fit.scores().silhouette), 1)
        0.3
        """
        samples = bound(self, "scores")
        check_choice("space", space, ("features", "data"))
        maps = [self.labels]
        if truth is not None:
            maps.append(_truth(self, truth))
        chain = self.assign.chain if space == "features" else Chain()
        found = labelled.read(layout_of(samples), maps, chain)
        values = _of_labels(found)
        if space == "features":
            values |= _of_model(self, found)
        if truth is not None:
            values |= agreement(*found.labels)
        return _as_dataset(values, space, len(found.Z))

    @property
    def silhouette(self) -> xr.DataArray:
        """Silhouette of each sample in the space that was clustered, over the sample dims.

        Exact up to 65,536 complete samples. Beyond, the simplified one, lazy where the data are:
        distances to the own and to the next centre stand for those to the samples (the attribute
        ``long_name`` tells which). NaN without a label.

        Raises
        ------
        ValueError
            If there is one label only, or the result was opened without its data.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(4)
        >>> fit.silhouette.dims
        ('latitude', 'longitude')
        """
        return self._silhouette.copy()

    @cached_property
    def _silhouette(self) -> xr.DataArray:
        samples = bound(self, "silhouette")
        if self.k < 2:
            rule = "a silhouette compares the own label with the next, which takes two at least"
            raise BadValueError("k", self.k, rule, "cluster into more labels")
        if self.record.complete > EXACT_ROWS:
            return _simplified(self)
        found = labelled.read(layout_of(samples), [self.labels], self.assign.chain)
        values = scores.silhouette_samples(found.Z, found.labels[0], found.weight)
        exact: xr.DataArray = found.on_grid(values).rename("silhouette")
        return exact.assign_attrs(long_name="silhouette")

    def uncertainty(
        self,
        n_refits: int = 20,
        *,
        resampling: str = "bootstrap",
        fraction: float = 0.5,
        random_state: int | None = None,
    ) -> xr.Dataset:
        """Return how well labels come back when the clusterer is fitted to other samples.

        Each refit starts anew, on rows drawn from the samples; its labels are matched one to one
        with those of the result. The steps are not refitted. Of more than 20,000 grid points
        refits take as many rows, and are then applied to all.

        Parameters
        ----------
        n_refits : int, default 20
        resampling : {"bootstrap", "subsample"}, default "bootstrap"
            As many rows with replacement, or ``fraction`` of them without.
        fraction : float, default 0.5
            For subsamples only; above 0, at most 1.
        random_state : int, optional
            By default that of the fit.

        Returns
        -------
        Dataset of

        ``jaccard`` over ``label``
            mean Jaccard similarity with the matched label of each refit (0.75 and more is
            stable, 0.5 and less dissolved);
        ``agreement`` over the sample dims
            share of the refits that give a sample its label again, lazy where the data are;
        ``mean_agreement``
            its mean over the rows of the refits.

        Of soft methods also, over the sample dims,

        ``membership_entropy``
            Shannon entropy of the memberships, in nats;
        ``margin``
            between the largest membership and the second;
        ``robustness``
            ``(max p - 1/k) k / (k - 1)``, with ``robustness_class`` as flags from "unlikely" to
            "virtually certain".

        Raises
        ------
        ValueError
            If labels depend on neighbours on the grid, an option is out of range, or the result
            was opened without its data.

        References
        ----------
        Hennig (2007), "Cluster-wise assessment of cluster stability", Computational Statistics
        and Data Analysis 52, 258-271; Maze et al. (2017), Progress in Oceanography 151, 275-292,
        for the robustness.

        Examples
        --------
        >>> import xcluster
        >>> fit = xcluster.datasets.ocean().cluster.pixels().kmeans(3)
        >>> sorted(fit.uncertainty(n_refits=3))
        ['agreement', 'jaccard', 'mean_agreement']
        """
        bound(self, "uncertainty")
        own = random_state is None
        seed = self.record.random_state if own else check_seed("random_state", random_state)
        return doubt.uncertainty(
            self._whole,
            n_refits=n_refits,
            resampling=resampling,
            fraction=fraction,
            random_state=seed,
        )


def agreement(ours: Array, theirs: Array) -> dict[str, float]:
    """Return the scores of two labellings of the same rows, by name."""
    found = scores.agreement(theirs, ours)
    names = ("adjusted_rand", "adjusted_mutual_info", "v_measure")
    return {name: getattr(found, name) for name in names}


def _truth(clustering: GridArrays, truth: Any) -> xr.DataArray:
    """Return the truth in the order of the labels, as whole numbers."""
    given = getattr(truth, "labels", truth)
    known: xr.DataArray = matching.aligned(clustering.labels, given, "truth")
    numbers = matching.integers(known, "truth")
    if not (numbers >= 0).any():
        rule = "holds no label of at least 0"
        raise BadValueError("truth", known.name, rule, "number its classes from 0")
    return known.copy(data=numbers.reshape(known.shape).astype(np.float64))


def _of_labels(found: LabelledSamples) -> dict[str, float]:
    """Return the scores of the labels alone: in any space, of any method."""
    data = labelled_rows(found.Z, found.labels[0], found.weight)
    fit = Fit(data.X, data.weight, None, data.cluster, data.means)
    values = measure(OF_LABELS, fit)
    parts = dict.fromkeys(("silhouette", "silhouette_low", "silhouette_high"), float("nan"))
    if fit.several:
        score = scores.silhouette_score(data.X, data.cluster, sample_weight=data.weight)
        parts = dict(zip(parts, (score.value, score.low, score.high), strict=True))
    return parts | values


def _of_model(clustering: GridArrays, found: LabelledSamples) -> dict[str, float]:
    """Return the scores that only some clusterers have: likelihoods and memberships."""
    clusterer = clustering.assign.clusterer
    names = [
        name
        for name, criterion in CRITERIA.items()
        if criterion.needs is not None and hasattr(clusterer, criterion.needs)
    ]
    labels = found.labels[0]
    return measure(names, Fit(found.Z, found.weight, clusterer, labels, clustering.assign.centers))


def _as_dataset(values: dict[str, float], space: str, n_samples: int) -> xr.Dataset:
    arrays = {
        name: ((), value, CRITERIA[name].attrs if name in CRITERIA else {})
        for name, value in values.items()
    }
    return xr.Dataset(arrays, attrs={"space": space, "n_samples": n_samples})


def _simplified(clustering: GridArrays) -> xr.DataArray:
    """Return the silhouette by centres of every sample."""
    labels, distances = clustering.labels, clustering.distances
    own = distances[LABEL] == labels
    a = distances.where(own).min(LABEL)
    b = distances.where(~own).min(LABEL)
    larger = xr.where(a > b, a, b)
    values: xr.DataArray = (b - a) / larger.where(larger > 0, 1.0)
    attrs = {"long_name": "simplified silhouette"}
    return values.astype(np.float32).rename("silhouette").drop_attrs().assign_attrs(attrs)
