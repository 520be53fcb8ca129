"""The question: which samples, features and steps; nothing is computed before a clusterer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from xcluster import fitting, formatting, geography
from xcluster.anomaly import Climatology
from xcluster.checks import check_choice, check_integer, complaint, did_you_mean
from xcluster.clusterers import Clusterers
from xcluster.latent import LatentSpace
from xcluster.layout import Layout
from xcluster.methods import Options
from xcluster.reduction import Chain, Reduction, feature_names
from xcluster.samplers import Sampler, Snapshots
from xcluster.steps import Over, Step, check_over, feature_weights

if TYPE_CHECKING:
    from xcluster.clustering import Clustering
    from xcluster.plot.samples import SamplesPlot

SCALINGS = ("standard", "robust", "minmax", "max", "norm", "log", "clr", "anscombe")


@dataclass(frozen=True, eq=False, repr=False)
class Samples(Clusterers, LatentSpace):
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

    data: xr.Dataset
    sampler: Sampler
    steps: tuple[Step, ...] = ()
    mask: xr.DataArray | None = None
    weighting: Literal["area"] | xr.DataArray | None = None
    random_state: int = 0
    climatology: Climatology | None = None

    def __post_init__(self) -> None:
        check_integer("random_state", self.random_state, minimum=0)
        # Arranged now, so that a wrong name is an error where it was written.
        self.layout  # noqa: B018

    @cached_property
    def layout(self) -> Layout:
        """How samples and features lie in the data."""
        data = self.data if self.climatology is None else self.climatology(self.data)
        layout = self.sampler.arrange(data)
        mask = None if self.mask is None else _on_grid("mask", self.mask, layout)
        return replace(layout, mask=mask, weight=self._weight(layout))

    # ------------------------------------------------------------------------ which samples

    def where(self, mask: xr.DataArray) -> Samples:
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
        if not isinstance(mask, xr.DataArray) or mask.dtype != bool:
            rule = f"must be a DataArray of bool, not {_kind(mask)}"
            raise TypeError(complaint("mask", _kind(mask), rule, "compare: ds.land == 100"))
        _on_grid("mask", mask, self.layout)
        return replace(self, mask=mask if self.mask is None else self.mask & mask)

    def weights(self, weights: Literal["area"] | xr.DataArray) -> Samples:
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
        if isinstance(weights, str):
            check_choice("weights", weights, ("area",))
        elif not isinstance(weights, xr.DataArray) or weights.dtype.kind not in "fiub":
            rule = f"must be 'area' or a DataArray of numbers, not {_kind(weights)}"
            remedy = "wrap it: xr.DataArray(weights, dims=...)"
            raise TypeError(complaint("weights", _kind(weights), rule, remedy))
        if isinstance(self.sampler, Snapshots) and self._weighs_features(weights):
            return self._with(feature_weights(weights, self.layout))
        return replace(self, weighting=weights)

    def _weighs_features(self, weights: Any) -> bool:
        if isinstance(weights, str):
            return True
        dims = {dim for each in self.layout.variables.values() for dim in each.feature_dims}
        return bool(weights.dims) and set(weights.dims) <= dims

    def answer(self, clustering: Clustering) -> Any:
        """Return what a fit gives: one `Clustering`, as there is one object."""
        return clustering

    def _weight(self, layout: Layout) -> xr.DataArray | None:
        if self.weighting is None:
            return None
        if isinstance(self.weighting, xr.DataArray):
            return _on_grid("weights", self.weighting, layout)
        area = geography.area_weights(layout.coords, self.data)
        if area is None:
            rule = "needs a latitude among the coordinates of the samples, and there is none"
            remedy = "give the weights as a DataArray, or the latitude units='degrees_north'"
            raise ValueError(complaint("weights", "area", rule, remedy))
        return area

    # -------------------------------------------------------------------------------- steps

    def scale(self, how: Any = "standard", over: Over = "feature") -> Samples:
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
        check_choice("over", over, ("feature", "variable", "all"))
        check_over(over, self.steps)
        if how is None or hasattr(how, "fit_transform"):
            return self._with(Step("scale", how, over))
        from xcluster.algorithms.scaling import Scaler

        return self._with(Step("scale", Scaler(check_choice("how", how, SCALINGS)), over))

    def pca(self, n: float) -> Samples:
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
        from xcluster.algorithms.pca import PCA

        return self._with(Step("pca", PCA(_components(n), random_state=self.random_state)))

    def nmf(self, n: int) -> Samples:
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
        from xcluster.algorithms.nmf import NMF

        n = check_integer("n", n, minimum=1)
        return self._with(Step("nmf", NMF(n, random_state=self.random_state)))

    def vae(self, n: int = 2, **keywords: Any) -> Samples:
        """Reduce to the latent space of a variational auto-encoder (needs torch).

        Parameters
        ----------
        n : int, default 2
            Number of latent dimensions.
        **keywords
            ``hidden=38, alpha=1e-4, epochs=200, batch_size=128, learning_rate=3e-3, patience=40``
            and ``device="auto"`` of `xcluster.algorithms.vae.VAE`.

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
        from xcluster.algorithms.vae import VAE

        n = check_integer("n", n, minimum=1)
        known = set(VAE().get_params()) - {"n_components", "progress"}
        for name in keywords:
            if name not in known:
                remedy = did_you_mean(name, sorted(known))
                raise TypeError(
                    complaint(name, keywords[name], "vae() has no such keyword", remedy)
                )
        vae = VAE(n, **{"random_state": self.random_state, **keywords})
        vae.check_parameters()
        return self._with(Step("vae", vae))

    def then(self, transformer: Any) -> Samples:
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
        if isinstance(transformer, type) or not all(
            callable(getattr(transformer, name, None)) for name in ("fit", "transform")
        ):
            rule = "must be an object with fit and transform"
            remedy = "pass an instance, for example then(QuantileTransformer())"
            raise TypeError(complaint("transformer", transformer, rule, remedy))
        return self._with(Step("then", transformer))

    def _with(self, step: Step) -> Samples:
        return replace(self, steps=(*self.steps, step))

    def anomaly(self, groupby: str = "time.dayofyear", *, smooth: int | None = None) -> Samples:
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
        if self.climatology is not None:
            rule = "is subtracted already"
            raise ValueError(complaint("groupby", self.climatology.groupby, rule, "call it once"))
        if not isinstance(groupby, str):
            rule = "must be text"
            raise TypeError(complaint("groupby", groupby, rule, "pass 'time.dayofyear'"))
        climatology = Climatology(groupby, smooth).checked(self.data, self.layout.sample_dims)
        return replace(self, climatology=climatology)

    @cached_property
    def ready(self) -> Samples:
        """The samples with what has to be known of the data before rows are read."""
        climatology = self.climatology
        if climatology is None or climatology.means is not None:
            return self
        return replace(self, climatology=climatology.fit(self.layout, self.data))

    # ---------------------------------------------------------------------- before clustering

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
        return self._reduction.transform()

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
        return self._reduction.loadings()

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
        return self._reduction.explained_variance()

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
        from xcluster.reconstruction import reconstruction

        return reconstruction(self._reduction)

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
        prepared = fitting.prepare(replace(self, steps=()), Options())
        covariance = np.atleast_2d(np.cov(prepared.X.T, aweights=prepared.weight))
        spread = np.sqrt(np.diag(covariance))
        values = covariance / np.where(spread > 0, np.outer(spread, spread), np.nan)
        names = feature_names(self.layout.features)
        coords = {"feature": names, "other": names}
        return xr.DataArray(values, coords, ("feature", "other"), "correlation")

    @property
    def plot(self) -> SamplesPlot:
        """Figures of the data before clustering: ``plot.map()``, ``plot.scatter()`` and others.

        Examples
        --------
        >>> import xcluster
        >>> xcluster.datasets.ocean().cluster.pixels().plot.map("sst")  # doctest: +SKIP
        """
        from xcluster.plot.samples import SamplesPlot

        return SamplesPlot(self)

    def _latent_parts(self) -> tuple[Chain, xr.Dataset]:
        return self._reduction.chain, self._reduction.layout.features

    def _latent(self) -> xr.DataArray:
        return self._reduction.transform()

    @cached_property
    def _reduction(self) -> Reduction:
        """The steps fitted as a clusterer would see them."""
        return fitting.prepare(self.ready, Options()).reduction

    def __repr__(self) -> str:
        return formatting.samples_text(self)

    def _repr_html_(self) -> str:
        return formatting.samples_html(self)


