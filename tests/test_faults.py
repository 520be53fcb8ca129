"""Disks that are full, processes that are killed, users who press Ctrl-C: nothing is lost."""

import json
import os
import platform
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xcluster
from xcluster.base.checks import blamed
from xcluster.base.errors import BadFileError, complaint
from xcluster.files import replacing

pytestmark = [
    pytest.mark.large,
    pytest.mark.skipif(os.name == "nt", reason="pipes and signals of POSIX"),
]

SUFFIXES = (".nc", ".zarr")
needs_posix = pytest.mark.skipif(os.name != "posix", reason="limits and signals are POSIX's")
ROOT = Path(xcluster.__file__).parents[1]


@pytest.fixture(params=SUFFIXES)
def path(request, tmp_path):
    return tmp_path / f"a{request.param}"


@pytest.fixture(scope="module")
def pixels(ocean):
    return ocean.cluster.pixels()


@pytest.fixture(scope="module")
def two(pixels):
    return pixels.kmeans(2)


def names(path):
    """Return what lies in the folder of ``path``."""
    return sorted(each.name for each in path.parent.iterdir())


def is_whole(path, fit):
    """Whether a file holds this result, and nothing lies beside it."""
    xr.testing.assert_identical(xcluster.open(path).labels.compute(), fit.labels)
    return names(path) == [path.name]


