"""How often each block of lazy data is read, by every clusterer, step, figure and page."""

import importlib.util
from pathlib import Path

import dask
import pytest
from packaging.version import Version

PATH = Path(__file__).parent / "benchmarks" / "reads.py"
spec = importlib.util.spec_from_file_location("reads", PATH)
reads = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reads)

pytestmark = pytest.mark.filterwarnings("ignore")

SAMPLED = {**reads.FITS, **{f"samples.{name}": each for name, each in reads.ASKED.items()}}


@pytest.mark.parametrize(("data", "use", "expected"), SAMPLED.values(), ids=SAMPLED)
def test_a_fit_of_a_sample_reads_each_block_so_often(data, use, expected):
    assert reads.of_samples(data, use) == (expected, 0)


@pytest.mark.parametrize(("data", "use", "expected"), reads.STREAMED.values(), ids=reads.STREAMED)
def test_a_streamed_fit_reads_each_block_so_often_beside_its_iterations(data, use, expected):
    n_reads, passes = reads.of_samples(data, use)
    assert passes > 1
    assert n_reads == expected + passes


@pytest.mark.skipif(
    Version(dask.__version__) < Version("2026"),
    reason="older releases of dask put a block into each task that needs it",
)
@pytest.mark.parametrize(
    ("data", "fit", "use", "expected"), reads.RESULTS.values(), ids=reads.RESULTS
)
def test_what_is_asked_of_a_result_reads_each_block_so_often(data, fit, use, expected):
    assert reads.of_result(data, fit, use) == expected
