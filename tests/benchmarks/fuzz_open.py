"""Open damaged and forged results for as long as one likes; count what came of it.

``python tests/benchmarks/fuzz_open.py --seconds 300 [--first 0]``. Anything but "refused", "same"
(the right answer) and "other" (of a forged file, whose checksums hold) is a fault, and is shown.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import damage

SHARES = {"netcdf": 150, "zarr": 60, "forged netcdf": 20, "forged zarr": 15}
"""Files of each kind in one round."""


def main():
    """Run rounds until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    asked = parser.parse_args()
    counts = {kind: Counter() for kind in SHARES}
    end, rounds = time.monotonic() + asked.seconds, 0
    with tempfile.TemporaryDirectory() as name:
        damage.write_originals(Path(name))
        while time.monotonic() < end:
            for kind, n in SHARES.items():
                first = asked.first + rounds * n
                found, bad = damage.run(Path(name), kind, first, first + n)
                counts[kind] += found
                for each in bad:
                    print(*each)
            rounds += 1
    show(counts)


def show(counts):
    """Print a Markdown table."""
    outcomes = sorted({outcome for found in counts.values() for outcome in found})
    print("| kind | files |", " | ".join(outcomes), "|")
    print("|---|---|" + "---|" * len(outcomes))
    for kind, found in counts.items():
        numbers = (f"{found[outcome]:,}" for outcome in outcomes)
        print(f"| {kind} | {found.total():,} |", " | ".join(numbers), "|")


if __name__ == "__main__":
    main()
