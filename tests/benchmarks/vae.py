"""Variational auto-encoder beside PCA on a seven-variable ocean climatology.

Run: python tests/benchmarks/vae.py
"""

import time
from pathlib import Path

import xarray as xr
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import davies_bouldin_score, silhouette_score
from sklearn.preprocessing import StandardScaler

from xcluster.algorithms.vae import VAE

DATA = Path(__file__).resolve().parents[3] / "shared/data/ocean_climate/coads_monthly.nc"


def climatology():
    """Return the annual means of complete cells, standardised, shape (n_cells, 7)."""
    annual = xr.open_dataset(DATA).mean("month").to_dataarray()
    rows = annual.stack(cell=("latitude", "longitude")).dropna("cell").transpose("cell", ...)
    return StandardScaler().fit_transform(rows.values.astype(float))


def timed(estimator, X):
    start = time.perf_counter()
    return estimator.fit(X), time.perf_counter() - start


def reconstruction_row(n_components, X):
    vae, seconds = timed(VAE(n_components), X)
    pca = PCA(n_components).fit(X)
    ours, peer = vae.score(X), pca.explained_variance_ratio_.sum()
    what = f"R2, {n_components} components (fit {seconds:.0f} s)"
    print(f"| {what} | VAE {ours:.3f} | PCA {peer:.3f} | {ours / peer:.2f} | >= 1, <= 60 s |")
    return vae, pca


def clusters_row(name, features):
    labels = KMeans(7, n_init=10, random_state=0).fit_predict(features)
    scores = silhouette_score(features, labels), davies_bouldin_score(features, labels)
    print(f"| {name} | {scores[0]:.3f} | {scores[1]:.3f} |")


def main():
    X = climatology()
    VAE(epochs=1).fit(X[:1000])
    print(f"{X.shape[0]} cells x {X.shape[1]} variables\n")
    print("| what | ours | peer | ratio | target |\n|---|---|---|---|---|")
    reconstruction_row(1, X)
    vae, pca = reconstruction_row(2, X)
    print("\n| k-means, k = 7, in | silhouette | Davies-Bouldin |\n|---|---|---|")
    clusters_row("data", X)
    clusters_row("PCA(2)", pca.transform(X))
    clusters_row("VAE(2)", vae.transform(X))


if __name__ == "__main__":
    main()
