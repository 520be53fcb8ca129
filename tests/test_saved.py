"""Results saved by every version of the package open with the present one.

They are in ``tests/saved``; ``python tests/save_results.py`` adds those of the present version.
"""

import json
import shutil

import pytest
import save_results

import xcluster
from xcluster.files import integrity, manifest

ARCHIVES = sorted(save_results.HERE.glob("*.zip"))
MOST_BYTES = 300 * 2**10


@pytest.fixture(scope="module", params=ARCHIVES, ids=lambda path: path.stem)
def release(request, tmp_path_factory):
    """Return the folder of the results that one version saved."""
    folder = tmp_path_factory.mktemp(request.param.stem)
    shutil.unpack_archive(request.param, folder)
    return folder


def held(folder):
    """Return what each result of a folder held when it was saved."""
    return json.loads((folder / "expected.json").read_text()).items()


def test_results_of_an_older_version_open_tell_their_labels_and_predict(release):
    for name, expected in held(release):
        fit = xcluster.open(release / name)
        assert save_results.described(fit) == expected, name
        assert list(fit.centers.label.values) == list(range(fit.k))
        assert (fit.sweep is not None) == (name == "swept.nc")


def test_with_their_data_they_are_whole(release):
    for name, expected in held(release):
        fit = xcluster.open(release / name, data=save_results.data())
        assert fit.report()["samples"].sum() == fit.labels.notnull().sum()
        assert save_results.as_text(fit.labels) == expected["labels"], name


def test_the_first_release_is_there_with_all_kinds_in_few_bytes():
    assert ARCHIVES[0].name == "xcluster-0.1.0.zip"
    assert all(each.stat().st_size < MOST_BYTES for each in ARCHIVES)


def test_each_kind_was_saved(release):
    assert {name for name, _ in held(release)} >= {"kmeans.nc", "gmm.nc", "gmm.zarr", "swept.nc"}


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_a_newer_format_is_named_and_so_is_the_remedy(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"a{suffix}"
    with monkeypatch.context() as patch:
        patch.setattr(manifest, "FORMATS", (9, 9, 9))
        # What is new in it may be read by nobody.
        patch.setattr(integrity, "GROUPS", ("/",))
        save_results.data().cluster.pixels().kmeans(2).save(path)
    said = r"has format 9, but this version reads 1 to 4. Update xarray-cluster"
    with pytest.raises(ValueError, match=said):
        xcluster.open(path)


def test_the_format_is_not_the_version_of_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(xcluster, "__version__", "7.0")
    save_results.data().cluster.pixels().kmeans(2).save(tmp_path / "a.nc")
    monkeypatch.undo()
    assert xcluster.open(tmp_path / "a.nc").k == 2
