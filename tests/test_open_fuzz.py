"""`xcluster.open` given anything: an error that names the file, or the right answer.

Never a crash, a hang, another answer, or code that a file brings along.
"""

import contextlib
import hashlib
import importlib
import json
import os
import pickle
import re
import shutil
import sys
import zipfile

import damage
import netCDF4
import numcodecs
import numpy as np
import pytest
import xarray as xr
import zarr
from sklearn.base import BaseEstimator

import xcluster
from xcluster.files import integrity, io, manifest, storage

pytestmark = [
    pytest.mark.large,
    pytest.mark.skipif(os.name == "nt", reason="pipes and signals of POSIX"),
]

SUFFIXES = (".nc", ".zarr")
needs_posix = pytest.mark.skipif(os.name != "posix", reason="pipes and links are POSIX's")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    damage.write_originals(folder)
    return folder


@pytest.fixture(scope="module")
def two(ocean):
    return ocean.cluster.pixels().kmeans(2)


@pytest.fixture
def zarr_folder(folder, tmp_path):
    return shutil.copytree(folder / "kmeans.zarr", tmp_path / "a.zarr")


def refusal(path):
    """Return what is said of a file that is refused; it names the file."""
    with pytest.raises((ValueError, OSError)) as caught:
        xcluster.open(path)
    assert str(caught.value).startswith(f"path={str(path)!r}: ")
    return str(caught.value)


# ------------------------------------------------------------------------------ files gone bad


MUTANTS = {"netcdf": 100, "zarr": 30, "forged netcdf": 12, "forged zarr": 8}


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as on Linux")
@pytest.mark.parametrize("kind", MUTANTS)
def test_a_damaged_or_forged_file_gives_an_error_of_ours_or_the_right_answer(folder, kind):
    counts, bad = damage.run(folder, kind, 0, MUTANTS[kind])
    assert not bad
    assert counts["refused"] > sum(counts.values()) / 4


def test_every_truncation_of_a_file_is_refused(folder, tmp_path):
    content = (folder / "kmeans.nc").read_bytes()
    path = tmp_path / "a.nc"
    whole = len(content) - integrity.TRAILER_BYTES
    for length in {*range(0, 200, 7), *range(0, whole, 1009), whole - 1}:
        path.write_bytes(content[:length])
        refusal(path)


# -------------------------------------------------------------------------- what is none of ours


