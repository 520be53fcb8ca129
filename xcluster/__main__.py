"""``python -m xcluster``: two clusterings of data from the package, with files and figures.

Everything goes to the folder ``xcluster-demo`` below the current one.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from tqdm import tqdm

from xcluster import datasets
from xcluster.api.clustering import Clustering

FOLDER = Path("xcluster-demo")


def main() -> None:
    """Cluster a tomography model and an ocean climatology, and print what came out."""
    mpl.use("agg")
    FOLDER.mkdir(exist_ok=True)
    # disable=None: no bar in a log
    with tqdm(total=4, bar_format="{desc:<44} {bar} {n}/{total}", disable=None) as bar:
        bar.set_description_str("k-means of 5,777 depth profiles, k = 2 to 20")
        model = datasets.tomography()
        provinces = model.cluster.profiles("depth").kmeans(k=None, attrs={"source": "PNW10-S"})
        bar.update()
        bar.set_description_str("files and figures of the provinces")
        save(provinces, "provinces")
        save_figure(provinces.plot.profiles()[0], "provinces-profiles")
        save_figure(provinces.sweep.plot()[0], "provinces-elbow")
        bar.update()
        bar.set_description_str("Gaussian mixture of a seven-variable ocean")
        ocean = datasets.ocean()
        regions = ocean.cluster.pixels().weights("area").pca(3).gmm(6)
        bar.update()
        bar.set_description_str("files and figures of the regions")
        save(regions, "regions")
        bar.update()
    for name, clustering in (("provinces", provinces), ("regions", regions)):
        print(f"\n{name}\n{clustering!r}\n\n{clustering.report().round(3).to_string()}")
    print(f"\nLabels (netCDF) and figures (PNG) are in {FOLDER}/:")
    print("\n".join(f"  {path.name}" for path in sorted(FOLDER.iterdir())))


def save(clustering: Clustering, name: str) -> None:
    """Write a result and its map."""
    clustering.save(FOLDER / f"{name}.nc")
    save_figure(clustering.plot.map().axes, f"{name}-map")


def save_figure(ax: mpl.axes.Axes, name: str) -> None:
    """Write the figure of some axes, and forget it."""
    import matplotlib.pyplot as plt

    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.savefig(FOLDER / f"{name}.png", dpi=150, bbox_inches="tight")
    plt.close(figure)


if __name__ == "__main__":
    main()
