"""The figures of one `Clustering`: each takes what it needs from the result and draws it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import xarray as xr

from xcluster.checks import check_choice, complaint

if TYPE_CHECKING:
    from xcluster.clustering import Clustering


@dataclass(frozen=True, eq=False, repr=False)
class ClusteringPlot:
    """Figures of a clustering; each method passes keywords on to the function of its name.

    Parameters
    ----------
    clustering
        The result to draw.
    """

    clustering: Clustering

    def map(self, **keywords: Any) -> Any:
        """Draw the label map; see `xcluster.plot.maps.map`."""
        from xcluster.plot.maps import map as draw

        artist = draw(self.clustering.labels, **keywords)
        if not {"col", "row"} & set(keywords):
            artist.axes.set_title(f"{self.clustering.method}, {self.clustering.k} labels")
        return artist

    def memberships(self, **keywords: Any) -> Any:
        """Draw one map of memberships a label; see `xcluster.plot.memberships.memberships`."""
        from xcluster.plot.memberships import memberships as draw

        return draw(self.clustering.memberships, **keywords)

    def profiles(self, var: Hashable | None = None, **keywords: Any) -> Any:
        """Draw members and centre of each label along the feature dim.

        Parameters
        ----------
        var : optional
            The variable to draw; by default the first that has a feature dim.
        **keywords
            To `xcluster.plot.profiles.profiles`.

        Raises
        ------
        ValueError
            If the features have no dim to draw them along, or more than one.
        """
        from xcluster.plot.profiles import profiles as draw

        samples = self.clustering.bound("plot.profiles")
        var = self._curve(var)
        data = samples.layout.variables[var].array
        return draw(data, self.clustering.labels, self.clustering.centers[var], **keywords)

    def centers(self, var: Hashable | None = None, **keywords: Any) -> Any:
        """Draw the centres of all labels in one panel.

        Parameters
        ----------
        var : optional
            The variable to draw; by default the first that has a feature dim.
        **keywords
            To `xcluster.plot.profiles.centers`.

        Raises
        ------
        ValueError
            If the features have no dim to draw them along, or more than one.
        """
        from xcluster.plot.profiles import centers as draw

        return draw(self.clustering.centers[self._curve(var)], **keywords)

    def _curve(self, var: Hashable | None) -> Hashable:
        """Return a variable of curves: one feature dim."""
        template = self.clustering.template
        curves = [name for name, array in template.data_vars.items() if array.ndim == 1]
        if not curves:
            dims = {str(dim) for dim in template.dims}
            rule = f"no variable lies along a single feature dim (there are {sorted(dims)})"
            remedy = "curves need profiles(dim) or pixels(dim=...); here use plot.map()"
            raise ValueError(complaint("var", var, rule, remedy))
        return curves[0] if var is None else check_choice("var", var, curves)


def first_variable(data: xr.Dataset, var: Hashable | None) -> xr.DataArray:
    """Return the variable called ``var``, or the only one."""
    if var is None and len(data.data_vars) == 1:
        return next(iter(data.data_vars.values()))
    chosen: xr.DataArray = data[check_choice("var", var, tuple(data.data_vars))]
    return chosen
