"""The first fit in a fresh environment, in which all that it needs is compiled, and the next one.

Run as ``python tests/benchmarks/cold.py``. Each fit has a process of its own. A first one finds an
empty folder of compiled code; the next finds what the first has left there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

REPEATS = 3
FITS = ("pixels().kmeans(4)", "pixels().kmeans(k=None)", "profiles('depth').kmeans(k=None)")


def main() -> None:
    print("| fit (s, without imports) | first | next | process time of the first |")
    print("|---|---|---|---|")
    for fit in FITS:
        runs = [first_and_next(fit) for _ in range(REPEATS)]
        first, following = (min(run[n] for run in runs) for n in range(2))
        print(f"| {fit} | {first[0]:.1f} | {following[0]:.2f} | {first[1]:.1f} |")


def first_and_next(fit: str) -> list[tuple[float, float]]:
    with tempfile.TemporaryDirectory() as folder:
        return [in_a_process(fit, folder) for _ in range(2)]


def in_a_process(fit: str, folder: str) -> tuple[float, float]:
    environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
    command = [sys.executable, __file__, fit]
    out = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    wall, process = out.stdout.split()
    return float(wall), float(process)


def measure(fit: str) -> None:
    """Print the seconds, and the seconds of all threads, of a fit and its labels."""
    import xcluster

    ds = xcluster.datasets.ocean() if "pixels" in fit else xcluster.datasets.ocean_profiles()
    start = time.perf_counter(), time.process_time()
    eval(f"ds.cluster.{fit}.labels.values", {"ds": ds})
    print(time.perf_counter() - start[0], time.process_time() - start[1])


if __name__ == "__main__":
    measure(sys.argv[1]) if len(sys.argv) > 1 else main()
