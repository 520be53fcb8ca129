"""The variational auto-encoder against torch's own layers, PCA and its written definition."""

import json
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import parametrize_with_checks

from xcluster.algorithms.vae import VAE

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def curved():
    """A bent sheet: two numbers fix each row of five, and no plane holds them."""
    u, v = np.random.default_rng(0).uniform(-1, 1, (2, 600))
    X = np.column_stack([np.cos(2 * u), np.sin(2 * u), v, u * v, v**2])
    return (X - X.mean(axis=0)) / X.std(axis=0)


@pytest.fixture(scope="module")
def fitted(curved):
    return VAE(2, epochs=60, batch_size=32, learning_rate=5e-3).fit(curved)


def layers(weights, part, activations):
    """Build one part as torch's own modules, from the layout that FORMULAS gives."""
    modules = []
    for layer, activation in enumerate(activations):
        weight = torch.from_numpy(weights[f"{part}_{layer}_weight"])
        linear = torch.nn.utils.skip_init(torch.nn.Linear, weight.shape[1], weight.shape[0])
        linear.weight.data = weight
        linear.bias.data = torch.from_numpy(weights[f"{part}_{layer}_bias"])
        modules += [linear, *activation]
    return torch.nn.Sequential(*modules).double()


def torch_parts(vae):
    relu = [torch.nn.ReLU()]
    encoder = layers(vae.weights_, "encoder", [[torch.nn.LeakyReLU(0.2)], relu, relu, []])
    decoder = layers(vae.weights_, "decoder", [relu, relu, relu, []])
    heads = [layers(vae.weights_, head, [[]]) for head in ("mean", "log_variance")]
    return encoder, *heads, decoder


@parametrize_with_checks([VAE(1, hidden=8, epochs=3)])
def test_scikit_learn_accepts_it(estimator, check):
    check(estimator)


def test_it_reconstructs_a_bent_sheet_better_than_pca(curved, fitted):
    assert fitted.score(curved) > PCA(2).fit(curved).explained_variance_ratio_.sum() + 0.05


def test_numpy_gives_what_torch_gives(curved, fitted):
    encoder, mean, _, decoder = torch_parts(fitted)
    with torch.no_grad():
        mu = mean(encoder(torch.from_numpy(curved)))
        decoded = decoder(mu)
    np.testing.assert_allclose(fitted.transform(curved), mu.numpy(), atol=1e-12)
    np.testing.assert_allclose(
        fitted.inverse_transform(mu.numpy()), decoded.numpy(), rtol=1e-9, atol=1e-12
    )


def test_layers_have_the_published_sizes(fitted):
    shapes = {name: array.shape for name, array in fitted.weights_.items() if "weight" in name}
    h = 38
    assert shapes == {
        "encoder_0_weight": (h, 5),
        **{f"encoder_{layer}_weight": (h, h) for layer in (1, 2, 3)},
        "mean_0_weight": (2, h),
        "log_variance_0_weight": (2, h),
        "decoder_0_weight": (h, 2),
        **{f"decoder_{layer}_weight": (h, h) for layer in (1, 2)},
        "decoder_3_weight": (5, h),
    }


def test_history_holds_the_loss_as_defined(curved, fitted):
    """With alpha per sample: mean over rows, sum over the latent variables."""
    encoder, mean, log_variance, _ = torch_parts(fitted)
    with torch.no_grad():
        features = encoder(torch.from_numpy(curved))
        mu, logvar = mean(features).numpy(), log_variance(features).numpy()
    best = fitted.best_epoch_ - 1
    kl = np.mean(-0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar), axis=1))
    history = fitted.history_
    np.testing.assert_allclose(history["kl"][best], kl, rtol=1e-4)
    np.testing.assert_allclose(
        history["loss"], history["reconstruction"] + fitted.alpha * history["kl"], rtol=1e-5
    )
    np.testing.assert_allclose(history["r2"][best], fitted.score(curved), rtol=1e-5)
    np.testing.assert_allclose(history["mu"][best, 3], np.median(mu, axis=0), atol=1e-4)


@pytest.mark.parametrize("times", [2, 5])
def test_the_loss_of_a_batch_repeated_is_the_loss_of_the_batch(curved, times):
    from xcluster.algorithms.parts.vae_network import _Training

    training = _Training(VAE(alpha=0.3), curved)
    rows, noise = training.rows[:40], training.noise[:40]

    def loss(rows, noise):
        return training._terms(rows, *training._encode(rows), noise).loss.item()

    assert loss(rows.repeat(times, 1), noise.repeat(times, 1)) == pytest.approx(loss(rows, noise))


def test_a_larger_alpha_draws_the_latent_towards_the_standard_normal(curved):
    weak, strong = (VAE(alpha=alpha, epochs=30).fit(curved) for alpha in (0.0, 1.0))
    assert strong.history_["kl"][-1] < 0.1 * weak.history_["kl"][-1]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(curved):
    one, again, other = (VAE(epochs=3, random_state=s).fit(curved) for s in (4, 4, 5))
    for name, array in one.weights_.items():
        np.testing.assert_array_equal(array, again.weights_[name])
    assert not np.array_equal(one.weights_["mean_0_bias"], other.weights_["mean_0_bias"])


