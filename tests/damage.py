"""Saved results made worse in many ways, and what `xcluster.open` makes of each.

Run as a script it is the worker that opens them, since a crash would end the process:
``python tests/damage.py FOLDER KIND FIRST STOP`` prints two lines a mutant. Mutant number i of a
kind is the same in every run.
"""

import contextlib
import faulthandler
import json
import os
import random
import re
import shutil
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import xarray as xr

import xcluster
from xcluster.files import io, manifest, storage
from xcluster.grid.samplers import Snapshots

KINDS = ("netcdf", "zarr", "forged netcdf", "forged zarr")
HARMLESS = ("refused", "same", "other")
SECONDS_EACH, BYTES_EACH = 60, 12 * 2**30

DANGEROUS = (
    "os:system",
    "subprocess:Popen",
    "builtins:eval",
    "sklearn.os:system",
    "sklearn.utils:os",
    "xcluster.files.io:Path",
    "xcluster.__main__:main",
    "sklearn.base:BaseEstimator",
    "sklearn.utils._bunch:Bunch",
    "numpy:ndarray",
)
"""Names where a manifest names a class."""

NASTY = (
    *(None, True, -1, 0, 1, 7, 2**31, 10**12, 10**400, 0.5, 1e308, float("nan"), float("inf")),
    *("", "a", "../../../etc/passwd", "\x00", "label", [], [[]], [-1], [None, {}], {}),
    *({"array": "array_999"}, {"list": 3}, {"estimator": "os:system", "state": {}}),
    {"skops": "centers", "type": "sklearn.cluster.KMeans"},
    {"random_state": {"list": []}},
    {"array": "centers"},
)


# ---------------------------------------------------------------------------------- the originals


def data():
    """Return a small ocean."""
    return xcluster.datasets.ocean().isel(
        latitude=slice(None, None, 6), longitude=slice(None, None, 6)
    )


def fits(ds):
    """Return one result of each kind of model, by name."""
    pixels = ds.cluster.pixels()
    snapshots = ds.sst.rename(longitude="time").fillna(0).cluster.snapshots("time")
    return {
        "kmeans": pixels.pca(3).kmeans(3),
        "gmm": pixels.weights("area").gmm(3).threshold(0.6).relabel(["cold", "mild", "warm"]),
        "hac": pixels.hac(4),
        "som": pixels.som((3, 2)),
        "fuzzy": snapshots.fuzzy(3),
        "dtw": ds.sst.fillna(0).cluster.profiles("latitude").kmeans(2, metric="dtw"),
    }


def write_originals(folder):
    """Save each fit as netCDF and Zarr."""
    for name, fit in fits(data()).items():
        for suffix in (".nc", ".zarr"):
            fit.save(folder / f"{name}{suffix}")


def answers(path, ds):
    """Return all that a result tells without its data, computed."""
    fit = xcluster.open(path)
    repr(fit)
    new = ds if "sst" in fit.template and len(fit.template) > 1 else ds.sst.fillna(0)
    if not isinstance(new, xr.Dataset) and "time" in fit.template.coords:
        new = new.rename(longitude="time")
    found = {"labels": fit.labels.compute(), "centers": fit.centers.compute()}
    if fit.is_soft:
        found["memberships"] = fit.memberships.compute()
    if fit.sampler == Snapshots("time", vars=fit.sampler.vars):
        new = ds.sst.rename(longitude="time").fillna(0)
    with contextlib.suppress(NotFittingError):
        found["predicted"] = predicted(fit, new)
    return fit, found


class NotFittingError(Exception):
    """The message that new data do not fit, which is right of a forged template."""


def predicted(fit, new):
    """Return the labels of new data."""
    try:
        return fit.predict(new).compute()
    except ValueError as error:
        if "new=" in str(error):
            raise NotFittingError from error
        raise


# -------------------------------------------------------------------------------- bytes that change


