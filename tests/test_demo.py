"""``python -m xcluster``: what it writes and says."""

import pytest
import xarray as xr

from xcluster import __main__ as demo
from xcluster import datasets


@pytest.mark.large
@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
def test_the_demo_writes_labels_and_figures_and_prints_reports(tmp_path, monkeypatch, capsys):
    """On every fourth point of its data, which is as good for a look at what comes out."""
    for name in ("tomography", "ocean"):
        whole = getattr(datasets, name)()
        coarse = whole.isel(latitude=slice(None, None, 4), longitude=slice(None, None, 4))
        monkeypatch.setattr(datasets, name, lambda coarse=coarse: coarse)
    monkeypatch.chdir(tmp_path)
    demo.main()
    written = sorted(path.name for path in (tmp_path / "xcluster-demo").iterdir())
    assert written == [
        "provinces-elbow.png",
        "provinces-map.png",
        "provinces-profiles.png",
        "provinces.nc",
        "regions-map.png",
        "regions.nc",
    ]
    printed = capsys.readouterr().out
    assert all(f"  {name}\n" in printed for name in written)
    assert "gmm(k=6)" in printed
    with xr.open_dataset(tmp_path / "xcluster-demo" / "provinces.nc") as labels:
        assert labels.attrs["source"] == "PNW10-S"
        assert labels["labels"].dims == ("latitude", "longitude")
