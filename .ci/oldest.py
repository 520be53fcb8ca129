"""Print the oldest release of each dependency that pyproject.toml admits, as constraints for pip.

``python .ci/oldest.py > oldest.txt && pip install -e ".[test]" -c oldest.txt``
"""

import re
import sys
import tomllib
from pathlib import Path

REQUIREMENT = re.compile(r"([\w.-]+)(?:\[[\w,.-]+\])?\s*(==|>=)\s*([\w.]+)")


def bounds(project):
    """Yield name, operator and release of each requirement, extras included."""
    extras = project.get("optional-dependencies", {})
    for requirement in [*project["dependencies"], *(r for rs in extras.values() for r in rs)]:
        found = REQUIREMENT.match(requirement)
        if not found:
            sys.exit(f"pyproject.toml: {requirement!r} states no minimum")
        yield found.groups()


def oldest(project):
    """Return a release for each name; one that is pinned anywhere stays at its pin."""

    def order(bound):
        _, operator, release = bound
        return operator == "==", [int(part) for part in release.split(".")]

    return {name: release for name, _, release in sorted(bounds(project), key=order)}


if __name__ == "__main__":
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    for name, release in sorted(oldest(tomllib.loads(text)["project"]).items()):
        sys.stdout.write(f"{name}=={release}\n")
