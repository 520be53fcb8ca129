"""Draw the picture of the README: python docs/images/readme.py"""

from pathlib import Path

import cartopy.crs as ccrs
import matplotlib as mpl
import matplotlib.pyplot as plt

import xcluster

HERE = Path(__file__).parent


def main():
    """Write the map and the profiles of seven provinces."""
    mpl.use("agg")
    fit = xcluster.datasets.tomography().cluster.profiles("depth").kmeans(k=None)
    figure = plt.figure(figsize=(11, 5.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1, 2.5])
    ax = left.subplots(subplot_kw={"projection": ccrs.PlateCarree()})
    fit.plot.map(ax=ax, legend=False, borders=True)
    ax.set_title("provinces")
    panels = right.subplots(2, 4, sharex=True, sharey=True)
    fit.plot.profiles(ax=panels)
    for panel in panels.flat:
        panel.set(xlabel="", ylabel="")
    panels.flat[fit.k].set_visible(False)
    panels.flat[fit.k - 4].tick_params(labelbottom=True)
    right.supxlabel("shear velocity [km/s]")
    right.supylabel("depth [km]")
    figure.savefig(HERE / "provinces.png", dpi=110)


if __name__ == "__main__":
    main()
