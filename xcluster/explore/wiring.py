"""The data of a page, which all of its figures share, and the scripts that link them."""

from __future__ import annotations

import html
import re
from importlib.resources import files
from typing import Any

from bokeh.models import ColumnDataSource, CustomJS, Div

from xcluster.explore import maps
from xcluster.explore.gather import Content
from xcluster.explore.panels import Panel

HELP = """Point at the map or among the components; draw a box or an outline on either to mark
the same samples in both; click names to hide labels; the reset tool shows everything again."""


def script(name: str) -> str:
    """Return a script of the package."""
    return (files("xcluster.explore") / "js" / f"{name}.js").read_text(encoding="utf-8")


class Wiring:
    """The data of a page, which all of its figures share.

    Parameters
    ----------
    content
        What the page shows.
    """

    def __init__(self, content: Content) -> None:
        self.content = content
        self.samples = ColumnDataSource(self._columns(), name="samples")
        self.raster = ColumnDataSource({"cell": [content.cells]}, name="raster")
        self.hovered = ColumnDataSource({"sample": [-1]}, name="hovered")
        self.chosen = ColumnDataSource({"inside": []}, name="chosen")
        self.ranges = maps.ranges_of(content.raster)
        self.here = ColumnDataSource({"x": [], "y": []}, name="here")
        self.info = Div(text=self.room, name="info", sizing_mode="stretch_width")
        mark = self.callback("mark", mark=self.here, samples=self.samples, x="x", y="y")
        self.hovered.js_on_change("data", mark)

    @property
    def title(self) -> str:
        """Say what is explored."""
        return html.escape(" | ".join(result.title for result in self.content.results))

    @property
    def room(self) -> str:
        """Hidden text as long as what will be said, so that the map keeps still meanwhile."""
        names = [name for _, panel in self.singles() for name in panel.titles[:12]]
        of_results = ["membership label"] * len(self.content.results)
        parts = [*self.content.raster.names, *names, *of_results]
        letters = re.sub(r"\S", "n", " ".join(f"{part}: -0.0000" for part in parts))
        return f'<span style="grid-area: 1/1; visibility: hidden">{letters}</span>'

    def owner(self, number: int) -> int:
        """Return the result whose panels show the values of a result."""
        results = self.content.results
        return 0 if results[number].panels is results[0].panels else number

    def singles(self) -> list[tuple[str, Panel]]:
        """Return column and panel of the single values of each result that has its own."""
        return [
            (f"panel{number}_{place}", panel)
            for number, result in enumerate(self.content.results)
            for place, panel in enumerate(result.panels)
            if panel.kind == "values" and self.owner(number) == number
        ]

    def callback(self, name: str, **arguments: Any) -> CustomJS:
        """Return a script of the package that sees the page's sources and these arguments."""
        # A list of its own for each: bokeh 3.7 takes one that two scripts share for a circle.
        own = {key: [*it] if isinstance(it, list) else it for key, it in arguments.items()}
        return CustomJS(args={"hovered": self.hovered, **own}, code=script(name))

    def _columns(self) -> dict[str, Any]:
        content = self.content
        columns: dict[str, Any] = {"x": content.x, "y": content.y}
        for number, result in enumerate(content.results):
            columns[f"label{number}"] = result.position
            columns[f"component{number}_x"] = result.components[:, 0]
            columns[f"component{number}_y"] = result.components[:, 1]
            if result.membership is not None:
                columns[f"membership{number}"] = result.membership
            if self.owner(number) == number:
                panels = enumerate(result.panels)
                columns |= {f"panel{number}_{place}": panel.steps for place, panel in panels}
        return columns
