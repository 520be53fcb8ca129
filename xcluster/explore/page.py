"""The page as text: shown in a notebook, or written to a file."""

from __future__ import annotations

import html
from dataclasses import dataclass
from os import PathLike

from xcluster.base.checks import blamed_path, check_path

FRAME_HEIGHT = 820


@dataclass(frozen=True)
class Page:
    """One self-contained HTML page.

    Parameters
    ----------
    text : str
        The whole page, with its scripts and data.

    Examples
    --------
    >>> import xcluster
    >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
    >>> fit = ds.cluster.pixels().kmeans(3)
    >>> page = fit.explore()  # doctest: +SKIP
    """

    text: str

    def save(self, path: str | PathLike[str]) -> None:
        """Write the page to an HTML file, which opens without a network.

        Parameters
        ----------
        path
            Of the file.

        Examples
        --------
        >>> import xcluster
        >>> ds = xcluster.datasets.ocean().isel(latitude=slice(None, None, 3))
        >>> fit = ds.cluster.pixels().kmeans(3)
        >>> fit.explore().save("page.html")  # doctest: +SKIP
        """
        target = check_path("path", path)
        with blamed_path("path", target):
            target.write_text(self.text, encoding="utf-8")

    def _repr_html_(self) -> str:
        # A frame keeps scripts and styles of the page and of the notebook apart.
        return (
            f'<iframe srcdoc="{html.escape(self.text)}" width="100%" '
            f'height="{FRAME_HEIGHT}" style="border:0"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<xcluster page> {len(self.text.encode()) / 1e6:.1f} MB; save(path) writes it"
