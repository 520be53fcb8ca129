"""Execute the notebooks and print how long each takes: ``python notebooks/run.py [name ...]``.

Outputs are thrown away. Ends with an error if a notebook fails, takes longer than two minutes, or
holds outputs.
"""

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
LIMIT = 120  # seconds


def run(path: Path) -> float:
    """Execute one notebook and return the seconds that it took."""
    notebook = nbformat.read(path, as_version=4)
    if any(cell.get("outputs") for cell in notebook.cells):
        raise SystemExit(f"{path.name} holds outputs; strip them: nbstripout {path}")
    start = time.perf_counter()
    NotebookClient(notebook, timeout=LIMIT, resources={"metadata": {"path": HERE}}).execute()
    return time.perf_counter() - start


def main(names: list[str]) -> None:
    """Execute those named, or all."""
    paths = [HERE / f"{name}.ipynb" for name in names] or sorted(HERE.glob("*.ipynb"))
    for path in paths:
        seconds = run(path)
        print(f"{path.stem:20} {seconds:6.1f} s", flush=True)
        if seconds > LIMIT:
            raise SystemExit(f"{path.stem} takes longer than {LIMIT} s")


if __name__ == "__main__":
    main(sys.argv[1:])