def run(script, *arguments, timeout=240):
    """Run a script in a process of its own; return what it printed, as JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


# --------------------------------------------------------------------------------- full disks


FULL = """
    import json, resource, sys, xcluster
    path = sys.argv[1]
    fit = xcluster.open(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
    try:
        fit.relabel(["x", "y"]).save(path)
    except OSError as error:
        parts = error.parameter, error.value, error.rule, error.remedy
        print(json.dumps([[each.__name__ for each in type(error).__mro__], str(error), *parts]))
"""


@needs_posix
def test_a_full_disk_leaves_the_old_file_whole_and_is_named(path, two):
    two.save(path)
    kinds, said, parameter, value, rule, remedy = run(FULL, path)
    assert {"OSError", "BadFileError"} <= set(kinds)
    assert (parameter, value) == ("path", str(path))
    assert rule.startswith("cannot be written (")
    assert remedy == "check space and permissions, or choose another folder"
    assert said == complaint(parameter, value, rule, remedy)
    assert is_whole(path, two)


KINDS = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError)


@pytest.mark.parametrize("kind", [*KINDS, PermissionError, OSError])
def test_what_the_system_refuses_keeps_its_kind(path, two, monkeypatch, kind):
    two.save(path)

    def refuse(*_):
        raise kind(5, "as the system says")

    monkeypatch.setattr(replacing, "_replace", refuse)
    with pytest.raises(OSError, match="as the system says") as caught:
        two.relabel(["x", "y"]).save(path)
    error = caught.value
    assert isinstance(error, kind)
    assert isinstance(error, BadFileError)
    assert (error.parameter, error.value) == ("path", str(path))
    assert error.rule == "cannot be written (as the system says)"
    assert type(error.__cause__) is kind
    assert is_whole(path, two)


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="a folder that nobody can write to")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder_without_permission_is_named(two, suffix):
    with pytest.raises(OSError, match=r"path='/sys/kernel/a.*cannot be written .*permissions"):
        two.save(f"/sys/kernel/a{suffix}")


def test_a_folder_that_does_not_exist_is_named(two, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"path=.*the folder .* does not exist"):
        two.save(tmp_path / "nowhere" / "a.nc")


# ------------------------------------------------------------------- what would be lost otherwise


def test_a_folder_is_not_replaced_by_a_file(two, tmp_path):
    path = tmp_path / "a.nc"
    (path / "years of work").mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match=r"is a folder, but a netCDF result is a file"):
        two.save(path)
    assert (path / "years of work").is_dir()


def test_a_zarr_folder_of_other_data_is_not_replaced(two, tmp_path, ocean):
    path = tmp_path / "a.zarr"
    ocean.to_zarr(path)
    with pytest.raises(
        FileExistsError, match="without a saved clustering, whose contents would be lost"
    ):
        two.save(path)
    xr.testing.assert_equal(xr.open_zarr(path).load(), ocean)


def test_a_file_is_not_replaced_by_a_zarr_folder(two, tmp_path):
    path = tmp_path / "a.zarr"
    path.write_text("years of work")
    with pytest.raises(FileExistsError, match="is a file, but a Zarr result is a folder"):
        two.save(path)
    assert path.read_text() == "years of work"


def test_an_empty_folder_is_filled(two, tmp_path):
    path = tmp_path / "a.zarr"
    path.mkdir()
    two.save(path)
    assert is_whole(path, two)


@needs_posix
def test_a_link_to_a_file_stays_a_link(two, path):
    (path.parent / "elsewhere").mkdir()
    link = path.parent / f"link{path.suffix}"
    link.symlink_to(path.parent / "elsewhere" / path.name)
    for _ in range(2):
        two.save(link)
    assert link.is_symlink()
    assert is_whole(path.parent / "elsewhere" / path.name, two)


# ----------------------------------------------------------------------- values that cannot be had


class Source:
    """Blocks that can be read until some are lost."""

    lost = False

    def __call__(self, block):
        if self.lost and block.mean() > 0.5:
            raise RuntimeError("no such tile")
        return block


def test_labels_that_fail_in_the_middle_leave_nothing_half_done(path, two):
    source = Source()
    values = np.linspace(0, 1, 400).reshape(20, 20)
    data = xr.DataArray(values, dims=("y", "x"), name="v").chunk(y=5)
    data = data.copy(data=data.data.map_blocks(source, dtype=float, meta=np.empty((0, 0))))
    fit = data.to_dataset().cluster.pixels().kmeans(2)
    two.save(path)
    source.lost = True
    with pytest.raises(OSError, match=r"block \[y 1[05]:(15|20), x 0:20\] of 'v' cannot be read"):
        fit.save(path)
    assert is_whole(path, two)


def test_an_interrupt_while_saving_leaves_nothing_half_done(path, two, monkeypatch):
    two.save(path)

    def interrupt(*arguments):
        raise KeyboardInterrupt

    for step in ("_replace", "flush"):
        with monkeypatch.context() as patch:
            patch.setattr(replacing, step, interrupt)
            with pytest.raises(KeyboardInterrupt):
                two.relabel(["x", "y"]).save(path)
        assert is_whole(path, two)


# --------------------------------------------------------------------------- processes that die


KILLED = """
    import json, os, random, signal, sys, time
    from pathlib import Path
    import dask, xcluster
    path = Path(sys.argv[1])
    results = [xcluster.open(path.with_name(f"{n}{path.suffix}"), data=None) for n in "12"]
    labels = [each.labels.load() for each in results]
    start = time.monotonic()
    results[0].save(path)
    took = time.monotonic() - start
    rng, seen, left = random.Random(0), [], 0
    for _ in range(int(sys.argv[2])):
        if not (child := os.fork()):
            with dask.config.set(scheduler="sync"):
                while True:
                    for each in reversed(results):
                        each.save(path)
        time.sleep(rng.uniform(0, 3 * took))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found = xcluster.open(path).labels.load()
        seen.append([found.identical(each) for each in labels].index(True))
        beside = {each.name for each in path.parent.iterdir() if each.name.startswith(".")}
        assert all(each.startswith(f".{path.name}.") for each in beside), beside
        assert all(each.endswith(".unfinished") for each in beside), beside
        left += len(beside)
    results[0].save(path)
    beside = [each.name for each in path.parent.iterdir() if each.name.startswith(".")]
    print(json.dumps([sorted(set(seen)), left, beside]))
"""


@needs_posix
@pytest.mark.skipif(sys.platform != "linux", reason="a fork of a process with threads")
def test_a_process_killed_while_saving_leaves_a_whole_file(path, pixels):
    for name, k in {"1": 2, "2": 5}.items():
        pixels.gmm(k).save(path.with_name(f"{name}{path.suffix}"))
    seen, left, beside = run(KILLED, path, 8)
    assert set(seen) <= {0, 1}
    assert left, "no process was killed while it was writing"
    assert beside == []


@needs_posix
def test_the_next_save_removes_what_the_dead_left_and_nothing_else(path, two):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host, kept = platform.node(), []
    for name, host_name, process in (
        (path.name, host, dead.pid),
        (path.name, host, os.getpid()),
        (path.name, "another", dead.pid),
        (f"b{path.suffix}", host, dead.pid),
    ):
        left = path.with_name(f".{name}.{host_name}-{process}-0a1b2c3d.unfinished")
        left.mkdir() if path.suffix == ".zarr" else left.touch()
        kept.append(left.name)
    two.save(path)
    assert names(path) == sorted([*kept[1:], path.name])


def test_two_threads_may_save_to_one_place(path, two, pixels):
    from concurrent.futures import ThreadPoolExecutor

    fits = [two, pixels.kmeans(3)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda fit: fit.save(path), fits * 2))
    assert xcluster.open(path).k in (2, 3)
    assert names(path) == [path.name]


BUSY = """
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import xcluster

fit = xcluster.datasets.ocean().isel(latitude=slice(None, None, 6)).cluster.pixels().kmeans(2)
paths = [Path(sys.argv[1]) / f"{number}.nc" for number in range(3)]
for path in paths:
    fit.save(path)


def both(number):
    fit.save(paths[number % 3])
    return xcluster.open(paths[(number + 1) % 3]).k


with ThreadPoolExecutor(4) as pool:
    print(json.dumps(sorted(set(pool.map(both, range(24))))))
"""


def test_files_saved_and_opened_in_four_threads_do_not_end_the_process(tmp_path):
    assert run(BUSY, tmp_path) == [2]


def test_where_folders_cannot_be_swapped_the_old_one_comes_back(two, tmp_path, monkeypatch):
    path = tmp_path / "a.zarr"
    two.save(path)
    monkeypatch.setattr(replacing, "_exchange", lambda one, other: False)
    two.save(path)
    assert is_whole(path, two)
    rename = Path.rename

    def fails(source, target):
        if source.suffix == ".unfinished":
            raise PermissionError(13, "Permission denied")
        return rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fails)
        with pytest.raises(PermissionError, match="cannot be written"):
            two.save(path)
    assert is_whole(path, two)


def test_opening_names_what_was_moved_aside(two, tmp_path):
    path = tmp_path / "a.zarr"
    two.save(tmp_path / ".a.zarr.host-1-0a.old.zarr")
    (tmp_path / ".a.zarr.host-1-0a.old.zarr").rename(tmp_path / ".a.zarr.host-1-0a.old")
    with pytest.raises(FileNotFoundError, match=r"Rename '.*\.a\.zarr\.host-1-0a\.old'"):
        xcluster.open(path)


# ------------------------------------------------------------------------------------ interrupts


INTERRUPTED = """
    import json, os, random, signal, sys, threading, time, warnings
    import numpy as np, xarray as xr
    import xcluster
    from threadpoolctl import threadpool_info
    from xcluster.fit import fitting

    values = np.random.default_rng(0).normal(size=(6, 60, 60))
    pixels = xr.DataArray(values, dims=("band", "y", "x")).cluster.pixels(dim="band")
    lazy = xr.DataArray(values, dims=("band", "y", "x")).chunk(y=10).cluster.pixels(dim="band")

    def blas():
        return sorted(each["num_threads"] for each in threadpool_info())

    def busy():
        "Share of a processor that is in use while nothing is asked for."
        time.sleep(0.1)
        start = time.process_time()
        time.sleep(0.3)
        return (time.process_time() - start) / 0.3

    def interrupted(act, at):
        "Press Ctrl-C while candidate number `at` is counted, in whichever thread that is."
        counted, count = [], fitting.count_labels

        def counting(*arguments):
            counted.append(arguments)
            if len(counted) == at:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.3)
            return count(*arguments)

        fitting.count_labels = counting
        try:
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")
                table = act().table
            return [table.k.values.tolist(), [str(each.message) for each in heard]]
        except KeyboardInterrupt:
            return "KeyboardInterrupt"
        finally:
            fitting.count_labels = count

    for each in (signal.SIGINT, signal.SIGALRM):  # a shell's jobs in the background ignore Ctrl-C
        signal.signal(each, signal.default_int_handler)
    pixels.sweep([2, 3]), pixels.gmm(2), lazy.kmeans(2)  # compile, start pools
    before, threads = blas(), threading.active_count()
    expected = pixels.kmeans(4).labels
    said = {
        "kmeans": interrupted(lambda: pixels.sweep(range(2, 12)), 4),
        "gmm": interrupted(lambda: pixels.sweep(range(2, 12), method="gmm"), 6),
        "chosen": interrupted(lambda: pixels.kmeans(range(2, 12)).sweep, 4),
    }

    rng, raised, tried = random.Random(0), 0, int(sys.argv[1])
    for number in range(tried):
        fit = [lambda: pixels.kmeans(9), lambda: pixels.gmm(9), lambda: lazy.kmeans(9)][number % 3]
        start = time.monotonic()
        try:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.001, 0.15))
            fit()
            time.sleep(0.2)
        except KeyboardInterrupt:
            raised += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
    said |= {"busy": busy(), "raised": raised, "before": before, "after": blas()}
    said["threads"] = [threads, threading.active_count()]
    said["same"] = bool((pixels.kmeans(4).labels == expected).all())
    print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def interrupted():
    return run(INTERRUPTED, 30)


