"""The question as a user asks it: which samples, in which steps, under which clusterer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, Unpack

import xarray as xr

from xcluster.api.clusterers import Clusterers
from xcluster.api.clustering import Clustering
from xcluster.api.completion import Completed
from xcluster.api.keywords import VAEKeywords
from xcluster.api.latent import LatentSpace
from xcluster.api.sweep import Sweep, clustering_of
from xcluster.base.signatures import spelled_out
from xcluster.chain.question import masked, weighted, with_anomaly, with_step
from xcluster.chain.reduction import Chain
from xcluster.chain.steps import (
    Over,
    auto_encoder,
    foreign,
    non_negative_components,
    principal_components,
    scaling,
)
from xcluster.fit.candidates import Candidates
from xcluster.fit.fitted import Fitted
from xcluster.fit.reconstruction import reconstruction
from xcluster.fit.reduced import Reducible, correlation
from xcluster.plot.samples import SamplesPlot
from xcluster.result import formatting


@dataclass(frozen=True, eq=False, repr=False)
class Samples(Completed, Clusterers[Clustering, Sweep], LatentSpace, Reducible):
    """Samples of an object, with the steps that their features go through.

    Made by ``ds.cluster.pixels()``, ``.profiles()``, ``.patches()`` or ``.snapshots()``. Every
    method returns a new object; nothing is computed until a clusterer is called.

    Parameters
    ----------
    data : Dataset
        The user's object.
    sampler
        What is a sample and what are its features.
    steps
        Scaling and reduction, in order.
    mask : DataArray of bool, optional
        Which samples count.
    weighting : "area", DataArray or None
        How much each sample counts.
    random_state : int
        Seed of everything random that follows.
    climatology : Climatology, optional
        What is subtracted from the data.

    Notes
    -----
    All clusterers take these keywords beside their own:

    fit_on : "auto", "all" or int, default "auto"
        Rows to fit. "auto": all up to 1,000,000 grid points and 150,000,000 values, else a sample
        of 100,000 complete rows (at most 25,000,000 values), chosen by their coordinates. "all"
        streams over larger data.
    order : "size", "center", a variable's name or a callable, default "size"
        What the labels are numbered by; for a latent space of one dimension "center".
    attrs : mapping, optional
        Free attributes of the result.
    progress : bool, default True
        Show a bar for what takes longer than two seconds.
    smooth, interp_method
        Passed to the search for a knee where ``k`` is not an int.

    Examples
    --------
    >>> import xcluster
    >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
    >>> samples = ds.cluster.pixels().where(ds.sst > 0).weights("area").pca(3)
    >>> samples.kmeans(4).k
    4
    """

    _for_us: ClassVar = frozenset(("ready", "reduction", "sampler", "weighting", "climatology"))

    def where(self, mask: xr.DataArray) -> Self:
        """Keep the samples where ``mask`` is True.

        Parameters
        ----------
        mask : DataArray of bool
            Over some or all of the sample dims, on the same coordinates. A further call keeps
            what both allow.

        Raises
        ------
        TypeError
            If it is no DataArray of bool.
        ValueError
            If it lies on another grid.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean()
        >>> warm = ds.cluster.pixels().where(ds.sst > 10)
        """
        return masked(self, mask)

    def weights(self, weights: Literal["area"] | xr.DataArray) -> Self:
        """Let samples count by their area, or by ``weights``.

        Weights enter standard scaling, PCA and every clusterer and score that can take them;
        other steps are fitted unweighted, and `Clustering.report` says so. For snapshots they
        weigh the features, by their square root. Their unit plays no part: clusterers and scores
        get them divided by their mean over the fitted rows, so that sums stay near counts.

        Parameters
        ----------
        weights : "area" or DataArray
            "area" is the cell's area where the grid has bounds, else the cosine of latitude. A
            DataArray lies over some or all of the sample dims; values at least 0, not all 0.

        Raises
        ------
        ValueError
            If there is no latitude for "area", or the weights lie on another grid.

        Examples
        --------
        >>> import xcluster
        >>> samples = xcluster.datasets.ocean().cluster.pixels().weights("area")
        """
        return weighted(self, weights)

    def scale(self, how: Any = "standard", over: Over = "feature") -> Self:
        """Scale the features.

        Parameters
        ----------
        how : str, transformer or None, default "standard"
            "standard" (zero mean, unit deviation), "robust" (median and quartiles), "minmax"
            (0 to 1), "max" (divided by the largest absolute value), "norm" (each sample to unit
            length), "log" (natural logarithm), "clr" (centred log-ratio), "anscombe"
            (2 sqrt(x + 3/8), for counts), any scikit-learn transformer, or None: no scaling at
            all, also where several variables would otherwise be scaled.
        over : {"feature", "variable", "all"}, default "feature"
            Which columns share a centre and a scale: none, those of one variable, or all.

        Raises
        ------
        ValueError
            If ``how`` or ``over`` is unknown, or the columns are no longer variables.

        Examples
        --------
        >>> import xcluster
        >>> samples = xcluster.datasets.ocean().cluster.pixels().scale("robust")
        """
        return with_step(self, scaling(how, over, self.steps))

    def pca(self, n: float) -> Self:
        """Reduce to principal components, weighted where the samples are.

        Parameters
        ----------
        n : int or float
            Number of components, or the fraction of variance to keep (between 0 and 1).

        Raises
        ------
        ValueError
            If ``n`` is out of range; and, from a clusterer, if there are fewer components.

        Examples
        --------
        >>> import xcluster
        >>> samples = xcluster.datasets.ocean().cluster.pixels().pca(3)
        >>> samples.transform().dims
        ('component', 'latitude', 'longitude')
        """
        return with_step(self, principal_components(n, self.random_state))

    def nmf(self, n: int) -> Self:
        """Reduce to non-negative components (scikit-learn's NMF).

        Parameters
        ----------
        n : int
            Number of components. The data must not be negative.

        Raises
        ------
        ValueError
            If ``n`` is below 1; and, from a clusterer, if the data are negative somewhere.

        Examples
        --------
        >>> import xcluster
        >>> samples = xcluster.datasets.tomography().cluster.profiles("depth").nmf(3)
        """
        return with_step(self, non_negative_components(n, self.random_state))

    @spelled_out
    def vae(self, n: int = 2, **keywords: Unpack[VAEKeywords]) -> Self:
        """Reduce to the latent space of a variational auto-encoder (needs torch).

        Parameters
        ----------
        n : int, default 2
            Number of latent dimensions.
        hidden : int, default 38
            Units of each hidden layer.
        alpha : float, default 1e-4
            Weight of the divergence from the prior, beside the mean squared error.
        epochs : int, default 200
            Most passes over the samples.
        batch_size : int, default 128
            Samples of one step of the training.
        learning_rate : float, default 3e-3
            Of the training.
        patience : int, default 40
            Epochs without a better loss after which the training ends.
        random_state : int
            By default that of the samples.
        device : str, default "auto"
            Where torch computes: "cpu", "cuda", or whichever there is.

        Notes
        -----
        Labels of a chain whose latent space has one dimension are numbered along it.

        Raises
        ------
        TypeError
            If a keyword is unknown (the nearest is named).
        ValueError
            If one is out of range; and, from a clusterer, if the training diverges.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> samples = model.cluster.profiles("depth", every=6).vae(2, epochs=2)
        >>> samples.transform().sizes["component"]
        2
        """
        return with_step(self, auto_encoder(n, self.random_state, keywords))

    def then(self, transformer: Any) -> Self:
        """Pass the features through any scikit-learn transformer.

        Parameters
        ----------
        transformer
            With ``fit`` and ``transform``; cloned, never changed. No scaling is assumed before it.

        Raises
        ------
        TypeError
            If it has no ``fit`` or no ``transform``.

        Examples
        --------
        >>> import xcluster
        >>> from sklearn.preprocessing import QuantileTransformer
        >>> ds = xcluster.datasets.ocean()
        >>> samples = ds.cluster.pixels().then(QuantileTransformer(n_quantiles=50))
        """
        return with_step(self, foreign(transformer))

    def anomaly(self, groupby: str = "time.dayofyear", *, smooth: int | None = None) -> Self:
        """Subtract the mean of each day of the year, month or season.

        The means are learned from the data when a clusterer is called, at each point of the
        field, missing values left out. They are kept and saved with the result, and
        `Clustering.predict` subtracts these, not the means of the new data.

        Parameters
        ----------
        groupby : str, default "time.dayofyear"
            Dim and component of its dates: dayofyear, month, season, quarter, dayofweek or hour.
        smooth : int, optional
            Running mean over this many groups around the cycle, weighted by the steps in each;
            31 is usual for days of the year.

        Raises
        ------
        ValueError
            If there are no dates, their steps are uneven (whole seasons may be left out), or
            ``smooth`` is even or more than the groups.

        Examples
        --------
        >>> import numpy as np, pandas as pd, xarray as xr, xcluster
        >>> time = pd.date_range("2000-01-01", periods=60, freq="MS")
        >>> sst = xr.DataArray(np.random.default_rng(0).normal(size=(60, 4, 5)), {"time": time},
        ...                    ("time", "lat", "lon"))
        >>> sst.cluster.snapshots("time").anomaly("time.month").kmeans(2).k
        2
        """
        return with_anomaly(self, groupby, smooth)

    def transform(self) -> xr.DataArray:
        """Return the reduced space, lazy where the data are.

        Returns
        -------
        DataArray over ``("component", *sample dims)``; NaN where a sample is incomplete.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> ds.cluster.pixels().pca(3).transform().dims
        ('component', 'latitude', 'longitude')
        """
        return self.reduction.transform()

    def loadings(self) -> xr.Dataset:
        """Return the axes of the reduced space in data coordinates.

        Returns
        -------
        Dataset over ``("component", *feature dims)``.

        Raises
        ------
        ValueError
            If the last step has no ``components_``.

        Examples
        --------
        >>> import xcluster
        >>> model = xcluster.datasets.tomography()
        >>> model.cluster.profiles("depth", every=6).pca(3).loadings().vs.dims
        ('component', 'depth')
        """
        return self.reduction.loadings()

    def explained_variance(self) -> xr.DataArray:
        """Return the share of variance that each principal component explains.

        Returns
        -------
        DataArray over ``component``, the ratios.

        Raises
        ------
        ValueError
            If the last step is not ``pca``.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> ratio = ds.cluster.pixels().pca(3).explained_variance()
        >>> bool(ratio[0] > ratio[1])
        True
        """
        return self.reduction.explained_variance()

    def reconstruction(self) -> xr.Dataset:
        """Return how much of the data the reduction keeps: the R2 of what its inverse gives back.

        Compared in the space behind the first scalings, where variables have one unit, over the
        rows that a clusterer would fit, weighted where samples are.

        Returns
        -------
        Dataset of ``total`` and of ``r2`` over ``variable``; 1 where nothing is lost.

        Raises
        ------
        ValueError
            If no step reduces, or one has no inverse.

        Examples
        --------
        >>> import xcluster
        >>> samples = xcluster.datasets.ocean().cluster.pixels().pca(3)
        >>> round(float(samples.reconstruction().total), 2)
        0.85
        """
        return reconstruction(self.reduction)

    def correlation(self) -> xr.DataArray:
        """Return the correlation of the features with each other, weighted where samples are.

        Returns
        -------
        DataArray over ``feature`` and ``other``, of the rows that a clusterer would fit.

        Examples
        --------
        >>> import xcluster
        >>> found = xcluster.datasets.ocean().cluster.pixels().correlation()
        >>> round(float(found.sel(feature="sst", other="air_temperature")), 2)
        1.0
        """
        return correlation(self)

    @property
    def plot(self) -> SamplesPlot:
        """Figures of the data before clustering: ``plot.map()``, ``plot.scatter()`` and others.

        Examples
        --------
        >>> import xcluster
        >>> xcluster.datasets.ocean().cluster.pixels().plot.map("sst")  # doctest: +SKIP
        """
        return SamplesPlot(self)

    def __repr__(self) -> str:
        return formatting.samples_text(self)

    def _repr_html_(self) -> str:
        return formatting.samples_html(self)

    def _answer(self, fitted: Fitted) -> Clustering:
        return clustering_of(fitted)

    def _swept(self, candidates: Candidates) -> Sweep:
        return Sweep.of(candidates)

    def _latent_parts(self) -> tuple[Chain, xr.Dataset]:
        return self.reduction.chain, self.layout.features

    def _latent(self) -> xr.DataArray:
        return self.reduction.transform()
