"""Let mypy and pyright read good.py and bad.py: they must refuse the marked lines, and no others.

Run it at the root of the repository: ``python tests/typing/check.py``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SCRIPTS = (HERE / "good.py", HERE / "bad.py")
MARK = "# refused"


def expected():
    """Return the marked lines, as (name of the script, number)."""
    return {
        (script.name, number)
        for script in SCRIPTS
        for number, line in enumerate(script.read_text().splitlines(), 1)
        if line.endswith(MARK)
    }


def by_mypy():
    """Return what mypy refuses: a message per (name of the script, line)."""
    said = _output("mypy", "--output", "json", *map(str, SCRIPTS))
    errors = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return {
        (Path(each["file"]).name, each["line"]): each["message"]
        for each in errors
        if each["severity"] == "error"
    }


def by_pyright():
    """Return what pyright refuses: a message per (name of the script, line)."""
    said = _output("pyright", "--outputjson", "--pythonpath", sys.executable)
    return {
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1): each["message"]
        for each in json.loads(said)["generalDiagnostics"]
        if each["severity"] == "error"
    }


def _output(checker, *arguments):
    command = [sys.executable, "-m", checker, *arguments]
    paths = {"MYPYPATH": str(ROOT), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **paths}, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 1):
        raise SystemExit(f"{checker} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def differences(checker, found):
    """Yield a line for each place where a checker and the marks differ."""
    marked = expected()
    for name, line in sorted(found.keys() - marked):
        yield f"{checker} refuses {name}:{line}: {found[name, line]}"
    for name, line in sorted(marked - found.keys()):
        yield f"{checker} takes {name}:{line}"


def main():
    """Print every difference; end with an error where there is one."""
    checkers = {"mypy": by_mypy, "pyright": by_pyright}
    wrong = [line for name, read in checkers.items() for line in differences(name, read())]
    print("\n".join(wrong) or f"mypy and pyright refuse the {len(expected())} marked lines alone")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