def _components(n: Any) -> int | float:
    """Return a number of components, or a fraction of variance."""
    if isinstance(n, float) and 0 < n < 1:
        return n
    remedy = "pass a number of components, or a fraction between 0 and 1"
    return check_integer("n", n, minimum=1, remedy=remedy)


def _kind(value: Any) -> str:
    if isinstance(value, xr.DataArray):
        return f"DataArray of {value.dtype}"
    return type(value).__name__


def _on_grid(parameter: str, array: xr.DataArray, layout: Layout) -> xr.DataArray:
    """Return the values of ``array`` for the samples; refuse other dims and coordinates."""
    shown = parameter if array.name is None else array.name
    unknown = [dim for dim in array.dims if dim not in layout.sample_dims]
    if unknown:
        rule = f"has the dim {unknown[0]!r}, and the samples lie over {list(layout.sample_dims)}"
        raise ValueError(complaint(parameter, shown, rule, "reduce or select that dim"))
    if array.chunks is not None and any(np.isnan(sizes).any() for sizes in array.chunks):
        rule = "is a dask array of unknown chunk sizes"
        raise ValueError(complaint(parameter, shown, rule, "call compute_chunk_sizes() on it"))
    grid = {dim: layout.coords[dim] for dim in array.dims if dim in layout.coords}
    kept = {
        dim: coord.values
        for dim, coord in grid.items()
        if dim in array.coords and not np.array_equal(coord.values, array[dim].values)
    }
    missing = [dim for dim in kept if not np.isin(kept[dim], array[dim].values).all()]
    if missing:
        rule = f"lacks some of the samples' {missing[0]!r}"
        raise ValueError(complaint(parameter, shown, rule, "reindex it to the data"))
    repeated = [dim for dim in kept if not array.indexes[dim].is_unique]
    if repeated:
        rule = f"lies on other {repeated[0]!r} than the samples, and holds some twice"
        raise ValueError(complaint(parameter, shown, rule, "bring it to the data's grid"))
    array = array.sel(kept)
    wrong = [dim for dim in array.dims if array.sizes[dim] != layout.sizes[dim]]
    if wrong:
        dim = wrong[0]
        rule = f"has {array.sizes[dim]} {dim!r}, and the data {layout.sizes[dim]}"
        raise ValueError(complaint(parameter, shown, rule, "bring it to the data's grid"))
    return array.drop_vars(array.coords)
