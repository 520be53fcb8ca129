"""The network of the VAE: its layers, for numpy and for torch, its loss, its training."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from xcluster.base.errors import BadValueError
from xcluster.base.optional import optional
from xcluster.base.progress import bar

Array = NDArray[Any]
Weights = dict[str, Any]

# The slope of each layer, for the negative side of its activation: 0 is ReLU, 1 is none.
SLOPES = {
    "encoder": (0.2, 0.0, 0.0, 1.0),
    "mean": (1.0,),
    "log_variance": (1.0,),
    "decoder": (0.0, 0.0, 0.0, 1.0),
}

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


class Settings(NamedTuple):
    """How to train: the parameters of a `VAE`."""

    n_components: int
    hidden: int
    alpha: float
    epochs: int
    batch_size: int
    learning_rate: float
    patience: int
    random_state: Any
    device: Any
    progress: bool


class Trained(NamedTuple):
    """What a training leaves: the best weights, the record of the epochs, the best epoch."""

    weights: dict[str, Array]
    history: dict[str, Array]
    best_epoch: int


def train(settings: Settings, X: Array) -> Trained:
    """Train a network on the rows of X."""
    with _one_torch_thread(_torch()):
        return _Training(settings, X).run()


def forward(
    part: str,
    weights: Weights,
    rows: Any,
    linear: Callable[[Any, Any, Any], Any],
    leaky: Callable[[Any, float], Any],
) -> Any:
    """Pass rows through the layers of one part, with the operations of numpy or of torch."""
    for layer, slope in enumerate(SLOPES[part]):
        weight, bias = weights[f"{part}_{layer}_weight"], weights[f"{part}_{layer}_bias"]
        rows = leaky(linear(rows, weight, bias), slope)
    return rows


def variance(X: Array) -> float:
    """Return the mean squared distance of a value from the mean of its feature."""
    return float(np.mean((X - X.mean(axis=0, dtype=float)) ** 2, dtype=float))


def r_squared(error: float, variance: float) -> float:
    """Return the share of the variance that a mean squared error leaves."""
    return 1 - error / variance if variance > 0 else float(error == 0)


def _torch() -> Any:
    return optional("torch", "training a VAE", '"xarray-cluster[vae]"')


_torch_lock = threading.Lock()


@contextmanager
def _one_torch_thread(torch: Any) -> Iterator[None]:
    """Limit torch to one thread: small layers train fastest that way, and sums keep their order.

    The number is global, so trainings take turns: two at once could leave it changed for good.
    """
    with _torch_lock:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


class _Terms(NamedTuple):
    """The loss of some rows and its two parts."""

    loss: Any
    reconstruction: Any
    kl: Any


class _Training:
    """One training: the tensors, the random numbers and the best weights so far."""

    def __init__(self, settings: Settings, X: Array) -> None:
        self.torch = _torch()
        self.settings = settings
        seed = check_random_state(settings.random_state).randint(2**31)
        self.random = self.torch.Generator().manual_seed(int(seed))
        self.device = self._device()
        self.rows = self.torch.from_numpy(X.astype(np.float32)).to(self.device)
        self.variance = variance(X)
        self.weights = self._initial_weights()
        # The same draw measures each epoch, so that epochs differ by their weights alone.
        self.noise = self._noise()

    def run(self) -> Trained:
        """Train until the epochs or the patience are spent."""
        torch, settings = self.torch, self.settings
        optimizer = torch.optim.Adam(self.weights.values(), lr=settings.learning_rate, foreach=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.epochs)
        records: list[dict[str, Any]] = []
        best, best_weights = 0, self.weights
        for epoch in self._epochs():
            self._epoch(optimizer)
            schedule.step()
            records.append(self._measure(epoch))
            if best == 0 or records[-1]["loss"] < records[best - 1]["loss"]:
                best, best_weights = epoch, self._arrays()
            if epoch - best >= settings.patience:
                break
        history = {name: np.array([record[name] for record in records]) for name in records[0]}
        return Trained(best_weights, history, best)

    def _epochs(self) -> Iterator[int]:
        with bar(self.settings.progress, "epoch", total=self.settings.epochs) as shown:
            for epoch in range(1, self.settings.epochs + 1):
                yield epoch
                shown.update()

    def _epoch(self, optimizer: Any) -> None:
        noise = self._noise()
        order = self.torch.randperm(len(self.rows), generator=self.random).to(self.device)
        for batch in order.split(self.settings.batch_size):
            rows = self.rows[batch]
            optimizer.zero_grad()
            self._terms(rows, *self._encode(rows), noise[batch]).loss.backward()
            optimizer.step()

    def _measure(self, epoch: int) -> dict[str, Any]:
        with self.torch.no_grad():
            mu, log_variance = self._encode(self.rows)
            terms = self._terms(self.rows, mu, log_variance, self.noise)
            error = self.torch.mean((self.rows - self._forward("decoder", mu)) ** 2)
        if not np.isfinite(float(terms.loss)):
            rule = f"training diverged in epoch {epoch}: its loss is {float(terms.loss)}"
            remedy = 'lower learning_rate, or scale the features first, as by scale("standard")'
            raise BadValueError("learning_rate", self.settings.learning_rate, rule, remedy)
        return {
            **{name: float(value) for name, value in terms._asdict().items()},
            "r2": r_squared(float(error), self.variance),
            "mu": np.quantile(mu.cpu().numpy(), QUANTILES, axis=0),
            "log_variance": np.quantile(log_variance.cpu().numpy(), QUANTILES, axis=0),
        }

    def _encode(self, rows: Any) -> tuple[Any, Any]:
        features = self._forward("encoder", rows)
        return self._forward("mean", features), self._forward("log_variance", features)

    def _terms(self, rows: Any, mu: Any, log_variance: Any, noise: Any) -> _Terms:
        z = mu + self.torch.exp(log_variance / 2) * noise
        reconstruction = self.torch.mean((rows - self._forward("decoder", z)) ** 2)
        kl = -0.5 * (1 + log_variance - mu**2 - self.torch.exp(log_variance)).sum(axis=1).mean()
        return _Terms(reconstruction + self.settings.alpha * kl, reconstruction, kl)

    def _forward(self, part: str, rows: Any) -> Any:
        functional = self.torch.nn.functional
        return forward(part, self.weights, rows, functional.linear, functional.leaky_relu)

    def _initial_weights(self) -> Weights:
        """Draw weights and biases uniformly in +-1/sqrt(n_in), torch's own rule for a layer."""
        p, h, latent = self.rows.shape[1], self.settings.hidden, self.settings.n_components
        sizes = {"encoder": (p, h, h, h, h), "mean": (h, latent), "log_variance": (h, latent)}
        sizes["decoder"] = (latent, h, h, h, p)
        weights = {}
        for part, widths in sizes.items():
            for layer, (n_in, n_out) in enumerate(pairwise(widths)):
                weights[f"{part}_{layer}_weight"] = self._uniform(n_in, n_out, n_in)
                weights[f"{part}_{layer}_bias"] = self._uniform(n_in, n_out)
        return weights

    def _uniform(self, n_in: int, *shape: int) -> Any:
        values = self.torch.rand(shape, generator=self.random) * 2 - 1
        return (values / n_in**0.5).to(self.device).requires_grad_()

    def _noise(self) -> Any:
        shape = (len(self.rows), self.settings.n_components)
        return self.torch.randn(shape, generator=self.random).to(self.device)

    def _arrays(self) -> dict[str, Array]:
        return {name: value.detach().cpu().numpy().copy() for name, value in self.weights.items()}

    def _device(self) -> Any:
        name = self.settings.device
        if name == "auto":
            name = "cuda" if self.torch.cuda.is_available() else "cpu"
        try:
            return self.torch.empty(0, device=name).device
        # torch built without support of GPUs raises an AssertionError.
        except (RuntimeError, TypeError, AssertionError) as error:
            rule = "must be a device that torch has here"
            raise BadValueError("device", name, rule, 'pass "auto" or "cpu"') from error
