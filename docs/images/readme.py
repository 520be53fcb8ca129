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
    panels = right.subplots(2, 4, sharex=True, sharey=True).ravel()
    depth = fit.centers["depth"]
    for label, panel in enumerate(panels[: fit.k]):
        members = fit.members(label)["vs"].stack(place=("latitude", "longitude")).dropna("place")
        color = fit.partition.label_colors()[label]
        panel.plot(members[:, ::7].values, depth, color=color, alpha=0.08, linewidth=0.6)
        panel.plot(fit.centers["vs"].sel(label=label), depth, color="black", linewidth=2.6)
        panel.plot(fit.centers["vs"].sel(label=label), depth, color=color, linewidth=1.4)
        panel.set_title(f"{label} ({members.sizes['place']:,} profiles)", fontsize="medium")
    panels[0].set(ylim=(100, 0))
    panels[fit.k].axis("off")
    right.supxlabel("shear velocity [km/s]")
    right.supylabel("depth [km]")
    figure.savefig(HERE / "provinces.png", dpi=110)


if __name__ == "__main__":
    main()
