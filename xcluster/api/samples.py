"""The samples as a user sees them: which they are, their steps, and what can be asked of them."""

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
    Loss,
    Noise,
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
    """Samples of an object, and the steps that their features go through.

    Made by ``ds.cluster.pixels()``, ``.profiles()``, ``.patches()`` or ``.snapshots()``. Methods
    that add a mask, weights or a step return a new object and compute nothing.

    Parameters
    ----------
    data : Dataset
        The user's object.
    sampler
        What one sample is, and what its features are.
    steps
        Scaling and reduction, in order.
    mask : DataArray of bool, optional
        Which samples count.
    weighting : "area", DataArray or None
        How much each sample counts.
    random_state : int
        Seed of everything random that follows.
    climatology : Climatology, optional
        The mean cycle that is subtracted from the data.
    columns : optional
        In which order features become columns. By default the chain decides.

    Notes
    -----
    All clusterers take these keywords, in addition to their own:

    fit_on : "auto", "all" or int, default "auto"
        How many rows are fitted. "auto": all rows, up to 1,000,000 grid points and 150,000,000
        values. Beyond that a sample of 100,000 complete rows (at most 25,000,000 values), chosen
        by their coordinates. "all": all rows; larger data are streamed. A number: so many rows.
        A fit that needs more memory than is free is refused before it begins.
    order : "size", "center", a variable's name or a callable, default "size"
        What the labels are numbered by. For a latent space of one dimension the default is
        "center". Sizes are those among the fitted samples: if only some are fitted
        (``hac(fit_on=300)``), the label map may have other sizes, and the report says so.
    attrs : mapping, optional
        Attributes of the result, of your own choice.
    progress : bool, default True
        Show a progress bar if something takes longer than two seconds.
    smooth, interp_method
        Passed to the search for a knee, if ``k`` is not an int.
    random_state : int, optional
        Seed of this clusterer; by default that of the samples.
    retries : int, default 0
        How often a cluster of dask.distributed reads a block again if this fails. Without a
        cluster it is refused.

    Examples
    --------
    >>> import xcluster
    >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
    >>> samples = ds.cluster.pixels().where(ds.sst > 0).weights("area").pca(3)
    >>> samples.kmeans(4).k
    4
    """

    _for_us: ClassVar = frozenset(
        (
            *("ready", "reduction", "sampler", "weighting", "climatology"),
            *("columns", "ordering", "ordered"),
        )
    )

    def where(self, mask: xr.DataArray) -> Self:
        """Keep the samples where ``mask`` is True.

        Parameters
        ----------
        mask : DataArray of bool
            Over some or all of the sample dims, on the same coordinates. A second call keeps the
            samples that both masks keep.

        Raises
        ------
        TypeError
            If it is not a DataArray of bool.
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
        """Weigh the samples by their area, or by ``weights``.

        Weights are used by standard scaling, PCA and every clusterer and score that can take
        them. Other steps are fitted without weights, and `Clustering.report` says so. For
        snapshots the features are weighed: they are multiplied by the square root of the weight.
        The unit of the weights does not matter: they are divided by their mean over the samples
        that are read, so that n in BIC and every score is the number of samples. A weight of 2 is
        not a sample twice, as it is to the estimators and scores that take arrays.

        Parameters
        ----------
        weights : "area" or DataArray
            "area": the area of each cell, as the data state it (``cell_measures``), from bounds or
            between centres, of meshes and of HEALPix cells. A DataArray lies over some or all of
            the sample dims; its values are at least 0, and some are above 0.

        Raises
        ------
        ValueError
            If no areas are known for "area", or the weights lie on another grid.

        Examples
        --------
        >>> import xcluster
        >>> samples = xcluster.datasets.ocean().cluster.pixels().weights("area")
        """
        return weighted(self, weights)

    def scale(
        self, how: Any = "standard", over: Over = "feature", *, balance: bool = False
    ) -> Self:
        """Scale the features.

        Parameters
        ----------
        how : str, transformer or None, default "standard"
            "standard" (zero mean, unit deviation), "robust" (median and quartiles; a wider range
            for features of which half of the values or more are equal), "minmax"
            (0 to 1), "max" (divided by the largest absolute value), "norm" (each sample to unit
            length), "log" (natural logarithm), "clr" (centred log-ratio), "anscombe"
            (2 sqrt(x + 3/8), for counts), any scikit-learn transformer, or None. None means no
            scaling at all: several variables are then not scaled by default either.
        over : {"feature", "variable", "all"}, default "feature"
            Which columns share a centre and a scale. "feature": none, each has its own.
            "variable": those of one variable. "all": all of them.
        balance : bool, default False
            Give every variable the same weight, whatever its number of features: with
            ``over="variable"`` each variable is also divided by the square root of that number.
            Without it a spectrum of 200 channels counts 200 times as much as an image beside it.

        Raises
        ------
        ValueError
            If ``how`` or ``over`` is unknown, the columns are no longer variables, or ``balance``
            is asked for without ``over="variable"`` or for a scaling without a scale.

        Examples
        --------
        >>> import xcluster
        >>> samples = xcluster.datasets.ocean().cluster.pixels().scale("robust")
        """
        return with_step(self, scaling(how, over, balance, self.steps))

    def pca(self, n: float, noise: Noise = "equal") -> Self:
        """Reduce to principal components; weights of the samples count.

        Samples with gaps (``missing="keep"``) have the likeliest components, by expectation and
        maximisation (Tipping and Bishop 1999). Their scores are the means of the scores, given what
        is there, so that samples behind this step have no gaps. Without gaps both are the same.

        Parameters
        ----------
        n : int or float
            Number of components, or the fraction of variance to keep (between 0 and 1).
        noise : str, default "equal"
            "equal" takes the values as they are. "poisson" divides each count by the root of the
            mean of its sample and of its feature, so that the noise of all is alike, and does not
            subtract the mean: the first component is close to it. Features are those of the
            weighted counts, loadings and centres are multiplied back. No scaling is added before
            it. Samples without counts are no data, and samples with gaps are refused.

        Raises
        ------
        ValueError
            If ``n`` is out of range, or ``noise`` unknown. Later, when the steps are fitted: if
            there are fewer features or samples than ``n``, or under "poisson" if a value is
            negative, no whole number or missing.

        Warns
        -----
        UserWarning
            Later, when the steps are fitted: if fewer than ``n`` components have more variance
            than rounding errors. The others are left out.
        ConvergenceWarning
            Then, of samples with gaps: if the components still change after 500 iterations.

        Examples
        --------
        >>> import xcluster
        >>> samples = xcluster.datasets.ocean().cluster.pixels().pca(3)
        >>> samples.transform().dims
        ('component', 'latitude', 'longitude')
        """
        gaps = self.sampler.least is not None
        return with_step(self, principal_components(n, noise, self.random_state, gaps))

    def nmf(self, n: int, loss: Loss = "squared") -> Self:
        """Reduce to non-negative components.

        Parameters
        ----------
        n : int
            Number of components. The data must not be negative.
        loss : str, default "squared"
            "squared" finds the least squares (scikit-learn's NMF). "poisson" finds the components
            under which counts are likeliest (Kullback-Leibler divergence). It can be streamed,
            weights of the samples count, and no scaling is added before it. Components then are
            shares that sum to 1, and features are the counts from each component. Samples without
            counts are no data.

        Raises
        ------
        ValueError
            If ``n`` is below 1, or ``loss`` unknown. Later, when the steps are fitted: if a value
            is negative, or under "poisson" not a whole number.

        Examples
        --------
        >>> import xcluster
        >>> samples = xcluster.datasets.tomography().cluster.profiles("depth").nmf(3)
        >>> eds = xcluster.datasets.eds(size=32)
        >>> parts = eds.cluster.pixels("counts", dim="channel").nmf(3, loss="poisson")
        >>> parts.transform().dims
        ('component', 'y', 'x')
        """
        return with_step(self, non_negative_components(n, loss, self.random_state))

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
        If the latent space has one dimension, labels are numbered along it.

        Raises
        ------
        TypeError
            If a keyword is unknown (the error suggests a similar name).
        ValueError
            If a keyword is out of range. Later, when the steps are fitted: if the training
            diverges.

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
            With ``fit`` and ``transform``. It is cloned and never changed. Variables are not
            scaled by default before it.

        Notes
        -----
        A chain with such a step gets variables and features in the order of the data, as the
        transformer may read it. Only falling coordinates are reversed. All other chains sort
        variables by name and features by their coordinates, so that their order does not matter.

        Raises
        ------
        TypeError
            If ``fit`` or ``transform`` is missing.

        Examples
        --------
        >>> import xcluster
        >>> from sklearn.preprocessing import QuantileTransformer
        >>> ds = xcluster.datasets.ocean()
        >>> samples = ds.cluster.pixels().then(QuantileTransformer(n_quantiles=50))
        """
        return with_step(self, foreign(transformer))

    def anomaly(
        self,
        groupby: str = "time.dayofyear",
        *,
        smooth: int | None = None,
        common: bool = True,
    ) -> Self:
        """Subtract the mean of each day of the year, month or season.

        The means are computed from the data when a clusterer is called: at each point of the
        field, from the values that are not missing. They are kept with the result and saved with
        it. `Clustering.predict` subtracts these means, not those of the new data.

        Parameters
        ----------
        groupby : str, default "time.dayofyear"
            The dim, and a part of its dates: dayofyear, month, season, quarter, dayofweek or hour.
        smooth : int, optional
            Take a running mean over this many groups around the cycle. Each group is weighted by
            the number of its steps. For days of the year 31 is usual.
        common : bool, default True
            Whether all members of an ensemble (``snapshots(["member", "time"])``), and all scenes
            of `xcluster.pool`, have one mean cycle; False: each has its own. Points of pixels and
            profiles always have their own.

        Raises
        ------
        ValueError
            If the dim has no dates, if their steps are uneven (whole seasons may be missing), or
            if ``smooth`` is even or larger than the number of groups.

        Examples
        --------
        >>> import numpy as np, pandas as pd, xarray as xr, xcluster
        >>> time = pd.date_range("2000-01-01", periods=60, freq="MS")
        >>> sst = xr.DataArray(np.random.default_rng(0).normal(size=(60, 4, 5)), {"time": time},
        ...                    ("time", "lat", "lon"))
        >>> sst.cluster.snapshots("time").anomaly("time.month").kmeans(2).k
        2
        """
        return with_anomaly(self, groupby, smooth, common)

    def transform(self) -> xr.DataArray:
        """Return the samples in the reduced space; lazy if the data are lazy.

        Returns
        -------
        DataArray over ``("component", *sample dims)``. NaN where a sample is incomplete.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> ds.cluster.pixels().pca(3).transform().dims
        ('component', 'latitude', 'longitude')
        """
        return self.reduction.transform()

    def loadings(self) -> xr.Dataset:
        """Return the axes of the reduced space on the coordinates of the features.

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
        DataArray over ``component``: fractions of the total variance.

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
        """Return how much of the data the reduction keeps: the R2 of the reconstructed data.

        Data and reconstruction are compared after the first scalings, where all variables have
        the same unit. The rows are those that a clusterer would fit; weights count. What is
        missing is not compared.

        Returns
        -------
        Dataset with ``total``, and with ``r2`` over ``variable``. 1 means that nothing is lost.

        Raises
        ------
        ValueError
            If no step reduces the features, or a step has no inverse.

        Examples
        --------
        >>> import xcluster
        >>> samples = xcluster.datasets.ocean().cluster.pixels().pca(3)
        >>> round(float(samples.reconstruction().total), 2)
        0.85
        """
        return reconstruction(self.reduction)

    def correlation(self) -> xr.DataArray:
        """Return the correlation of the features with each other; weights of the samples count.

        Returns
        -------
        DataArray over ``feature`` and ``other``, from the rows that a clusterer would fit.

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