def changed_bytes(content, rng):
    """Return ``content`` with one kind of damage."""
    n, content = len(content), bytearray(content)
    at, length = rng.randrange(n) if n else 0, rng.choice([1, 2, 4, 16, 64, 512, 4096])
    damage = rng.choice(["truncate", "flip", "flip", "flip", "zero", "noise", "insert", "cut"])
    if damage == "truncate":
        return bytes(content[:at])
    if damage == "flip":
        for _ in range(rng.choice([1, 1, 1, 2, 8, 64])):
            if n:
                content[rng.randrange(n)] ^= 1 << rng.randrange(8)
    elif damage == "zero":
        content[at : at + length] = bytes(len(content[at : at + length]))
    elif damage == "noise":
        content[at : at + length] = rng.randbytes(len(content[at : at + length]))
    elif damage == "insert":
        content[at:at] = rng.randbytes(length)
    else:
        del content[at : at + length]
    return bytes(content)


def damage_netcdf(path, rng):
    """Damage a file."""
    path.write_bytes(changed_bytes(path.read_bytes(), rng))


def damage_zarr(path, rng):
    """Damage one file of a folder, or lose, swap or replace some."""
    files = sorted(each for each in path.rglob("*") if each.is_file())
    one, other = rng.choice(files), rng.choice(files)
    how = rng.choice(["bytes", "bytes", "json", "json", "lose", "swap", "folder", "link", "pipe"])
    if how == "bytes":
        one.write_bytes(changed_bytes(one.read_bytes(), rng))
    elif how == "json":
        text = rng.choice([each for each in files if each.name == "zarr.json"])
        text.write_text(json.dumps(replaced(json.loads(text.read_text()), rng)))
    elif how == "lose":
        shutil.rmtree(one.parent)
    elif how == "swap":
        ours, theirs = one.read_bytes(), other.read_bytes()
        one.write_bytes(theirs), other.write_bytes(ours)
    else:
        one.unlink()
        if how == "folder":
            one.mkdir()
        elif how == "link":
            one.symlink_to(rng.choice(["/dev/zero", "/etc/passwd", one, other, path]))
        else:
            os.mkfifo(one)


def replaced(value, rng):
    """Return JSON values with one of them, anywhere, replaced by a nasty one."""
    places = list(leaves(value))
    holder, key = rng.choice(places)
    holder[key] = rng.choice(NASTY)
    return value


