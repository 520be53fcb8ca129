"""Ward's linkage, free and contiguous, beside scipy and scikit-learn.

Run as ``python tests/benchmarks/hierarchical.py``. Each peak of memory is that of a process of
its own, less what the imports and the data take.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from scipy.cluster.hierarchy import ward
from sklearn.cluster import AgglomerativeClustering

from xcluster.algorithms.hierarchical import Hierarchical
from xcluster.algorithms.parts.connectivity import grid_connectivity


def rows(n):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 7)) + 4 * rng.normal(size=(8, 7))[rng.integers(0, 8, n)]


def ours(X):
    return Hierarchical(4).fit(X)


def contiguous(X, side=250):
    return Hierarchical(6, connectivity=grid_connectivity((side, side))).fit(X)


def contiguous_peer(X, side=250):
    graph = grid_connectivity((side, side)).astype(float)
    return AgglomerativeClustering(6, connectivity=graph).fit(X)


def seconds(function, X):
    start = time.perf_counter()
    function(X)
    return time.perf_counter() - start


def status(name):
    """Return an entry of this process's status in MB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def megabytes(name, n):
    """Measure one function in a fresh process."""
    code = [sys.executable, __file__, name, str(n)]
    return float(subprocess.run(code, check=True, capture_output=True, text=True).stdout)


def measure_memory(name, n):
    """Print the rise of resident memory; kernels are compiled before, and the peak is reset."""
    function = {"ours": ours, "scipy": ward}[name]
    X = rows(n)
    function(X[:700])
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    function(X)
    print(status("VmHWM") - before)


def line(what, mine, peer, target, unit="s"):
    print(f"| {what} | {mine:.2f} {unit} | {peer:.2f} {unit} | {peer / mine:.1f} | {target} |")


def main():
    ours(rows(700))
    contiguous(rows(100), 10)
    X = rows(16_384)
    times = np.median([[seconds(ours, X), seconds(ward, X)] for _ in range(3)], axis=0)
    print("| what | ours | peer | ratio | target |\n|---|---|---|---|---|")
    line("Ward, exact, 16,384 x 7, beside scipy", *times, "5")
    memory = megabytes("ours", 16_384), megabytes("scipy", 16_384)
    line("its memory", *memory, "10", "MB")
    large = rows(65_536)
    taken, used = seconds(ours, large), megabytes("ours", 65_536)
    print(f"| Ward, exact, 65,536 x 7 | {taken:.2f} s, {used:.0f} MB | - | - | under 1 GiB |")
    field = rows(62_500)
    times = np.median(
        [[seconds(contiguous, field), seconds(contiguous_peer, field)] for _ in range(3)], axis=0
    )
    line("contiguous Ward, 250 x 250 x 7, beside scikit-learn", *times, "-")


if __name__ == "__main__":
    measure_memory(sys.argv[1], int(sys.argv[2])) if len(sys.argv) > 1 else main()
