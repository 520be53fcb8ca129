"""How large the package is, and how readable: ``python tests/benchmarks/size.py``.

It fails where there are too many modules at the top, long functions, or needless imports inside
functions. Code lines leave out blanks, comments and docstrings. A body is the code lines of a
function behind its signature, those of functions inside it included.
"""

import ast
import io
import statistics
import sys
import tokenize
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "xcluster"
DEFERRED = {"torch", "bokeh", "cartopy", "matplotlib", "numba"}
LONGEST = 30
MOST_AT_THE_TOP = 5


def main():
    trees = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
    lines = {path: code_lines(path, tree) for path, tree in trees.items()}
    bodies = {
        f"{path.relative_to(PACKAGE)}:{each.name}": len(
            [line for line in lines[path] if each.body[0].lineno <= line <= each.end_lineno]
        )
        for path, tree in trees.items()
        for each in ast.walk(tree)
        if isinstance(each, ast.FunctionDef) and not is_overload(each)
    }
    top = sorted(path.stem for path in PACKAGE.glob("*.py"))
    print(f"code lines: {sum(map(len, lines.values())):,} in {len(lines)} files")
    for folder in sorted({path.parent for path in lines}):
        count = sum(len(found) for path, found in lines.items() if path.parent == folder)
        print(f"  {folder.relative_to(PACKAGE.parent)}: {count:,}")
    print(f"functions: {len(bodies):,}, median body {statistics.median(bodies.values()):g} lines")
    broken = {
        f"modules at the top, of which there may be {MOST_AT_THE_TOP}": top[MOST_AT_THE_TOP:],
        f"bodies of more than {LONGEST} lines": [
            f"{name} ({length})" for name, length in bodies.items() if length > LONGEST
        ],
        "imports of our own inside functions that defer nothing": [
            each for path, tree in trees.items() for each in inner_imports(path, tree)
        ],
    }
    for rule, offenders in broken.items():
        print(f"{rule}: {len(offenders)}", *offenders, sep="\n  ")
    sys.exit(any(broken.values()))


def is_overload(function):
    return any("overload" in ast.unparse(each) for each in function.decorator_list)


def code_lines(path, tree):
    """The numbers of the lines that hold code."""
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    found = set()
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type not in skipped | {tokenize.ENDMARKER}:
            found |= set(range(token.start[0], token.end[0] + 1))
    texts = [
        each.value
        for each in ast.walk(tree)
        if isinstance(each, ast.Expr)
        and isinstance(each.value, ast.Constant)
        and isinstance(each.value.value, str)
    ]
    return found - {n for each in texts for n in range(each.lineno, each.end_lineno + 1)}


def inner_imports(path, tree):
    """Imports of our own modules inside functions that do not lead to what is deferred."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for each in ast.walk(function):
            if isinstance(each, ast.ImportFrom) and (each.module or "").startswith("xcluster"):
                modules = [each.module, *(f"{each.module}.{name.name}" for name in each.names)]
                if not any(defers(module, set()) for module in modules):
                    yield f"{path.relative_to(PACKAGE)}:{each.lineno} {each.module}"


def defers(module, seen):
    """Whether a module imports, at its top, what is slow to load."""
    path = PACKAGE.parent / (module.replace(".", "/") + ".py")
    path = path if path.exists() else path.with_suffix("") / "__init__.py"
    if module in seen or not path.exists():
        return False
    seen.add(module)
    for each in ast.parse(path.read_text()).body:
        names = []
        if isinstance(each, ast.Import):
            names = [name.name for name in each.names]
        elif isinstance(each, ast.ImportFrom) and each.module:
            names = [each.module, *(f"{each.module}.{name.name}" for name in each.names)]
        for name in names:
            ours = name.startswith("xcluster") and defers(name, seen)
            if name.split(".")[0] in DEFERRED or ours:
                return True
    return False


if __name__ == "__main__":
    main()