class Canary:
    """Writes a file when it is unpickled or called."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def text(path):
    path.write_text("labels: 0 1 2")


def nothing(path):
    path.touch()


def a_pickle(path):
    path.write_bytes(pickle.dumps(Canary(path.with_name("ran"))))


def a_zip(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("zarr.json", "{}")


def a_folder(path):
    path.mkdir()


def other_data(path):
    ds = xr.Dataset({"labels": ("x", np.arange(3))})
    ds.to_zarr(path) if path.suffix == ".zarr" else ds.to_netcdf(path)


def a_pipe(path):
    os.mkfifo(path)


def a_device(path):
    path.symlink_to("/dev/zero")


def a_link_to_itself(path):
    path.symlink_to(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "write",
    [text, nothing, a_pickle, a_zip, a_folder, other_data]
    + [pytest.param(each, marks=needs_posix) for each in (a_pipe, a_device, a_link_to_itself)],
)
def test_what_is_no_saved_clustering_is_refused_and_never_run(tmp_path, write, suffix):
    path = tmp_path / f"a{suffix}"
    write(path)
    assert re.search("not a saved clustering|no such file", refusal(path))
    assert not (tmp_path / "ran").exists()


# --------------------------------------------------------------------- dangers of a Zarr folder


def edit(path, **changes):
    """Change what the metadata of a group or array say."""
    text = path / "zarr.json"
    text.write_text(json.dumps({**json.loads(text.read_text()), **changes}))


def seal_again(path):
    """Make all checksums hold, as one would who forges a file."""
    _, read = storage.engine(path)
    with read(path, "manifest") as dataset:
        entries = json.loads(dataset.attrs["manifest"])
    entries["headers"] = integrity.header_checksums(read, path, integrity.groups_of(entries))
    edit(path / "manifest", attributes=integrity.sealed(entries))


def test_format_2_is_never_read_as_its_filters_may_run_code(tmp_path, zarr_folder, monkeypatch):
    monkeypatch.setattr(numcodecs.pickles, "ALLOW_UNSAFE_PICKLE_DECODE", True, raising=False)
    for group in ("", "centers", "scores", "model", "manifest"):
        (zarr_folder / group / "zarr.json").unlink()
        (zarr_folder / group / ".zgroup").write_text('{"zarr_format": 2}')
    attributes = {"manifest": (text := '{"format": 1}'), "sha256": sha256(text)}
    (zarr_folder / "manifest" / ".zattrs").write_text(json.dumps(attributes))
    evil = zarr_folder / "labels"
    for coordinate in ("latitude", "longitude"):
        shutil.rmtree(zarr_folder / coordinate)
    (evil / "zarr.json").unlink()
    array = {"shape": [1], "chunks": [1], "dtype": "|O", "order": "C", "fill_value": ""}
    codecs = {"compressor": {"id": "pickle"}, "filters": [{"id": "vlen-utf8"}]}
    (evil / ".zarray").write_text(json.dumps({"zarr_format": 2, **array, **codecs}))
    (evil / ".zattrs").write_text('{"_ARRAY_DIMENSIONS": ["x"]}')
    (evil / "0").write_bytes(pickle.dumps([Canary(tmp_path / "ran"), "|O", (1,)]))
    with zarr.config.set({"array.allow_unsafe_pickle_decode": True}):
        refusal(zarr_folder)
        assert not (tmp_path / "ran").exists()
        with contextlib.suppress(Exception):  # what it makes of what was run
            zarr.open_array(evil, mode="r", zarr_format=2)[:]
    assert (tmp_path / "ran").exists(), "the danger was none"


def test_a_codec_that_we_never_write_is_refused(zarr_folder):
    described = json.loads((zarr_folder / "labels" / "zarr.json").read_text())
    edit(zarr_folder / "labels", codecs=[*described["codecs"], {"name": "gzip"}])
    assert "unknown codec 'gzip'" in refusal(zarr_folder)


def test_an_array_larger_than_the_file_could_hold_is_refused_unread(zarr_folder):
    arrays = sorted((zarr_folder / "model").glob("array_*"))
    flat = [
        each for each in arrays if len(json.loads((each / "zarr.json").read_text())["shape"]) == 1
    ]
    edit(flat[0], shape=[10**12])
    assert "cannot hold arrays of" in refusal(zarr_folder)
    seal_again(zarr_folder)
    assert "cannot hold arrays of" in refusal(zarr_folder)


def test_json_nested_without_end_is_refused(zarr_folder):
    text = "[" * 100_000
    edit(zarr_folder / "manifest", attributes={"manifest": text, "sha256": sha256(text)})
    assert "not a saved clustering" in refusal(zarr_folder)
    (zarr_folder / "labels" / "zarr.json").write_text(text)
    refusal(zarr_folder)


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


# ------------------------------------------------------------------------------- forged manifests


def forged(path, fit, change, arrays=()):
    """Write a result after ``change`` of its manifest, its checksums in order."""
    kept = {}
    root, own = io._over_samples(fit)
    entries = {**manifest.entries(fit, fit.samples, kept), "own": own}
    change(entries)
    kept.update(arrays)
    groups = {"/": root, "/centers": fit.centers, "/scores": xr.Dataset()}
    storage.write(
        path, {**groups, "/model": io._model_arrays(kept)}, entries, contextlib.nullcontext
    )


@pytest.mark.parametrize("name", damage.DANGEROUS)
@pytest.mark.parametrize("tag", ["estimator", "object", "dataclass"])
def test_a_class_that_is_no_estimator_of_ours_is_never_built(tmp_path, two, name, tag):
    command = {"command": f"touch {tmp_path / 'ran'}", "args": f"touch {tmp_path / 'ran'}"}
    state = command if tag != "estimator" else {"params": {"dict": command}, "fitted": {"dict": {}}}
    path = tmp_path / "a.zarr"
    forged(path, two, lambda each: each.update(clusterer={tag: name, "state": state}))
    refusal(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda each: each["partition"].update(codes=[0, 10**12]), "codes"),
        (lambda each: each["partition"].update(codes=[0, -1]), "codes"),
        (lambda each: each["partition"].update(names=["one"]), "names"),
        (lambda each: each["partition"].update(colors=["url(x)", "red"]), "not a colour"),
        (lambda each: each["record"].update(counts=[1.0]), "counts"),
        (lambda each: each["record"].update(points="many"), "record"),
        (lambda each: each.update(method=None), "method"),
        (lambda each: each.update(features=[["sst", ["depth"]]]), "fit together"),
        (lambda each: each.pop("clusterer"), "KeyError"),
    ],
)
def test_a_manifest_whose_parts_do_not_fit_is_refused(tmp_path, two, change, said):
    path = tmp_path / "a.zarr"
    forged(path, two, change)
    assert said in refusal(path)


@pytest.mark.parametrize("method", ["kmeans", "gmm", "som", "hac"])
def test_arrays_of_another_shape_are_refused_before_compiled_code_sees_them(folder, method):
    fit, kept = xcluster.open(folder / f"{method}.nc"), {}
    manifest.entries(fit, fit.samples, kept)
    path = folder / f"narrow_{method}.zarr"
    for name in (name for name, array in kept.items() if array.ndim > 1):
        forged(path, fit, lambda each: None, {name: kept[name][:, :2]})
        if name == "centers":
            assert "fit together" in refusal(path)
        # What only a further fit would use may have any shape.
        assert damage.outcome(path, damage.data())[0] in ("refused", "other")


def test_labels_that_there_are_not_are_refused(tmp_path, ocean, monkeypatch):
    fit = ocean.cluster.pixels().kmeans(3)
    root, own = io._over_samples(fit)
    wrong = root.assign(labels=root.labels + 1)
    monkeypatch.setattr(io, "_over_samples", lambda _: (wrong, own))
    fit.save(tmp_path / "a.nc")
    assert "labels" in refusal(tmp_path / "a.nc")


# ------------------------------------------------------------------------------ foreign estimators


class Evil(BaseEstimator):
    """Runs a command when its attributes are restored."""

    def __init__(self, path=None):
        self.path = path

    def fit(self, X, y=None):
        return self

    def predict(self, X):
        return (X[:, 0] > 0).astype(int)

    def __setstate__(self, state):
        self.__dict__.update(state)
        with open(self.path, "w") as file:
            file.write("ran")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_foreign_estimator_runs_nothing_unless_it_is_trusted(tmp_path, ocean, suffix):
    path, canary = tmp_path / f"a{suffix}", tmp_path / "ran"
    ocean.cluster.pixels().fit(Evil(str(canary))).save(path)
    canary.unlink(missing_ok=True)  # a clone was made to fit
    assert "trusted=['test_open_fuzz.Evil']" in refusal(path)
    with pytest.raises(ValueError, match="types of other packages"):
        xcluster.open(path, trusted=["sklearn.cluster.KMeans", "Evil"])
    assert not canary.exists()
    xcluster.open(path, trusted=["test_open_fuzz.Evil"])
    assert canary.exists(), "the danger was none"


MODULE = """
from pathlib import Path
from sklearn.base import BaseEstimator
Path(__file__).with_name("ran").touch()
class Clusterer(BaseEstimator):
    def fit(self, X, y=None): return self
    def predict(self, X): return (X[:, 0] > 0).astype(int)
