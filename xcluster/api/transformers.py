"""The methods of `Samples` that add a step to a chain: one transformer each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

from xcluster.api.choices import Choices
from xcluster.base.checks import check_choice, check_integer, check_seed, did_you_mean
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.chain.anomaly import Climatology
from xcluster.chain.steps import Over, Step, check_over

LARGEST_LATENT = 1000
"""Latent dimensions of a VAE; more are a mistake, and would fill the memory."""

SCALINGS = ("standard", "robust", "minmax", "max", "norm", "log", "clr", "anscombe")


class Transformers(Choices):
    """Every method returns the samples with one more step; nothing is computed."""

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
        check_choice("over", over, ("feature", "variable", "all"))
        check_over(over, self.steps)
        if how is None or hasattr(how, "fit_transform"):
            return self._with(Step("scale", how, over))
        from xcluster.algorithms.scaling import Scaler

        return self._with(Step("scale", Scaler(check_choice("how", how, SCALINGS)), over))

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
        from xcluster.algorithms.pca import PCA

        return self._with(Step("pca", PCA(_components(n), random_state=self.random_state)))

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
        from xcluster.algorithms.nmf import NMF

        n = check_integer("n", n, minimum=1)
        return self._with(Step("nmf", NMF(n, random_state=self.random_state)))

    def vae(self, n: int = 2, **keywords: Any) -> Self:
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

        n = check_integer("n", n, minimum=1, maximum=LARGEST_LATENT)
        known = set(VAE().get_params()) - {"n_components", "progress"}
        for name in keywords:
            if name not in known:
                remedy = did_you_mean(name, sorted(known))
                raise BadTypeError(name, keywords[name], "vae() has no such keyword", remedy)
        keywords = {"random_state": self.random_state, **keywords}
        check_seed("random_state", keywords["random_state"])
        vae = VAE(n, **keywords)
        vae.check_parameters()
        return self._with(Step("vae", vae))

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
        if isinstance(transformer, type) or not all(
            callable(getattr(transformer, name, None)) for name in ("fit", "transform")
        ):
            rule = "must be an object with fit and transform"
            remedy = "pass an instance, for example then(QuantileTransformer())"
            raise BadTypeError("transformer", transformer, rule, remedy)
        return self._with(Step("then", transformer))

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
        if self.climatology is not None:
            rule = "is subtracted already"
            raise BadValueError("groupby", self.climatology.groupby, rule, "call it once")
        if not isinstance(groupby, str):
            rule = "must be text"
            raise BadTypeError("groupby", groupby, rule, "pass 'time.dayofyear'")
        climatology = Climatology(groupby, smooth).checked(self.data, self._layout.sample_dims)
        return replace(self, climatology=climatology)


def _components(n: Any) -> int | float:
    """Return a number of components, or a fraction of variance."""
    if isinstance(n, float) and 0 < n < 1:
        return n
    remedy = "pass a number of components, or a fraction between 0 and 1"
    return check_integer("n", n, minimum=1, remedy=remedy)
