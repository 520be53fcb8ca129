"""Pages about files run as they stand; what they write goes to a folder of its own."""

import os
import re
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

DOCS = Path(__file__).parents[1] / "docs"
CELL = re.compile(
    r"^```\{code-cell\}[^\n]*\n(?::tags:[^\n]*\n)?(.*?)^```$", re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize("page", ["getting_data.md", "microscopy.md"])
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    mpl.use("agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.mkdtemp", lambda: str(tmp_path))
    cells = CELL.findall((DOCS / page).read_text(encoding="utf-8"))
    assert len(cells) > 5
    names = {}
    for number, cell in enumerate(cells):
        exec(compile(cell, f"{page}, cell {number}", "exec"), names)
    plt.close("all")
    assert Path(os.getcwd()) == tmp_path
    assert names["fit"].k == 3
