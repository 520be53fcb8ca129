"""A variational auto-encoder: trained in torch, kept and used as plain arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from xcluster.algorithms.parts.inputs import FLOATS, new_rows
from xcluster.algorithms.parts.vae_network import Settings, forward, r_squared, train, variance
from xcluster.base.checks import check_flag, check_integer, check_number
from xcluster.base.errors import BadTypeError, BadValueError
from xcluster.base.parallel import map_rows
from xcluster.base.streaming import BLOCK_ROWS

Array = NDArray[Any]

LARGEST_HIDDEN = 10_000
LARGEST_RATE = 1e35


class VAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Reduce features to the latent space of a variational auto-encoder.

    The encoder is p-h-h-h-h (leaky ReLU of slope 0.2 after the first layer, ReLU after the next
    two) with linear heads for the mean and the log-variance of each latent variable; the decoder
    is L-h-h-h-p with ReLU. With ``z = mu + exp(log_variance / 2) * eps`` the loss is

        mean((x - x')**2) + alpha * mean over samples of
        -1/2 * sum over the latent (1 + log_variance - mu**2 - exp(log_variance)),

    so that the balance of the two terms does not change with the batch size.

    Training needs torch (``pip install "xarray-cluster[vae]"``); a fitted model does not: its
    weights are numpy arrays, and so is all that it does with them. Training runs on one processor
    thread, so that a seed gives the same weights for any number of them; on a GPU it may not.

    The network sees each feature less its mean, and all in one unit, in which their mean variance
    is 1; so neither an offset nor a unit of the data matters, and `x` in the loss is in this unit.
    Features of very different scales should be scaled first.

    Parameters
    ----------
    n_components : int, default 2
        Latent variables, L.
    hidden : int, default 38
        Units of each hidden layer, h.
    alpha : float, default 1e-4
        Weight of the Kullback-Leibler term, per sample. 0 gives an auto-encoder with noise.
    epochs : int, default 200
        The most passes over the rows.
    batch_size : int, default 128
        Rows of each step.
    learning_rate : float, default 3e-3
        First step size of Adam; it falls to zero over the epochs along half a cosine.
    patience : int, default 40
        Stop after this many epochs in which the loss found no new minimum. The weights kept are
        always those of the epoch with the smallest loss.
    random_state : int, RandomState instance or None, default 0
        Draws the first weights, the order of the rows and the noise.
    device : str, default "auto"
        Where to train: a torch device, or "auto" for a CUDA GPU where there is one.
    progress : bool, default False
        Show a progress bar.

    Attributes
    ----------
    weights_ : dict of str to array
        The weight (n_out, n_in) and bias (n_out,) of each layer.
    mean_ : array of shape (n_features,), float64
    unit_ : float
        What the network sees are the features less `mean_`, divided by `unit_`.
    history_ : dict of str to array
        At the end of each epoch, over all rows: ``loss`` and its parts ``reconstruction`` and
        ``kl`` (before alpha), with one draw of noise for all epochs; ``r2``, without noise;
        ``mu`` and ``log_variance``, shape (n_epochs, 7, n_components): the quantiles 0, 0.05,
        0.25, 0.5, 0.75, 0.95 and 1 of their distributions. The other arrays have shape (n_epochs,).
    n_iter_ : int
        Epochs run.
    best_epoch_ : int
        The epoch, from 1, whose weights were kept.
    n_features_in_ : int
        Features seen in ``fit``.
    shows_progress : bool
        True: the parameter `progress` shows a bar while it trains.

    References
    ----------
    Kingma and Welling (2014), Auto-Encoding Variational Bayes, ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from xcluster.algorithms.vae import VAE
    >>> angle = np.linspace(0, 6, 200)
    >>> X = np.column_stack([np.cos(angle), np.sin(angle)])
    >>> vae = VAE(1, epochs=5).fit(X)
    >>> vae.transform(X).shape, vae.inverse_transform([[0.5]]).shape
    ((200, 1), (1, 2))
    """

    shows_progress = True
    reads_order_of: tuple[str, ...] = ()
    mean_: Any = 0.0  # as files of 0.1.0 have it
    unit_: float = 1.0

    def __init__(
        self,
        n_components: int = 2,
        *,
        hidden: int = 38,
        alpha: float = 1e-4,
        epochs: int = 200,
        batch_size: int = 128,
        learning_rate: float = 3e-3,
        patience: int = 40,
        random_state: Any = 0,
        device: str = "auto",
        progress: bool = False,
    ) -> None:
        self.n_components = n_components
        self.hidden = hidden
        self.alpha = alpha
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.random_state = random_state
        self.device = device
        self.progress = progress

    def fit(self, X: Any, y: object = None) -> VAE:
        """Train on complete rows.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        VAE
            This estimator.

        Raises
        ------
        ImportError
            Where torch is not installed.
        ValueError
            A parameter out of range, or training that diverged.
        """
        self.check_parameters()
        X = validate_data(self, X, dtype=FLOATS)
        settings = Settings(**{name: getattr(self, name) for name in Settings._fields})
        self.mean_ = X.mean(axis=0, dtype=np.float64)
        self.unit_ = math.sqrt(variance(X)) or 1.0
        self.weights_, self.history_, self.best_epoch_ = train(settings, self._placed(X))
        self.n_iter_ = len(self.history_["loss"])
        return self

    def transform(self, X: Any) -> Array:
        """Return the mean of the latent distribution of each row, shape (n_samples, L)."""
        X = new_rows(self, X)
        return _by_blocks(
            lambda rows: self._run("mean", self._run("encoder", self._placed(rows))), X
        )

    def inverse_transform(self, Z: Any) -> Array:
        """Return the decoded features of latent points (n, L), shape (n, n_features)."""
        return _by_blocks(lambda rows: self._in_data(self._run("decoder", rows)), self._latent(Z))

    def score(self, X: Any, y: object = None) -> float:
        """Return R2 of the reconstruction: the share of the variance of all features kept."""
        reconstruction = self.inverse_transform(self.transform(X))
        X = new_rows(self, X)
        return r_squared(float(np.mean((X - reconstruction) ** 2, dtype=float)), variance(X))

    def latent_gradient(self, Z: Any) -> Array:
        """Return how fast the norm of the decoded features changes at latent points.

        Parameters
        ----------
        Z : array of shape (n, L)
            Points of the latent space, for example a lattice over it.

        Returns
        -------
        array of shape (n,)
            The Euclidean norm of the gradient of ``|decode(z)|`` with respect to ``z``.
        """
        return _by_blocks(self._gradient_norm, self._latent(Z))

    def distance_pairs(self, X: Any, n: int = 1000, random_state: Any = 0) -> tuple[Array, Array]:
        """Return distances between random pairs of rows, in latent space and after decoding.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            At least two rows.
        n : int, default 1000
            Pairs drawn; the two rows of a pair differ.
        random_state : int, RandomState instance or None, default 0

        Returns
        -------
        latent, decoded : arrays of shape (n,)
            ``|z1 - z2|`` and ``|x1' - x2'|``.
        """
        return self.latent_pairs(self.transform(X), n, random_state)

    def latent_pairs(self, Z: Array, n: int = 1000, random_state: Any = 0) -> tuple[Array, Array]:
        """Return the same as `distance_pairs` for points of the latent space."""
        n = check_integer("n", n, minimum=1)
        if len(Z) < 2:
            raise BadValueError("X", len(Z), "a pair needs two rows", "pass more rows")
        random = check_random_state(random_state)
        first = random.randint(len(Z), size=n)
        second = (first + random.randint(1, len(Z), size=n)) % len(Z)
        decoded = self.inverse_transform(Z[first]) - self.inverse_transform(Z[second])
        return _norm(Z[first] - Z[second]), _norm(decoded)

    @property
    def _n_features_out(self) -> int:
        return len(self.weights_["mean_0_bias"])

    def check_parameters(self) -> None:
        """Refuse parameters that are out of range."""
        for name in ("n_components", "epochs", "batch_size", "patience"):
            check_integer(name, getattr(self, name), minimum=1)
        check_integer("hidden", self.hidden, minimum=1, maximum=LARGEST_HIDDEN)
        check_number("alpha", self.alpha, minimum=0.0, maximum=LARGEST_RATE)
        check_number("learning_rate", self.learning_rate, above=0.0, maximum=LARGEST_RATE)
        check_flag("progress", self.progress)
        if not isinstance(self.device, str) and type(self.device).__module__ != "torch":
            rule = "must be text or a torch.device"
            raise BadTypeError("device", self.device, rule, 'pass "auto" or "cpu"')

    def _latent(self, Z: Any) -> Array:
        check_is_fitted(self)
        points: Array = check_array(Z, dtype=FLOATS, input_name="Z")
        if points.shape[1] != self._n_features_out:
            rule = f"must have one column for each of the {self._n_features_out} latent variables"
            raise BadValueError("Z.shape", points.shape, rule, "pass points of shape (n, L)")
        return points

    def _placed(self, X: Array) -> Array:
        """Return rows as the network sees them."""
        return np.asarray((X - self.mean_) / self.unit_)

    def _in_data(self, decoded: Array) -> Array:
        return np.asarray(decoded * self.unit_ + self.mean_)

    def _run(self, part: str, rows: Array) -> Array:
        result: Array = forward(part, self.weights_, rows, _linear, _leaky)
        return result

    def _gradient_norm(self, Z: Array) -> Array:
        """Return |J'x / |x|| by the chain rule, from the last layer back to the first."""
        derivatives: list[Array] = []

        def leaky(values: Array, slope: float) -> Array:
            derivatives.append(np.where(values > 0, 1.0, slope))
            return _leaky(values, slope)

        decoded = self._in_data(forward("decoder", self.weights_, Z, _linear, leaky))
        length = _norm(decoded)[:, np.newaxis]
        gradient = np.divide(decoded, length, out=np.zeros_like(decoded), where=length > 0)
        gradient *= self.unit_
        for layer in reversed(range(len(derivatives))):
            gradient = (gradient * derivatives[layer]) @ self.weights_[f"decoder_{layer}_weight"]
        return _norm(gradient)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _linear(rows: Array, weight: Array, bias: Array) -> Array:
    from xcluster.algorithms.kernels.products import rows_product

    return rows_product(rows, np.zeros(rows.shape[1]), weight.astype(np.float64)) + bias


def _leaky(rows: Array, slope: float) -> Array:
    return np.maximum(rows, slope * rows)


def _norm(rows: Array) -> Array:
    lengths: Array = np.linalg.norm(rows, axis=1)
    return lengths


def _by_blocks(function: Callable[[Array], Array], X: Array) -> Array:
    """Apply a function to rows in float64, so that no result depends on the rows beside it."""
    return np.concatenate(
        map_rows(lambda rows: function(rows.astype(np.float64)).astype(X.dtype), X, BLOCK_ROWS)
    )
