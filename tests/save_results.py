"""Save one result of each kind with the present version: ``python tests/save_results.py``.

Run once for a release: `tests/test_saved.py` opens all that lie in `tests/saved`, whatever their
age. With them lie the labels that each held, and gave for `new_data`, as text.
"""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr

import xcluster

HERE = Path(__file__).with_name("saved")


def data():
    """Return three clear groups in three variables on a small grid, made without random numbers."""
    y, x = np.mgrid[0:9.0, 0:8.0]
    group = (y // 3 + x // 4) % 3
    names = {"sst": "degC", "salinity": "1e-3", "depth": "m"}
    values = (np.cos(2 * group + n) * 10 + np.sin(x * y + n) for n in range(3))
    coords = {"lat": np.linspace(-40, 40, 9), "lon": np.arange(0.0, 80, 10)}
    arrays = {
        name: (("lat", "lon"), array.astype(np.float32), {"units": units})
        for (name, units), array in zip(names.items(), values, strict=True)
    }
    return xr.Dataset(arrays, coords)


def new_data():
    """Return other values of the same variables."""
    ds = data()
    return ds.isel(lat=slice(None, None, -1)) * 0.9 + 0.3


def fits():
    """Return one result of each kind, by name."""
    pixels = data().cluster.pixels()
    return {
        "kmeans": pixels.scale("standard").pca(2).kmeans(3, attrs={"source": "a test"}),
        "gmm": pixels.weights("area").gmm(3).relabel(["cold", "mild", "warm"]),
        "hac": pixels.hac(3),
        "som": pixels.som((2, 2)),
        "fuzzy": pixels.fuzzy(3),
        "swept": pixels.kmeans(range(2, 6)),
        "profiles": data().cluster.profiles("lat").kmeans(2, metric="dtw"),
        "patches": data().cluster.patches(3, vars=["sst"], every=2).kmeans(2),
        "vae": pixels.vae(2, epochs=2).kmeans(2),
    }


def main():
    """Write one archive of files, and of what they hold."""
    name, expected = f"xcluster-{xcluster.__version__}", {}
    HERE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for kind, fit in fits().items():
            for suffix in (".nc", ".zarr") if kind == "gmm" else (".nc",):
                fit.save(Path(folder, f"{kind}{suffix}"))
                expected[f"{kind}{suffix}"] = described(fit)
        Path(folder, "expected.json").write_text(json.dumps(expected, indent=1))
        shutil.make_archive(str(HERE / name), "zip", folder)


def described(fit):
    """Return what must come back, as text: one letter a label, "." where there is none."""
    return {
        "method": fit.method,
        "names": list(fit.partition.label_names()),
        "labels": as_text(fit.labels),
        "predicted": as_text(fit.predict(new_data())),
    }


def as_text(labels):
    """Return a label map as rows of letters."""
    rows = np.atleast_2d(labels.values)
    return ["".join("." if np.isnan(v) else chr(97 + int(v)) for v in row) for row in rows]


if __name__ == "__main__":
    main()