def test_fitting_leaves_the_global_state_of_torch_alone(curved):
    before, state = torch.get_num_threads(), torch.random.get_rng_state()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda seed: VAE(epochs=2, random_state=seed).fit(curved), range(4)))
    assert torch.get_num_threads() == before
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_number_of_threads_does_not_change_the_weights(curved):
    fits, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            fits.append(VAE(epochs=3).fit(curved).transform(curved))
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*fits)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_row_is_transformed_without_regard_to_its_neighbours(curved, fitted, dtype):
    X = curved.astype(dtype)
    alone = np.concatenate([fitted.transform(X[row : row + 1]) for row in range(50)])
    assert alone.dtype == dtype
    np.testing.assert_allclose(fitted.transform(X)[:50], alone, rtol=1e-6, atol=1e-13)


def test_saved_as_arrays_it_works_without_torch(curved, fitted, tmp_path, monkeypatch):
    np.savez(tmp_path / "weights.npz", **fitted.weights_)
    opened = VAE(**json.loads(json.dumps(fitted.get_params())))
    opened.weights_ = dict(np.load(tmp_path / "weights.npz"))
    opened.n_features_in_ = fitted.n_features_in_
    opened.mean_, opened.unit_ = fitted.mean_, fitted.unit_
    monkeypatch.setitem(sys.modules, "torch", None)
    Z = opened.transform(curved)
    np.testing.assert_array_equal(Z, fitted.transform(curved))
    np.testing.assert_array_equal(opened.inverse_transform(Z), fitted.inverse_transform(Z))
    assert opened.score(curved) == fitted.score(curved)


def test_pickled_it_is_the_same(curved, fitted):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(curved), fitted.transform(curved))


def test_without_torch_the_error_gives_the_install_command(curved, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r'pip install "xarray-cluster\[vae\]"'):
        VAE().fit(curved)


def test_training_stops_after_the_patience_and_keeps_the_best_weights(curved):
    vae = VAE(epochs=500, patience=3, learning_rate=0.02).fit(curved)
    assert vae.n_iter_ == len(vae.history_["loss"]) == vae.best_epoch_ + 3 < 500
    assert np.argmin(vae.history_["loss"]) == vae.best_epoch_ - 1
    assert vae.score(curved) == pytest.approx(vae.history_["r2"][vae.best_epoch_ - 1], rel=1e-4)


def test_the_latent_gradient_is_that_of_torch(fitted):
    *_, decoder = torch_parts(fitted)
    Z = torch.from_numpy(np.random.default_rng(1).normal(size=(30, 2))).requires_grad_()
    torch.linalg.vector_norm(decoder(Z), dim=1).sum().backward()
    expected = torch.linalg.vector_norm(Z.grad, dim=1).numpy()
    np.testing.assert_allclose(fitted.latent_gradient(Z.detach().numpy()), expected, rtol=1e-9)


def test_distance_pairs_are_distances_between_rows_that_differ(curved, fitted):
    latent, decoded = fitted.distance_pairs(curved[:2], n=20)
    Z = fitted.transform(curved[:2])
    X = fitted.inverse_transform(Z)
    np.testing.assert_allclose(latent, np.full(20, np.linalg.norm(Z[0] - Z[1])))
    np.testing.assert_allclose(decoded, np.full(20, np.linalg.norm(X[0] - X[1])))


def test_a_latent_of_one_variable_follows_a_curve_in_order():
    t = np.linspace(-2, 2, 400)
    vae = VAE(1, epochs=80, batch_size=32).fit(np.column_stack([t, t**2, np.sin(t)]))
    z = vae.transform(np.column_stack([t, t**2, np.sin(t)]))[:, 0]
    assert abs(np.corrcoef(np.argsort(np.argsort(z)), t)[0, 1]) > 0.98


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alpha": -1e-4}, "alpha=-0.0001: must be a finite number of at least 0"),
        ({"n_components": 0}, "n_components=0"),
        ({"learning_rate": 0}, "learning_rate=0"),
        ({"patience": 0}, "patience=0"),
        ({"device": "abacus"}, "device='abacus'"),
        ({"learning_rate": 1e6}, r"training diverged in epoch \d+.*scale the features"),
    ],
)
def test_bad_parameters_are_named(curved, parameters, message):
    with pytest.raises(ValueError, match=message):
        VAE(**{"epochs": 20, **parameters}).fit(curved)


def test_latent_points_of_the_wrong_width_are_refused(fitted):
    with pytest.raises(ValueError, match="2 latent variables"):
        fitted.inverse_transform(np.zeros((4, 3)))


def test_a_pair_of_one_row_is_refused(curved, fitted):
    with pytest.raises(ValueError, match="two rows"):
        fitted.distance_pairs(curved[:1])


def test_progress_is_shown_where_asked(curved, capsys, monkeypatch):
    monkeypatch.setattr("xcluster.base.progress.DELAY_SECONDS", 0)
    VAE(epochs=2, progress=True).fit(curved)
    assert "epoch" in capsys.readouterr().err