"""


def test_the_module_of_a_foreign_estimator_is_not_even_imported(tmp_path, ocean, monkeypatch):
    (tmp_path / "foreign_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    estimator = importlib.import_module("foreign_module").Clusterer()
    ocean.cluster.pixels().fit(estimator).save(tmp_path / "a.nc")
    monkeypatch.delitem(sys.modules, "foreign_module")
    (tmp_path / "ran").unlink()
    assert "foreign_module.Clusterer" in refusal(tmp_path / "a.nc")
    assert not (tmp_path / "ran").exists()


# ----------------------------------------------------------------- checksums of the formats' own


def test_every_array_of_a_netcdf_file_has_fletcher32(folder):
    for path in folder.glob("*.nc"):
        with netCDF4.Dataset(path) as file:
            for group in (file, *file.groups.values()):
                for variable in group.variables.values():
                    if variable.ndim and variable.dtype is not str:
                        assert variable.filters()["fletcher32"], (path, variable.name)


def test_every_array_of_a_zarr_folder_has_crc32c(folder):
    names = []
    for path in folder.glob("*.zarr/**/zarr.json"):
        described = json.loads(path.read_text())
        if described["node_type"] == "array" and 0 not in described["shape"]:
            names.append(path.parent.name)
            assert described["codecs"][-1]["name"] == "crc32c", path
            chunks = [each for each in path.parent.rglob("*") if each.is_file()]
            assert len(chunks) > 1, f"{path}: a chunk that is empty is stored as well"
    assert {"labels", "memberships", "label_name", "centers", "sst"} <= set(names)


def test_a_damaged_netcdf_file_never_reaches_its_library(folder, tmp_path, monkeypatch):
    content = bytearray((folder / "kmeans.nc").read_bytes())
    content[len(content) // 3] ^= 1
    path = tmp_path / "a.nc"
    path.write_bytes(content)
    monkeypatch.setattr(xr, "open_dataset", None)
    assert "not those that were written" in refusal(path)


def test_a_netcdf_file_that_another_program_wrote_anew_still_opens(folder, tmp_path):
    path = tmp_path / "a.nc"
    shutil.copyfile(folder / "kmeans.nc", path)
    with netCDF4.Dataset(path, "a") as file:
        file.sync()
        file.setncattr("tag", "1")
        file.delncattr("tag")
    assert b"xcluster sha256" not in path.read_bytes()[-100:]
    assert damage.answers(path, damage.data())[0].k == 3


def test_a_flipped_bit_in_a_block_is_found_by_the_format_itself(folder, zarr_folder):
    chunk = next((zarr_folder / "labels").glob("c/*/*"))
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    with (
        xr.open_zarr(zarr_folder, consolidated=False) as ds,
        pytest.raises(ValueError, match="checksum"),
    ):
        ds.labels.load()
