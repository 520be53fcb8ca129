"""The last section of docs/design.md lists every file with the first sentence of its docstring."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "xcluster"


def first_sentence(path):
    """Return the first paragraph of the docstring of a module, on one line."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split())


def listing():
    """Return the lines of the section: one per file, in the order of folders from the ground up."""
    folders = ["base", "algorithms", "algorithms/parts", "algorithms/kernels", "scores", "grid"]
    folders += ["blocks", "chain", "fit", "result", "plot", "files", "export"]
    folders += ["explore", "api"]
    for folder in folders:
        yield f"**`{folder}/`**"
        for path in sorted((PACKAGE / folder).glob("*.py")):
            if path.name != "__init__.py" or folder in ("explore", "datasets"):
                yield f"* `{path.name}`: {first_sentence(path)}"


def test_every_file_is_on_the_page_with_what_it_says_of_itself():
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    section = page.partition("\n## Every file\n")[2]
    found = [line for line in section.splitlines() if line.startswith(("* `", "**`"))]
    assert found == list(listing())


def test_every_folder_with_code_is_listed():
    listed = {line.strip("*`/") for line in listing() if line.startswith("**`")}
    there = {str(path.parent.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py")}
    assert there - listed == {".", "datasets"}