def leaves(value):
    """Yield where each value within ``value`` stands."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from leaves(value[key])


# ------------------------------------------------------------------------------------- forged files


def forge(path, fit, rng):
    """Write a result with something wrong in it, and with checksums that hold."""
    arrays = {}
    root, own = io._over_samples(fit)
    entries = {**manifest.entries(fit, fit.samples, arrays), "own": own}
    entries, root, centers = json.loads(json.dumps(entries)), root.load(), fit.centers
    how = rng.choice(["manifest", "manifest", "class", "array", "array", "root", "centers"])
    if how == "manifest":
        replaced(entries, rng)
    elif how == "class":
        tags = ("estimator", "object", "dataclass")
        places = [(holder, key) for holder, key in leaves(entries) if key in tags]
        holder, key = rng.choice(places)
        holder[key] = rng.choice(DANGEROUS)
    elif how == "array":
        name = rng.choice(sorted(arrays))
        arrays[name] = misshapen(arrays[name], rng)
    elif how == "root":
        name = rng.choice(list(root))
        wrong = rng.choice([-7, 10**4, 0.5, 99])
        root[name] = root[name].where(root[name] != 0, wrong)
    else:
        centers = rng.choice(
            [centers.isel(label=slice(1)), centers * np.nan, centers.drop_vars("label")]
        )
    groups = {"/": root, "/centers": centers, "/scores": xr.Dataset()}
    groups["/model"] = io._model_arrays(arrays)
    with contextlib.suppress(TypeError, ValueError):  # what no file holds forges nothing
        storage.write(path, groups, entries, contextlib.nullcontext)


def misshapen(array, rng):
    """Return an array of another shape, dtype or range."""
    return rng.choice(
        [
            array[:1],
            array[..., :1],
            array.ravel(),
            array[None],
            np.concatenate([array, array]),
            array * 0 - 10**6,
            array * 0 + 10**9,
            array * np.nan,
            array.astype(str),
            array.astype(np.int8),
            array > 0,
            np.zeros(0),
            np.zeros((10**4, 10**3), np.int8),
        ]
    )


# ------------------------------------------------------------------------------------- the worker


def outcome(path, ds, expected=None):
    """Open and use everything; return what came of it, in a word and a sentence."""
    try:
        fit, found = answers(path, ds)
    except (ValueError, TypeError, OSError) as error:
        # A forged sampler is refused when it meets new data, which the file cannot know of.
        names = r"\w+" if expected is None else "path"
        ours = re.match(rf"{names}=.*: .*\.$", str(error), re.DOTALL)
        return "refused" if ours else "bare", f"{type(error).__name__}: {error}"
    except Exception as error:
        return "bare", f"{type(error).__name__}: {error}"
    if expected is not None:
        same = found.keys() == expected.keys() and all(
            found[name].identical(expected[name]) for name in expected
        )
        return ("same", "") if same else ("wrong", "another answer")
    values = found["labels"].values
    known = values[np.isfinite(values)]
    fine = ((known >= -1) & (known < fit.k) & (known % 1 == 0)).all()
    return ("other", "") if fine else ("wrong", f"labels {np.unique(known)} of {fit.k}")


def make(kind, folder, number):
    """Write mutant ``number`` of a kind; return where it is and what it was made of."""
    rng = random.Random(f"{kind} {number}")
    suffix = ".nc" if kind.endswith("netcdf") else ".zarr"
    original = rng.choice(sorted(folder.glob(f"*{suffix}")))
    path = folder / "mutants" / f"{number}{suffix}"
    path.parent.mkdir(exist_ok=True)
    if kind.startswith("forged"):
        forge(path, xcluster.open(original), rng)
        return path, original
    (shutil.copytree if original.is_dir() else shutil.copyfile)(original, path)
    (damage_zarr if original.is_dir() else damage_netcdf)(path, rng)
    return path, original


def limit_memory():
    """Let what asks for too much of it fail, where the system can."""
    with contextlib.suppress(ImportError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (BYTES_EACH, BYTES_EACH))


def work(folder, kind, first, stop):
    """Open mutants one after the other; say on a line what is next, and on one what it gave."""

    limit_memory()
    warnings.simplefilter("ignore")
    ds, expected = data(), {}
    for number in range(first, stop):
        print("begin", number, flush=True)  # noqa: T201
        faulthandler.dump_traceback_later(SECONDS_EACH, exit=True)
        path, original = make(kind, folder, number)
        if original not in expected:
            expected[original] = answers(original, ds)[1]
        if path.exists():
            found = outcome(path, ds, None if kind.startswith("forged") else expected[original])
            print("end", number, found[0], " ".join(found[1].split()), flush=True)  # noqa: T201
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def run(folder, kind, first, stop):
    """Open mutants in other processes; return how often each outcome was, and what was no good."""
    counts, bad, env = Counter(), [], {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    while first < stop:
        command = [sys.executable, __file__, str(folder), kind, str(first), str(stop)]
        worker = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
        lines = [line.split(" ", 3) for line in worker.stdout.splitlines()]
        for _, number, result, said in (line for line in lines if line[0] == "end"):
            counts[result] += 1
            if result not in HARMLESS:
                bad.append((kind, int(number), result, said))
        if worker.returncode == 0:
            break
        if not lines:
            raise RuntimeError(worker.stderr)
        hung = "Timeout" in worker.stderr
        died, first = int(lines[-1][1]), int(lines[-1][1]) + 1
        counts["hung" if hung else "crashed"] += 1
        bad.append((kind, died, f"exit {worker.returncode}", worker.stderr[-2000:]))
    return counts, bad


if __name__ == "__main__":
    work(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