@needs_posix
def test_an_interrupted_sweep_returns_what_was_done_and_names_the_rest(interrupted):
    for method in ("kmeans", "gmm"):
        ks, heard = interrupted[method]
        assert ks == list(range(2, 2 + len(ks)))
        assert 2 <= len(ks) < 10
        missing = ", ".join(map(str, range(2 + len(ks), 12)))
        assert any(each.endswith(f"were fitted, without k={missing}") for each in heard)


@needs_posix
def test_a_choice_of_k_that_is_interrupted_is_not_made_among_a_few(interrupted):
    assert interrupted["chosen"] == "KeyboardInterrupt"


@needs_posix
def test_an_interrupt_leaves_no_work_behind(interrupted):
    assert interrupted["busy"] < 0.2
    before, after = interrupted["threads"]
    assert after <= before + (os.cpu_count() or 1)  # a pool may have been begun


@needs_posix
def test_an_interrupt_at_any_moment_lifts_the_limits_of_blas_and_harms_no_later_fit(interrupted):
    assert interrupted["raised"] == 30
    assert interrupted["after"] == interrupted["before"]
    assert interrupted["same"]


PRESSED = """
    import json, random, signal
    import numpy as np
    from threadpoolctl import threadpool_info
    from xcluster.base.parallel import single_threaded_blas

    def blas():
        return sorted(each["num_threads"] for each in threadpool_info())

    with single_threaded_blas():
        limited = blas()
    before, rng, pressed = blas(), random.Random(0), 0
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    while pressed < 500 and blas() == before:
        try:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(2e-5, 1e-3))
            while True:
                with single_threaded_blas():
                    pass
        except KeyboardInterrupt:
            pressed += 1
    print(json.dumps([pressed, limited == before]))
"""


@needs_posix
def test_an_interrupt_while_the_limit_of_blas_is_set_or_lifted_leaves_none():
    assert run(PRESSED, timeout=60) == [500, os.cpu_count() == 1]


def test_an_interrupt_that_compiled_code_made_an_error_of_is_one_again():
    error = SystemError("returned a result with an exception set")
    error.__cause__ = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt), blamed("estimator", None, "check it"):
        raise error
