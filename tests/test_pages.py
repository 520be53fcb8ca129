"""Pages about files run as they stand; what they write goes to a folder of its own."""

import os
import re
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

DOCS = Path(__file__).parents[1] / "docs"
CELL = re.compile(
    r"^```\{code-cell\}[^\n]*\n(?::tags:[^\n]*\n)?(.*?)^```$", re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize("page", ["getting_data.md", "microscopy.md"])
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    mpl.use("agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.mkdtemp", lambda: str(tmp_path))
    cells = CELL.findall((DOCS / page).read_text(encoding="utf-8"))
    assert len(cells) > 5
    names = {}
    for number, cell in enumerate(cells):
        exec(compile(cell, f"{page}, cell {number}", "exec"), names)
    plt.close("all")
    assert Path(os.getcwd()) == tmp_path
    assert names["fit"].k == 3


@pytest.fixture(scope="module")
def to_dataarray():
    """The function of the page about data that takes what RosettaSciIO returns."""
    cells = CELL.findall((DOCS / "getting_data.md").read_text(encoding="utf-8"))
    (cell,) = (each for each in cells if "def to_dataarray" in each)
    names = {"np": np, "xr": xr}
    exec(cell, names)
    return names["to_dataarray"]


def test_axes_without_names_and_with_units_of_berkeley_are_read(to_dataarray):
    axes = [
        {"name": None, "units": "[n_m]", "scale": 0.5},
        {"name": ""},
        {"name": "E", "axis": [1, 3]},
    ]
    found = to_dataarray({"data": np.zeros((4, 3, 2)), "axes": axes}, axis0="y", axis1="x")
    assert found.dims == ("y", "x", "E")
    assert found.y.values.tolist() == [0, 0.5, 1, 1.5]
    assert (found.y.units, found.x.units, found.E.values.tolist()) == ("nm", "", [1, 3])


@pytest.mark.parametrize("lazy", [False, True])
def test_a_file_of_berkeley_is_clustered(to_dataarray, tmp_path, lazy):
    pytest.importorskip("h5py")
    from rsciio import emd

    group = np.arange(48).reshape(8, 6) // 16
    counts = np.random.default_rng(0).poisson(3 + 40 * (np.arange(3) == group[..., None]))
    kinds = {"y": ("um", True), "x": ("um", True), "Energy": ("keV", False)}
    axes = [
        {"name": name, "size": size, "scale": 0.5, "offset": 1.0, "units": unit, "navigate": outer}
        for (name, (unit, outer)), size in zip(kinds.items(), counts.shape, strict=True)
    ]
    metadata = {"General": {"title": "map"}, "Signal": {}}
    emd.file_writer(tmp_path / "map.emd", {
        "data": counts, "axes": axes, "metadata": metadata, "original_metadata": {},
    })  # fmt: skip
    found = to_dataarray(emd.file_reader(tmp_path / "map.emd", lazy=lazy)[0], Energy="energy")
    np.testing.assert_array_equal(found, counts)
    assert found.energy.values.tolist() == [1.0, 1.5, 2.0]
    assert (found.chunks is not None) == lazy
    labels = found.cluster.pixels(dim="energy").kmeans(3).labels
    assert len(set(zip(group.ravel().tolist(), labels.values.ravel().tolist(), strict=True))) == 3
